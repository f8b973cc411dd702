/* Elementary functions of float32 without branches or table look-ups, so that loops over them vectorise.
 * Errors against the exact value, in units of the last place, over the whole range: exp and log below 2,
 * tanh, sigmoid and erf below 3. Infinities, NaN and subnormal results are as in C.
 *
 * The polynomials are weighted minimax fits, made for this file on the intervals stated beside them. */
#ifndef PG_NATIVE_OPS_VMATH_H
#define PG_NATIVE_OPS_VMATH_H

#include <stdint.h>
#include <string.h>

#include "native/ops/simd.h"

PG_INLINE float pg_float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
PG_INLINE uint32_t pg_bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
/* 2^n for n in [-126, 127]; any bits otherwise. */
PG_INLINE float pg_vexp2i(int32_t n)
{
    return pg_float_of_bits(((uint32_t)n + 127u) << 23);
}

/* e^r for |r| <= ln 2 / 2, as 1 + r + r^2 p(r). */
PG_INLINE float pg_vexp_reduced(float r)
{
    float p = 0.000197903457f;
    p = p * r + 0.00139446603f;
    p = p * r + 0.00833349675f;
    p = p * r + 0.0416662954f;
    p = p * r + 0.166666657f;
    p = p * r + 0.5f;
    return (p * r) * r + r + 1.0f;
}

/* x = n ln 2 + r. Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits. The power of two is
 * applied in two halves: it may be out of range as one. For NaN, n means nothing and the result is NaN
 * anyway. */
PG_INLINE float pg_vexp(float x)
{
    const float round = 12582912.0f;
    float c = x < -104.0f ? -104.0f : x;
    c = c > 89.0f ? 89.0f : c;
    float shifted = c * 1.44269504f + round;
    int32_t n = (int32_t)(pg_bits_of_float(shifted) - pg_bits_of_float(round)), half = n >> 1;
    float fn = shifted - round;
    float r = c - fn * 0.693359375f;
    r = r - fn * -2.12194440e-4f;
    return pg_vexp_reduced(r) * pg_vexp2i(half) * pg_vexp2i((int32_t)((uint32_t)n - (uint32_t)half));
}

/* The same for x <= 0, with 0 in place of results below e^-87 (1.6e-38). */
PG_INLINE float pg_vexp_below_zero(float x)
{
    const float round = 12582912.0f;
    float c = x < -87.0f ? -87.0f : x;
    float shifted = c * 1.44269504f + round, fn = shifted - round;
    float r = c - fn * 0.693359375f;
    r = r - fn * -2.12194440e-4f;
    float y = pg_vexp_reduced(r) * pg_float_of_bits((pg_bits_of_float(shifted) << 23) + 0x3f800000u);
    return x < -87.0f ? 0.0f : y;
}

/* x = m 2^e with m in [sqrt(1/2), sqrt(2)); log m = f - f^2 / 2 + f^3 q(f), f = m - 1. */
PG_INLINE float pg_vlog(float x)
{
    float scaled = x < 1.17549435e-38f ? x * 8388608.0f : x;
    float shift = x < 1.17549435e-38f ? -23.0f : 0.0f;
    uint32_t bits = pg_bits_of_float(scaled);
    int32_t e = (int32_t)((bits - 0x3f3504f3u) & 0xff800000u) >> 23;
    float f = pg_float_of_bits(bits - ((uint32_t)e << 23)) - 1.0f;
    float fe = (float)e + shift;
    float q = 0.0674660131f;
    q = q * f - 0.116756409f;
    q = q * f + 0.118881747f;
    q = q * f - 0.124055915f;
    q = q * f + 0.142195508f;
    q = q * f - 0.166679963f;
    q = q * f + 0.200021192f;
    q = q * f - 0.250000089f;
    q = q * f + 0.333333135f;
    float ff = f * f;
    float y = q * f * ff + fe * -2.12194440e-4f;
    y = y - 0.5f * ff;
    y = f + y;
    y = y + fe * 0.693359375f;
    y = x > 3.40282347e+38f ? x : y;
    y = x == 0.0f ? -__builtin_inff() : y;
    return x >= 0.0f ? y : __builtin_nanf("");
}

/* log(1 + x) for x >= 0, exact near 0: the rounding of 1 + x is made good. */
PG_INLINE float pg_vlog1p(float x)
{
    float u = 1.0f + x;
    float correction = (x - (u - 1.0f)) / u;
    float y = pg_vlog(u) + correction;
    return x > 3.40282347e+38f ? x : y;
}

/* Odd polynomial below 0.625, else 1 - 2 / (e^(2x) + 1). */
PG_INLINE float pg_vtanh(float x)
{
    float a = __builtin_fabsf(x), s = x * x;
    float q = -0.00566698099f;
    q = q * s + 0.0206061807f;
    q = q * s - 0.0537300073f;
    q = q * s + 0.133313313f;
    q = q * s - 0.333332777f;
    float small = q * s * x + x;
    float large = 1.0f - 2.0f / (pg_vexp(2.0f * a) + 1.0f);
    return __builtin_copysignf(a < 0.625f ? small : large, x);
}

/* e^-|x| never overflows, and both quotients keep their relative precision. */
PG_INLINE float pg_vsigmoid(float x)
{
    float e = pg_vexp(-__builtin_fabsf(x));
    float d = 1.0f / (1.0f + e);
    return x < 0.0f ? e * d : d;
}

/* x p(x^2) below 1, else 1 - exp(q(x)), where q fits log(erfc) on [0.95, 4.1]. */
PG_INLINE float pg_verf(float x)
{
    float a = __builtin_fabsf(x), s = x * x;
    float p = 7.85400844e-05f;
    p = p * s - 0.000801024202f;
    p = p * s + 0.0051883338f;
    p = p * s - 0.0268538147f;
    p = p * s + 0.112835854f;
    p = p * s - 0.37612626f;
    p = p * s + 1.12837911f;
    float t = a > 4.1f ? 4.1f : a;
    float q = -1.69747281e-07f;
    q = q * t - 1.92627176e-05f;
    q = q * t + 0.000426505314f;
    q = q * t - 0.00415377598f;
    q = q * t + 0.0251017604f;
    q = q * t - 0.108278483f;
    q = q * t - 0.633332849f;
    q = q * t - 1.12952733f;
    q = q * t + 0.00017812413f;
    float large = __builtin_copysignf(1.0f - pg_vexp(q), x);
    return a < 1.0f ? p * x : large;
}

/* sin(x + quarters pi / 2) for |x| up to PG_VSIN_MOST: x less a multiple of pi / 2 in float64, where the
 * Taylor polynomials on [-pi / 4, pi / 4] are far more exact than float32. Error below 1 unit. */
#define PG_VSIN_MOST 1e6f
PG_INLINE float pg_vsin(float x, int64_t quarters)
{
    const double round = 6755399441055744.0;
    double shifted = (double)x * 0.63661977236758134308 + round, r = (double)x, n = shifted - round;
    int64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits += quarters;
    r = r - n * 1.57079632673412561417;
    r = r - n * 6.07710050650619224932e-11;
    double z = r * r;
    double s = r + r * z * (-1.0 / 6 + z * (1.0 / 120 + z * (-1.0 / 5040 + z * (1.0 / 362880))));
    double c = 1.0 + z * (-0.5 + z * (1.0 / 24 + z * (-1.0 / 720 + z * (1.0 / 40320 - z * (1.0 / 3628800)))));
    double y = (bits & 1) != 0 ? c : s;
    return (float)((bits & 2) != 0 ? -y : y);
}

#endif
