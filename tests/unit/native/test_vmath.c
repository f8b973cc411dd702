/* The vectorised float32 functions against the C library's float64 ones. */
#include "unit/harness.h"

#include "native/ops/vmath.h"
#include "native/simd/simd.h"

/* Distance in units of the last place of the exact value. */
static double ulps(float got, double exact)
{
    float near = (float)exact;
    if (isnan(exact) || isnan(got))
        return isnan(exact) && isnan(got) ? 0 : 1e9;
    if (isinf(near) || isinf(got))
        return near == got ? 0 : 1e9;
    return fabs((double)got - exact) / ((double)nextafterf(fabsf(near), INFINITY) - (double)fabsf(near));
}

/* The worst error over numbers of every exponent and both signs, infinities and NaN included. */
static double worst(float (*function)(float), double (*exact)(double))
{
    double most = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 7919) {
        float x = pg_float_of_bits((uint32_t)bits);
        most = fmax(most, ulps(function(x), exact((double)x)));
    }
    const float special[] = {0.0f,   -0.0f,   INFINITY, -INFINITY, NAN,   88.8f,
                             -87.4f, -103.9f, 1.0f,     -1.0f,     1e-45f};
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        most = fmax(most, ulps(function(special[i]), exact((double)special[i])));
    return most;
}

static double exact_sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}
static float log1p_of_size(float x)
{
    return pg_vlog1p(fabsf(x));
}
static double exact_log1p_of_size(double x)
{
    return log1p(fabs(x));
}
static float call_exp(float x)
{
    return pg_vexp(x);
}
static float call_log(float x)
{
    return pg_vlog(x);
}
static float call_tanh(float x)
{
    return pg_vtanh(x);
}
static float call_sigmoid(float x)
{
    return pg_vsigmoid(x);
}
static float call_erf(float x)
{
    return pg_verf(x);
}

/* Angles beyond the documented range are folded into it. */
static float call_sin(float x)
{
    return pg_vsin(fmodf(x, PG_VSIN_MOST), 0);
}
static double exact_sin(double x)
{
    return sin(fmod(x, (double)PG_VSIN_MOST));
}
static float call_cos(float x)
{
    return pg_vsin(fmodf(x, PG_VSIN_MOST), 1);
}
static double exact_cos(double x)
{
    return cos(fmod(x, (double)PG_VSIN_MOST));
}

TEST(sin_and_cos_are_within_1_ulp)
{
    CHECK(worst(call_sin, exact_sin) < 1);
    CHECK(worst(call_cos, exact_cos) < 1);
}
TEST(exp_is_within_2_ulp)
{
    CHECK(worst(call_exp, exp) < 2);
}
static float call_exp_below_zero(float x)
{
    return pg_vexp_below_zero(-fabsf(x));
}
static double exact_exp_below_zero(double x)
{
    return fabs(x) > 87 ? 0 : exp(-fabs(x));
}
TEST(exp_below_zero_is_within_2_ulp)
{
    CHECK(worst(call_exp_below_zero, exact_exp_below_zero) < 2);
}
TEST(log_is_within_2_ulp)
{
    CHECK(worst(call_log, log) < 2);
}
TEST(log1p_is_within_2_ulp)
{
    CHECK(worst(log1p_of_size, exact_log1p_of_size) < 2);
}
TEST(tanh_is_within_3_ulp)
{
    CHECK(worst(call_tanh, tanh) < 3);
}
TEST(sigmoid_is_within_3_ulp)
{
    CHECK(worst(call_sigmoid, exact_sigmoid) < 3);
}
TEST(erf_is_within_3_ulp)
{
    CHECK(worst(call_erf, erf) < 3);
}
/* The worst error of a loop over arrays, whose lengths are no whole number of vectors. */
enum { ARRAY = 61 };
static double worst_loop(void (*loop)(const pg_simd *, const float *, float *, size_t), const pg_simd *simd,
                         double (*exact)(double))
{
    double most = 0;
    float x[ARRAY], y[ARRAY];
    for (uint64_t bits = 0; bits <= UINT32_MAX;) {
        for (size_t i = 0; i < ARRAY; i++, bits += 7919)
            x[i] = bits <= UINT32_MAX ? pg_float_of_bits((uint32_t)bits) : -1.0f;
        loop(simd, x, y, ARRAY);
        for (size_t i = 0; i < ARRAY; i++)
            most = fmax(most, ulps(y[i], exact((double)x[i])));
    }
    return most;
}
static void loop_exp(const pg_simd *simd, const float *x, float *y, size_t n)
{
    simd->exp_f32(x, y, n);
}
static void loop_erf(const pg_simd *simd, const float *x, float *y, size_t n)
{
    simd->erf_f32(x, y, n);
}
static void loop_tanh(const pg_simd *simd, const float *x, float *y, size_t n)
{
    simd->act_f32(&(pg_act){.kind = PG_ACT_TANH}, x, y, n);
}
static void loop_sigmoid(const pg_simd *simd, const float *x, float *y, size_t n)
{
    simd->act_f32(&(pg_act){.kind = PG_ACT_SIGMOID}, x, y, n);
}

