/* Sums over a pair of outputs, all in one pass: of a*b, a*a, b*b and (a-b)*(a-b), rounded and added in the
 * order that NumPy does it, so that metrics agree to the last bit. Floats are added pairwise over the whole
 * array: the tree is cut into nodes that threads work on and whose sums are joined in the tree's order.
 * Integers are exact; their means are added as doubles, pairwise within pieces of 8192. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "compare/internal.h"

enum { AB, AA, BB, DD, SUMS };
enum { NODE = PG_STAT_BLOCK, LEAF = 128, GRAIN = 4 };

typedef struct node_sums {
    double real[SUMS];
    uint64_t integer[SUMS];
    double max_a;
} node_sums;

typedef struct moments_run {
    const pg_values *a, *b;
    pg_dtype common;
    pg_dtype types[SUMS];
    uint64_t *begins; /* n_nodes + 1 */
    size_t n_nodes;
    node_sums *nodes;
} moments_run;

/* ---- Cutting ---- */

static uint64_t half_of(uint64_t n)
{
    return n / 2 - n / 2 % 8;
}

static size_t count_nodes(uint64_t n)
{
    return n <= NODE ? 1 : count_nodes(half_of(n)) + count_nodes(n - half_of(n));
}

static void list_nodes(uint64_t begin, uint64_t n, uint64_t **next)
{
    if (n <= NODE) {
        *(*next)++ = begin;
        return;
    }
    list_nodes(begin, half_of(n), next);
    list_nodes(begin + half_of(n), n - half_of(n), next);
}

static void cut(moments_run *run, uint64_t n, bool pieces)
{
    run->n_nodes = pieces ? (size_t)((n + NODE - 1) / NODE) : count_nodes(n);
    run->begins = pg_calloc(run->n_nodes + 1, sizeof *run->begins);
    run->nodes = pg_calloc(PG_MAX(run->n_nodes, (size_t)1), sizeof *run->nodes);
    uint64_t *next = run->begins;
    if (!pieces)
        list_nodes(0, n, &next);
    for (size_t i = 0; pieces && i < run->n_nodes; i++)
        run->begins[i] = (uint64_t)i * NODE;
    run->begins[run->n_nodes] = n;
}

static double join_nodes(const node_sums **next, uint64_t n, int which, bool single)
{
    if (n <= NODE)
        return (*next)++->real[which];
    double low = join_nodes(next, half_of(n), which, single);
    double sum = low + join_nodes(next, n - half_of(n), which, single);
    return single ? (double)(float)sum : sum;
}

/* ---- float32 ---- */

/* Products of both values are added in float32; squares are exact in double and added there. */
typedef struct leaf_sums {
    float ab;
    double squares[SUMS]; /* the first is not used */
} leaf_sums;

static float join_lanes_f32(const float *r)
{
    return ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
}

static double join_lanes_f64(const double *r)
{
    return ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
}

static void add_squares(double x, double y, double d, double *aa, double *bb, double *dd)
{
    *aa += x * x;
    *bb += y * y;
    *dd += d * d;
}

