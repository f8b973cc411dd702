/* The largest or smallest of contiguous float32 numbers. NaN wins over everything.
 *
 * Lanes are kept in memory and combined by loops that the compiler vectorises for each instruction set; their
 * number is above the limit up to which it would rather unroll them. Elements may be met twice: it does not
 * matter to an extreme. */
#ifndef PG_NATIVE_OPS_EXTREME_H
#define PG_NATIVE_OPS_EXTREME_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "native/ops/simd.h"

enum { PG_EXTREME_LANES = 32 };
typedef float pg_extreme_four __attribute__((vector_size(16)));
typedef int32_t pg_extreme_mask __attribute__((vector_size(16)));

#define PG_EXTREME(name, first, beats)                                                                 \
    PG_INLINE void name##_lanes(float *lanes, const float *x)                                          \
    {                                                                                                  \
        for (size_t k = 0; k < PG_EXTREME_LANES; k++) {                                                \
            float a = lanes[k], v = x[k];                                                              \
            int take = (v beats a) | (v != v);                                                         \
            lanes[k] = take ? v : a;                                                                   \
        }                                                                                              \
    }                                                                                                  \
    PG_INLINE float name(const float *x, size_t n)                                                     \
    {                                                                                                  \
        float best = first, lanes[PG_EXTREME_LANES];                                                   \
        if (n >= PG_EXTREME_LANES) {                                                                   \
            pg_extreme_four fours[PG_EXTREME_LANES / 4];                                               \
            memcpy(lanes, x, sizeof lanes);                                                            \
            for (size_t i = PG_EXTREME_LANES; i + PG_EXTREME_LANES <= n; i += PG_EXTREME_LANES)        \
                name##_lanes(lanes, x + i);                                                            \
            name##_lanes(lanes, x + n - PG_EXTREME_LANES);                                             \
            memcpy(fours, lanes, sizeof fours);                                                        \
            for (size_t half = PG_EXTREME_LANES / 8; half > 0; half /= 2)                              \
                for (size_t k = 0; k < half; k++) {                                                    \
                    pg_extreme_four a = fours[k], v = fours[k + half];                                 \
                    pg_extreme_mask take = (v beats a) | (v != v);                                     \
                    fours[k] =                                                                         \
                        (pg_extreme_four)((take & (pg_extreme_mask)v) | (~take & (pg_extreme_mask)a)); \
                }                                                                                      \
            memcpy(lanes, fours, sizeof fours[0]);                                                     \
            x = lanes;                                                                                 \
            n = 4;                                                                                     \
        }                                                                                              \
        for (size_t i = 0; i < n; i++) {                                                               \
            int take = (x[i] beats best) | (x[i] != x[i]);                                             \
            best = take ? x[i] : best;                                                                 \
        }                                                                                              \
        return best;                                                                                   \
    }
PG_EXTREME(pg_extreme_max, -__builtin_inff(), >)
PG_EXTREME(pg_extreme_min, __builtin_inff(), <)

#endif
