/* The ONNX Runtime backend. What needs the library itself is skipped where there is none. */
#include "base/alloc.h"
#include "base/file.h"
#include "onnx/wire.h"
#include "runner/onnxrt/internal.h"
#include "unit/harness.h"

/* A library that the environment names must work; one that is not installed is no fault. */
static const pg_ort *find_runtime(void)
{
    const pg_ort *ort = NULL;
    pg_status status = pg_ort_get(NULL, &ort);
    if (status != NULL && getenv("POLYGRAPHY_ONNXRUNTIME") != NULL)
        FAIL_TEST("%s", pg_status_message(status));
    pg_status_drop(status);
    return ort;
}
#define NEEDS_RUNTIME(ort)              \
    const pg_ort *ort = find_runtime(); \
    if (ort == NULL)                    \
    SKIP_TEST("ONNX Runtime is not installed")

/* ---- Models ---- */

static void put_part(pg_buf *out, uint32_t field, pg_buf *part)
{
    pg_wire_put_bytes(out, field, part->ptr, part->len);
    pg_buf_deinit(part);
}
static void put_text(pg_buf *out, uint32_t field, const char *text)
{
    pg_wire_put_bytes(out, field, text, strlen(text));
}

/* A graph input or output: a tensor with one dimension named N. */
static void put_value(pg_buf *graph, uint32_t field, const char *name, pg_dtype dtype)
{
    pg_buf dim = {0}, shape = {0}, tensor = {0}, type = {0}, info = {0};
    put_text(&dim, 2, "N");
    put_part(&shape, 1, &dim);
    pg_wire_put_int(&tensor, 1, dtype);
    put_part(&tensor, 2, &shape);
    put_part(&type, 1, &tensor);
    put_text(&info, 1, name);
    put_part(&info, 2, &type);
    put_part(graph, field, &info);
}
static void put_node(pg_buf *graph, const char *op, const char *input, const char *output)
{
    pg_buf node = {0};
    put_text(&node, 1, input);
    put_text(&node, 2, output);
    put_text(&node, 4, op);
    put_part(graph, 1, &node);
}
static void put_weight(pg_buf *graph, const char *name, const float *values, size_t count)
{
    pg_buf tensor = {0};
    pg_wire_put_int(&tensor, 1, (int64_t)count);
    pg_wire_put_int(&tensor, 2, PG_F32);
    put_text(&tensor, 8, name);
    pg_wire_put_bytes(&tensor, 9, values, count * sizeof *values);
    put_part(graph, 5, &tensor);
}
static void put_model(pg_buf *out, pg_buf *graph)
{
    pg_buf opset = {0};
    put_text(graph, 2, "test");
    pg_wire_put_int(out, 1, 10);
    put_part(out, 7, graph);
    put_text(&opset, 1, "");
    pg_wire_put_int(&opset, 2, 21);
    put_part(out, 8, &opset);
}

static pg_runner *new_runner(const pg_buf *bytes, const pg_onnxrt_options *options)
{
    pg_model *model = NULL;
    CHECK_OK(pg_model_parse(bytes->ptr, bytes->len, "test", &model));
    pg_runner *runner = pg_runner_onnxrt_new(model, options);
    pg_model_unref(model);
    return runner;
}

/* y = op(x) */
static void unary_model(pg_buf *out, const char *op, pg_dtype dtype)
{
    pg_buf graph = {0};
    put_node(&graph, op, "x", "y");
    put_value(&graph, 11, "x", dtype);
    put_value(&graph, 12, "y", dtype);
    put_model(out, &graph);
}

static pg_tensor filled(pg_dtype dtype, size_t rank, const int64_t *dims)
{
    pg_tensor tensor = {0};
    CHECK_OK(pg_tensor_alloc(&tensor, dtype, rank, dims));
    uint64_t size = pg_tensor_bytes(&tensor);
    for (uint64_t i = 0; i < size; i++)
        ((uint8_t *)tensor.data)[i] = dtype == PG_BOOL ? i % 2 : (uint8_t)(i * 37 + 11);
    return tensor;
}

/* ---- The library ---- */

