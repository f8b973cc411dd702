/* Tolerances from deviations: the formula, its floors, and what cannot be measured. */
#include "unit/harness.h"

#include "compare/noise.h"

static pg_feed feed_of(pg_dtype dtype, size_t count, const double *values)
{
    pg_feed feed = {0};
    pg_tensor tensor;
    CHECK_OK(pg_tensor_alloc(&tensor, dtype, 1, (int64_t[]){(int64_t)count}));
    for (size_t i = 0; i < count; i++)
        if (dtype == PG_F32)
            ((float *)tensor.data)[i] = (float)values[i];
        else if (dtype == PG_F64)
            ((double *)tensor.data)[i] = values[i];
        else
            ((int64_t *)tensor.data)[i] = (int64_t)values[i];
    pg_feed_add(&feed, PG_STR("y"), pg_value_of_tensor(tensor));
    return feed;
}

static void add(pg_noise *noise, pg_dtype dtype, size_t count, const double *reference, const double *run)
{
    pg_feed a = feed_of(dtype, count, reference), b = feed_of(dtype, count, run);
    CHECK_OK(pg_noise_add(noise, &a, &b));
    pg_feed_deinit(&a);
    pg_feed_deinit(&b);
}

TEST(deviation_sets_both_tolerances)
{
    enum { N = 400 };
    double r[N], x[N];
    pg_noise noise = {0};
    for (size_t i = 0; i < N; i++)
        r[i] = x[i] = (double)i / 100; /* up to 3.99 */
    x[7] += 0.001;
    add(&noise, PG_F64, N, r, x);
    x[7] -= 0.003; /* another run: the largest counts */
    add(&noise, PG_F64, N, r, x);
    CHECK_INT(noise.count, 1);
    CHECK_INT(noise.items[0].compared, 2 * N);
    CHECK_NEAR(noise.items[0].deviation, 0.002, 1e-12);
    pg_noise_tolerance t = pg_noise_tolerance_of(&noise.items[0]);
    CHECK_INT(t.multiple, 4);
    CHECK(!t.at_floor && !t.at_unit);
    CHECK(t.atol >= 0.008 && t.atol < 0.0082); /* two digits, upwards */
    CHECK(t.rtol >= 0.008 / 3.99 && t.rtol < 0.0082 / 3.99 + 1e-4);
    pg_noise_deinit(&noise);
}

TEST(floor_is_a_few_units_in_the_last_place)
{
    enum { N = 400 };
    double r[N];
    pg_noise noise = {0};
    for (size_t i = 0; i < N; i++)
        r[i] = 100 - (double)i / 8;
    add(&noise, PG_F32, N, r, r);
    pg_noise_tolerance t = pg_noise_tolerance_of(&noise.items[0]);
    CHECK(t.at_floor);
    CHECK_NEAR(t.rtol, 4 * 0x1p-23, 0.1e-7);
    CHECK_NEAR(t.atol, 100 * 4 * 0x1p-23, 1e-6);
    CHECK(t.rtol >= 4 * 0x1p-23 && t.atol >= 400 * 0x1p-23);
    pg_noise_deinit(&noise);
}

TEST(small_outputs_keep_units_of_one_but_not_more_than_a_hundredth)
{
    enum { N = 400 };
    double r[N];
    for (int k = 0; k < 2; k++) {
        double largest = k == 0 ? 1e-3 : 1e-8;
        pg_noise noise = {0};
        for (size_t i = 0; i < N; i++)
            r[i] = largest * (double)i / (N - 1);
        add(&noise, PG_F32, N, r, r);
        pg_noise_tolerance t = pg_noise_tolerance_of(&noise.items[0]);
        CHECK(t.at_unit);
        CHECK_NEAR(t.atol, k == 0 ? 4.8e-7 : 1e-10, k == 0 ? 1e-9 : 1.1e-11);
        pg_noise_deinit(&noise);
    }
}

TEST(few_elements_take_a_wider_multiple)
{
    pg_noise noise = {0};
    add(&noise, PG_F32, 2, (double[]){1, 2}, (double[]){1, 2.001});
    CHECK_INT(pg_noise_tolerance_of(&noise.items[0]).multiple, 16);
    pg_noise_deinit(&noise);
}

TEST(integers_have_their_own_rule)
{
    pg_noise noise = {0};
    add(&noise, PG_I64, 3, (double[]){1, 2, 3}, (double[]){1, 2, 3});
    CHECK(pg_noise_tolerance_of(&noise.items[0]).atol == 0 &&
          pg_noise_tolerance_of(&noise.items[0]).rtol == 0);
    add(&noise, PG_I64, 3, (double[]){1, 2, 3}, (double[]){1, 7, 3});
    CHECK(pg_noise_tolerance_of(&noise.items[0]).atol == 5);
    CHECK_INT(noise.items[0].changed, 1);
    pg_noise_deinit(&noise);
}

TEST(infinities_must_be_in_the_same_places)
{
    pg_noise noise = {0};
    add(&noise, PG_F32, 3, (double[]){1, INFINITY, NAN}, (double[]){1, INFINITY, NAN});
    CHECK(noise.items[0].unmeasured == NULL);
    CHECK_INT(noise.items[0].compared, 1);
    add(&noise, PG_F32, 2, (double[]){1, 1e30}, (double[]){1, INFINITY});
    CHECK(noise.items[0].unmeasured != NULL);
    pg_noise_deinit(&noise);
}

TEST(shapes_must_agree)
{
    pg_noise noise = {0};
    pg_feed a = feed_of(PG_F32, 2, (double[]){1, 2}), b = feed_of(PG_F32, 3, (double[]){1, 2, 3});
    CHECK_OK(pg_noise_add(&noise, &a, &b));
    CHECK(noise.items[0].unmeasured != NULL);
    pg_feed_deinit(&a);
    pg_feed_deinit(&b);
    pg_noise_deinit(&noise);
}

TEST_MAIN(RUN(deviation_sets_both_tolerances); RUN(floor_is_a_few_units_in_the_last_place);
          RUN(small_outputs_keep_units_of_one_but_not_more_than_a_hundredth);
          RUN(few_elements_take_a_wider_multiple); RUN(integers_have_their_own_rule);
          RUN(infinities_must_be_in_the_same_places); RUN(shapes_must_agree);)
