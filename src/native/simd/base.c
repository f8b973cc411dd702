/* What the compiler makes for every processor of the architecture: vectors of 16 bytes in its own notation.
 */
#include <string.h>

#include "native/simd/internal.h"

#pragma GCC optimize("O3")

#define VBYTES 16
#define ROWS 4

typedef int32_t mask32 __attribute__((vector_size(16)));
#define CHOOSE(type, mask, condition, a, b) \
    ((type)(((mask)(condition) & (mask)(a)) | (~(mask)(condition) & (mask)(b))))
#define MAXF(a, b) CHOOSE(tf_vec, mask32, (a) > (b), a, b)
#define MINF(a, b) CHOOSE(tf_vec, mask32, (a) < (b), a, b)

#define PART_LOAD(p, n)                           \
    ({                                            \
        tf_vec part_ = {0};                       \
        memcpy(&part_, (p), (n) * sizeof(float)); \
        part_;                                    \
    })
#define PART_STORE(p, x, n)                       \
    ({                                            \
        tf_vec part_ = (x);                       \
        memcpy((p), &part_, (n) * sizeof(float)); \
    })
#define REDUCE_ADD(x) (((x)[0] + (x)[1]) + ((x)[2] + (x)[3]))

#define ELEM float
#define TILE(name) tf_##name
#define VMAX MAXF
#define VMIN MINF
#define LOAD_PART PART_LOAD
#define STORE_PART PART_STORE
#include "native/simd/tile.inc"

#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#include "native/simd/turn.inc"

/* Without fused multiply-add: halves of 26 bits multiply exactly (Dekker). Where the halves overflow the
 * error is NaN, which the tile takes for none. */
typedef double pair __attribute__((vector_size(VBYTES)));
static inline __attribute__((always_inline)) pair product_error(pair x, pair y, pair p)
{
    const pair split = 134217729.0 - (pair){0}; /* 2^27 + 1 */
    const pair sx = split * x, sy = split * y;
    const pair xh = sx - (sx - x), yh = sy - (sy - y), xl = x - xh, yl = y - yh;
    return ((xh * yh - p) + xh * yl + xl * yh) + xl * yl;
}
#define PIN(p) (void)(p)
#define PRODUCT_ERROR(x, y, p) product_error(x, y, p)
#include "native/simd/tile_f64.inc"

typedef int32_t ivec __attribute__((vector_size(16)));
typedef int32_t ivec_u __attribute__((vector_size(16), aligned(2), may_alias));
enum { ilanes = 4 };
#if defined(__SSE2__)
#include <emmintrin.h>
#define DOT(acc, a, b) ((ivec)_mm_add_epi32((__m128i)(acc), _mm_madd_epi16((__m128i)(a), (__m128i)(b))))
#else
/* Both halves of each 32-bit lane, sign-extended by shifts. */
#define DOT(acc, a, b) \
    ((acc) + (((a) << 16) >> 16) * ((ivec)((b) << 16) >> 16) + ((a) >> 16) * ((ivec)(b) >> 16))
#endif
#include "native/simd/tile_i16.inc"

#define ROWS_I8 2
typedef uint32_t words __attribute__((vector_size(VBYTES)));
#if defined(__SSE2__)
/* Even and odd bytes as 16-bit lanes. */
static inline __attribute__((always_inline)) words dot4(words acc, words a, words b)
{
    const __m128i x = (__m128i)a, y = (__m128i)b, low = _mm_set1_epi16(0xff);
    const __m128i even = _mm_madd_epi16(_mm_and_si128(x, low), _mm_srai_epi16(_mm_slli_epi16(y, 8), 8));
    const __m128i odd = _mm_madd_epi16(_mm_srli_epi16(x, 8), _mm_srai_epi16(y, 8));
    return acc + (words)_mm_add_epi32(even, odd);
}
#else
static inline __attribute__((always_inline)) words dot4(words acc, words a, words b)
{
    const ivec y = (ivec)b;
    return acc + (a & 255u) * (words)((ivec)(b << 24) >> 24) +
           (a >> 8 & 255u) * (words)((ivec)(b << 16) >> 24) +
           (a >> 16 & 255u) * (words)((ivec)(b << 8) >> 24) + (a >> 24) * (words)(y >> 24);
}
#endif
#define DOT4(acc, a, b) dot4(acc, a, b)
#define KEEP(x) (void)(x)
#include "native/simd/tile_i8.inc"

#define DOT2(acc, a, b)                                  \
    ((acc) + (tf_vec)((a) << 16) * (tf_vec)((b) << 16) + \
     (tf_vec)((a)&0xffff0000u) * (tf_vec)((b)&0xffff0000u))
#define BF16(name) bf16_##name
#include "native/simd/tile_bf16.inc"

#include "native/simd/math.inc"
#include "native/simd/winograd.inc"
static inline tf_vec widen_f16(const uint16_t *p)
{
    tf_vec x;
    for (size_t i = 0; i < tf_lanes; i++)
        x[i] = pg_f16_to_f32(p[i]);
    return x;
}
static inline void round_f16(uint16_t *p, tf_vec x)
{
    for (size_t i = 0; i < tf_lanes; i++)
        p[i] = pg_f32_to_f16(x[i]);
}
#define WIDEN_U16(p) __builtin_convertvector((th_vec) * (const th_vec_u *)(p), qu_vec)
#define WIDEN_F16(p) widen_f16(p)
#define ROUND_F16(p, x) round_f16(p, x)
#define HALVES(name) bf16_##name
#include "native/simd/halves.inc"
static inline ti_vec quarters(const uint32_t *p)
{
    ti_vec x;
    memcpy(&x, p, sizeof x);
    return x;
}
#define QUARTERS(p, ld) quarters(p)
#include "native/simd/transpose.inc"

#define TABLE pg_simd_base
#define NAME "base"
#define FAST_BF16 false
#define BF16(name) bf16_##name
#include "native/simd/table.inc"
