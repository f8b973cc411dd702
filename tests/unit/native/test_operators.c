/* Single operators on inputs that the standard's cases leave out: integers, and what must be refused. */
#include "unit/harness.h"

#include "base/alloc.h"
#include "native/internal.h"

static pg_session session;

/* Takes over the input values. */
static pg_status run(const char *op_type, pg_value *inputs, size_t n, pg_value *out)
{
    pg_node node = {.op_type = pg_str_c(op_type), .name = PG_STR("the_node")};
    pg_frame frame = {0};
    pg_value *pointers[3] = {&inputs[0], &inputs[1], &inputs[2]};
    const uint8_t in_flags[3] = {0}, wanted = PG_OUT_WANTED;
    pg_plan_node planned = {.kernel = pg_kernel_find(PG_STR(""), node.op_type, 20)};
    *out = (pg_value){0};
    planned.op = (pg_op){.node = &node,
                         .opset = 20,
                         .n_in = n,
                         .n_out = 1,
                         .in = pointers,
                         .out = out,
                         .in_flags = in_flags,
                         .out_flags = &wanted,
                         .frame = &frame,
                         .session = &session};
    pg_status status = pg_plan_run_node(&planned);
    pg_frame_end_node(&frame);
    for (size_t i = 0; i < n; i++)
        pg_value_deinit(&inputs[i]);
    return status;
}

static pg_value row(pg_dtype dtype, int64_t n, const int64_t *values)
{
    pg_tensor tensor;
    CHECK_OK(pg_tensor_alloc(&tensor, dtype, 1, &n));
    size_t size = pg_dtype_get(dtype)->bits / 8;
    for (int64_t i = 0; i < n; i++)
        memcpy((char *)tensor.data + (size_t)i * size, &values[i], size);
    return pg_value_of_tensor(tensor);
}

static const pg_dtype integers[] = {PG_I8, PG_I16, PG_I32, PG_I64, PG_U8, PG_U16, PG_U32, PG_U64};
enum { N_INTEGERS = sizeof integers / sizeof *integers };

TEST(integer_division_by_zero)
{
    for (size_t i = 0; i < N_INTEGERS; i++)
        for (int op = 0; op < 2; op++) {
            const char *name = op == 0 ? "Div" : "Mod";
            pg_value out, zero[3] = {row(integers[i], 3, (int64_t[]){7, 8, 9}),
                                     row(integers[i], 3, (int64_t[]){2, 0, 3})};
            CHECK_ERR(run(name, zero, 2, &out), PG_ERR_INVALID, "'the_node': integer division by zero");
            pg_value_deinit(&out);
            /* 256 is not zero, though its low byte is. */
            int64_t wide = pg_dtype_get(integers[i])->bits > 8 ? 256 : 3;
            pg_value fine[3] = {row(integers[i], 3, (int64_t[]){7, 8, 9}),
                                row(integers[i], 3, (int64_t[]){2, wide, 4})};
            CHECK_OK(run(name, fine, 2, &out));
            CHECK_INT(*(const uint8_t *)out.tensor.data, op == 0 ? 3 : 1);
            pg_value_deinit(&out);
        }
}

TEST(nothing_divided_by_zero)
{
    pg_value out, inputs[3] = {row(PG_I32, 0, NULL), row(PG_I32, 1, (int64_t[]){0})};
    CHECK_OK(run("Div", inputs, 2, &out));
    CHECK_INT(pg_tensor_count(&out.tensor), 0);
    pg_value_deinit(&out);
}

/* log(sum(e^x)) of integers, cut towards zero. */
static int64_t log_sum_exp(pg_dtype dtype, int64_t n, const int64_t *values)
{
    int64_t result = 0;
    pg_value out, inputs[3] = {row(dtype, n, values)};
    CHECK_OK(run("ReduceLogSumExp", inputs, 1, &out));
    memcpy(&result, out.tensor.data, pg_dtype_get(dtype)->bits / 8);
    pg_value_deinit(&out);
    return result;
}

TEST(log_sum_exp_of_integers)
{
    const int64_t huge = (int64_t)1 << 60;
    for (size_t i = 0; i < N_INTEGERS; i++) {
        CHECK_INT(log_sum_exp(integers[i], 3, (int64_t[]){1, 2, 3}), 3);    /* 3.41 */
        CHECK_INT(log_sum_exp(integers[i], 4, (int64_t[]){5, 5, 5, 5}), 6); /* 6.39 */
    }
    CHECK_INT(log_sum_exp(PG_I64, 2, (int64_t[]){-3, -3}), -2); /* -2.31 */
    CHECK_INT(log_sum_exp(PG_I64, 2, (int64_t[]){-1, -1}), 0);  /* -0.31 */
    CHECK_INT(log_sum_exp(PG_I64, 2, (int64_t[]){huge + 1, 4}), huge + 1);
    CHECK_INT(log_sum_exp(PG_U64, 2, (int64_t[]){-4, 1}), -4); /* 2^64 - 4 */
}