static void leaf_portable(const float *a, const float *b, size_t n, leaf_sums *out, float *max_a)
{
    float ab[8] = {0};
    double lanes[SUMS][8] = {{0}};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++) {
            float x = a[i + k], y = b[i + k];
            ab[k] += x * y;
            add_squares((double)x, (double)y, (double)(x - y), &lanes[AA][k], &lanes[BB][k], &lanes[DD][k]);
            *max_a = x > *max_a ? x : *max_a;
        }
    out->ab = join_lanes_f32(ab);
    for (int s = AA; s < SUMS; s++)
        out->squares[s] = join_lanes_f64(lanes[s]);
    for (; i < n; i++) {
        float x = a[i], y = b[i];
        out->ab += x * y;
        add_squares((double)x, (double)y, (double)(x - y), &out->squares[AA], &out->squares[BB],
                    &out->squares[DD]);
        *max_a = x > *max_a ? x : *max_a;
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2"))) static inline void square_avx2(__m256 x, __m256d *low, __m256d *high)
{
    __m256d l = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
    __m256d h = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
    *low = _mm256_add_pd(*low, _mm256_mul_pd(l, l));
    *high = _mm256_add_pd(*high, _mm256_mul_pd(h, h));
}

__attribute__((target("avx2"))) static inline double join_avx2(__m256d low, __m256d high)
{
    double r[8];
    _mm256_storeu_pd(r, low);
    _mm256_storeu_pd(r + 4, high);
    return join_lanes_f64(r);
}

/* The eight lanes of a vector are the eight accumulators of the pairwise sum. */
__attribute__((target("avx2"))) static void leaf_avx2(const float *a, const float *b, size_t n,
                                                      leaf_sums *out, float *max_a)
{
    if (n % 8 != 0) {
        leaf_portable(a, b, n, out, max_a);
        return;
    }
    __m256 ab = _mm256_setzero_ps(), max = _mm256_set1_ps(*max_a);
    __m256d low[SUMS], high[SUMS];
    for (int s = AA; s < SUMS; s++)
        low[s] = high[s] = _mm256_setzero_pd();
    for (size_t i = 0; i < n; i += 8) {
        __m256 x = _mm256_loadu_ps(a + i), y = _mm256_loadu_ps(b + i);
        ab = _mm256_add_ps(ab, _mm256_mul_ps(x, y));
        square_avx2(x, &low[AA], &high[AA]);
        square_avx2(y, &low[BB], &high[BB]);
        square_avx2(_mm256_sub_ps(x, y), &low[DD], &high[DD]);
        max = _mm256_max_ps(x, max); /* the second when the first is NaN */
    }
    float r[8];
    _mm256_storeu_ps(r, ab);
    out->ab = join_lanes_f32(r);
    for (int s = AA; s < SUMS; s++)
        out->squares[s] = join_avx2(low[s], high[s]);
    _mm256_storeu_ps(r, max);
    for (size_t k = 0; k < 8; k++)
        *max_a = r[k] > *max_a ? r[k] : *max_a;
}
#endif

typedef void (*leaf_fn)(const float *a, const float *b, size_t n, leaf_sums *out, float *max_a);

static leaf_fn choose_leaf(void)
{
#if defined(__x86_64__)
    if (strcmp(pg_block_stats_isa(), "avx2") == 0)
        return leaf_avx2;
#endif
    return leaf_portable;
}

static void tree_f32(leaf_fn leaf, const float *a, const float *b, size_t n, leaf_sums *out, float *max_a)
{
    if (n <= LEAF) {
        leaf(a, b, n, out, max_a);
        return;
    }
    size_t half = (size_t)half_of(n);
    leaf_sums high;
    tree_f32(leaf, a, b, half, out, max_a);
    tree_f32(leaf, a + half, b + half, n - half, &high, max_a);
    out->ab += high.ab;
    for (int s = AA; s < SUMS; s++)
        out->squares[s] += high.squares[s];
}

static void node_f32(const moments_run *run, uint64_t begin, size_t n, node_sums *out)
{
    float room_a[NODE], room_b[NODE], max_a = -INFINITY;
    leaf_sums sums;
    const float *a = pg_values_block(run->a, begin, n, room_a);
    const float *b = pg_values_block(run->b, begin, n, room_b);
    tree_f32(choose_leaf(), a, b, n, &sums, &max_a);
    out->real[AB] = (double)sums.ab;
    for (int s = AA; s < SUMS; s++)
        out->real[s] = sums.squares[s];
    out->max_a = (double)max_a;
}

/* ---- All other types ---- */

static double pairwise(const double *x, size_t n, bool single)
{
    double sum = 0;
    if (n > LEAF) {
        size_t half = (size_t)half_of(n);
        sum = pairwise(x, half, single) + pairwise(x + half, n - half, single);
        return single ? (double)(float)sum : sum;
    }
    size_t i = 0;
    if (n >= 8) {
        double r[8];
        memcpy(r, x, sizeof r);
        for (i = 8; i + 8 <= n; i += 8)
            for (size_t k = 0; k < 8; k++)
                r[k] = single ? (double)(float)(r[k] + x[i + k]) : r[k] + x[i + k];
        for (size_t step = 1; step < 8; step *= 2)
            for (size_t k = 0; k < 8; k += 2 * step)
                r[k] = single ? (double)(float)(r[k] + r[k + step]) : r[k] + r[k + step];
        sum = r[0];
    }
    for (; i < n; i++)
        sum = single ? (double)(float)(sum + x[i]) : sum + x[i];
    return sum;
}

static bool is_real(pg_dtype type)
{
    return type == PG_F32 || type == PG_F64;
}

/* int32 values and differences wrap at 32 bits; so do their products, but not their squares. */
static uint64_t wrap(pg_dtype type, uint64_t value)
{
    return type == PG_I32 ? (uint64_t)(int64_t)(int32_t)(uint32_t)value : value;
}

static uint64_t integer_difference(const moments_run *run, const void *a, const void *b, size_t i)
{
    uint64_t x = pg_block_bits(run->a->type, a, i), y = pg_block_bits(run->b->type, b, i);
    return run->common == PG_BOOL ? x ^ y : wrap(run->common, x - y);
}

/* Of the values that the term needs: the other one may be a float. */
static uint64_t integer_term(const moments_run *run, int which, const void *a, const void *b, size_t i)
{
    uint64_t v;
    if (which == AB)
        return wrap(run->common, pg_block_bits(run->a->type, a, i) * pg_block_bits(run->b->type, b, i));
    if (which == DD)
        v = integer_difference(run, a, b, i);
    else
        v = which == AA ? pg_block_bits(run->a->type, a, i) : pg_block_bits(run->b->type, b, i);
    return v * v;
}

static double real_term(const moments_run *run, int which, const void *a, const void *b, size_t i)
{
    double x = pg_block_real(run->a->type, a, i), y = pg_block_real(run->b->type, b, i), d = x - y;
    bool single = run->common == PG_F32;
    if (run->common == PG_U64)
        d = (double)integer_difference(run, a, b, i);
    else if (single)
        d = (double)((float)x - (float)y);
    if (which == AB)
        return single ? (double)((float)x * (float)y) : x * y;
    double v = which == AA ? x : which == BB ? y : d;
    return v * v;
}

static void node_any(const moments_run *run, uint64_t begin, size_t n, node_sums *out)
{
    uint64_t room_a[NODE], room_b[NODE];
    double terms[NODE];
    const void *a = pg_values_block(run->a, begin, n, room_a);
    const void *b = pg_values_block(run->b, begin, n, room_b);
    for (int s = 0; s < SUMS; s++) {
        pg_dtype type = run->types[s];
        for (size_t i = 0; i < n; i++) {
            if (is_real(type)) {
                terms[i] = real_term(run, s, a, b, i);
                continue;
            }
            uint64_t term = integer_term(run, s, a, b, i);
            out->integer[s] += term;
            terms[i] = type == PG_U64 ? (double)term : (double)(int64_t)term;
        }
        out->real[s] = pairwise(terms, n, type == PG_F32);
    }
    out->max_a = -INFINITY;
    for (size_t i = 0; i < n; i++)
        out->max_a = PG_MAX(out->max_a, pg_block_real(run->a->type, a, i));
}

/* ---- All nodes ---- */

static void sum_nodes(void *context, size_t begin, size_t end)
{
    moments_run *run = context;
    bool all_f32 = run->a->type == PG_F32 && run->b->type == PG_F32;
    for (size_t i = begin; i < end; i++) {
        size_t n = (size_t)(run->begins[i + 1] - run->begins[i]);
        (all_f32 ? node_f32 : node_any)(run, run->begins[i], n, &run->nodes[i]);
    }
}

typedef struct sum_and_mean {
    double sum, mean;
} sum_and_mean;

static sum_and_mean read_real(const moments_run *run, uint64_t n, int which)
{
    const node_sums *next = run->nodes;
    bool single = run->types[which] == PG_F32;
    double sum = join_nodes(&next, n, which, single), mean = sum / (double)n;
    return (sum_and_mean){sum, single ? (double)(float)mean : mean};
}

static sum_and_mean read_integer(const moments_run *run, uint64_t n, int which)
{
    uint64_t sum = 0;
    double real = 0;
    for (size_t i = 0; i < run->n_nodes; i++) {
        sum += run->nodes[i].integer[which];
        real += run->nodes[i].real[which];
    }
    return (sum_and_mean){run->types[which] == PG_U64 ? (double)sum : (double)(int64_t)sum, real / (double)n};
}

/* One pass with one kind of cut; takes the sums of the types that want this cut. */
static void pass(moments_run *run, uint64_t n, bool pieces, sum_and_mean *out, double *max_a)
{
    cut(run, n, pieces);
    pg_parallel_for(run->n_nodes, GRAIN, sum_nodes, run);
    *max_a = -INFINITY;
    for (size_t i = 0; i < run->n_nodes; i++)
        *max_a = PG_MAX(*max_a, run->nodes[i].max_a);
    for (int s = 0; s < SUMS; s++)
        if (is_real(run->types[s]) != pieces)
            out[s] = pieces ? read_integer(run, n, s) : read_real(run, n, s);
    free(run->begins);
    free(run->nodes);
}

static void all_passes(moments_run *run, uint64_t n, pg_moments *out)
{
    sum_and_mean sums[SUMS] = {{0, 0}};
    bool real = false, integer = false;
    for (int s = 0; s < SUMS; s++) {
        real = real || is_real(run->types[s]);
        integer = integer || !is_real(run->types[s]);
    }
    if (real)
        pass(run, n, false, sums, &out->max_a);
    if (integer)
        pass(run, n, true, sums, &out->max_a);
    out->sum_ab = sums[AB].sum;
    out->sum_aa = sums[AA].sum;
    out->sum_bb = sums[BB].sum;
    out->sum_dd = sums[DD].sum;
    out->mean_aa = sums[AA].mean;
    out->mean_dd = sums[DD].mean;
}

/* NumPy squares with an int64 exponent: floats and uint64 as double, the other integers as int64. */
static pg_dtype square_type(pg_dtype type)
{
    return type == PG_F32 || type == PG_F64 || type == PG_U64 ? PG_F64 : PG_I64;
}

pg_status pg_moments_compute(const pg_tensor *a, const pg_tensor *b, pg_moments *out)
{
    pg_values values_a = {0}, values_b = {0};
    pg_status status = NULL;
    PG_ASSERT(pg_tensor_count(a) == pg_tensor_count(b));
    *out = (pg_moments){0};
    PG_TRY_GOTO(status, pg_values_init(&values_a, a));
    PG_TRY_GOTO(status, pg_values_init(&values_b, b));
    moments_run run = {
        .a = &values_a, .b = &values_b, .common = pg_common_type(values_a.type, values_b.type)};
    run.types[AB] = run.common;
    run.types[AA] = square_type(values_a.type);
    run.types[BB] = square_type(values_b.type);
    run.types[DD] = square_type(run.common);
    uint64_t n = pg_tensor_count(a);
    if (n > 0)
        all_passes(&run, n, out);
done:
    pg_values_deinit(&values_a);
    pg_values_deinit(&values_b);
    return status;
}
