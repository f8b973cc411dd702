#include "native/ops/attention.h"

#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/gemm.h"

enum { BLOCK_QUERIES = 64 }; /* whose scores are in memory at a time, per thread */

/* A head's keys and values as matrices, the scores of a block of queries, and a row of their bias. */
typedef struct head_memory {
    char *k, *v, *scores;
    double *bias;
} head_memory;

/* ---- Bias ---- */

static double mask_at(const attention *a, const size_t *at)
{
    const pg_tensor *m = a->mask;
    if (m->rank > 0 && m->dims[m->rank - 1] > 1 && at[3] >= (size_t)m->dims[m->rank - 1])
        return -INFINITY; /* a short mask ends in nothing */
    size_t offset = 0;
    for (size_t d = 0; d < m->rank; d++)
        offset = offset * (size_t)m->dims[d] + (m->dims[d] == 1 ? 0 : at[4 - m->rank + d]);
    switch (m->dtype) {
    case PG_BOOL:
        return ((const uint8_t *)m->data)[offset] != 0 ? 0 : -INFINITY;
    case PG_F64:
        return ((const double *)m->data)[offset];
    default:
        return (double)((const float *)m->data)[offset];
    }
}

static bool is_visible(const attention *a, size_t b, int64_t i, int64_t j)
{
    const int64_t offset = a->past >= 0         ? a->past
                           : a->lengths != NULL ? a->lengths[b] - (int64_t)a->q.length
                                                : 0;
    const int64_t p = i + offset;
    return !(a->causal && j > p) && !(a->left >= 0 && j < p - a->left) &&
           !(a->right >= 0 && j > p + a->right) && !(a->lengths != NULL && j >= a->lengths[b]);
}

/* Writes the bias of a row of scores; false when no key takes part. */
static bool fill_bias(const attention *a, size_t b, size_t h, size_t i, double *bias)
{
    bool any = false;
    for (size_t j = 0; j < a->k.length; j++) {
        bias[j] = is_visible(a, b, (int64_t)i, (int64_t)j) ? 0 : -INFINITY;
        if (a->mask != NULL && bias[j] == 0)
            bias[j] = mask_at(a, (size_t[]){b, h, i, j});
        any = any || bias[j] != -INFINITY;
    }
    return any;
}

static bool has_bias(const attention *a)
{
    return a->mask != NULL || a->causal || a->left >= 0 || a->right >= 0 || a->lengths != NULL;
}

/* ---- Rows of scores ---- */

#define DEFINE_ROW(T, SUFFIX, TANH, EXPS)                                     \
    static void cap_row_##SUFFIX(double cap, T *x, size_t n)                  \
    {                                                                         \
        for (size_t j = 0; j < n; j++)                                        \
            x[j] = (T)cap * TANH(x[j] / (T)cap);                              \
    }                                                                         \
    static void bias_row_##SUFFIX(const double *bias, T *x, size_t n)         \
    {                                                                         \
        for (size_t j = 0; j < n; j++)                                        \
            x[j] += (T)bias[j];                                               \
    }                                                                         \
    static void softmax_row_##SUFFIX(double sink, bool plain, T *x, size_t n) \
    {                                                                         \
        T top = (T)sink, sum = 0;                                             \
        for (size_t j = 0; j < n; j++)                                        \
            top = x[j] > top ? x[j] : top;                                    \
        if (top == -(T)INFINITY && !plain)                                    \
            top = 0;                                                          \
        for (size_t j = 0; j < n; j++)                                        \
            x[j] -= top;                                                      \
        EXPS(x, n);                                                           \
        for (size_t j = 0; j < n; j++)                                        \
            sum += x[j];                                                      \
        sum += (T)exp(sink - (double)top);                                    \
        for (size_t j = 0; j < n; j++)                                        \
            x[j] = sum > 0 || sum != sum ? x[j] / sum : 0;                    \
    }

static void exps_f32(float *x, size_t n)
{
    pg_simd_best()->exp_f32(x, x, n);
}
static void exps_f64(double *x, size_t n)
{
    for (size_t j = 0; j < n; j++)
        x[j] = exp(x[j]);
}
DEFINE_ROW(float, f32, tanhf, exps_f32)
DEFINE_ROW(double, f64, tanh, exps_f64)

