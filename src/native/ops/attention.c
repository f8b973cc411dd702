/* Attention: softmax(scale Q K^T + bias) V for every image and head, with grouped heads, a key-value cache,
 * masks, windows and soft capping. */
#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/gemm.h"
#include "native/ops/linear.h"
#include "native/ops/nn.h"

enum { IN_Q, IN_K, IN_V, IN_MASK, IN_PAST_K, IN_PAST_V, IN_LENGTHS };

/* Heads of a tensor in either form: element (b, h, s, d) lies at b * image + h * head + s * row + d. */
typedef struct heads {
    const char *data;
    size_t count, length, depth; /* heads, positions, elements per position */
    size_t image, head, row;
} heads;

typedef struct attention {
    pg_dtype dtype;
    size_t size, batch;
    heads q, k, v;
    double scale, softcap;
    bool causal;
    int64_t left, right; /* window; -1 = unbounded */
    int64_t past;
    const int64_t *lengths;
    const pg_tensor *mask;
    int64_t mode; /* of the scores' output */
    char *scores_out, *y;
    heads out; /* data unused */
    char *scratch;
    size_t per_part, n_parts;
    uint64_t k_bytes, v_bytes, score_bytes;
} attention;

static size_t size_of(pg_dtype dtype)
{
    return dtype == PG_F64 ? 8 : 4;
}

static pg_status read_heads(const pg_op *op, size_t input, const char *attr, heads *out)
{
    const pg_tensor *t = pg_op_in(op, input);
    int64_t count;
    PG_TRY(pg_op_attr_i(op, attr, 0, &count));
    const size_t b = t->rank;
    if (b == 4) {
        *out = (heads){t->data, (size_t)t->dims[1], (size_t)t->dims[2], (size_t)t->dims[3], 0, 0, 0};
        out->row = out->depth;
        out->head = out->length * out->row;
        out->image = out->count * out->head;
        return NULL;
    }
    if (b != 3 || count < 1 || t->dims[2] % count != 0)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu has rank %zu, and attribute '%s' is %lld", input, b,
                         attr, (long long)count);
    *out = (heads){t->data, (size_t)count, (size_t)t->dims[1], (size_t)(t->dims[2] / count), 0, 0, 0};
    out->row = (size_t)t->dims[2];
    out->head = out->depth;
    out->image = out->length * out->row;
    return NULL;
}

