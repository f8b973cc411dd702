#include "native/simd/internal.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#pragma GCC target("avx2,fma,f16c")
#pragma GCC optimize("O3,fp-contract=fast")

#define VBYTES 32
#define ROWS 4
#define MAXF(a, b) ((tf_vec)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define MINF(a, b) ((tf_vec)_mm256_min_ps((__m256)(a), (__m256)(b)))

/* The first n lanes of 32 bits. */
static inline __attribute__((always_inline)) __m256i mask32(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline __attribute__((always_inline)) float reduce8(__m256 x)
{
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_shuffle_ps(sum, sum, 1)));
}
#define PART_LOAD(p, n) ((tf_vec)_mm256_maskload_ps((p), mask32(n)))
#define PART_STORE(p, x, n) _mm256_maskstore_ps((p), mask32(n), (__m256)(x))
#define REDUCE_ADD(x) reduce8((__m256)(x))

#define ELEM float
#define TILE(name) tf_##name
#define VMAX MAXF
#define VMIN MINF
#define LOAD_PART PART_LOAD
#define STORE_PART PART_STORE
#include "native/simd/tile.inc"

#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#include "native/simd/turn.inc"

#define PIN(p) __asm__("" : "+x"(p))
#define PRODUCT_ERROR(x, y, p) ((td_vec)_mm256_fmsub_pd((__m256d)(x), (__m256d)(y), (__m256d)(p)))
#include "native/simd/tile_f64.inc"

typedef int32_t ivec __attribute__((vector_size(32)));
typedef int32_t ivec_u __attribute__((vector_size(32), aligned(2), may_alias));
enum { ilanes = 8 };
#define DOT(acc, a, b) ((ivec)_mm256_add_epi32((__m256i)(acc), _mm256_madd_epi16((__m256i)(a), (__m256i)(b))))
#include "native/simd/tile_i16.inc"

#define ROWS_I8 2
/* Even and odd bytes as 16-bit lanes: the sums of their pairs cannot overflow. */
typedef uint32_t words __attribute__((vector_size(VBYTES)));
static inline __attribute__((always_inline)) words dot4(words acc, words a, words b)
{
    const __m256i x = (__m256i)a, y = (__m256i)b, low = _mm256_set1_epi16(0xff);
    const __m256i even =
        _mm256_madd_epi16(_mm256_and_si256(x, low), _mm256_srai_epi16(_mm256_slli_epi16(y, 8), 8));
    const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(x, 8), _mm256_srai_epi16(y, 8));
    return acc + (words)_mm256_add_epi32(even, odd);
}
#define DOT4(acc, a, b) dot4(acc, a, b)
#define KEEP(x) __asm__("" : "+x"(x))
#include "native/simd/tile_i8.inc"

#define DOT2(acc, a, b)                                  \
    ((acc) + (tf_vec)((a) << 16) * (tf_vec)((b) << 16) + \
     (tf_vec)((a)&0xffff0000u) * (tf_vec)((b)&0xffff0000u))
#define BF16(name) bf16_##name
#include "native/simd/tile_bf16.inc"

#include "native/simd/math.inc"
#include "native/simd/winograd.inc"
#define WIDEN_U16(p) ((qu_vec)_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i_u *)(p))))
#define WIDEN_F16(p) ((tf_vec)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i_u *)(p))))
#define ROUND_F16(p, x) \
    _mm_storeu_si128((__m128i_u *)(p), _mm256_cvtps_ph((__m256)(x), _MM_FROUND_TO_NEAREST_INT))
#define HALVES(name) bf16_##name
#include "native/simd/halves.inc"
static inline __attribute__((always_inline)) __m256i quarters(const uint32_t *p, size_t ld)
{
    const __m256i x = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)p));
    return _mm256_inserti128_si256(x, _mm_loadu_si128((const __m128i *)(p + 4 * ld)), 1);
}
#define QUARTERS(p, ld) ((ti_vec)quarters(p, ld))
#include "native/simd/transpose.inc"

#define TABLE pg_simd_avx2
#define NAME "avx2"
#define FAST_BF16 false
#define BF16(name) bf16_##name
#include "native/simd/table.inc"

#endif