static void finish_row(const attention *a, size_t b, size_t h, size_t i, void *row, double *bias)
{
    const size_t n = a->k.length, bytes = n * a->size;
    char *out =
        a->scores_out != NULL ? a->scores_out + ((b * a->q.count + h) * a->q.length + i) * bytes : NULL;
    const bool wide = a->dtype == PG_F64;
    if (out != NULL && a->mode == 0)
        memcpy(out, row, bytes);
    if (a->softcap > 0)
        wide ? cap_row_f64(a->softcap, row, n) : cap_row_f32(a->softcap, row, n);
    if (out != NULL && a->mode == 1)
        memcpy(out, row, bytes);
    const double sink = a->sinks != NULL ? a->sinks[h] : -INFINITY;
    bool any = true;
    if (has_bias(a)) {
        any = fill_bias(a, b, h, i, bias);
        wide ? bias_row_f64(bias, row, n) : bias_row_f32(bias, row, n);
    }
    if (out != NULL && a->mode == 2)
        memcpy(out, row, bytes);
    if (!any && !a->plain)
        memset(row, 0, bytes);
    else
        wide ? softmax_row_f64(sink, a->plain, row, n) : softmax_row_f32(sink, a->plain, row, n);
    if (out != NULL && a->mode == 3)
        memcpy(out, row, bytes);
}

/* A row in float32 without caps, sinks and outputs of scores: the mask's row is added as it lies, and what the
 * softmax divides by is left to the row of results. Nothing to attend to gives zeros, or NaN where that is what
 * Softmax gives. */
static float quick_row(const attention *a, const float *mask, float *row)
{
    const pg_simd *simd = pg_simd_best();
    const size_t n = a->k.length;
    if (mask != NULL)
        simd->axpy_f32(1, mask, row, n);
    const float top = simd->max_f32(row, n);
    if (top == -INFINITY && !a->plain) {
        memset(row, 0, n * sizeof *row);
        return 1;
    }
    return simd->exp_sum_f32(row, top, row, n);
}

/* The mask's row of query i where a row has one number per key; NULL otherwise. */
static const float *mask_row(const attention *a, size_t b, size_t h, size_t i)
{
    const pg_tensor *m = a->mask;
    const size_t at[4] = {b, h, i, 0};
    size_t offset = 0;
    for (size_t d = 0; d < m->rank; d++)
        offset = offset * (size_t)m->dims[d] + (m->dims[d] == 1 ? 0 : at[4 - m->rank + d]);
    return (const float *)m->data + offset;
}

static bool is_quick(const attention *a)
{
    const pg_tensor *m = a->mask;
    return a->dtype == PG_F32 && a->softcap <= 0 && a->sinks == NULL && a->scores_out == NULL && !a->causal &&
           a->left < 0 && a->right < 0 && a->lengths == NULL && a->k.length > 0 &&
           (m == NULL || (m->dtype == PG_F32 && m->rank > 0 && m->rank <= 4 &&
                          m->dims[m->rank - 1] == (int64_t)a->k.length));
}

/* The queries [first, first + count) of a head. */
static void run_queries(const attention *a, size_t b, size_t h, size_t first, size_t count,
                        const head_memory *memory)
{
    const size_t n = a->k.length;
    const bool quick = is_quick(a);
    const char *q = a->q.data + (b * a->q.image + h * a->q.head + first * a->q.row) * a->size;
    char *y = a->y + (b * a->out.image + h * a->out.head + first * a->out.row) * a->size;
    float sums[BLOCK_QUERIES];
    pg_gemm_run(&(pg_gemm){.dtype = a->dtype,
                           .m = count,
                           .n = n,
                           .k = a->k.depth,
                           .a = q,
                           .lda = a->q.row,
                           .b = memory->k,
                           .c = memory->scores,
                           .ldc = n});
    for (size_t i = 0; i < count && n > 0; i++)
        if (quick)
            sums[i] = quick_row(a, a->mask != NULL ? mask_row(a, b, h, first + i) : NULL,
                                (float *)memory->scores + i * n);
        else
            finish_row(a, b, h, first + i, memory->scores + i * n * a->size, memory->bias);
    pg_gemm_run(&(pg_gemm){.dtype = a->dtype,
                           .m = count,
                           .n = a->v.depth,
                           .k = n,
                           .a = memory->scores,
                           .lda = n,
                           .b = memory->v,
                           .c = y,
                           .ldc = a->out.row});
    for (size_t i = 0; i < count && quick; i++) {
        float *out = (float *)y + i * a->out.row;
        const pg_act divide = {.affine = true, .scale = 1 / sums[i]};
        pg_act_apply(PG_F32, divide, out, out, a->v.depth);
    }
}

