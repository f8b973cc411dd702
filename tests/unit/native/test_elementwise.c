/* Elementwise operators over mixed shapes and layouts, run as single kernels. */
#include "unit/harness.h"

#include "native/internal.h"
#include "base/alloc.h"
#include "native/ops/move.h"

static pg_session session;

/* A float32 tensor of small distinct numbers. */
static pg_value make(size_t rank, const int64_t *dims, float first)
{
    pg_tensor tensor;
    CHECK_OK(pg_tensor_alloc(&tensor, PG_F32, rank, dims));
    for (uint64_t i = 0; i < pg_tensor_count(&tensor); i++)
        ((float *)tensor.data)[i] = first + (float)((i * 7) % 31);
    return pg_value_of_tensor(tensor);
}

/* The same elements channels-last. */
static pg_value channels_last(const pg_value *value)
{
    pg_value copy = pg_value_share(value);
    CHECK_OK(pg_layout_convert(&session, &copy.tensor, PG_CHANNELS_LAST));
    return copy;
}

/* Runs one kernel on the inputs; the result is row-major. */
static pg_value run(const char *op_type, pg_value **inputs, size_t n, uint8_t flag, pg_layout *made)
{
    pg_node node = {.op_type = pg_str_c(op_type), .name = PG_STR("node")};
    pg_frame frame = {0};
    pg_value out = {0};
    const uint8_t in_flags[3] = {flag, flag, flag}, wanted = PG_OUT_WANTED;
    pg_plan_node planned = {.kernel = pg_kernel_find(PG_STR(""), node.op_type, 20)};
    planned.op = (pg_op){.node = &node,
                         .opset = 20,
                         .n_in = n,
                         .n_out = 1,
                         .in = inputs,
                         .out = &out,
                         .in_flags = in_flags,
                         .out_flags = &wanted,
                         .frame = &frame,
                         .session = &session};
    CHECK_OK(pg_plan_run_node(&planned));
    pg_frame_end_node(&frame);
    *made = (pg_layout)out.tensor.layout;
    CHECK_OK(pg_layout_convert(&session, &out.tensor, PG_ROW_MAJOR));
    return out;
}

static void check_same(const pg_value *a, const pg_value *b)
{
    CHECK(pg_tensor_same_shape(&a->tensor, &b->tensor) && a->tensor.dtype == b->tensor.dtype);
    CHECK(memcmp(a->tensor.data, b->tensor.data, pg_tensor_bytes(&a->tensor)) == 0);
}

/* op(x, y) with x, y or both channels-last gives what it gives row-major. */
static void check_pair(const char *op_type, size_t rank_x, const int64_t *dims_x, size_t rank_y,
                       const int64_t *dims_y)
{
    pg_layout layout;
    pg_value x = make(rank_x, dims_x, 1), y = make(rank_y, dims_y, 2);
    pg_value *plain[2] = {&x, &y};
    pg_value want = run(op_type, plain, 2, 0, &layout);
    CHECK_INT(layout, PG_ROW_MAJOR);
    pg_value x_last = channels_last(&x), y_last = channels_last(&y);
    for (int mix = 1; mix < 4; mix++) {
        pg_value *mixed[2] = {(mix & 1) != 0 ? &x_last : &x, (mix & 2) != 0 ? &y_last : &y};
        pg_value got = run(op_type, mixed, 2, 0, &layout);
        check_same(&got, &want);
        pg_value_deinit(&got);
    }
    pg_value_deinit(&x);
    pg_value_deinit(&y);
    pg_value_deinit(&x_last);
    pg_value_deinit(&y_last);
    pg_value_deinit(&want);
}

TEST(layouts_mix)
{
    check_pair("Add", 4, (int64_t[]){2, 3, 4, 5}, 4, (int64_t[]){2, 3, 4, 5});
    check_pair("Mul", 4, (int64_t[]){2, 3, 4, 5}, 4, (int64_t[]){1, 3, 1, 1});
    check_pair("Mul", 4, (int64_t[]){2, 3, 4, 5}, 4, (int64_t[]){2, 3, 1, 1});
    check_pair("Sub", 4, (int64_t[]){2, 3, 4, 5}, 1, (int64_t[]){5});
    check_pair("Sub", 4, (int64_t[]){2, 3, 4, 5}, 0, NULL);
    check_pair("Div", 4, (int64_t[]){2, 1, 4, 5}, 4, (int64_t[]){2, 3, 1, 5});
    check_pair("Max", 3, (int64_t[]){2, 3, 4}, 4, (int64_t[]){2, 2, 3, 4});
    check_pair("Pow", 4, (int64_t[]){1, 3, 2, 2}, 3, (int64_t[]){3, 1, 1});
    check_pair("Greater", 4, (int64_t[]){2, 3, 4, 5}, 3, (int64_t[]){3, 1, 1});
    check_pair("PRelu", 4, (int64_t[]){2, 3, 4, 5}, 3, (int64_t[]){3, 1, 1});
}

