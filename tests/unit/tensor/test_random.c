/* Known values of the random stream; tests/parity/test_random_inputs.py compares many more with the peer. */
#include "unit/harness.h"

#include "tensor/dtype_convert.h"
#include "tensor/random.h"

static pg_tensor tensor_of(pg_dtype dtype, int64_t count)
{
    pg_tensor t;
    CHECK_OK(pg_tensor_alloc(&t, dtype, 1, &count));
    return t;
}

static void check_ints(pg_random *random, pg_dtype dtype, int64_t low, int64_t high, size_t count,
                       const int64_t *expected)
{
    pg_tensor t = tensor_of(dtype, (int64_t)count);
    pg_random_fill_int(random, low, high, &t);
    for (size_t i = 0; i < count; i++)
        CHECK_INT(pg_tensor_get_i64(&t, i), expected[i]);
    pg_tensor_deinit(&t);
}

TEST(first_words)
{
    static pg_random random;
    pg_random_seed(&random, 5489);
    CHECK_INT(pg_random_u32(&random), 3499211612u);
    for (int i = 0; i < 9998; i++)
        (void)pg_random_u32(&random);
    CHECK_INT(pg_random_u32(&random), 4123659995u); /* the ten thousandth, as the C++ standard states it */
}

TEST(one_stream_for_several_arrays)
{
    static pg_random random;
    pg_random_seed(&random, 1);
    pg_tensor f = tensor_of(PG_F32, 3), h = tensor_of(PG_F16, 2);
    pg_random_fill_float(&random, 1, 0, &f);
    const float *x = f.data;
    CHECK_NEAR(x[0], 0.41702199, 1e-8);
    CHECK_NEAR(x[1], 0.72032452, 1e-8);
    CHECK_NEAR(x[2], 0.000114374816, 1e-12);
    check_ints(&random, PG_I32, 0, 1, 6, (int64_t[]){1, 1, 1, 0, 0, 1});
    check_ints(&random, PG_BOOL, 0, 1, 8, (int64_t[]){0, 0, 1, 1, 0, 0, 1, 1});
    pg_random_fill_float(&random, 1, 0, &h);
    CHECK_NEAR(pg_tensor_get_f64(&h, 0), 0.387939453, 1e-9);
    CHECK_NEAR(pg_tensor_get_f64(&h, 1), 0.669921875, 0);
    pg_tensor_deinit(&f);
    pg_tensor_deinit(&h);
}

TEST(ranges)
{
    static pg_random random;
    pg_random_seed(&random, 1);
    check_ints(&random, PG_I64, 0, 10, 6, (int64_t[]){5, 8, 9, 5, 0, 0});
    pg_random_seed(&random, 1);
    check_ints(&random, PG_I8, -3, 3, 6, (int64_t[]){2, 1, -2, -1, 0, -3});
    pg_random_seed(&random, 1);
    check_ints(&random, PG_U8, 0, 255, 6, (int64_t[]){37, 244, 193, 106, 235, 128});
    pg_random_seed(&random, 7);
    pg_tensor d = tensor_of(PG_F64, 2);
    pg_random_fill_float(&random, 2, -1, &d);
    CHECK_NEAR(((double *)d.data)[0], -0.8473834212520857, 0);
    CHECK_NEAR(((double *)d.data)[1], 0.5598375844802292, 0);
    pg_tensor_deinit(&d);
}

TEST(equal_bounds_draw_nothing)
{
    static pg_random random;
    pg_random_seed(&random, 5489);
    check_ints(&random, PG_I16, -7, -7, 3, (int64_t[]){-7, -7, -7});
    CHECK_INT(pg_random_u32(&random), 3499211612u);
}

TEST_MAIN(RUN(first_words); RUN(one_stream_for_several_arrays); RUN(ranges); RUN(equal_bounds_draw_nothing);)
