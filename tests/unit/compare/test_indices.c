/* Lists of indices, and the top-k that makes them. */
#include "unit/compare/support.h"

static const pg_compare_function indices = PG_COMPARE_INDICES;
#define INDICES(...) ROW_OF(PG_I64, int64_t, __VA_ARGS__)

static bool passes(int64_t tolerance, pg_value a, pg_value b)
{
    pg_output_number number = {.value = (double)tolerance, .integer = true};
    pg_compare_options options = {.functions = &indices, .n_functions = 1, .index_tolerance = {&number, 1}};
    compared c = compare_two(&options, a, b);
    bool passed = c.output->passed;
    free_compared(&c);
    return passed;
}

TEST(places_off)
{
    CHECK(passes(0, INDICES(0, 1, 2), INDICES(0, 1, 2)));
    CHECK(!passes(0, INDICES(0, 1, 2), INDICES(1, 0, 2)));
    CHECK(passes(1, INDICES(0, 1, 2), INDICES(1, 0, 2)));
    CHECK(!passes(1, INDICES(0, 1, 2), INDICES(0, 2, 3)));
    CHECK(!passes(1, INDICES(0, 1, 2), INDICES(1, 2, 0)));
    CHECK(passes(1, INDICES(0, 1, 2), INDICES(0, 1, 9))); /* the last one is not looked at */
    CHECK(passes(5, INDICES(0, 1), INDICES(7, 8)));       /* none is */
    CHECK(!passes(0, INDICES(0, 1), INDICES(0, 1, 2)));
    CHECK(!passes(0, FLOATS(NAN), FLOATS(NAN)));
    CHECK(passes(0, FLOATS(0.0f), FLOATS(-0.0f)));
    CHECK(passes(0, INDICES(3), ROW_OF(PG_I32, int32_t, 3)));
}

TEST(rows_are_separate)
{
    int64_t a[] = {0, 1, 2, 3}, b[] = {0, 1, 3, 2};
    pg_compare_options options = {.functions = &indices, .n_functions = 1};
    compared c = compare_two(&options, tensor_of(PG_I64, 2, (int64_t[]){2, 2}, a),
                             tensor_of(PG_I64, 2, (int64_t[]){2, 2}, b));
    CHECK(!c.output->passed);
    CHECK_INT(c.output->mismatches, 2);
    CHECK_INT(c.output->first.index, 2);
    CHECK_INT(c.output->required_index_tolerance, 1);
    free_compared(&c);
}

/* Top-k of one output; the caller's iteration holds it. */
static void top_k(pg_iteration *iteration, pg_value value, pg_top_k item)
{
    pg_feed_add(&iteration->outputs, PG_STR("y"), value);
    CHECK_OK(pg_postprocess_top_k(iteration, &item, 1));
}

static void check_indices(const pg_iteration *iteration, size_t count, const int64_t *expected)
{
    const pg_tensor *tensor = &iteration->outputs.items[0].value.tensor;
    CHECK(tensor->dtype == PG_I64);
    CHECK_INT(pg_tensor_count(tensor), count);
    for (size_t i = 0; i < count && i < pg_tensor_count(tensor); i++)
        CHECK_INT(((const int64_t *)tensor->data)[i], expected[i]);
}

TEST(largest_first_nan_last)
{
    pg_iteration iteration = {0};
    top_k(&iteration, FLOATS(3, NAN, 7, 3, -0.0f, 0), (pg_top_k){.k = 9, .axis = -1});
    check_indices(&iteration, 6, (int64_t[]){2, 0, 3, 4, 5, 1});
    pg_iteration_deinit(&iteration);
    iteration = (pg_iteration){0};
    top_k(&iteration, FLOATS(3, NAN, 7, 3, 9, 3), (pg_top_k){.k = 3, .axis = 0});
    check_indices(&iteration, 3, (int64_t[]){4, 2, 0});
    pg_iteration_deinit(&iteration);
}

TEST(along_an_axis)
{
    pg_iteration iteration = {0};
    float x[] = {0, 5, 2, 3, 4, 1};
    top_k(&iteration, tensor_of(PG_F32, 2, (int64_t[]){2, 3}, x), (pg_top_k){.k = 1, .axis = 0});
    check_indices(&iteration, 3, (int64_t[]){1, 0, 0});
    pg_iteration_deinit(&iteration);
}

TEST(negated_as_numpy_negates)
{
    pg_iteration iteration = {0};
    top_k(&iteration, ROW_OF(PG_U8, uint8_t, 0, 3, 200, 3), (pg_top_k){.k = 4, .axis = -1});
    check_indices(&iteration, 4, (int64_t[]){0, 2, 1, 3});
    pg_iteration_deinit(&iteration);
    iteration = (pg_iteration){0};
    top_k(&iteration, ROW_OF(PG_I8, int8_t, -128, 5, 127), (pg_top_k){.k = 3, .axis = -1});
    check_indices(&iteration, 3, (int64_t[]){0, 2, 1});
    pg_iteration_deinit(&iteration);
}

TEST(bad_requests)
{
    pg_iteration iteration = {0};
    pg_feed_add(&iteration.outputs, PG_STR("y"), FLOATS(1, 2));
    pg_top_k item = {.k = 1, .axis = 1};
    CHECK_ERR(pg_postprocess_top_k(&iteration, &item, 1), PG_ERR_INVALID, "axis 1");
    item = (pg_top_k){.k = -1, .axis = 0};
    CHECK_ERR(pg_postprocess_top_k(&iteration, &item, 1), PG_ERR_INVALID, "'y'");
    item = (pg_top_k){.output = PG_STR("z"), .k = 1, .axis = 9};
    CHECK_OK(pg_postprocess_top_k(&iteration, &item, 1)); /* no such output */
    CHECK(iteration.outputs.items[0].value.tensor.dtype == PG_F32);
    pg_iteration_deinit(&iteration);
}

TEST_MAIN(be_silent(); RUN(places_off); RUN(rows_are_separate); RUN(largest_first_nan_last);
          RUN(along_an_axis); RUN(negated_as_numpy_negates); RUN(bad_requests);)