static void check_library(const char *path, const char *part)
{
    pg_onnxrt_options options = {.library = path};
    pg_buf bytes = {0};
    unary_model(&bytes, "Relu", PG_F32);
    pg_runner *runner = new_runner(&bytes, &options);
    CHECK_ERR(pg_runner_activate(runner), PG_ERR_UNAVAILABLE, part);
    CHECK(!runner->active);
    pg_runner_free(runner);
    pg_buf_deinit(&bytes);
}

TEST(missing_and_wrong_libraries_are_told_apart)
{
    check_library("/nonexistent/libonnxruntime.so", "could not load the library '/nonexistent/");
    check_library("libm.so.6", "'libm.so.6' is not ONNX Runtime");
    check_library("/usr", "the folder '/usr' has no libonnxruntime.so*");
}

TEST(the_runtime_is_opened_once)
{
    NEEDS_RUNTIME(ort);
    const pg_ort *again = NULL;
    CHECK_OK(pg_ort_get(NULL, &again));
    CHECK(ort == again);
}

/* ---- Options ---- */

static void check_option(const pg_onnxrt_options *options, pg_code code, const char *part)
{
    pg_buf bytes = {0};
    unary_model(&bytes, "Relu", PG_F32);
    pg_runner *runner = new_runner(&bytes, options);
    CHECK_ERR(pg_runner_activate(runner), code, part);
    pg_runner_free(runner);
    pg_buf_deinit(&bytes);
}

TEST(unknown_options_list_what_there_is)
{
    NEEDS_RUNTIME(ort);
    pg_str abacus[] = {PG_STR("abacus")};
    check_option(&(pg_onnxrt_options){.providers = abacus, .n_providers = 1}, PG_ERR_UNAVAILABLE,
                 "no execution provider 'abacus'");
    check_option(&(pg_onnxrt_options){.providers = abacus, .n_providers = 1}, PG_ERR_UNAVAILABLE,
                 "'CPUExecutionProvider'");
    check_option(&(pg_onnxrt_options){.optimization_level = PG_STR("MORE")}, PG_ERR_INVALID,
                 "no graph optimization level 'MORE': there are ORT_DISABLE_ALL, ORT_ENABLE_BASIC");
}

TEST(every_level_and_a_partial_provider_work)
{
    NEEDS_RUNTIME(ort);
    static const char *const levels[] = {"ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED",
                                         "ort_enable_all"};
    pg_str cpu[] = {PG_STR("cPu")};
    pg_buf bytes = {0};
    unary_model(&bytes, "Relu", PG_F32);
    for (size_t i = 0; i < PG_COUNT(levels); i++) {
        pg_onnxrt_options options = {
            .providers = cpu, .n_providers = 1, .threads = 1, .optimization_level = pg_str_c(levels[i])};
        pg_runner *runner = new_runner(&bytes, &options);
        CHECK_OK(pg_runner_activate(runner));
        pg_runner_free(runner);
    }
    pg_buf_deinit(&bytes);
}

TEST(a_refused_model_keeps_the_words_of_the_runtime)
{
    NEEDS_RUNTIME(ort);
    pg_buf bytes = {0};
    unary_model(&bytes, "NoSuchOperator", PG_F32);
    pg_runner *runner = new_runner(&bytes, NULL);
    CHECK_ERR(pg_runner_activate(runner), PG_ERR_RUNTIME, "NoSuchOperator");
    CHECK(!runner->active);
    pg_runner_free(runner);
    pg_buf_deinit(&bytes);
}

/* ---- Values ---- */

TEST(tensors_of_every_type_pass_without_a_copy)
{
    NEEDS_RUNTIME(ort);
    for (int dtype = PG_F32; dtype < PG_DTYPE_COUNT; dtype++) {
        if (dtype == PG_STRING)
            continue;
        pg_tensor tensor = filled((pg_dtype)dtype, 2, (int64_t[]){3, 5});
        pg_value in = pg_value_of_tensor(tensor), out;
        ort_value *value = NULL;
        pg_status status = pg_ort_value_from(ort, &in, NULL, &value);
        if (status != NULL) /* the runtime may be older than the type */
            CHECK(pg_status_code(status) == PG_ERR_UNSUPPORTED || dtype >= PG_F4E2M1);
        if (status == NULL) {
            CHECK_OK(pg_ort_value_to(ort, value, &out));
            CHECK_INT(out.tensor.dtype, dtype);
            CHECK_INT(out.tensor.rank, 2);
            CHECK_INT(out.tensor.dims[1], 5);
            CHECK(out.tensor.data == tensor.data);
            pg_value_deinit(&out);
        }
        pg_status_drop(status);
        pg_value_deinit(&in);
    }
}

