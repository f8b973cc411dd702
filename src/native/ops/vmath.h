/* Elementary functions of one float32 number without branches or table look-ups, so that loops over them
 * vectorise: those of native/simd/functions.inc, and logarithms (error below 2 units in the last place) and
 * sines. Infinities, NaN and subnormal results are as in C. */
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
/* pg_vexp, pg_vexp_below_zero, pg_vtanh, pg_vsigmoid, pg_verf */
#define VF float
#define VI int32_t
#define VU uint32_t
#define FN(name) pg_v##name
#define C(x) (x)
#define BITS(x) pg_bits_of_float(x)
#define OF_BITS(x) pg_float_of_bits(x)
#define SELECT(mask, yes, no) ((mask) ? (yes) : (no))
#define CLAMP(x, lo, hi) ((x) < (lo) ? (lo) : (x) > (hi) ? (hi) : (x))
#include "native/simd/functions.inc"
#undef VF
#undef VI
#undef VU
#undef FN
#undef C
#undef BITS
#undef OF_BITS
#undef SELECT
#undef CLAMP

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
