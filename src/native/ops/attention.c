/* The standard's Attention and RotaryEmbedding. */
#include <math.h>

#include "base/alloc.h"
#include "native/ops/attention.h"
#include "native/ops/nn.h"

enum { IN_Q, IN_K, IN_V, IN_MASK, IN_PAST_K, IN_PAST_V, IN_LENGTHS };

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
    attention a = {.dtype = q->dtype, .size = nn_float_size(q->dtype), .past = -1};
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
    return attention_run(op, &a);
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
