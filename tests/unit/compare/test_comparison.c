/* Pairs, iterations, names of outputs, validation. */
#include "compare/internal.h"
#include "unit/compare/support.h"

static const pg_compare_options defaults;

static void add_output(pg_iteration *iteration, const char *name, float value)
{
    pg_feed_add(&iteration->outputs, pg_str_c(name), FLOATS(value));
}

static const char *match(const char *const *base, size_t n_base, size_t index, const char *const *other,
                         size_t n_other)
{
    static char found[64];
    pg_iteration a = {0}, b = {0};
    for (size_t i = 0; i < n_base; i++)
        add_output(&a, base[i], 0);
    for (size_t i = 0; i < n_other; i++)
        add_output(&b, other[i], 0);
    const pg_named_value *output = pg_match_output(&a, index, &b);
    snprintf(found, sizeof found, "%s", output != NULL ? output->name : "(none)");
    pg_iteration_deinit(&a);
    pg_iteration_deinit(&b);
    return found;
}
#define MATCH(base, index, other) match(base, PG_COUNT(base), index, other, PG_COUNT(other))

TEST(names)
{
    const char *ab[] = {"a", "b"}, *ba[] = {"b", "a"}, *close[] = {"x", "OUT_1"}, *out[] = {"out", "q"};
    const char *one[] = {"z"};
    CHECK_STR(MATCH(ab, 0, ba), "a");
    CHECK_STR(MATCH(out, 0, close), "OUT_1"); /* contained, whatever the case */
    CHECK_STR(MATCH(ab, 0, one), "z");        /* by position */
    CHECK_STR(MATCH(ab, 1, one), "(none)");
    const char *taken[] = {"y", "long_y"}, *only[] = {"y"};
    CHECK_STR(MATCH(taken, 1, only), "(none)"); /* y has its own partner */
}

TEST(iterations_and_rate)
{
    pg_run_results results = {0};
    const char *runs[] = {"A", "B", "C"};
    for (size_t r = 0; r < 3; r++) {
        pg_runner_results *run = pg_run_results_add(&results, pg_str_c(runs[r]));
        for (int i = 0; i < 3 - (r == 2); i++) /* C ends early */
            add_output(pg_runner_results_add(run), "y", r == 1 && i == 1 ? 5 : 1);
    }
    pg_comparison *comparison = pg_comparison_new(&defaults);
    CHECK_OK(pg_comparison_run(comparison, &results));
    size_t count;
    const pg_pair_comparison *pairs = pg_comparison_pairs(comparison, &count);
    CHECK_INT(count, 2);
    CHECK_STR(pairs[1].run1, "C");
    CHECK_INT(pairs[0].count, 2);
    CHECK_INT(pairs[0].passed, 1);
    CHECK_INT(pairs[1].passed, 1);
    CHECK(!pg_comparison_passed(comparison));
    pg_comparison_free(comparison);
    pg_run_results_deinit(&results);
}

TEST(fail_fast_stops)
{
    pg_run_results results = {0};
    for (int r = 0; r < 2; r++) {
        pg_runner_results *run = pg_run_results_add(&results, r == 0 ? PG_STR("A") : PG_STR("B"));
        for (int i = 0; i < 3; i++)
            add_output(pg_runner_results_add(run), "y", (float)r);
    }
    pg_compare_options options = {.fail_fast = true};
    pg_comparison *comparison = pg_comparison_new(&options);
    CHECK_OK(pg_comparison_run(comparison, &results));
    size_t count;
    CHECK(pg_comparison_stopped(comparison) && !pg_comparison_passed(comparison));
    CHECK_INT(pg_comparison_pairs(comparison, &count)[0].count, 1);
    pg_comparison_free(comparison);
    pg_run_results_deinit(&results);
}

