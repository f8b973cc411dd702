/* Accuracy results: from a comparison to a file and back, averages, other thresholds, files that are wrong. */
#include <unistd.h>

#include "base/file.h"
#include "compare/accuracy.h"
#include "unit/compare/support.h"

static char path[64];

static void choose_path(void)
{
    snprintf(path, sizeof path, "/tmp/pg-accuracy-%ld.json", (long)getpid());
}

static const pg_compare_function functions[] = {PG_COMPARE_SIMPLE, PG_COMPARE_L2, PG_COMPARE_INDICES};
static const pg_compare_options options = {
    .functions = functions, .n_functions = PG_COUNT(functions), .all_statistics = true};

/* Two runs of two iterations; their L2 norms are 1 and 3. */
static pg_run_results two_iterations(void)
{
    pg_run_results results = {0};
    for (int run = 0; run < 2; run++) {
        pg_runner_results *runner = pg_run_results_add(&results, run == 0 ? PG_STR("A") : PG_STR("B"));
        for (int i = 0; i < 2; i++) {
            pg_iteration *iteration = pg_runner_results_add(runner);
            float value = run == 0 ? 0 : i == 0 ? 1 : 3;
            pg_feed_add(&iteration->outputs, PG_STR("y"), FLOATS(5, value));
        }
    }
    return results;
}

static void with_comparison(const pg_compare_options *chosen, pg_accuracy *out)
{
    pg_run_results results = two_iterations();
    pg_comparison *comparison = pg_comparison_new(chosen);
    CHECK_OK(pg_comparison_run(comparison, &results));
    pg_accuracy_of_comparison(comparison, out);
    pg_comparison_free(comparison);
    pg_run_results_deinit(&results);
}

TEST(a_file_comes_back_the_same)
{
    pg_accuracy accuracy, back;
    pg_buf first = {0}, second = {0};
    with_comparison(&options, &accuracy);
    CHECK_INT(accuracy.count, 3);
    CHECK_OK(pg_accuracy_save(path, &accuracy));
    CHECK_OK(pg_file_read(path, 1 << 20, &first));
    CHECK_OK(pg_accuracy_load(path, &back));
    CHECK_OK(pg_accuracy_save(path, &back));
    CHECK_OK(pg_file_read(path, 1 << 20, &second));
    CHECK(first.len > 100 && pg_str_eq(pg_buf_str(&first), pg_buf_str(&second)));
    const pg_accuracy_output *output = &back.items[1].pairs[0].iterations[1].items[0];
    CHECK_STR(output->name, "y");
    CHECK(output->kind == PG_ACCURACY_METRIC && output->values[0] == 3 && output->threshold.value == 1e-5);
    CHECK(back.items[0].pairs[0].iterations[0].items[0].has_verdict); /* element by element */
    CHECK(back.items[2].pairs[0].iterations[0].items[0].kind == PG_ACCURACY_VERDICT);
    pg_accuracy_deinit(&accuracy);
    pg_accuracy_deinit(&back);
    pg_buf_deinit(&first);
    pg_buf_deinit(&second);
}

TEST(averages)
{
    pg_accuracy accuracy;
    pg_accuracy_iteration averages;
    bool passed = true;
    with_comparison(&options, &accuracy);
    CHECK_OK(pg_accuracy_average(&accuracy.items[1].pairs[0], &accuracy.arena, &averages));
    CHECK(averages.count == 1 && averages.items[0].values[0] == 2);
    CHECK_OK(pg_accuracy_output_passed(&averages.items[0], &passed));
    CHECK(!passed);
    CHECK_ERR(pg_accuracy_average(&accuracy.items[2].pairs[0], &accuracy.arena, &averages), PG_ERR_INVALID,
              "no comparable metrics");
    pg_accuracy_deinit(&accuracy);
}

TEST(the_verdict_can_be_that_on_the_average)
{
    pg_output_number two = {PG_STR_EMPTY, 2, true};
    pg_compare_function l2 = PG_COMPARE_L2;
    pg_compare_options average = {.functions = &l2, .n_functions = 1, .check_average = true};
    average.thresholds[PG_COMPARE_L2] = (pg_output_numbers){&two, 1};
    pg_run_results results = two_iterations();
    pg_comparison *comparison = pg_comparison_new(&average);
    CHECK_OK(pg_comparison_run(comparison, &results));
    CHECK(pg_comparison_passed(comparison)); /* although 3 > 2 */
    pg_comparison_free(comparison);
    two.value = 1.9;
    comparison = pg_comparison_new(&average);
    CHECK_OK(pg_comparison_run(comparison, &results));
    CHECK(!pg_comparison_passed(comparison));
    pg_comparison_free(comparison);
    pg_run_results_deinit(&results);
}