TEST(scalars_and_empty_tensors_pass)
{
    NEEDS_RUNTIME(ort);
    const int64_t none[] = {4, 0};
    for (size_t rank = 0; rank <= 2; rank += 2) {
        pg_value in = pg_value_of_tensor(filled(PG_I64, rank, none)), out;
        ort_value *value = NULL;
        CHECK_OK(pg_ort_value_from(ort, &in, NULL, &value));
        CHECK_OK(pg_ort_value_to(ort, value, &out));
        CHECK(pg_tensor_same_shape(&out.tensor, &in.tensor));
        pg_value_deinit(&out);
        pg_value_deinit(&in);
    }
}

TEST(strings_keep_every_byte)
{
    NEEDS_RUNTIME(ort);
    const pg_str texts[] = {PG_STR("plain"), PG_STR(""), {"a\0b", 3}, PG_STR("gr\xc3\xbc\xc3\x9f")};
    pg_tensor tensor = {0};
    CHECK_OK(pg_tensor_alloc_strings(&tensor, 2, (int64_t[]){2, 2}, texts));
    pg_value in = pg_value_of_tensor(tensor), out;
    ort_value *value = NULL;
    CHECK_OK(pg_ort_value_from(ort, &in, NULL, &value));
    CHECK_OK(pg_ort_value_to(ort, value, &out));
    for (size_t i = 0; i < 4; i++)
        CHECK(pg_str_eq(((pg_str *)out.tensor.data)[i], texts[i]));
    pg_value_deinit(&out);
    pg_value_deinit(&in);
}

static pg_value sequence_of(size_t count)
{
    pg_value value = {.kind = PG_VALUE_SEQUENCE, .elem = PG_F32};
    value.sequence.items = pg_calloc(count + 1, sizeof *value.sequence.items);
    value.sequence.count = count;
    for (size_t i = 0; i < count; i++)
        value.sequence.items[i] = pg_value_of_tensor(filled(PG_F32, 1, (int64_t[]){(int64_t)i}));
    return value;
}

TEST(sequences_pass_even_when_empty)
{
    NEEDS_RUNTIME(ort);
    for (size_t count = 0; count < 4; count++) {
        pg_value in = sequence_of(count), out;
        ort_value *value = NULL;
        CHECK_OK(pg_ort_value_from(ort, &in, NULL, &value));
        CHECK_OK(pg_ort_value_to(ort, value, &out));
        CHECK_INT(out.kind, PG_VALUE_SEQUENCE);
        CHECK_INT(out.sequence.count, count);
        for (size_t i = 0; i < out.sequence.count; i++)
            CHECK(i == 0 ||
                  memcmp(out.sequence.items[i].tensor.data, in.sequence.items[i].tensor.data, i * 4) == 0);
        pg_value_deinit(&out);
        pg_value_deinit(&in);
    }
}

TEST(an_absent_optional_passes)
{
    NEEDS_RUNTIME(ort);
    const pg_type tensor = {.kind = PG_TYPE_TENSOR, .elem = PG_F32};
    const pg_type sequence = {.kind = PG_TYPE_SEQUENCE, .inner = &tensor};
    const pg_type types[] = {{.kind = PG_TYPE_OPTIONAL, .inner = &tensor},
                             {.kind = PG_TYPE_OPTIONAL, .inner = &sequence}};
    for (size_t i = 0; i < PG_COUNT(types); i++) {
        pg_value none = {0}, out = {.kind = PG_VALUE_MAP};
        ort_value *value = NULL;
        CHECK_OK(pg_ort_value_from(ort, &none, &types[i], &value));
        CHECK_OK(pg_ort_value_to(ort, value, &out));
        CHECK_INT(out.kind, PG_VALUE_NONE);
    }
    pg_value none = {0};
    ort_value *value = NULL;
    CHECK_ERR(pg_ort_value_from(ort, &none, NULL, &value), PG_ERR_UNSUPPORTED, "empty value");
    CHECK(value == NULL);
}