/* Output i: the past positions, then those of `fresh`, as (batch, heads, positions, depth). */
static pg_status join_cache(pg_op *op, size_t i, size_t past_input, size_t batch, heads *fresh, size_t size)
{
    const pg_tensor *past = pg_op_in(op, past_input);
    if (past == NULL && !pg_op_out_wanted(op, i))
        return NULL;
    if (past != NULL &&
        (past->rank != 4 || past->dims[0] != (int64_t)batch || past->dims[1] != (int64_t)fresh->count ||
         past->dims[3] != (int64_t)fresh->depth || past->dtype != pg_op_in(op, IN_Q)->dtype))
        return pg_op_err(op, PG_ERR_INVALID, "input %zu does not fit the new keys or values", past_input);
    const size_t before = past != NULL ? (size_t)past->dims[2] : 0, total = before + fresh->length;
    const size_t row = fresh->depth * size;
    pg_tensor *out;
    PG_TRY(pg_op_out(
        op, i, pg_op_in(op, IN_Q)->dtype, 4,
        (int64_t[]){(int64_t)batch, (int64_t)fresh->count, (int64_t)total, (int64_t)fresh->depth}, &out));
    for (size_t b = 0; b < batch; b++)
        for (size_t h = 0; h < fresh->count; h++) {
            char *to = (char *)out->data + (b * fresh->count + h) * total * row;
            if (before > 0)
                memcpy(to, (const char *)past->data + (b * fresh->count + h) * before * row, before * row);
            for (size_t s = 0; s < fresh->length; s++)
                memcpy(to + (before + s) * row,
                       fresh->data + (b * fresh->image + h * fresh->head + s * fresh->row) * size, row);
        }
    fresh->data = out->data;
    fresh->length = total;
    fresh->row = fresh->depth;
    fresh->head = total * fresh->depth;
    fresh->image = fresh->count * fresh->head;
    return NULL;
}

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
    static void softmax_row_##SUFFIX(T *x, size_t n)                  \
    {                                                                 \
        T top = x[0], sum = 0;                                        \
        for (size_t j = 1; j < n; j++)                                \
            top = x[j] > top ? x[j] : top;                            \
        if (top == -(T)INFINITY)                                      \
            top = 0;                                                  \
        for (size_t j = 0; j < n; j++)                                \
            x[j] -= top;                                              \
        EXPS(x, n);                                                   \
        for (size_t j = 0; j < n; j++)                                \
            sum += x[j];                                              \
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
        wide ? softmax_row_f64(row, n) : softmax_row_f32(row, n);
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

/* ---- The operator ---- */

static pg_status read_options(const pg_op *op, attention *a)
{
    float scale, softcap;
    int64_t causal;
    PG_TRY(pg_op_attr_f(op, "scale", 0, &scale));
    PG_TRY(pg_op_attr_f(op, "softcap", 0, &softcap));
    PG_TRY(pg_op_attr_i(op, "is_causal", 0, &causal));
    PG_TRY(pg_op_attr_i(op, "left_window_size", -1, &a->left));
    PG_TRY(pg_op_attr_i(op, "right_window_size", -1, &a->right));
    PG_TRY(pg_op_attr_i(op, "qk_matmul_output_mode", 0, &a->mode));
    a->scale = pg_node_attr(op->node, "scale") != NULL ? (double)scale : 1 / sqrt((double)a->q.depth);
    a->softcap = (double)softcap;
    a->causal = causal != 0;
    if (a->left < -1 || a->right < -1 || a->mode < 0 || a->mode > 3)
        return pg_op_err(op, PG_ERR_INVALID, "a window size or qk_matmul_output_mode is out of range");
    return NULL;
}

static pg_status read_mask(const pg_op *op, attention *a)
{
    const pg_tensor *m = pg_op_in(op, IN_MASK), *lengths = pg_op_in(op, IN_LENGTHS);
    if (lengths != NULL) {
        if (lengths->dtype != PG_I64 || pg_tensor_count(lengths) != a->batch)
            return pg_op_err(op, PG_ERR_INVALID, "nonpad_kv_seqlen is not one int64 per image");
        a->lengths = lengths->data;
    }
    a->mask = m;
    if (m == NULL)
        return NULL;
    if (m->dtype != PG_BOOL && m->dtype != PG_F32 && m->dtype != PG_F64)
        return pg_op_bad_type(op, IN_MASK);
    const int64_t want[] = {(int64_t)a->batch, (int64_t)a->q.count, (int64_t)a->q.length,
                            (int64_t)a->k.length};
    for (size_t d = 0; d < m->rank; d++) {
        const int64_t full = m->rank <= 4 ? want[4 - m->rank + d] : -1;
        if (m->dims[d] != 1 && m->dims[d] != full && !(d + 1u == m->rank && m->dims[d] < full))
            return pg_op_err(op, PG_ERR_INVALID, "the mask does not broadcast to the scores");
    }
    return NULL;
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

static pg_status make_outputs(pg_op *op, attention *a)
{
    const int64_t b = (int64_t)a->batch, h = (int64_t)a->q.count, s = (int64_t)a->q.length;
    const int64_t d = (int64_t)a->v.depth, n = (int64_t)a->k.length;
    const bool packed = pg_op_in(op, IN_Q)->rank == 3;
    pg_tensor *y;
    PG_TRY(pg_op_out(op, 0, a->dtype, packed ? 3 : 4,
                     packed ? (int64_t[]){b, s, h * d, 0} : (int64_t[]){b, h, s, d}, &y));
    a->y = y->data;
    a->out.row = (size_t)(packed ? h * d : d);
    a->out.head = (size_t)(packed ? d : s * d);
    a->out.image = (size_t)(h * s * d);
    if (!pg_op_out_wanted(op, 3))
        return NULL;
    pg_tensor *scores;
    PG_TRY(pg_op_out(op, 3, a->dtype, 4, (int64_t[]){b, h, s, n}, &scores));
    a->scores_out = scores->data;
    return NULL;
}

static pg_status run_attention(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 3));
    const pg_tensor *q = pg_op_in(op, IN_Q), *k = pg_op_in(op, IN_K), *v = pg_op_in(op, IN_V);
    attention a = {.dtype = q->dtype, .size = size_of(q->dtype), .past = -1};
    PG_TRY(read_heads(op, IN_Q, "q_num_heads", &a.q));
    PG_TRY(read_heads(op, IN_K, "kv_num_heads", &a.k));
    PG_TRY(read_heads(op, IN_V, "kv_num_heads", &a.v));
    a.batch = (size_t)q->dims[0];
    if (k->dims[0] != q->dims[0] || v->dims[0] != q->dims[0] || a.k.count != a.v.count ||
        a.k.length != a.v.length || a.q.depth != a.k.depth || a.k.count == 0 || a.q.count % a.k.count != 0)
        return pg_op_err(op, PG_ERR_INVALID, "queries, keys and values do not fit each other");
    PG_TRY(read_options(op, &a));
    if ((pg_op_in(op, IN_PAST_K) == NULL) != (pg_op_in(op, IN_PAST_V) == NULL))
        return pg_op_err(op, PG_ERR_INVALID, "only one of the two past inputs is given");
    if (pg_op_in(op, IN_PAST_K) != NULL)
        a.past = pg_op_in(op, IN_PAST_K)->dims[2];
    PG_TRY(join_cache(op, 1, IN_PAST_K, a.batch, &a.k, a.size));
    PG_TRY(join_cache(op, 2, IN_PAST_V, a.batch, &a.v, a.size));
    if (a.k.length != a.v.length)
        return pg_op_err(op, PG_ERR_INVALID, "the two past inputs have different lengths");
    PG_TRY(read_mask(op, &a));
    PG_TRY(make_outputs(op, &a));
    PG_TRY(bind_scratch(op, &a));
    pg_parallel_for(a.n_parts, 1, run_parts, &a);
    return NULL;
}

