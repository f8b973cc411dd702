/* Where calibrators cut histograms. */
#include "unit/harness.h"

#include "engine/calibrate.h"

enum { BINS = 2048 };

static double cut(pg_calibrator calibrator, const uint64_t *bins, double quantile, double cutoff)
{
    pg_calibrate_options options = {
        .calibrator = calibrator, .quantile = quantile, .regression_cutoff = cutoff};
    return pg_calibrate_threshold(&options, bins, BINS, 1.0 / BINS, 1.0);
}

/* Half of a bell curve over the first `width` bins, and a few elements far away. */
static void bell(uint64_t *bins, double width, uint64_t outliers)
{
    for (size_t i = 0; i < BINS; i++) {
        double x = (double)i / width;
        bins[i] = (uint64_t)(100000 * exp(-x * x / 2));
    }
    bins[BINS - 1] += outliers;
}

TEST(entropy_does_not_cut_what_matters)
{
    uint64_t bins[BINS]; /* a few large numbers have most of the power */
    bell(bins, 4, 30);
    CHECK_NEAR(cut(PG_CALIBRATOR_ENTROPY2, bins, 0, 0), 1.0, 0);
    CHECK_NEAR(cut(PG_CALIBRATOR_ENTROPY, bins, 0, 0), 1.0, 0);
}

TEST(minmax_takes_all)
{
    uint64_t bins[BINS];
    bell(bins, 100, 3);
    CHECK_NEAR(cut(PG_CALIBRATOR_MINMAX, bins, 0, 0), 1.0, 0);
}

TEST(entropy_passes_outliers_over)
{
    uint64_t bins[BINS];
    bell(bins, 100, 3);
    double threshold = cut(PG_CALIBRATOR_ENTROPY2, bins, 0, 0);
    CHECK(threshold > 250.0 / BINS && threshold < 700.0 / BINS);
    CHECK_NEAR(cut(PG_CALIBRATOR_ENTROPY, bins, 0, 0), threshold, 0);
}

TEST(entropy_keeps_a_flat_range)
{
    uint64_t bins[BINS];
    for (size_t i = 0; i < BINS; i++)
        bins[i] = 1000;
    CHECK_NEAR(cut(PG_CALIBRATOR_ENTROPY2, bins, 0, 0), 1.0, 1.0 / 16);
}

TEST(entropy_of_few_elements)
{
    uint64_t bins[BINS] = {0};
    bins[1500] = 1;
    double threshold = cut(PG_CALIBRATOR_ENTROPY2, bins, 0, 0);
    CHECK(threshold > 1499.0 / BINS && threshold <= 1.0);
}

TEST(legacy_takes_a_quantile)
{
    uint64_t bins[BINS];
    for (size_t i = 0; i < BINS; i++)
        bins[i] = 10;
    CHECK_NEAR(cut(PG_CALIBRATOR_LEGACY, bins, 0.25, 0), 0.25, 1e-9);
    CHECK_NEAR(cut(PG_CALIBRATOR_LEGACY, bins, 0.25, 0.75), 0.75, 1e-9);
    CHECK_NEAR(cut(PG_CALIBRATOR_LEGACY, bins, 1, 0), 1, 1e-9);
}

TEST_MAIN(RUN(entropy_does_not_cut_what_matters); RUN(minmax_takes_all); RUN(entropy_passes_outliers_over);
          RUN(entropy_keeps_a_flat_range); RUN(entropy_of_few_elements); RUN(legacy_takes_a_quantile);)
