/* What the compiler makes for every processor of the architecture: vectors of 16 bytes in its own notation.
 */
#include <string.h>

#include "native/simd/internal.h"

#pragma GCC optimize("O3")

#define VBYTES 16
#define ROWS 4

typedef int32_t mask32 __attribute__((vector_size(16)));
typedef int64_t mask64 __attribute__((vector_size(16)));
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

#define ELEM double
#define TILE(name) td_##name
#define VMAX(a, b) CHOOSE(td_vec, mask64, (a) > (b), a, b)
#define VMIN(a, b) CHOOSE(td_vec, mask64, (a) < (b), a, b)
#define LOAD_PART(p, n)                            \
    ({                                             \
        td_vec part_ = {0};                        \
        memcpy(&part_, (p), (n) * sizeof(double)); \
        part_;                                     \
    })
#define STORE_PART(p, x, n)                        \
    ({                                             \
        td_vec part_ = (x);                        \
        memcpy((p), &part_, (n) * sizeof(double)); \
    })
#include "native/simd/tile.inc"

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

#include "native/simd/math.inc"

#define TABLE pg_simd_base
#define NAME "base"
#include "native/simd/table.inc"
