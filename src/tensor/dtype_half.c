/* float16 and bfloat16. The F16C instructions are used where the processor has them; the portable code gives
 * the same bits, NaN payloads included. */
#include "tensor/internal.h"

/* clang learnt the name "f16c" in version 15. */
#if defined(__x86_64__) && defined(__GNUC__) && !(defined(__clang__) && __clang_major__ < 15)
#include <immintrin.h>
#define PG_HAVE_F16C 1
#endif

float pg_f16_to_f32(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7fff;
    if (magnitude >= 0x7c00) /* infinity, NaN: made quiet */
        return pg_bits_f32(sign | 0x7f800000 | (magnitude & 0x3ff) << 13 |
                           (magnitude > 0x7c00 ? 0x400000u : 0u));
    if (magnitude >= 0x400)
        return pg_bits_f32(sign | ((magnitude << 13) + (112u << 23)));
    /* Zero and subnormals are magnitude * 2^-24, exact in f32. */
    return pg_bits_f32(sign | pg_f32_bits((float)magnitude * 0x1p-24f));
}

uint16_t pg_f32_to_f16(float value)
{
    uint32_t bits = pg_f32_bits(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x1ff));
    if (magnitude >= 0x477ff000) /* 65520: halfway to 2^16 */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) { /* below 2^-14: adding 0.5 rounds to a multiple of 2^-24 */
        float shifted = pg_bits_f32(magnitude) + 0.5f;
        return (uint16_t)(sign | (pg_f32_bits(shifted) - 0x3f000000));
    }
    uint32_t odd = magnitude >> 13 & 1;
    return (uint16_t)(sign | (magnitude - (112u << 23) + 0xfff + odd) >> 13);
}

uint16_t pg_f64_to_f16(double value)
{
    uint64_t bits = pg_f64_bits(value), magnitude = bits & 0x7fffffffffffffff;
    uint32_t sign = (uint32_t)(bits >> 48) & 0x8000;
    if (magnitude > 0x7ff0000000000000)
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 42 & 0x1ff));
    if (magnitude >= 0x40effe0000000000) /* 65520 */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x3f10000000000000) { /* below 2^-14 */
        double shifted = pg_bits_f64(magnitude) + 0x1p28;
        return (uint16_t)(sign | (uint32_t)(pg_f64_bits(shifted) - 0x41b0000000000000));
    }
    uint64_t odd = magnitude >> 42 & 1;
    uint64_t rounded = (magnitude - ((uint64_t)1008 << 52) + 0x1ffffffffff + odd) >> 42;
    return (uint16_t)(sign | (uint32_t)rounded);
}

uint16_t pg_f32_to_bf16(float value)
{
    return pg_bf16_round(value);
}

void pg_bf16_to_f32_array(const uint16_t *in, float *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = pg_bf16_to_f32(in[i]);
}

void pg_f32_to_bf16_array(const float *in, uint16_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = pg_bf16_round(in[i]);
}

static void widen_portable(const uint16_t *in, float *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = pg_f16_to_f32(in[i]);
}

static void narrow_portable(const float *in, uint16_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = pg_f32_to_f16(in[i]);
}

#ifdef PG_HAVE_F16C
__attribute__((target("avx,f16c"))) static void widen_f16c(const uint16_t *in, float *out, size_t count)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(in + i))));
    widen_portable(in + i, out + i, count - i);
}

__attribute__((target("avx,f16c"))) static void narrow_f16c(const float *in, uint16_t *out, size_t count)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm_storeu_si128((__m128i *)(void *)(out + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT));
    narrow_portable(in + i, out + i, count - i);
}
#endif

void pg_f16_to_f32_array(const uint16_t *in, float *out, size_t count)
{
#ifdef PG_HAVE_F16C
    if (__builtin_cpu_supports("f16c")) {
        widen_f16c(in, out, count);
        return;
    }
#endif
    widen_portable(in, out, count);
}

void pg_f32_to_f16_array(const float *in, uint16_t *out, size_t count)
{
#ifdef PG_HAVE_F16C
    if (__builtin_cpu_supports("f16c")) {
        narrow_f16c(in, out, count);
        return;
    }
#endif
    narrow_portable(in, out, count);
}