/* Some of a head's blocks of queries: part `share` of `shares`. */
static void run_head(const attention *a, size_t b, size_t h, size_t share, char *scratch)
{
    const size_t kv = h / (a->q.count / a->k.count), n = a->k.length, m = a->q.length;
    char *scores = scratch + a->k_bytes + a->v_bytes;
    const head_memory memory = {scratch, scratch + a->k_bytes, scores, (double *)(scores + a->score_bytes)};
    const char *k = a->k.data + (b * a->k.image + kv * a->k.head) * a->size;
    const char *v = a->v.data + (b * a->v.image + kv * a->v.head) * a->size;
    const size_t blocks = (m + BLOCK_QUERIES - 1) / BLOCK_QUERIES;
    pg_gemm_pack(a->dtype, a->k.depth, n, k, a->k.row, !a->k_turned, a->scale, memory.k);
    pg_gemm_pack(a->dtype, n, a->v.depth, v, a->v.row, false, 1, memory.v);
    for (size_t i = blocks * share / a->shares; i < blocks * (share + 1) / a->shares; i++) {
        const size_t first = i * BLOCK_QUERIES;
        run_queries(a, b, h, first, PG_MIN((size_t)BLOCK_QUERIES, m - first), &memory);
    }
}

static void run_parts(void *context, size_t begin, size_t end)
{
    const attention *a = context;
    const size_t items = a->batch * a->q.count * a->shares;
    for (size_t part = begin; part < end; part++)
        for (size_t i = items * part / a->n_parts; i < items * (part + 1) / a->n_parts; i++) {
            const size_t head = i / a->shares;
            run_head(a, head / a->q.count, head % a->q.count, i % a->shares, a->scratch + part * a->per_part);
        }
}

/* Parts that may run at the same time: heads, and shares of their queries when heads are fewer than threads. */
static pg_status bind_scratch(pg_op *op, attention *a)
{
    const size_t n = a->k.length, count = a->batch * a->q.count, threads = pg_threads();
    const size_t blocks = (a->q.length + BLOCK_QUERIES - 1) / BLOCK_QUERIES;
    a->shares =
        count == 0 || count >= threads ? 1 : PG_MIN((threads + count - 1) / count, PG_MAX(blocks, (size_t)1));
    a->n_parts = PG_MAX((size_t)1, PG_MIN(count * a->shares, threads));
    a->k_bytes = (pg_gemm_packed_bytes(a->dtype, a->k.depth, n) + 63) / 64 * 64;
    a->v_bytes = (pg_gemm_packed_bytes(a->dtype, n, a->v.depth) + 63) / 64 * 64;
    uint64_t bytes;
    if (!nn_product(&a->score_bytes, 3, (uint64_t[]){PG_MIN(a->q.length, (size_t)BLOCK_QUERIES), n, a->size}))
        return pg_op_err(op, PG_ERR_LIMIT, "scores too large");
    a->score_bytes = (a->score_bytes + 63) / 64 * 64;
    const uint64_t part = a->k_bytes + a->v_bytes + a->score_bytes + (n + 8) * sizeof(double);
    a->per_part = (size_t)((part + 63) / 64 * 64);
    if (!nn_product(&bytes, 2, (uint64_t[]){a->per_part, a->n_parts}))
        return pg_op_err(op, PG_ERR_LIMIT, "scores too large");
    void *memory;
    PG_TRY(pg_op_scratch(op, bytes, &memory));
    a->scratch = memory;
    return NULL;
}

pg_status attention_run(pg_op *op, attention *a)
{
    PG_TRY(bind_scratch(op, a));
    pg_parallel_for(a->n_parts, 1, run_parts, a);
    return NULL;
}
