/* The functions with one number per output: values, edges, and the same bits on every path. */
#include <stddef.h>

#include "base/threads.h"
#include "compare/internal.h"
#include "compare/metric.h"
#include "unit/compare/support.h"

static const pg_compare_function all[] = {PG_COMPARE_L2, PG_COMPARE_COSINE, PG_COMPARE_PSNR, PG_COMPARE_SNR};
static const pg_compare_options defaults = {.functions = all, .n_functions = PG_COUNT(all)};

/* Output 0 of the first iteration under function `which`. */
static const pg_output_comparison *under(const compared *c, size_t which)
{
    size_t count;
    return &pg_comparison_pairs(c->comparison, &count)[0].iterations[0].functions[which].outputs[0];
}

static void check_values(pg_value a, pg_value b, const double *expected, const bool *passed)
{
    compared c = compare_two(&defaults, a, b);
    for (size_t f = 0; f < PG_COUNT(all); f++) {
        double value = under(&c, f)->value;
        CHECK(under(&c, f)->has_value);
        CHECK(value == expected[f] || (isnan(value) && isnan(expected[f])) ||
              fabs(value - expected[f]) < 1e-12);
        CHECK(under(&c, f)->passed == passed[f]);
    }
    free_compared(&c);
}

TEST(values)
{
    check_values(FLOATS(3, 4), FLOATS(0, 0), (double[]){5, 0, 20 * log10(4) - 10 * log10(12.5), 0},
                 (bool[]){false, false, false, false});
    check_values(FLOATS(1, 2), FLOATS(2, 4), (double[]){sqrt(5), 1, 20 * log10(2) - 10 * log10(2.5), 0},
                 (bool[]){false, true, false, false});
}

TEST(equal_outputs_have_no_noise)
{
    check_values(FLOATS(1, -2), FLOATS(1, -2), (double[]){0, 1, INFINITY, INFINITY},
                 (bool[]){true, true, true, true});
    check_values(FLOATS(0, 0), FLOATS(0, 0), (double[]){0, 1, INFINITY, INFINITY},
                 (bool[]){true, true, true, true});
}

TEST(no_signal_and_no_peak)
{
    check_values(FLOATS(0, 0), FLOATS(0, 1), (double[]){1, 0, -10 * log10(0.5), -INFINITY},
                 (bool[]){false, false, false, false});
    check_values(FLOATS(-4, -4), FLOATS(-4, -2),
                 (double[]){2, 24 / sqrt(32.0 * 20), -10 * log10(2), 10 * log10(8)},
                 (bool[]){false, false, false, false});
}

TEST(nan_never_passes)
{
    check_values(FLOATS(1, NAN), FLOATS(1, NAN), (double[]){NAN, NAN, NAN, NAN},
                 (bool[]){false, false, false, false});
    check_values(FLOATS(1, INFINITY), FLOATS(1, INFINITY), (double[]){NAN, NAN, NAN, NAN},
                 (bool[]){false, false, false, false});
}

TEST(empty_outputs_are_equal)
{
    int64_t dims[] = {0, 3};
    check_values(tensor_of(PG_F32, 2, dims, NULL), tensor_of(PG_F32, 2, dims, NULL),
                 (double[]){0, 1, INFINITY, INFINITY}, (bool[]){true, true, true, true});
}

TEST(integers_are_exact)
{
    check_values(ROW_OF(PG_U8, uint8_t, 255, 0), ROW_OF(PG_U8, uint8_t, 0, 0),
                 (double[]){255, 0, 20 * log10(255) - 10 * log10(255.0 * 255 / 2), 0},
                 (bool[]){false, false, false, false});
    check_values(ROW_OF(PG_BOOL, uint8_t, 1, 0), ROW_OF(PG_BOOL, uint8_t, 1, 1),
                 (double[]){1, 1 / sqrt(2), -10 * log10(0.5), 0}, (bool[]){false, false, false, false});
}