TEST(maps_pass)
{
    NEEDS_RUNTIME(ort);
    const pg_str names[] = {PG_STR("b"), PG_STR("a")};
    pg_value in = {.kind = PG_VALUE_MAP, .elem = PG_F32}, out;
    in.map.keys = PG_NEW(pg_tensor);
    CHECK_OK(pg_tensor_alloc_strings(in.map.keys, 1, (int64_t[]){2}, names));
    in.map.items = pg_calloc(2, sizeof *in.map.items);
    in.map.count = 2;
    for (size_t i = 0; i < 2; i++) {
        in.map.items[i] = pg_value_of_tensor(filled(PG_F32, 0, NULL));
        *(float *)in.map.items[i].tensor.data = (float)i + 0.5f;
    }
    ort_value *value = NULL;
    CHECK_OK(pg_ort_value_from(ort, &in, NULL, &value));
    CHECK_OK(pg_ort_value_to(ort, value, &out));
    CHECK_INT(out.kind, PG_VALUE_MAP);
    CHECK_INT(out.map.count, 2);
    for (size_t i = 0; i < out.map.count; i++) { /* the runtime sorts keys */
        bool is_a = pg_str_is(((pg_str *)out.map.keys->data)[i], "a");
        CHECK_NEAR(*(float *)out.map.items[i].tensor.data, is_a ? 1.5 : 0.5, 0);
    }
    pg_value_deinit(&out);
    pg_value_deinit(&in);
}

/* ---- Inference ---- */

TEST(a_model_in_memory_runs)
{
    NEEDS_RUNTIME(ort);
    pg_buf bytes = {0};
    unary_model(&bytes, "Relu", PG_F32);
    pg_runner *runner = new_runner(&bytes, NULL);
    CHECK_OK(pg_runner_activate(runner));
    pg_io_list inputs = runner->ops->inputs(runner);
    CHECK_INT(inputs.count, 1);
    CHECK(pg_str_is(inputs.items[0].name, "x"));
    CHECK_INT(inputs.items[0].type.elem, PG_F32);
    CHECK_INT(inputs.items[0].type.rank, 1);
    CHECK(!inputs.items[0].type.dims[0].has_value && pg_str_is(inputs.items[0].type.dims[0].name, "N"));
    pg_tensor x = {0};
    const float values[] = {-1, 2, -3};
    CHECK_OK(pg_tensor_borrow(&x, PG_F32, 1, (int64_t[]){3}, values));
    pg_feed feed = {0}, out;
    pg_feed_add(&feed, PG_STR("x"), pg_value_of_tensor(x));
    CHECK_OK(pg_runner_infer(runner, &feed, &out));
    CHECK(runner->seconds > 0);
    const float *y = out.items[0].value.tensor.data;
    CHECK_STR(out.items[0].name, "y");
    CHECK(y[0] == 0 && y[1] == 2 && y[2] == 0);
    pg_feed_deinit(&out);
    pg_feed_deinit(&feed);
    pg_runner_free(runner);
    pg_buf_deinit(&bytes);
}

enum { BIG = 100000 };

/* Outputs: a result, a constant, an initializer, and the input itself. */
static void passing_model(pg_buf *out, const float *weights)
{
    pg_buf graph = {0};
    put_node(&graph, "Neg", "x", "negative");
    put_node(&graph, "Identity", "w", "constant");
    put_node(&graph, "Identity", "x", "same");
    put_weight(&graph, "w", weights, BIG);
    put_value(&graph, 11, "x", PG_F32);
    put_value(&graph, 12, "negative", PG_F32);
    put_value(&graph, 12, "constant", PG_F32);
    put_value(&graph, 12, "same", PG_F32);
    put_value(&graph, 12, "w", PG_F32);
    put_value(&graph, 12, "x", PG_F32);
    put_model(out, &graph);
}

