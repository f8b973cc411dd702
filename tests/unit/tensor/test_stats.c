/* Statistics of tensors of every type; tests/parity/test_stats.py compares the texts with the peer's. */
#include "unit/harness.h"

#include "tensor/dtype_convert.h"
#include "tensor/stats_text.h"

static pg_buf text;

static const char *stats_of(pg_dtype dtype, size_t rank, const int64_t *dims, const void *data)
{
    pg_tensor t;
    CHECK_OK(pg_tensor_borrow(&t, dtype, rank, dims, data));
    pg_buf_clear(&text);
    CHECK_OK(pg_tensor_stats_text(&text, &t));
    return pg_buf_cstr(&text);
}

static const char *histogram_of(pg_dtype dtype, int64_t count, const void *data, const double *range)
{
    pg_tensor t;
    pg_histogram histogram;
    CHECK_OK(pg_tensor_borrow(&t, dtype, 1, &count, data));
    pg_tensor_histogram(&t, range, &histogram);
    pg_buf_clear(&text);
    pg_histogram_text(&text, &histogram);
    return pg_buf_cstr(&text);
}

TEST(known_texts)
{
    const float ramp[] = {0, 1, 2, 3};
    CHECK_STR(stats_of(PG_F32, 2, (int64_t[]){2, 2}, ramp),
              "mean=1.5, std-dev=1.118, var=1.25, median=1.5, min=0 at (0, 0), max=3 at (1, 1), "
              "avg-magnitude=1.5, p90=2.7, p95=2.85, p99=2.97");
    CHECK_STR(stats_of(PG_F32, 1, (int64_t[]){0}, ramp),
              "mean=nan, std-dev=0, var=0, median=0, min=0 at 0, max=0 at 0, avg-magnitude=nan, p90=inf, "
              "p95=inf, p99=inf");
    CHECK_STR(stats_of(PG_BOOL, 2, (int64_t[]){1, 2}, (uint8_t[]){1, 0}),
              "mean=0.5, std-dev=0.5, var=0.25, median=0.5, min=0 at (0, 1), max=1 at (0, 0), "
              "avg-magnitude=0.5");
    CHECK_STR(stats_of(PG_STRING, 0, NULL, &PG_STR("x")), "<Error while computing statistics>");
    CHECK_STR(stats_of(PG_F32, 1, (int64_t[]){3}, (float[]){1, NAN, 2}),
              "mean=nan, std-dev=nan, var=nan, median=nan, min=nan at (1,), max=nan at (1,), "
              "avg-magnitude=nan, p90=nan, p95=nan, p99=nan");
}

TEST(histogram_of_equal_values_and_of_none)
{
    const float same[] = {7, 7};
    const char *found = histogram_of(PG_F32, 2, same, NULL);
    CHECK(strstr(found, "(7  , 7.1) |          2 | ########################################\n") != NULL);
    CHECK(strstr(found, "Bin Range  |  Num Elems | Visualization\n") != NULL);
    CHECK_STR(histogram_of(PG_F32, 0, same, NULL), "");
    CHECK_STR(histogram_of(PG_F32, 2, (float[]){1, INFINITY}, NULL), "");
    CHECK_STR(histogram_of(PG_F32, 2, same, (double[]){2, 1}), "");
    CHECK_STR(histogram_of(PG_F32, 2, same, (double[]){0, 1}), "");
}

/* Types that only exist here agree with the wide type they hold. */
TEST(narrow_types_act_as_what_they_equal)
{
    static const pg_dtype narrow[] = {PG_BF16,   PG_F8E4M3FN, PG_F8E4M3FNUZ, PG_F8E5M2, PG_F8E5M2FNUZ,
                                      PG_F4E2M1, PG_U4,       PG_I4,         PG_U2,     PG_I2};
    enum { COUNT = 70001 };
    static int8_t values[COUNT];
    for (int i = 0; i < COUNT; i++)
        values[i] = (int8_t)((i * 31 + i / 7) % 4);
    for (size_t k = 0; k < sizeof narrow / sizeof narrow[0]; k++) {
        pg_tensor in, small, wide;
        bool is_float = pg_dtype_is_float(narrow[k]);
        CHECK_OK(pg_tensor_borrow(&in, PG_I8, 1, (int64_t[]){COUNT}, values));
        CHECK_OK(pg_tensor_cast(&in, narrow[k], NULL, &small));
        CHECK_OK(pg_tensor_cast(&small, is_float ? PG_F32 : PG_I32, NULL, &wide));
        pg_buf expected = {0};
        CHECK_OK(pg_tensor_stats_text(&expected, &wide));
        CHECK_STR(stats_of(narrow[k], 1, small.dims, small.data), pg_buf_cstr(&expected));
        pg_histogram a, b;
        pg_tensor_histogram(&small, NULL, &a);
        pg_tensor_histogram(&wide, NULL, &b);
        CHECK(a.valid && memcmp(a.counts, b.counts, sizeof a.counts) == 0);
        pg_buf_deinit(&expected);
        pg_tensor_deinit(&small);
        pg_tensor_deinit(&wide);
    }
}

TEST(unsupported_types_are_named)
{
    pg_tensor t;
    pg_value_stats stats;
    CHECK_OK(pg_tensor_borrow(&t, PG_C64, 1, (int64_t[]){1}, (float[]){1, 2}));
    CHECK_ERR(pg_tensor_stats(&t, PG_STAT_ALL, (double)NAN, &stats), PG_ERR_UNSUPPORTED, "complex64");
}

TEST_MAIN(RUN(known_texts); RUN(histogram_of_equal_values_and_of_none);
          RUN(narrow_types_act_as_what_they_equal); RUN(unsupported_types_are_named); pg_buf_deinit(&text);)
