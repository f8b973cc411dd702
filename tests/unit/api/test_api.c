/* The C interface where examples do not go: errors, ownership, options of an older caller. */
#include <stdio.h>

#include "onnx/build.h"
#include "onnx/edit.h"
#include "onnx/save.h"
#include "polygraphy.h"
#include "unit/harness.h"

#define OK(call)                                                    \
    do {                                                            \
        if ((call) != POLYGRAPHY_OK)                                \
            FAIL_TEST("%s: %s", #call, polygraphy_error_message()); \
    } while (0)

/* y = LeakyRelu(x + w), with w = {1, -2, 3}. */
static void make_model(pg_buf *out)
{
    pg_arena arena = {0};
    pg_tensor w;
    pg_model *model;
    float values[] = {1, -2, 3};
    pg_str bytes;
    pg_buf scratch = {0};
    pg_wire_message *graph = pg_build_graph(&arena, "g");
    pg_build_input(&arena, graph, "x", PG_F32, "N,3");
    pg_build_output(&arena, graph, "y", PG_F32, "N,3");
    pg_build_node(&arena, graph, "Add", "n0", "x,w", "s");
    pg_wire_message *node = pg_build_node(&arena, graph, "LeakyRelu", "n1", "s", "y");
    pg_build_attr_float(&arena, node, "alpha", 0.5f);
    pg_status_drop(pg_tensor_borrow(&w, PG_F32, 1, (int64_t[]){3}, values));
    pg_build_weight(&arena, graph, pg_build_tensor(&arena, "w", &w));
    pg_status status = pg_model_from_wire(&arena, pg_build_model(&arena, graph, 17), NULL, "test", &model);
    CHECK(status == NULL);
    status = pg_model_serialize(model, &scratch, &bytes);
    CHECK(status == NULL);
    pg_buf_add_str(out, bytes);
    pg_buf_deinit(&scratch);
    pg_model_unref(model);
}

typedef struct opened {
    pg_buf bytes;
    polygraphy_model *model;
    polygraphy_runner *runner;
} opened;

static opened open_native(void)
{
    opened out = {0};
    make_model(&out.bytes);
    OK(polygraphy_model_parse(out.bytes.ptr, out.bytes.len, &out.model));
    OK(polygraphy_runner_open(out.model, "native", NULL, &out.runner));
    return out;
}

static void close_native(opened *in)
{
    polygraphy_runner_close(in->runner);
    polygraphy_model_free(in->model);
    pg_buf_deinit(&in->bytes);
}

static int released;
static void count_release(void *context)
{
    released += *(int *)context;
}

TEST(arrays)
{
    int weight = 7;
    float values[6] = {1, 2, 3, 4, 5, 6};
    polygraphy_array *array, *strings;
    OK(polygraphy_array_wrap(POLYGRAPHY_FLOAT32, 2, (int64_t[]){2, 3}, values, count_release, &weight,
                             &array));
    CHECK(polygraphy_array_data(array) == values);
    CHECK_INT(polygraphy_array_bytes(array), 24);
    CHECK_INT(polygraphy_array_dims(array)[1], 3);
    char *text;
    OK(polygraphy_array_text(array, &text));
    CHECK(strcmp(text, "[[1. 2. 3.]\n [4. 5. 6.]]") == 0);
    polygraphy_free_text(text);
    polygraphy_feed *feed;
    OK(polygraphy_feed_new(&feed));
    OK(polygraphy_feed_set(feed, "a", array));
    polygraphy_array_unref(array);
    CHECK_INT(released, 0); /* the feed owns it too */
    OK(polygraphy_array_new_strings(1, (int64_t[]){2}, (const char *const[]){"one", ""}, &strings));
    OK(polygraphy_feed_set(feed, "a", strings));
    CHECK_INT(released, 7);
    CHECK_INT(polygraphy_feed_count(feed), 1);
    polygraphy_array_unref(strings);
    OK(polygraphy_feed_get(feed, "a", &strings));
    size_t length;
    CHECK(memcmp(polygraphy_array_string(strings, 0, &length), "one", 3) == 0 && length == 3);
    CHECK(polygraphy_array_string(strings, 2, &length) == NULL);
    CHECK(polygraphy_array_data(strings) == NULL);
    polygraphy_array_unref(strings);
    polygraphy_feed_free(feed);
}

TEST(bad_arrays)
{
    polygraphy_array *array = (polygraphy_array *)&released;
    CHECK_INT(polygraphy_array_new(POLYGRAPHY_FLOAT32, 1, (int64_t[]){-1}, &array), POLYGRAPHY_INVALID);
    CHECK(array == NULL);
    CHECK_INT(polygraphy_array_new((polygraphy_dtype)99, 0, NULL, &array), POLYGRAPHY_INVALID);
    CHECK(strstr(polygraphy_error_message(), "99") != NULL);
    CHECK_INT(polygraphy_array_new(POLYGRAPHY_STRING, 0, NULL, &array), POLYGRAPHY_INVALID);
    CHECK_INT(polygraphy_array_new(POLYGRAPHY_FLOAT32, 17, (int64_t[17]){0}, &array), POLYGRAPHY_LIMIT);
    CHECK_INT(polygraphy_array_wrap(POLYGRAPHY_INT8, 1, (int64_t[]){4}, NULL, NULL, NULL, &array),
              POLYGRAPHY_INVALID);
    CHECK_INT(polygraphy_array_load("/nowhere/x.npy", &array), POLYGRAPHY_NOT_FOUND);
    CHECK(strstr(polygraphy_error_message(), "/nowhere/x.npy") != NULL);
    OK(polygraphy_array_new(POLYGRAPHY_INT64, 0, NULL, &array));
    CHECK(polygraphy_error_message()[0] == '\0');
    polygraphy_array_unref(array);
}

TEST(models)
{
    pg_buf bytes = {0};
    polygraphy_model *model, *other;
    make_model(&bytes);
    OK(polygraphy_model_parse(bytes.ptr, bytes.len, &model));
    CHECK_INT(polygraphy_model_node_count(model), 2);
    const polygraphy_node *node = polygraphy_model_node(model, 1);
    CHECK(strcmp(node->op_type, "LeakyRelu") == 0 && strcmp(node->attributes[0], "alpha") == 0);
    CHECK(polygraphy_model_node(model, 2) == NULL);
    CHECK(polygraphy_model_input(model, 0)->dims[0].value == -1);
    CHECK(strcmp(polygraphy_model_input(model, 0)->dims[0].symbol, "N") == 0);
    polygraphy_output_selection selection = POLYGRAPHY_OUTPUT_SELECTION_INIT;
    selection.mark_all = true;
    OK(polygraphy_model_select_outputs(model, &selection, &other));
    CHECK_INT(polygraphy_model_output_count(other), 2);
    polygraphy_array *weight;
    CHECK_INT(polygraphy_model_weight_load(model, 1, &weight), POLYGRAPHY_NOT_FOUND);
    OK(polygraphy_model_weight_load(model, 0, &weight));
    polygraphy_model_free(model); /* the others keep what they need */
    CHECK(((float *)polygraphy_array_data(weight))[1] == -2);
    polygraphy_array_unref(weight);
    char *text;
    OK(polygraphy_model_text(other, POLYGRAPHY_TEXT_LAYERS, &text));
    CHECK(strstr(text, "LeakyRelu") != NULL);
    polygraphy_free_text(text);
    selection.mark_all = false;
    selection.names = (const char *const[]){"nope"};
    selection.n_names = 1;
    CHECK_INT(polygraphy_model_select_outputs(other, &selection, &model), POLYGRAPHY_NOT_FOUND);
    CHECK(model == NULL && strstr(polygraphy_error_message(), "nope") != NULL);
    CHECK_INT(polygraphy_model_parse("junk!", 5, &model), POLYGRAPHY_INVALID);
    polygraphy_model_free(other);
    pg_buf_deinit(&bytes);
}

TEST(weights_are_read_once_each)
{
    opened in = open_native();
    polygraphy_array *one, *two;
    OK(polygraphy_model_weight_load(in.model, 0, &one));
    OK(polygraphy_model_weight_load(in.model, 0, &two));
    CHECK(memcmp(polygraphy_array_data(one), polygraphy_array_data(two), 12) == 0);
    polygraphy_array_unref(one);
    polygraphy_array_unref(two);
    close_native(&in);
}

TEST(inference)
{
    opened in = open_native();
    polygraphy_feed *feed, *outputs;
    polygraphy_array *x, *y;
    double seconds = -1;
    float values[] = {-3, 0, 1};
    OK(polygraphy_feed_new(&feed));
    CHECK_INT(polygraphy_runner_infer(in.runner, feed, &outputs, NULL), POLYGRAPHY_INVALID);
    CHECK(outputs == NULL && strstr(polygraphy_error_message(), "'x'") != NULL);
    OK(polygraphy_array_wrap(POLYGRAPHY_FLOAT32, 2, (int64_t[]){1, 3}, values, NULL, NULL, &x));
    OK(polygraphy_feed_set(feed, "x", x));
    OK(polygraphy_runner_infer(in.runner, feed, &outputs, &seconds));
    CHECK(seconds >= 0);
    OK(polygraphy_feed_get(outputs, "y", &y));
    const float *result = polygraphy_array_data(y);
    CHECK_NEAR(result[0], -1, 0);
    CHECK_NEAR(result[1], -1, 0);
    CHECK_NEAR(result[2], 4, 0);
    polygraphy_array_unref(x);
    polygraphy_array_unref(y);
    polygraphy_feed_free(feed);
    polygraphy_feed_free(outputs);
    polygraphy_runner *other;
    CHECK_INT(polygraphy_runner_open(in.model, "tpu", NULL, &other), POLYGRAPHY_INVALID);
    polygraphy_runner_options options = POLYGRAPHY_RUNNER_OPTIONS_INIT;
    options.library = "/nowhere/libonnxruntime.so";
    CHECK(polygraphy_runner_open(in.model, "onnxrt", &options, &other) != POLYGRAPHY_OK);
    CHECK(strstr(polygraphy_error_message(), "/nowhere/libonnxruntime.so") != NULL);
    close_native(&in);
}

static polygraphy_results *two_runs(opened *in)
{
    polygraphy_results *results;
    polygraphy_inputs *inputs;
    polygraphy_random_options random = POLYGRAPHY_RANDOM_OPTIONS_INIT;
    polygraphy_input_range range = {NULL, -1, 1};
    random.iterations = 2;
    random.ranges = &range;
    random.n_ranges = 1;
    OK(polygraphy_results_new(&results));
    OK(polygraphy_inputs_random(in->runner, &random, &inputs));
    OK(polygraphy_results_run(results, in->runner, inputs));
    polygraphy_feed *feed;
    CHECK_INT(polygraphy_inputs_get(inputs, 2, &feed), POLYGRAPHY_NOT_FOUND);
    for (size_t i = 0; i < 2; i++) { /* the same numbers, one of them off by 0.25 */
        polygraphy_feed *outputs;
        polygraphy_array *array;
        OK(polygraphy_results_outputs(results, 0, i, &outputs));
        OK(polygraphy_feed_at(outputs, 0, &array));
        float copy[3];
        memcpy(copy, polygraphy_array_data(array), sizeof copy);
        copy[1] += i == 1 ? 0.25f : 0;
        polygraphy_array_unref(array);
        polygraphy_array *changed;
        OK(polygraphy_array_new(POLYGRAPHY_FLOAT32, 2, (int64_t[]){1, 3}, &changed));
        memcpy(polygraphy_array_data(changed), copy, sizeof copy);
        OK(polygraphy_feed_set(outputs, "y", changed));
        OK(polygraphy_results_add(results, "other", outputs, -1));
        polygraphy_array_unref(changed);
        polygraphy_feed_free(outputs);
    }
    polygraphy_inputs_free(inputs);
    return results;
}

TEST(comparison)
{
    opened in = open_native();
    polygraphy_results *results = two_runs(&in);
    polygraphy_comparison *comparison;
    polygraphy_compare_options options = POLYGRAPHY_COMPARE_OPTIONS_INIT;
    options.functions = (const char *const[]){"simple", "l2"};
    options.n_functions = 2;
    OK(polygraphy_compare(results, &options, &comparison));
    CHECK(!polygraphy_comparison_passed(comparison));
    CHECK_INT(polygraphy_comparison_pairs(comparison), 1);
    CHECK(strcmp(polygraphy_comparison_second(comparison, 0), "other") == 0);
    CHECK_INT(polygraphy_comparison_iterations(comparison, 0), 2);
    CHECK_INT(polygraphy_comparison_output_count(comparison, 0, 1), 2);
    const polygraphy_output_result *found = polygraphy_comparison_output(comparison, 0, 1, 0);
    CHECK(!found->passed && found->problem == NULL);
    CHECK_INT(found->elements, 3);
    CHECK_INT(found->mismatches, 1);
    CHECK_NEAR(found->max_abs, 0.25, 1e-6);
    CHECK_NEAR(found->required_abs, 0.25, 1e-6);
    found = polygraphy_comparison_output(comparison, 0, 1, 1);
    CHECK(strcmp(found->function, "l2") == 0);
    CHECK_NEAR(found->value, 0.25, 1e-6);
    CHECK(polygraphy_comparison_output(comparison, 0, 0, 0)->passed);
    CHECK(polygraphy_comparison_output(comparison, 0, 2, 0) == NULL);
    CHECK(polygraphy_comparison_first(comparison, 1) == NULL);
    polygraphy_comparison_free(comparison);
    polygraphy_output_number wide = {"y", 0.5};
    options.n_functions = 0;
    options.atol = (polygraphy_output_numbers){&wide, 1};
    OK(polygraphy_compare(results, &options, &comparison));
    CHECK(polygraphy_comparison_passed(comparison));
    polygraphy_comparison_free(comparison);
    polygraphy_results_free(results);
    close_native(&in);
}

TEST(options_of_an_older_caller)
{
    opened in = open_native();
    polygraphy_results *results = two_runs(&in);
    polygraphy_comparison *comparison;
    polygraphy_output_number wide = {NULL, 0.5};
    polygraphy_compare_options options = POLYGRAPHY_COMPARE_OPTIONS_INIT;
    options.atol = (polygraphy_output_numbers){&wide, 1};
    options.struct_size = offsetof(polygraphy_compare_options, atol); /* a version that had no tolerances */
    OK(polygraphy_compare(results, &options, &comparison));
    CHECK(!polygraphy_comparison_passed(comparison));
    polygraphy_comparison_free(comparison);
    polygraphy_results_free(results);
    close_native(&in);
}

TEST(bad_comparisons)
{
    opened in = open_native();
    polygraphy_results *results = two_runs(&in);
    polygraphy_comparison *comparison;
    polygraphy_compare_options options = POLYGRAPHY_COMPARE_OPTIONS_INIT;
    options.functions = (const char *const[]){"simple", "median"};
    options.n_functions = 2;
    CHECK_INT(polygraphy_compare(results, &options, &comparison), POLYGRAPHY_INVALID);
    CHECK(comparison == NULL && strstr(polygraphy_error_message(), "'median'") != NULL);
    options.functions = (const char *const[]){"l2", "l2"};
    CHECK_INT(polygraphy_compare(results, &options, &comparison), POLYGRAPHY_INVALID);
    options.n_functions = 0;
    options.check_average = true;
    CHECK_INT(polygraphy_compare(results, &options, &comparison), POLYGRAPHY_INVALID);
    CHECK(strstr(polygraphy_error_message(), "elemwise") != NULL);
    options.check_average = false;
    polygraphy_output_word word = {NULL, "worst"};
    options.error_stats = &word;
    options.n_error_stats = 1;
    CHECK_INT(polygraphy_compare(results, &options, &comparison), POLYGRAPHY_INVALID);
    CHECK_INT(polygraphy_results_load(results, "/nowhere/a.json"), POLYGRAPHY_NOT_FOUND);
    CHECK_INT(polygraphy_results_count(results), 2);
    polygraphy_results_free(results);
    close_native(&in);
}

TEST(results)
{
    opened in = open_native();
    polygraphy_results *results = two_runs(&in);
    bool valid = false;
    OK(polygraphy_results_validate(results, &valid));
    CHECK(valid);
    OK(polygraphy_results_top_k(results, &(polygraphy_top_k){NULL, 2, -1}, 1));
    polygraphy_feed *outputs;
    polygraphy_array *array;
    OK(polygraphy_results_outputs(results, 0, 0, &outputs));
    OK(polygraphy_feed_get(outputs, "y", &array));
    CHECK_INT(polygraphy_array_dtype(array), POLYGRAPHY_INT64);
    CHECK_INT(polygraphy_array_count(array), 2);
    polygraphy_array_unref(array);
    polygraphy_feed_free(outputs);
    CHECK_INT(polygraphy_results_top_k(results, &(polygraphy_top_k){NULL, 2, 5}, 1), POLYGRAPHY_INVALID);
    CHECK_INT(polygraphy_results_outputs(results, 0, 9, &outputs), POLYGRAPHY_NOT_FOUND);
    CHECK(polygraphy_results_runner(results, 9) == NULL);
    polygraphy_results_free(results);
    close_native(&in);
}

TEST(null_is_freed)
{
    polygraphy_array_unref(NULL);
    polygraphy_feed_free(NULL);
    polygraphy_model_free(NULL);
    polygraphy_runner_close(NULL);
    polygraphy_inputs_free(NULL);
    polygraphy_results_free(NULL);
    polygraphy_comparison_free(NULL);
    polygraphy_free_text(NULL);
    CHECK(polygraphy_version()[0] != '\0');
}

TEST_MAIN(RUN(arrays); RUN(bad_arrays); RUN(models); RUN(weights_are_read_once_each); RUN(inference);
          RUN(comparison); RUN(options_of_an_older_caller); RUN(bad_comparisons); RUN(results);
          RUN(null_is_freed);)