TEST(result_stays_channels_last)
{
    pg_layout layout;
    pg_value x = make(4, (int64_t[]){2, 3, 4, 5}, 1), bias = make(4, (int64_t[]){1, 3, 1, 1}, 2);
    pg_value last = channels_last(&x), *inputs[2] = {&last, &bias};
    pg_value y = run("Add", inputs, 2, 0, &layout);
    CHECK_INT(layout, PG_CHANNELS_LAST);
    pg_value_deinit(&y);
    y = run("Relu", inputs, 1, 0, &layout);
    CHECK_INT(layout, PG_CHANNELS_LAST);
    pg_value_deinit(&y);
    pg_value_deinit(&x);
    pg_value_deinit(&last);
    pg_value_deinit(&bias);
}

TEST(concat_of_channels_last)
{
    pg_layout layout;
    for (int axis = 0; axis < 4; axis++) {
        int64_t dims[4] = {2, 3, 4, 5}, more[4] = {2, 3, 4, 5};
        more[axis] = 6;
        pg_value a = make(4, dims, 1), b = make(4, more, 5), a_last = channels_last(&a),
                 b_last = channels_last(&b);
        pg_attr attr = {.name = PG_STR("axis"), .type = PG_ATTR_INT, .i = axis};
        pg_node node = {.op_type = PG_STR("Concat"), .n_attrs = 1, .attrs = &attr};
        pg_value results[3] = {{0}};
        for (int mix = 0; mix < 3; mix++) {
            pg_frame frame = {0};
            pg_value *inputs[2] = {mix > 0 ? &a_last : &a, mix > 1 ? &b_last : &b};
            const uint8_t flags[2] = {0, 0}, wanted = PG_OUT_WANTED;
            pg_plan_node planned = {.kernel = pg_kernel_find(PG_STR(""), node.op_type, 20)};
            planned.op = (pg_op){.node = &node,
                                 .opset = 20,
                                 .n_in = 2,
                                 .n_out = 1,
                                 .in = inputs,
                                 .out = &results[mix],
                                 .in_flags = flags,
                                 .out_flags = &wanted,
                                 .frame = &frame,
                                 .session = &session};
            CHECK_OK(pg_plan_run_node(&planned));
            pg_frame_end_node(&frame);
            layout = (pg_layout)results[mix].tensor.layout;
            CHECK_INT(layout, mix == 2 ? PG_CHANNELS_LAST : PG_ROW_MAJOR);
            CHECK_OK(pg_layout_convert(&session, &results[mix].tensor, PG_ROW_MAJOR));
            check_same(&results[mix], &results[0]);
        }
        for (int mix = 0; mix < 3; mix++)
            pg_value_deinit(&results[mix]);
        pg_value_deinit(&a);
        pg_value_deinit(&b);
        pg_value_deinit(&a_last);
        pg_value_deinit(&b_last);
    }
}

/* The last reader's bytes are taken over, and the result is the same. */
TEST(in_place)
{
    pg_layout layout;
    pg_value x = make(2, (int64_t[]){300, 400}, 1), y = make(1, (int64_t[]){400}, 2), *inputs[2] = {&x, &y};
    pg_value want = run("Sub", inputs, 2, 0, &layout);
    const void *bytes = x.tensor.data;
    pg_value got = run("Sub", inputs, 2, PG_IN_LAST_USE, &layout);
    CHECK(got.tensor.data == bytes);
    check_same(&got, &want);
    pg_value_deinit(&x);
    pg_value_deinit(&y);
    pg_value_deinit(&got);
    pg_value_deinit(&want);
}

/* Every strided copy against one element at a time. */
TEST(copies_of_boxes)
{
    const int64_t dims[4] = {3, 17, 5, 33};
    int64_t from[4], to[4];
    static const size_t perms[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {0, 3, 1, 2}, {1, 0, 3, 2}, {2, 3, 0, 1}};
    enum { COUNT = 3 * 17 * 5 * 33 };
    static char source[COUNT * 16], target[COUNT * 16];
    for (size_t i = 0; i < sizeof source; i++)
        source[i] = (char)(i * 31 + i / 251);
    pg_strides(4, dims, from);
    for (size_t p = 0; p < PG_COUNT(perms); p++)
        for (size_t size = 1; size <= 16; size *= 2) {
            int64_t box[4], ss[4];
            for (size_t i = 0; i < 4; i++) {
                box[i] = dims[perms[p][i]];
                ss[i] = from[perms[p][i]];
            }
            pg_strides(4, box, to);
            pg_copy_strided(target, to, source, ss, 4, box, size);
            bool same = true;
            for (int64_t i = 0; i < COUNT; i++) {
                int64_t at = 0;
                for (size_t k = 0; k < 4; k++)
                    at += i / to[k] % box[k] * ss[k];
                same &= memcmp(target + (size_t)i * size, source + (size_t)at * size, size) == 0;
            }
            CHECK(same);
        }
}

int main(int argc, char **argv)
{
    pg_test_only = argc > 1 ? argv[1] : NULL;
    session.pool = pg_pool_new(0);
    RUN(layouts_mix);
    RUN(result_stays_channels_last);
    RUN(concat_of_channels_last);
    RUN(in_place);
    RUN(copies_of_boxes);
    pg_pool_unref(session.pool);
    printf("1..%d\n", pg_test_number);
    return pg_test_failures > 0;
}