/* ---- RotaryEmbedding ---- */

typedef struct rotary {
    int64_t heads, dim;
    bool interleaved;
    size_t batch, length, depth, row, head, image; /* strides as in `heads` */
    const double *cosines, *sines;
    const int64_t *positions;
    int64_t n_positions;
} rotary;

static pg_status rotate(const pg_op *op, const rotary *r, const double *x, double *y)
{
    const size_t half = (size_t)r->dim / 2;
    for (size_t b = 0; b < r->batch; b++)
        for (size_t s = 0; s < r->length; s++) {
            size_t at = b * r->length + s;
            if (r->positions != NULL) {
                const int64_t p = r->positions[at];
                if (p < 0 || p >= r->n_positions)
                    return pg_op_err(op, PG_ERR_INVALID, "position %lld is outside the caches", (long long)p);
                at = (size_t)p;
            }
            for (size_t h = 0; h < (size_t)r->heads; h++) {
                const size_t base = b * r->image + h * r->head + s * r->row;
                memcpy(y + base, x + base, r->depth * sizeof *y);
                for (size_t i = 0; i < half; i++) {
                    const size_t first = base + (r->interleaved ? 2 * i : i);
                    const size_t second = base + (r->interleaved ? 2 * i + 1 : i + half);
                    const double c = r->cosines[at * half + i], z = r->sines[at * half + i];
                    y[first] = c * x[first] - z * x[second];
                    y[second] = z * x[first] + c * x[second];
                }
            }
        }
    return NULL;
}

static pg_status run_rotary(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 3));
    const pg_tensor *x = pg_op_in(op, 0), *cosines = pg_op_in(op, 1), *sines = pg_op_in(op, 2);
    const pg_tensor *positions = pg_op_in(op, 3);
    int64_t interleaved;
    heads form;
    rotary r;
    PG_TRY(read_heads(op, 0, "num_heads", &form));
    PG_TRY(pg_op_attr_i(op, "rotary_embedding_dim", 0, &r.dim));
    PG_TRY(pg_op_attr_i(op, "interleaved", 0, &interleaved));
    r.interleaved = interleaved != 0;
    r.heads = (int64_t)form.count;
    r.batch = (size_t)x->dims[0];
    r.length = form.length;
    r.depth = form.depth;
    r.row = form.row;
    r.head = form.head;
    r.image = form.image;
    r.dim = r.dim == 0 ? (int64_t)form.depth : r.dim;
    r.positions = positions != NULL ? positions->data : NULL;
    r.n_positions = cosines->rank > 0 ? cosines->dims[0] : 0;
    if (r.dim < 0 || r.dim % 2 != 0 || (size_t)r.dim > form.depth)
        return pg_op_err(op, PG_ERR_INVALID, "%lld of %zu elements cannot be rotated", (long long)r.dim,
                         form.depth);
    const uint64_t rows = positions != NULL ? (uint64_t)r.n_positions : (uint64_t)r.batch * r.length;
    if (pg_tensor_count(cosines) != rows * (uint64_t)r.dim / 2 || !pg_tensor_same_shape(cosines, sines))
        return pg_op_err(op, PG_ERR_INVALID, "the caches do not have %llu rows of %lld values",
                         (unsigned long long)rows, (long long)r.dim / 2);
    if (positions != NULL && (positions->dtype != PG_I64 || pg_tensor_count(positions) != r.batch * r.length))
        return pg_op_err(op, PG_ERR_INVALID, "position_ids are not one int64 per position");
    const double *values;
    nn_result y;
    PG_TRY(nn_f64(op, 0, &values));
    PG_TRY(nn_f64(op, 1, &r.cosines));
    PG_TRY(nn_f64(op, 2, &r.sines));
    PG_TRY(nn_f64_out(op, 0, x->dtype, x->rank, x->dims, &y));
    PG_TRY(rotate(op, &r, values, y.values));
    nn_f64_done(&y);
    return NULL;
}

const pg_kernel pg_kernels_attention[] = {
    {"", "Attention", 23, 0, run_attention, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {"", "RotaryEmbedding", 23, 0, run_rotary, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {0},
};
