#include "native/simd/internal.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")
#pragma GCC optimize("O3,fp-contract=fast")

#define VBYTES 64
#define ROWS 8
#define MAXF(a, b) ((tf_vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define MINF(a, b) ((tf_vec)_mm512_min_ps((__m512)(a), (__m512)(b)))

#define PART_LOAD(p, n) ((tf_vec)_mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), (p)))
#define PART_STORE(p, x, n) _mm512_mask_storeu_ps((p), (__mmask16)((1u << (n)) - 1), (__m512)(x))
#define REDUCE_ADD(x) _mm512_reduce_add_ps((__m512)(x))

#define ELEM float
#define TILE(name) tf_##name
#define VMAX MAXF
#define VMIN MINF
#define LOAD_PART PART_LOAD
#define STORE_PART PART_STORE
#include "native/simd/tile.inc"

#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_HIGH(a, b) \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#include "native/simd/turn.inc"

#define PIN(p) __asm__("" : "+v"(p))
#define PRODUCT_ERROR(x, y, p) ((td_vec)_mm512_fmsub_pd((__m512d)(x), (__m512d)(y), (__m512d)(p)))
#include "native/simd/tile_f64.inc"

typedef int32_t ivec __attribute__((vector_size(64)));
typedef int32_t ivec_u __attribute__((vector_size(64), aligned(2), may_alias));
enum { ilanes = 16 };
#define DOT(acc, a, b) ((ivec)_mm512_dpwssd_epi32((__m512i)(acc), (__m512i)(a), (__m512i)(b)))
#include "native/simd/tile_i16.inc"

#ifdef __SANITIZE_ADDRESS__
#define ROWS_I8 2 /* full tiles take minutes to compile when every access is checked */
#else
#define ROWS_I8 8
#endif
#define DOT4(acc, a, b) ((qu_vec)_mm512_dpbusd_epi32((__m512i)(acc), (__m512i)(a), (__m512i)(b)))
#define KEEP(x) __asm__("" : "+v"(x))
#include "native/simd/tile_i8.inc"

#define DOT2(acc, a, b)                                  \
    ((acc) + (tf_vec)((a) << 16) * (tf_vec)((b) << 16) + \
     (tf_vec)((a)&0xffff0000u) * (tf_vec)((b)&0xffff0000u))
#define BF16(name) bf16_##name
#include "native/simd/tile_bf16.inc"

#pragma GCC push_options
#pragma GCC target("avx512bf16")
#define DOT2(acc, a, b) ((tf_vec)_mm512_dpbf16_ps((__m512)(acc), (__m512bh)(a), (__m512bh)(b)))
#define HALVE(x, y) _mm256_storeu_si256((__m256i_u *)(y), (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(x)))
#define BF16(name) bf16_native_##name
#include "native/simd/tile_bf16.inc"
#pragma GCC pop_options

#include "native/simd/math.inc"
#include "native/simd/winograd.inc"
#define WIDEN_U16(p) ((qu_vec)_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i_u *)(p))))
#define WIDEN_F16(p) ((tf_vec)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i_u *)(p))))
#define ROUND_F16(p, x) \
    _mm256_storeu_si256((__m256i_u *)(p), _mm512_cvtps_ph((__m512)(x), _MM_FROUND_TO_NEAREST_INT))
#define HALVES(name) bf16_##name
#include "native/simd/halves.inc"

#pragma GCC push_options
#pragma GCC target("avx512bf16")
#define ROUND_BF16(p, x) _mm256_storeu_si256((__m256i_u *)(p), (__m256i)_mm512_cvtneps_pbh((__m512)(x)))
#define HALVES(name) bf16_native_##name
#include "native/simd/halves.inc"
#pragma GCC pop_options

static inline __attribute__((always_inline)) __m512i quarters(const uint32_t *p, size_t ld)
{
    __m512i x = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)p));
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(p + 4 * ld)), 1);
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(p + 8 * ld)), 2);
    return _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(p + 12 * ld)), 3);
}
#define QUARTERS(p, ld) ((ti_vec)quarters(p, ld))
#include "native/simd/transpose.inc"

#define TABLE pg_simd_avx512
#define NAME "avx512"
#define FAST_BF16 false
#define BF16(name) bf16_##name
#include "native/simd/table.inc"

#define TABLE pg_simd_avx512bf16
#define NAME "avx512bf16"
#define FAST_BF16 true
#define BF16(name) bf16_native_##name
#include "native/simd/table.inc"

#endif
