/* The inner loops of block statistics over float32 values in cache, in AVX2 and in portable C. Both give the
 * same bits: the eight accumulators of numpy's pairwise sum are the eight lanes of a vector. Private to
 * tensor/. */
#ifndef PG_TENSOR_BLOCK_KERNELS_H
#define PG_TENSOR_BLOCK_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Extremes, NaN test and pairwise sums of up to PG_STAT_BLOCK values. */
typedef struct pg_f32_scan {
    float min, max; /* of what is not NaN; +inf and -inf when nothing is */
    float sum, magnitude_sum;
    bool has_nan;
} pg_f32_scan;

enum { PG_STAT_WINDOWS = 5 };
/* Values from low to high, both included. */
typedef struct pg_f32_windows {
    size_t count;
    float low[PG_STAT_WINDOWS], high[PG_STAT_WINDOWS];
} pg_f32_windows;

typedef struct pg_f32_kernels {
    const char *isa;
    void (*scan)(const float *x, size_t n, pg_f32_scan *out);
    /* Adds to below[i] the values under low[i] and to upto[i] those not above high[i]. */
    void (*count)(const float *x, size_t n, const pg_f32_windows *windows, uint64_t *below, uint64_t *upto);
    /* Pairwise sum of (x - mean)^2, each step rounded to float32. */
    float (*spread)(const float *x, size_t n, float mean);
    /* Writes the positions of the values that lie in any window; `out` has room for n. */
    size_t (*inside)(const float *x, size_t n, const pg_f32_windows *windows, uint16_t *out);
} pg_f32_kernels;

const pg_f32_kernels *pg_f32_kernels_get(void);

/* numpy's pairwise sums; the second in double. */
float pg_pairwise_f32(const float *x, size_t n);
double pg_pairwise_f64(const double *x, size_t n);
/* Where numpy cuts a run of n > 128 values. */
static inline size_t pg_pairwise_half(size_t n)
{
    return n / 2 - n / 2 % 8;
}

#endif