TEST(nothing_in_common)
{
    pg_run_results results = {0};
    add_run(&results, "A", "y", FLOATS(1));
    pg_runner_results_add(pg_run_results_add(&results, PG_STR("B")));
    pg_comparison *comparison = pg_comparison_new(&defaults);
    CHECK_ERR(pg_comparison_run(comparison, &results), PG_ERR_INVALID, "no common outputs found");
    CHECK(!pg_comparison_passed(comparison));
    pg_comparison_free(comparison);
    pg_run_results_deinit(&results);
}

TEST(one_run_alone)
{
    pg_run_results results = {0};
    add_run(&results, "A", "y", FLOATS(1));
    pg_comparison *comparison = pg_comparison_new(&defaults);
    CHECK_OK(pg_comparison_run(comparison, &results));
    CHECK(pg_comparison_passed(comparison));
    pg_comparison_free(comparison);
    pg_run_results_deinit(&results);
}

TEST(both_functions)
{
    static const pg_compare_function functions[] = {PG_COMPARE_SIMPLE, PG_COMPARE_INDICES};
    pg_compare_options options = {.functions = functions, .n_functions = 2};
    compared c = compare_two(&options, FLOATS(0, 1), FLOATS(0, 1));
    size_t count;
    const pg_iteration_comparison *iteration = &pg_comparison_pairs(c.comparison, &count)[0].iterations[0];
    CHECK_INT(iteration->n_functions, 2);
    CHECK(iteration->passed && iteration->functions[1].outputs[0].function == PG_COMPARE_INDICES);
    free_compared(&c);
}

TEST(bad_values_are_found)
{
    float *x = pg_calloc(100000, sizeof *x);
    x[70000] = NAN;
    x[99999] = NAN;
    x[65537] = -INFINITY;
    pg_value value = tensor_of(PG_F32, 1, (int64_t[]){100000}, x);
    pg_validity found = pg_validity_scan(&value);
    CHECK_INT(found.n_nan, 2);
    CHECK_INT(found.first_nan, 70000);
    CHECK_INT(found.n_inf, 1);
    CHECK_INT(found.first_inf, 65537);
    pg_value_deinit(&value);
    free(x);
    value = ROW_OF(PG_F16, uint16_t, 0x3c00, 0x7c00, 0x7e00);
    found = pg_validity_scan(&value);
    CHECK(found.n_inf == 1 && found.first_inf == 1 && found.n_nan == 1 && found.first_nan == 2);
    pg_value_deinit(&value);
    value = tensor_of(PG_C64, 1, (int64_t[]){1}, (float[]){1, NAN});
    found = pg_validity_scan(&value);
    CHECK(found.n_nan == 1 && found.first_nan == 0);
    pg_value_deinit(&value);
    value = ROW_OF(PG_F8E4M3FN, uint8_t, 0x38, 0x7f);
    found = pg_validity_scan(&value);
    CHECK(found.n_nan == 1 && found.first_nan == 1);
    pg_value_deinit(&value);
    value = ROW_OF(PG_I32, int32_t, 0x7fc00000);
    found = pg_validity_scan(&value);
    CHECK(found.n_nan == 0);
    pg_value_deinit(&value);
}

TEST(validation_verdicts)
{
    pg_run_results results = {0};
    add_run(&results, "A", "y", FLOATS(1, INFINITY));
    bool valid;
    CHECK_OK(pg_validate_results(&results, &(pg_validation_options){.check_nan = true}, &valid));
    CHECK(valid);
    CHECK_OK(pg_validate_results(&results, &(pg_validation_options){.check_inf = true}, &valid));
    CHECK(!valid);
    CHECK_OK(pg_validate_iteration(PG_STR("A"), &results.items[0].items[0], 3,
                                   &(pg_validation_options){.check_inf = true, .fail_fast = true}, &valid));
    CHECK(!valid);
    pg_run_results_deinit(&results);
}

TEST_MAIN(be_silent(); RUN(names); RUN(iterations_and_rate); RUN(fail_fast_stops); RUN(nothing_in_common);
          RUN(one_run_alone); RUN(both_functions); RUN(bad_values_are_found); RUN(validation_verdicts);)
