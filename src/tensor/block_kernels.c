#include "tensor/block_kernels.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "tensor/block_stats.h"

enum { LANES = 8, LEAF = 128 };

/* numpy's sum of at most LEAF values: eight running sums, added as a tree, then the rest one by one. */
static inline float add_lanes(const float r[LANES])
{
    return ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
}

#define DEFINE_PAIRWISE(name, type)                                                  \
    type name(const type *x, size_t n)                                               \
    {                                                                                \
        if (n > LEAF) {                                                              \
            size_t half = pg_pairwise_half(n);                                       \
            type low = name(x, half);                                                \
            return low + name(x + half, n - half);                                   \
        }                                                                            \
        type sum = 0;                                                                \
        size_t i = 0;                                                                \
        if (n >= LANES) {                                                            \
            type r[LANES];                                                           \
            memcpy(r, x, sizeof r);                                                  \
            for (i = LANES; i + LANES <= n; i += LANES)                              \
                for (size_t lane = 0; lane < LANES; lane++)                          \
                    r[lane] += x[i + lane];                                          \
            sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7])); \
        }                                                                            \
        for (; i < n; i++)                                                           \
            sum += x[i];                                                             \
        return sum;                                                                  \
    }
DEFINE_PAIRWISE(pg_pairwise_f32, float)
DEFINE_PAIRWISE(pg_pairwise_f64, double)

/* ---- Portable ---- */

static void scan_join(pg_f32_scan *out, const pg_f32_scan *low, const pg_f32_scan *high)
{
    *out = (pg_f32_scan){.min = high->min < low->min ? high->min : low->min,
                         .max = high->max > low->max ? high->max : low->max,
                         .sum = low->sum + high->sum,
                         .magnitude_sum = low->magnitude_sum + high->magnitude_sum,
                         .has_nan = low->has_nan || high->has_nan};
}

static void scan_rest(const float *x, size_t begin, size_t n, pg_f32_scan *out)
{
    for (size_t i = begin; i < n; i++) {
        out->min = x[i] < out->min ? x[i] : out->min;
        out->max = x[i] > out->max ? x[i] : out->max;
        out->has_nan |= x[i] != x[i];
        out->sum += x[i];
        out->magnitude_sum += fabsf(x[i]);
    }
}

static void scan_portable(const float *x, size_t n, pg_f32_scan *out)
{
    if (n > LEAF) {
        size_t half = pg_pairwise_half(n);
        pg_f32_scan low, high;
        scan_portable(x, half, &low);
        scan_portable(x + half, n - half, &high);
        scan_join(out, &low, &high);
        return;
    }
    *out = (pg_f32_scan){.min = INFINITY, .max = -INFINITY};
    float sum[LANES] = {0}, magnitude[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++) {
            float v = x[i + lane];
            out->min = v < out->min ? v : out->min;
            out->max = v > out->max ? v : out->max;
            out->has_nan |= v != v;
            sum[lane] += v;
            magnitude[lane] += fabsf(v);
        }
    out->sum = add_lanes(sum);
    out->magnitude_sum = add_lanes(magnitude);
    scan_rest(x, i, n, out);
}

static void count_rest(const float *x, size_t begin, size_t n, const pg_f32_windows *windows, uint64_t *below,
                       uint64_t *upto)
{
    for (size_t i = begin; i < n; i++)
        for (size_t w = 0; w < windows->count; w++) {
            below[w] += x[i] < windows->low[w];
            upto[w] += x[i] <= windows->high[w];
        }
}

static void count_portable(const float *x, size_t n, const pg_f32_windows *windows, uint64_t *below,
                           uint64_t *upto)
{
    count_rest(x, 0, n, windows, below, upto);
}

static float spread_rest(const float *x, size_t begin, size_t n, float mean, float sum)
{
    for (size_t i = begin; i < n; i++) {
        float d = x[i] - mean;
        sum += d * d;
    }
    return sum;
}

static float spread_portable(const float *x, size_t n, float mean)
{
    if (n > LEAF) {
        size_t half = pg_pairwise_half(n);
        float low = spread_portable(x, half, mean);
        return low + spread_portable(x + half, n - half, mean);
    }
    float r[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++) {
            float d = x[i + lane] - mean;
            r[lane] += d * d;
        }
    return spread_rest(x, i, n, mean, add_lanes(r));
}

static size_t inside_rest(const float *x, size_t begin, size_t n, const pg_f32_windows *windows,
                          uint16_t *out, size_t found)
{
    for (size_t i = begin; i < n; i++)
        for (size_t w = 0; w < windows->count; w++)
            if (x[i] >= windows->low[w] && x[i] <= windows->high[w]) {
                out[found++] = (uint16_t)i;
                break;
            }
    return found;
}

static size_t inside_portable(const float *x, size_t n, const pg_f32_windows *windows, uint16_t *out)
{
    return inside_rest(x, 0, n, windows, out, 0);
}

static const pg_f32_kernels portable = {"portable", scan_portable, count_portable, spread_portable,
                                        inside_portable};

/* ---- AVX2 ---- */

#if defined(__x86_64__)
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2")))

AVX2 static inline float add_vector(__m256 v)
{
    float r[LANES];
    _mm256_storeu_ps(r, v);
    return add_lanes(r);
}