TEST(other_thresholds)
{
    pg_accuracy accuracy;
    pg_output_number four = {PG_STR_EMPTY, 4, true};
    pg_compare_options other = {0};
    pg_compare_function l2 = PG_COMPARE_L2, psnr = PG_COMPARE_PSNR, simple = PG_COMPARE_SIMPLE;
    bool passed = false;
    other.thresholds[PG_COMPARE_L2] = (pg_output_numbers){&four, 1};
    with_comparison(&options, &accuracy);
    CHECK_ERR(pg_accuracy_rethreshold(&accuracy, &other, &psnr, 1), PG_ERR_INVALID, "['psnr']");
    CHECK_OK(pg_accuracy_rethreshold(&accuracy, &other, &l2, 1));
    CHECK_INT(accuracy.count, 1);
    CHECK_OK(pg_accuracy_result_passed(&accuracy.items[0], &accuracy.arena, &passed));
    CHECK(passed);
    pg_accuracy_deinit(&accuracy);
    with_comparison(&options, &accuracy);
    CHECK_OK(pg_accuracy_rethreshold(&accuracy, &other, &simple, 1));
    CHECK_ERR(pg_accuracy_result_passed(&accuracy.items[0], &accuracy.arena, &passed), PG_ERR_INVALID,
              "elemwise");
    pg_accuracy_deinit(&accuracy);
}

TEST(equally_named_pairs_share_a_place)
{
    pg_compare_function l2 = PG_COMPARE_L2;
    pg_compare_options chosen = {.functions = &l2, .n_functions = 1};
    pg_run_results results = {0};
    pg_accuracy accuracy;
    for (int run = 0; run < 3; run++)
        add_run(&results, "A", "y", FLOATS((float)(run * run)));
    pg_comparison *comparison = pg_comparison_new(&chosen);
    CHECK_OK(pg_comparison_run(comparison, &results));
    pg_accuracy_of_comparison(comparison, &accuracy);
    CHECK_INT(accuracy.items[0].count, 1);
    CHECK_INT(accuracy.items[0].pairs[0].count, 2);
    CHECK(accuracy.items[0].pairs[0].iterations[1].items[0].values[0] == 3);
    pg_accuracy_deinit(&accuracy);
    pg_comparison_free(comparison);
    pg_run_results_deinit(&results);
}

static void check_refused(const char *text, const char *expected)
{
    pg_accuracy accuracy;
    CHECK_OK(pg_file_write(path, pg_str_c(text)));
    CHECK_ERR(pg_accuracy_load(path, &accuracy), PG_ERR_INVALID, expected);
}

#define RESULTS(inside) "{\"lst\": [" inside "], \"polygraphy_class\": \"AccuracyResults\"}"
#define PAIR(inside) RESULTS("{\"lst\": [[[\"A\", \"B\"], [" inside "]]], \"aggregation\": \"per_sample\"}")

TEST(wrong_files_are_refused)
{
    check_refused("", "expected");
    check_refused("[]", "AccuracyResults");
    check_refused("{\"lst\": [], \"polygraphy_class\": \"RunResults\"}", "AccuracyResults");
    check_refused(RESULTS("3"), "AccuracyResult at byte 9");
    check_refused(RESULTS("{\"lst\": [], \"aggregation\": \"median\"}"), "per_sample or average");
    check_refused(RESULTS("{\"lst\": [[[\"A\"], []]]}"), "a pair of runners");
    check_refused(RESULTS("{\"lst\": [[[\"A\", 2], []]]}"), "a pair of runners");
    check_refused(PAIR("[]"), "an object of outputs");
    check_refused(PAIR("{\"y\": null}"), "a result");
    check_refused(PAIR("{\"y\": {\"polygraphy_class\": \"Other\"}}"), "a result");
    check_refused(PAIR("{\"y\": {\"l2_norm\": 1, \"polygraphy_class\": \"L2Result\"}}"), "a threshold");
    check_refused(PAIR("{\"y\": {\"l2_norm\": \"1\", \"polygraphy_class\": \"L2Result\"}}"),
                  "a number or null");
    check_refused(PAIR("{\"y\": {\"l2_norm\": 1, \"thresholds\": {\"threshold\": []}, \"polygraphy_class\": "
                       "\"L2Result\"}}"),
                  "a threshold");
    check_refused(PAIR("{\"y\": {\"polygraphy_class\": \"OutputCompareResult\"}}"), "a number or null");
}

TEST(nulls_and_strange_numbers_are_read)
{
    pg_accuracy accuracy;
    bool passed = true;
    CHECK_OK(pg_file_write(
        path,
        PG_STR(PAIR("{\"y\": {\"lpips\": null, \"thresholds\": {\"threshold\": 0.1}, \"polygraphy_class\": "
                    "\"PerceptualMetricsResult\"}, \"z\": {\"psnr\": NaN, \"thresholds\": {\"threshold\": "
                    "-Infinity}, \"polygraphy_class\": \"PsnrResult\"}}"))));
    CHECK_OK(pg_accuracy_load(path, &accuracy));
    const pg_accuracy_iteration *iteration = &accuracy.items[0].pairs[0].iterations[0];
    CHECK_OK(pg_accuracy_output_passed(&iteration->items[0], &passed));
    CHECK(passed); /* what could not be computed passes */
    CHECK_OK(pg_accuracy_output_passed(&iteration->items[1], &passed));
    CHECK(!passed);
    pg_accuracy_deinit(&accuracy);
}

TEST_MAIN(be_silent(); choose_path(); RUN(a_file_comes_back_the_same); RUN(averages);
          RUN(the_verdict_can_be_that_on_the_average); RUN(other_thresholds);
          RUN(equally_named_pairs_share_a_place); RUN(wrong_files_are_refused);
          RUN(nulls_and_strange_numbers_are_read); remove(path);)