static pg_value scores(int64_t batch, int64_t classes)
{
    pg_tensor tensor;
    CHECK_OK(pg_tensor_alloc(&tensor, PG_F64, 2, (int64_t[]){batch, classes}));
    for (int64_t i = 0; i < batch * classes; i++)
        ((double *)tensor.data)[i] = (double)(i % 3);
    return pg_value_of_tensor(tensor);
}

TEST(losses)
{
    pg_value out, inputs[3] = {scores(2, 3), row(PG_I64, 2, (int64_t[]){0, 2})};
    CHECK_OK(run("SoftmaxCrossEntropyLoss", inputs, 2, &out));
    CHECK_INT(out.tensor.rank, 0);
    CHECK_NEAR(*(const double *)out.tensor.data, log(1 + exp(1) + exp(2)) - 1, 1e-12);
    pg_value_deinit(&out);
    pg_value outside[3] = {scores(2, 3), row(PG_I32, 2, (int64_t[]){0, 3})};
    CHECK_ERR(run("SoftmaxCrossEntropyLoss", outside, 2, &out), PG_ERR_INVALID, "label 1 is 3");
    pg_value_deinit(&out);
    pg_value below[3] = {scores(2, 3), row(PG_I32, 2, (int64_t[]){-1, 0})};
    CHECK_ERR(run("NegativeLogLikelihoodLoss", below, 2, &out), PG_ERR_INVALID, "label 0 is -1");
    pg_value_deinit(&out);
    pg_value few[3] = {scores(2, 3), row(PG_I32, 1, (int64_t[]){0})};
    CHECK_ERR(run("NegativeLogLikelihoodLoss", few, 2, &out), PG_ERR_INVALID, "without axis 1");
    pg_value_deinit(&out);
}

/* Numbers with repetitions and some NaN. */
static pg_value noisy(int64_t n)
{
    pg_tensor tensor;
    CHECK_OK(pg_tensor_alloc(&tensor, PG_F32, 1, &n));
    for (int64_t i = 0; i < n; i++)
        ((float *)tensor.data)[i] = i % 331 == 330 ? NAN : (float)(i * 7919 % 997 - 400);
    return pg_value_of_tensor(tensor);
}

/* NaN is the largest; of equal numbers the first comes first. */
static bool goes_before(const float *x, int64_t a, int64_t b)
{
    bool nan_a = isnan(x[a]), nan_b = isnan(x[b]);
    if (nan_a || nan_b || x[a] == x[b])
        return nan_a == nan_b ? a < b : nan_a;
    return x[a] > x[b];
}

TEST(top_k_of_long_line)
{
    enum { N = 2003, K = 9 };
    pg_value out, copy, inputs[3] = {noisy(N), row(PG_I64, 1, (int64_t[]){K})};
    copy = pg_value_share(&inputs[0]);
    const float *x = copy.tensor.data;
    CHECK_OK(run("TopK", inputs, 2, &out));
    bool taken[N] = {false};
    for (int64_t k = 0; k < K; k++) {
        int64_t best = -1;
        for (int64_t i = 0; i < N; i++)
            if (!taken[i] && (best < 0 || goes_before(x, i, best)))
                best = i;
        taken[best] = true;
        CHECK(memcmp((const float *)out.tensor.data + k, &x[best], sizeof *x) == 0);
    }
    pg_value_deinit(&out);
    pg_value_deinit(&copy);
}

TEST(gather_elements_of_long_row)
{
    enum { N = 2500 };
    int64_t at[N];
    for (int64_t i = 0; i < N; i++)
        at[i] = i * 31 % (2 * N) - N;
    pg_value out, inputs[3] = {row(PG_I32, N, at), row(PG_I64, N, at)};
    CHECK_OK(run("GatherElements", inputs, 2, &out));
    for (int64_t i = 0; i < N; i++)
        CHECK_INT(((const int32_t *)out.tensor.data)[i], at[at[i] < 0 ? at[i] + N : at[i]]);
    pg_value_deinit(&out);
    const int64_t outside[] = {N, -N - 1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < 4; i++) {
        at[2100] = outside[i];
        pg_value wrong[3] = {row(PG_I32, N, at), row(PG_I64, N, at)};
        CHECK_ERR(run("GatherElements", wrong, 2, &out), PG_ERR_INVALID, "(element 2100 of input 1)");
        pg_value_deinit(&out);
    }
}

int main(int argc, char **argv)
{
    pg_test_only = argc > 1 ? argv[1] : NULL;
    session.pool = pg_pool_new(0);
    RUN(integer_division_by_zero);
    RUN(nothing_divided_by_zero);
    RUN(log_sum_exp_of_integers);
    RUN(losses);
    RUN(top_k_of_long_line);
    RUN(gather_elements_of_long_row);
    pg_pool_unref(session.pool);
    printf("1..%d\n", pg_test_number);
    return pg_test_failures > 0;
}