AVX2 static void scan_leaf_avx2(const float *x, size_t n, pg_f32_scan *out)
{
    const __m256 no_sign = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    __m256 min = _mm256_set1_ps(INFINITY), max = _mm256_set1_ps(-INFINITY);
    __m256 sum = _mm256_setzero_ps(), magnitude = sum, nan = sum;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256 v = _mm256_loadu_ps(x + i);
        min = _mm256_min_ps(v, min); /* keeps the second operand beside a NaN */
        max = _mm256_max_ps(v, max);
        nan = _mm256_or_ps(nan, _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
        sum = _mm256_add_ps(sum, v);
        magnitude = _mm256_add_ps(magnitude, _mm256_and_ps(v, no_sign));
    }
    float low[LANES], high[LANES];
    _mm256_storeu_ps(low, min);
    _mm256_storeu_ps(high, max);
    *out = (pg_f32_scan){.min = low[0], .max = high[0], .has_nan = _mm256_movemask_ps(nan) != 0};
    for (size_t lane = 1; lane < LANES; lane++) {
        out->min = low[lane] < out->min ? low[lane] : out->min;
        out->max = high[lane] > out->max ? high[lane] : out->max;
    }
    out->sum = add_vector(sum);
    out->magnitude_sum = add_vector(magnitude);
    scan_rest(x, i, n, out);
}

AVX2 static void scan_avx2(const float *x, size_t n, pg_f32_scan *out)
{
    if (n <= LEAF) {
        scan_leaf_avx2(x, n, out);
        return;
    }
    size_t half = pg_pairwise_half(n);
    pg_f32_scan low, high;
    scan_avx2(x, half, &low);
    scan_avx2(x + half, n - half, &high);
    scan_join(out, &low, &high);
}

AVX2 static inline uint64_t add_counts(__m256i v)
{
    uint32_t r[LANES];
    uint64_t sum = 0;
    _mm256_storeu_si256((__m256i *)r, v);
    for (size_t lane = 0; lane < LANES; lane++)
        sum += r[lane];
    return sum;
}

/* A comparison is -1 where it holds: subtracting it counts. */
AVX2 static void count_avx2(const float *x, size_t n, const pg_f32_windows *windows, uint64_t *below,
                            uint64_t *upto)
{
    size_t whole = n - n % LANES;
    for (size_t w = 0; w < windows->count; w++) {
        const __m256 low = _mm256_set1_ps(windows->low[w]), high = _mm256_set1_ps(windows->high[w]);
        __m256i under = _mm256_setzero_si256(), within = under;
        for (size_t i = 0; i < whole; i += LANES) {
            __m256 v = _mm256_loadu_ps(x + i);
            under = _mm256_sub_epi32(under, _mm256_castps_si256(_mm256_cmp_ps(v, low, _CMP_LT_OQ)));
            within = _mm256_sub_epi32(within, _mm256_castps_si256(_mm256_cmp_ps(v, high, _CMP_LE_OQ)));
        }
        below[w] += add_counts(under);
        upto[w] += add_counts(within);
    }
    count_rest(x, whole, n, windows, below, upto);
}

AVX2 static float spread_avx2(const float *x, size_t n, float mean)
{
    if (n > LEAF) {
        size_t half = pg_pairwise_half(n);
        float low = spread_avx2(x, half, mean);
        return low + spread_avx2(x + half, n - half, mean);
    }
    const __m256 center = _mm256_set1_ps(mean);
    __m256 r = _mm256_setzero_ps();
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256 d = _mm256_sub_ps(_mm256_loadu_ps(x + i), center);
        r = _mm256_add_ps(r, _mm256_mul_ps(d, d));
    }
    return spread_rest(x, i, n, mean, add_vector(r));
}

AVX2 static size_t inside_avx2(const float *x, size_t n, const pg_f32_windows *windows, uint16_t *out)
{
    __m256 low[PG_STAT_WINDOWS], high[PG_STAT_WINDOWS];
    for (size_t w = 0; w < windows->count; w++) {
        low[w] = _mm256_set1_ps(windows->low[w]);
        high[w] = _mm256_set1_ps(windows->high[w]);
    }
    size_t found = 0, i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256 v = _mm256_loadu_ps(x + i), hit = _mm256_setzero_ps();
        for (size_t w = 0; w < windows->count; w++)
            hit = _mm256_or_ps(hit, _mm256_and_ps(_mm256_cmp_ps(v, low[w], _CMP_GE_OQ),
                                                  _mm256_cmp_ps(v, high[w], _CMP_LE_OQ)));
        for (unsigned bits = (unsigned)_mm256_movemask_ps(hit); bits != 0; bits &= bits - 1)
            out[found++] = (uint16_t)(i + (unsigned)__builtin_ctz(bits));
    }
    return inside_rest(x, i, n, windows, out, found);
}

static const pg_f32_kernels avx2 = {"avx2", scan_avx2, count_avx2, spread_avx2, inside_avx2};

static const pg_f32_kernels *best_kernels(void)
{
    return __builtin_cpu_supports("avx2") ? &avx2 : &portable;
}
#else
static const pg_f32_kernels *best_kernels(void)
{
    return &portable;
}
#endif

static _Atomic(const pg_f32_kernels *) chosen;

const pg_f32_kernels *pg_f32_kernels_get(void)
{
    const pg_f32_kernels *kernels = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (kernels == NULL) {
        kernels = best_kernels();
        atomic_store_explicit(&chosen, kernels, memory_order_relaxed);
    }
    return kernels;
}

const char *pg_block_stats_isa(void)
{
    return pg_f32_kernels_get()->isa;
}

bool pg_block_stats_set_isa(const char *name)
{
    if (strcmp(name, portable.isa) == 0)
        atomic_store(&chosen, &portable);
    else if (strcmp(name, best_kernels()->isa) == 0)
        atomic_store(&chosen, best_kernels());
    else
        return false;
    return true;
}
