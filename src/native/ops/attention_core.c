#include "native/ops/attention.h"

#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/gemm.h"

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

#define DEFINE_ROW(T, SUFFIX, TANH, EXPS)                             \
    static void cap_row_##SUFFIX(double cap, T *x, size_t n)          \
    {                                                                 \
        for (size_t j = 0; j < n; j++)                                \
            x[j] = (T)cap * TANH(x[j] / (T)cap);                      \
    }                                                                 \
    static void bias_row_##SUFFIX(const double *bias, T *x, size_t n) \
    {                                                                 \
        for (size_t j = 0; j < n; j++)                                \
            x[j] += (T)bias[j];                                       \
    }                                                                 \
    static void softmax_row_##SUFFIX(double sink, T *x, size_t n)     \
    {                                                                 \
        T top = (T)sink, sum = 0;                                     \
        for (size_t j = 0; j < n; j++)                                \
            top = x[j] > top ? x[j] : top;                            \
        if (top == -(T)INFINITY)                                      \
            top = 0;                                                  \
        for (size_t j = 0; j < n; j++)                                \
            x[j] -= top;                                              \
        EXPS(x, n);                                                   \
        for (size_t j = 0; j < n; j++)                                \
            sum += x[j];                                              \
        sum += (T)exp(sink - (double)top);                            \
        for (size_t j = 0; j < n; j++)                                \
            x[j] = sum > 0 || sum != sum ? x[j] / sum : 0;            \
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
    if (!any)
        memset(row, 0, bytes);
    else
        wide ? softmax_row_f64(sink, row, n) : softmax_row_f32(sink, row, n);
    if (out != NULL && a->mode == 3)
        memcpy(out, row, bytes);
}

static void run_head(const attention *a, size_t b, size_t h, char *memory)
{
    const size_t kv = h / (a->q.count / a->k.count), n = a->k.length, m = a->q.length;
    char *packed_k = memory, *packed_v = packed_k + a->k_bytes, *scores = packed_v + a->v_bytes;
    double *bias = (double *)(scores + a->score_bytes);
    const char *q = a->q.data + (b * a->q.image + h * a->q.head) * a->size;
    const char *k = a->k.data + (b * a->k.image + kv * a->k.head) * a->size;
    const char *v = a->v.data + (b * a->v.image + kv * a->v.head) * a->size;
    char *y = a->y + (b * a->out.image + h * a->out.head) * a->size;
    pg_gemm_pack(a->dtype, a->k.depth, n, k, a->k.row, true, a->scale, packed_k);
    pg_gemm_pack(a->dtype, n, a->v.depth, v, a->v.row, false, 1, packed_v);
    pg_gemm_run(&(pg_gemm){a->dtype, m, n, a->k.depth, q, a->q.row, packed_k, scores, n, NULL, NULL, 0, {0}});
    for (size_t i = 0; i < m && n > 0; i++)
        finish_row(a, b, h, i, scores + i * n * a->size, bias);
    pg_gemm_run(
        &(pg_gemm){a->dtype, m, a->v.depth, n, scores, n, packed_v, y, a->out.row, NULL, NULL, 0, {0}});
}

static void run_parts(void *context, size_t begin, size_t end)
{
    const attention *a = context;
    const size_t items = a->batch * a->q.count;
    for (size_t part = begin; part < end; part++)
        for (size_t i = items * part / a->n_parts; i < items * (part + 1) / a->n_parts; i++)
            run_head(a, i / a->q.count, i % a->q.count, a->scratch + part * a->per_part);
}

static pg_status bind_scratch(pg_op *op, attention *a)
{
    const size_t n = a->k.length, items = a->batch * a->q.count;
    a->n_parts = PG_MAX((size_t)1, PG_MIN(items, (size_t)pg_threads()));
    a->k_bytes = (pg_gemm_packed_bytes(a->dtype, a->k.depth, n) + 63) / 64 * 64;
    a->v_bytes = (pg_gemm_packed_bytes(a->dtype, n, a->v.depth) + 63) / 64 * 64;
    uint64_t bytes;
    if (!nn_product(&a->score_bytes, 3, (uint64_t[]){a->q.length, n, a->size}))
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