/* Fed from `values`, which may be gone afterwards, and freed with all that belongs to it. */
static void run_and_free(const pg_buf *model, const char *level, pg_tensor values, pg_feed *out)
{
    pg_onnxrt_options options = {.optimization_level = pg_str_c(level)};
    pg_runner *runner = new_runner(model, &options);
    CHECK_OK(pg_runner_activate(runner));
    pg_feed feed = {0};
    pg_feed_add(&feed, PG_STR("x"), pg_value_of_tensor(values));
    CHECK_OK(pg_runner_infer(runner, &feed, out));
    pg_feed_deinit(&feed);
    pg_runner_free(runner);
}

TEST(results_outlive_session_and_feed)
{
    NEEDS_RUNTIME(ort);
    static const char *const levels[] = {"ORT_DISABLE_ALL", "ORT_ENABLE_ALL"};
    float *weights = pg_calloc(BIG, sizeof *weights), *fed = pg_calloc(BIG, sizeof *fed);
    for (int i = 0; i < BIG; i++)
        weights[i] = (float)i;
    pg_buf model = {0};
    passing_model(&model, weights);
    for (int round = 0; round < 4; round++) {
        pg_tensor x = {0};
        pg_feed out;
        if (round < 2)
            CHECK_OK(pg_tensor_borrow(&x, PG_F32, 1, (int64_t[]){BIG}, fed));
        else
            CHECK_OK(pg_tensor_alloc(&x, PG_F32, 1, (int64_t[]){BIG}));
        memcpy(x.data, weights, BIG * sizeof *weights);
        run_and_free(&model, levels[round % 2], x, &out);
        memset(fed, 0xff, BIG * sizeof *fed);
        CHECK_INT(out.count, 5);
        for (size_t o = 0; o < out.count; o++)
            for (int i = 0; i < BIG; i += 997)
                CHECK_NEAR(fabsf(((float *)out.items[o].value.tensor.data)[i]), i, 0);
        pg_feed_deinit(&out);
    }
    pg_buf_deinit(&model);
    free(weights);
    free(fed);
}

TEST(a_failing_node_is_named)
{
    NEEDS_RUNTIME(ort);
    pg_buf graph = {0}, bytes = {0};
    const float three[] = {1, 2, 3};
    pg_buf node = {0};
    put_text(&node, 1, "x");
    put_text(&node, 1, "w");
    put_text(&node, 2, "y");
    put_text(&node, 3, "the_sum");
    put_text(&node, 4, "Add");
    put_part(&graph, 1, &node);
    put_weight(&graph, "w", three, 3);
    put_value(&graph, 11, "x", PG_F32);
    put_value(&graph, 12, "y", PG_F32);
    put_model(&bytes, &graph);
    pg_runner *runner = new_runner(&bytes, NULL);
    CHECK_OK(pg_runner_activate(runner));
    pg_feed feed = {0}, out;
    pg_feed_add(&feed, PG_STR("x"), pg_value_of_tensor(filled(PG_F32, 1, (int64_t[]){5})));
    CHECK_ERR(pg_runner_infer(runner, &feed, &out), PG_ERR_RUNTIME, "the_sum");
    CHECK_INT(out.count, 0);
    pg_feed_deinit(&feed);
    pg_runner_free(runner);
    pg_buf_deinit(&bytes);
}

TEST_MAIN(RUN(missing_and_wrong_libraries_are_told_apart); RUN(the_runtime_is_opened_once);
          RUN(unknown_options_list_what_there_is); RUN(every_level_and_a_partial_provider_work);
          RUN(a_refused_model_keeps_the_words_of_the_runtime); RUN(tensors_of_every_type_pass_without_a_copy);
          RUN(scalars_and_empty_tensors_pass); RUN(strings_keep_every_byte);
          RUN(sequences_pass_even_when_empty); RUN(an_absent_optional_passes); RUN(maps_pass);
          RUN(a_model_in_memory_runs); RUN(results_outlive_session_and_feed); RUN(a_failing_node_is_named);)