TEST(loops_of_every_instruction_set)
{
    const pg_str names[] = {PG_STR("base"), PG_STR("avx2"), PG_STR("avx512")};
    for (size_t i = 0; i < 3; i++) {
        const pg_simd *simd = pg_simd_named(names[i]);
        if (simd == NULL)
            continue;
        CHECK(worst_loop(loop_exp, simd, exp) < 2);
        CHECK(worst_loop(loop_erf, simd, erf) < 3);
        CHECK(worst_loop(loop_tanh, simd, tanh) < 3);
        CHECK(worst_loop(loop_sigmoid, simd, exact_sigmoid) < 3);
    }
}

TEST(sum_of_exponentials)
{
    const pg_str names[] = {PG_STR("base"), PG_STR("avx2"), PG_STR("avx512")};
    float x[ARRAY], y[ARRAY];
    for (size_t i = 0; i < ARRAY; i++)
        x[i] = (float)i * -1.75f;
    for (size_t i = 0; i < 3; i++) {
        const pg_simd *simd = pg_simd_named(names[i]);
        for (size_t n = 1; simd != NULL && n <= ARRAY; n++) {
            double total = 0;
            float sum = simd->exp_sum_f32(x, x[0], y, n);
            for (size_t k = 0; k < n; k++) {
                total += exp((double)x[k]);
                CHECK(x[k] < -87.0f ? y[k] == 0.0f : ulps(y[k], exp((double)x[k])) < 2);
            }
            CHECK_NEAR((double)sum, total, 1e-6);
        }
    }
}

TEST(extremes)
{
    const pg_str names[] = {PG_STR("base"), PG_STR("avx2"), PG_STR("avx512")};
    for (size_t i = 0; i < 3; i++) {
        const pg_simd *simd = pg_simd_named(names[i]);
        for (size_t n = 1; simd != NULL && n <= 130; n++)
            for (size_t at = 0; at < n; at++) {
                float x[130] = {0};
                x[at] = 3;
                CHECK(simd->max_f32(x, n) == 3.0f && simd->min_f32(x, n) == (n == 1 ? 3.0f : 0.0f));
                x[at] = -3;
                CHECK(simd->min_f32(x, n) == -3.0f && simd->max_f32(x, n) == (n == 1 ? -3.0f : 0.0f));
                x[at] = NAN;
                CHECK(isnan(simd->max_f32(x, n)) && isnan(simd->min_f32(x, n)));
            }
    }
}

TEST(signed_zero_is_kept)
{
    CHECK(signbit(pg_vtanh(-0.0f)));
    CHECK(signbit(pg_verf(-0.0f)));
}

TEST_MAIN(RUN(sin_and_cos_are_within_1_ulp); RUN(exp_is_within_2_ulp); RUN(exp_below_zero_is_within_2_ulp);
          RUN(log_is_within_2_ulp); RUN(log1p_is_within_2_ulp); RUN(tanh_is_within_3_ulp);
          RUN(sigmoid_is_within_3_ulp); RUN(erf_is_within_3_ulp); RUN(signed_zero_is_kept);
          RUN(loops_of_every_instruction_set); RUN(sum_of_exponentials); RUN(extremes);)