TEST(the_worst_item_of_a_sequence)
{
    pg_value items0[] = {FLOATS(1, 2), FLOATS(1, 2)}, items1[] = {FLOATS(1, 2), FLOATS(1, 5)};
    pg_value a = {.kind = PG_VALUE_SEQUENCE}, b = {.kind = PG_VALUE_SEQUENCE};
    for (size_t i = 0; i < 2; i++) {
        a.sequence.items = pg_realloc(a.sequence.items, i + 1, sizeof(pg_value));
        b.sequence.items = pg_realloc(b.sequence.items, i + 1, sizeof(pg_value));
        a.sequence.items[i] = items0[i];
        b.sequence.items[i] = items1[i];
        a.sequence.count = b.sequence.count = i + 1;
    }
    compared c = compare_two(&defaults, a, b);
    CHECK(under(&c, 0)->value == 3 && !under(&c, 0)->passed);
    CHECK(under(&c, 2)->value < 10 && !under(&c, 2)->passed);
    free_compared(&c);
}

TEST(thresholds_by_output)
{
    pg_output_number numbers[] = {{PG_STR_EMPTY, 0.5, false}, {PG_STR("y"), 5, true}};
    pg_compare_options options = defaults;
    options.thresholds[PG_COMPARE_L2] = (pg_output_numbers){numbers, 2};
    compared c = compare_two(&options, FLOATS(3, 4), FLOATS(0, 0));
    CHECK(c.output->passed && c.output->threshold.integer && c.output->threshold.value == 5);
    free_compared(&c);
}

TEST(strings_are_refused_by_name)
{
    pg_str texts[] = {PG_STR("a")};
    pg_tensor tensor;
    pg_run_results results = {0};
    pg_comparison *comparison = pg_comparison_new(&defaults);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(pg_tensor_alloc_strings(&tensor, 1, (int64_t[]){1}, texts));
        add_run(&results, i == 0 ? "A" : "B", "y", pg_value_of_tensor(tensor));
    }
    CHECK_ERR(pg_comparison_run(comparison, &results), PG_ERR_UNSUPPORTED, "'y'");
    pg_comparison_free(comparison);
    pg_run_results_deinit(&results);
}

TEST(text_tells_a_miss)
{
    pg_buf text = {0};
    pg_metric_text(&text, pg_metric_of(PG_COMPARE_PSNR), 29.9999999, 30);
    CHECK_STR(pg_buf_cstr(&text), "PSNR: 29.9999999 dB (min required: 30 dB) | FAILED");
    pg_buf_clear(&text);
    pg_metric_text(&text, pg_metric_of(PG_COMPARE_L2), 1e-5, 1e-5);
    CHECK_STR(pg_buf_cstr(&text), "L2 Norm: 1e-05 (tolerance: 1e-05) | PASSED");
    pg_buf_deinit(&text);
}

enum { MANY = 100003 };

/* Every instruction set and number of threads gives the same bits. */
TEST(same_bits_everywhere)
{
    static float a[MANY], b[MANY];
    static const char *const sets[] = {"avx2", "portable"};
    uint32_t seed = 7;
    for (size_t i = 0; i < MANY; i++) {
        seed = seed * 1664525u + 1013904223u;
        a[i] = (float)(int32_t)seed / 1e9f;
        b[i] = a[i] * (1 + (float)(seed >> 20) * 1e-6f);
    }
    for (size_t n = 1; n <= MANY; n = n < 300 ? n + 1 : n * 7 / 3) {
        pg_tensor x, y;
        pg_moments first = {0}, moments;
        bool have_first = false;
        CHECK_OK(pg_tensor_borrow(&x, PG_F32, 1, (int64_t[]){(int64_t)n}, a));
        CHECK_OK(pg_tensor_borrow(&y, PG_F32, 1, (int64_t[]){(int64_t)n}, b));
        for (unsigned threads = 1; threads <= 3; threads += 2)
            for (size_t set = 0; set < PG_COUNT(sets); set++) {
                if (!pg_block_stats_set_isa(sets[set]))
                    continue;
                pg_threads_set(threads);
                CHECK_OK(pg_moments_compute(&x, &y, &moments));
                CHECK(!have_first || memcmp(&first, &moments, sizeof first) == 0);
                first = moments;
                have_first = true;
            }
    }
    pg_threads_set(0);
}

TEST_MAIN(be_silent(); RUN(values); RUN(equal_outputs_have_no_noise); RUN(no_signal_and_no_peak);
          RUN(nan_never_passes); RUN(empty_outputs_are_equal); RUN(integers_are_exact);
          RUN(the_worst_item_of_a_sequence); RUN(thresholds_by_output); RUN(strings_are_refused_by_name);
          RUN(text_tells_a_miss); RUN(same_bits_everywhere);)
