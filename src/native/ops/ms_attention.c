/* Attention, MultiHeadAttention, GroupQueryAttention and RotaryEmbedding of com.microsoft. They differ from the
 * standard's in how heads, masks and the key-value cache are stated; the computation is the same. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/gemm.h"
#include "native/ops/attention.h"
#include "native/ops/nn.h"

static pg_status refuse_attr(const pg_op *op, const char *name, int64_t plain)
{
    int64_t value;
    PG_TRY(pg_op_attr_i(op, name, plain, &value));
    if (value != plain)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "attribute '%s' = %lld", name, (long long)value);
    return NULL;
}
static pg_status refuse_input(const pg_op *op, size_t i, const char *what)
{
    const pg_value *value = pg_op_in_value(op, i);
    if (value != NULL && value->kind != PG_VALUE_NONE)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "input %zu (%s)", i, what);
    return NULL;
}

/* ---- Rotation ---- */

typedef struct rotary {
    size_t dim; /* elements of a head that are rotated */
    bool interleaved;
    const void *cosines, *sines; /* rows of dim / 2 */
    int64_t n_positions;
    const int64_t *positions; /* per image and position, or NULL: first[b] + s */
    const int64_t *first;     /* per image */
    size_t length;
} rotary;

static pg_status rotate_head(const pg_op *op, const rotary *r, pg_dtype dtype, size_t b, size_t s, char *head)
{
    const int64_t at = r->positions != NULL ? r->positions[b * r->length + s] : r->first[b] + (int64_t)s;
    const size_t half = r->dim / 2;
    if (at < 0 || at >= r->n_positions)
        return pg_op_err(op, PG_ERR_INVALID, "position %lld is outside the caches of %lld rows",
                         (long long)at, (long long)r->n_positions);
    for (size_t i = 0; i < half; i++) {
        const size_t first = r->interleaved ? 2 * i : i, second = r->interleaved ? 2 * i + 1 : i + half;
        const double c = nn_get(dtype, r->cosines, (size_t)at * half + i),
                     z = nn_get(dtype, r->sines, (size_t)at * half + i);
        const double x = nn_get(dtype, head, first), y = nn_get(dtype, head, second);
        nn_put(dtype, head, first, x * c - y * z);
        nn_put(dtype, head, second, x * z + y * c);
    }
    return NULL;
}

/* The two caches, inputs `i` and i + 1: as many rows of at most depth / 2 values. */
static pg_status read_caches(const pg_op *op, size_t i, pg_dtype dtype, size_t depth, rotary *r)
{
    const pg_tensor *cosines = pg_op_in(op, i), *sines = pg_op_in(op, i + 1);
    if (cosines == NULL || sines == NULL)
        return pg_op_err(op, PG_ERR_INVALID, "the cosine or sine cache is missing");
    if (cosines->dtype != dtype || sines->dtype != dtype)
        return pg_op_bad_type(op, cosines->dtype != dtype ? i : i + 1);
    if (cosines->rank != 2 || !pg_tensor_same_shape(cosines, sines) || (uint64_t)cosines->dims[1] > depth / 2)
        return pg_op_err(op, PG_ERR_INVALID, "the caches do not fit heads of %zu elements", depth);
    r->cosines = cosines->data;
    r->sines = sines->data;
    r->n_positions = cosines->dims[0];
    r->dim = (size_t)cosines->dims[1] * 2;
    return NULL;
}

/* ---- Moving heads ---- */

/* Copies heads to (batch, heads, capacity, depth), row s of image b to row first[b] + s; adds a bias of
 * (heads, depth) and rotates on the way. */
typedef struct mover {
    pg_dtype dtype;
    size_t batch, capacity;
    const int64_t *first; /* NULL: 0 */
    const char *bias;     /* or NULL */
    const rotary *rotary; /* or NULL */
    char *to;
} mover;

static pg_status move_heads(const pg_op *op, const mover *m, const heads *from)
{
    const size_t size = nn_float_size(m->dtype), bytes = from->depth * size;
    for (size_t b = 0; b < m->batch; b++)
        for (size_t h = 0; h < from->count; h++)
            for (size_t s = 0; s < from->length; s++) {
                const size_t row = (m->first != NULL ? (size_t)m->first[b] : 0) + s;
                char *to = m->to + ((b * from->count + h) * m->capacity + row) * bytes;
                memcpy(to, from->data + (b * from->image + h * from->head + s * from->row) * size, bytes);
                for (size_t d = 0; m->bias != NULL && d < from->depth; d++)
                    nn_put(m->dtype, to, d,
                           nn_get(m->dtype, to, d) + nn_get(m->dtype, m->bias, h * from->depth + d));
                if (m->rotary != NULL)
                    PG_TRY(rotate_head(op, m->rotary, m->dtype, b, s, to));
            }
    return NULL;
}

/* Heads that lie as (batch, heads, length, depth). */
static heads planar(const char *data, size_t count, size_t length, size_t depth)
{
    return (heads){data, count, length, depth, count * length * depth, length * depth, depth};
}
/* Heads that lie as (batch, length, row), each position's head h at h * step. */
static heads interleaved(const char *data, size_t count, size_t length, size_t depth, size_t row, size_t step)
{
    return (heads){data, count, length, depth, length * row, step, row};
}

/* Replaces heads by a copy in scratch memory with the bias added. */
static pg_status with_bias(pg_op *op, const attention *a, const char *bias, heads *h)
{
    uint64_t bytes;
    void *memory;
    if (bias == NULL)
        return NULL;
    if (!nn_product(&bytes, 5, (uint64_t[]){a->batch, h->count, h->length, h->depth, a->size}))
        return pg_op_err(op, PG_ERR_LIMIT, "heads too large");
    PG_TRY(pg_op_scratch(op, bytes + 1, &memory));
    const mover m = {.dtype = a->dtype, .batch = a->batch, .capacity = h->length, .bias = bias, .to = memory};
    PG_TRY(move_heads(op, &m, h));
    *h = planar(memory, h->count, h->length, h->depth);
    return NULL;
}

/* The past positions followed by those of `fresh` at `to`, which has room for both; `fresh` becomes both. */
static pg_status join_past(const pg_op *op, const attention *a, const char *past, size_t before, heads *fresh,
                           char *to)
{
    const size_t total = before + fresh->length, row = fresh->depth * a->size;
    int64_t *first = pg_calloc(a->batch + 1, sizeof *first);
    for (size_t b = 0; b < a->batch; b++)
        first[b] = (int64_t)before;
    for (size_t i = 0; i < a->batch * fresh->count && before > 0; i++)
        memcpy(to + i * total * row, past + i * before * row, before * row);
    const mover m = {.dtype = a->dtype, .batch = a->batch, .capacity = total, .first = first, .to = to};
    pg_status status = move_heads(op, &m, fresh);
    free(first);
    *fresh = planar(to, fresh->count, total, fresh->depth);
    return status;
}

/* ---- Masks ---- */

/* What one key is given by a mask of one of the forms that the operators share. */
typedef struct key_mask {
    const int32_t *values; /* or NULL */
    size_t rank, batch, queries, keys, past;
    bool starts;        /* 1-D: starts follow the ends */
    size_t rows, width; /* 4-D: of the square */
    double filter;
} key_mask;

static pg_status read_key_mask(const pg_op *op, size_t i, const attention *a, size_t past, key_mask *out)
{
    const pg_tensor *t = pg_op_in(op, i);
    float filter;
    PG_TRY(pg_op_attr_f(op, "mask_filter_value", -10000.0f, &filter));
    *out = (key_mask){.batch = a->batch,
                      .queries = a->q.length,
                      .keys = a->k.length,
                      .past = past,
                      .filter = (double)filter};
    if (t == NULL)
        return NULL;
    if (t->dtype != PG_I32)
        return pg_op_bad_type(op, i);
    out->values = t->data;
    out->rank = t->rank;
    const int64_t b = (int64_t)a->batch, s = (int64_t)a->q.length, n = (int64_t)a->k.length;
    bool fits = false;
    if (t->rank == 1) {
        out->starts = t->dims[0] == 2 * b;
        fits = t->dims[0] == b || out->starts || t->dims[0] == 3 * b + 2;
    } else if (t->rank == 2) {
        fits = t->dims[0] == b && t->dims[1] == n;
    } else if (t->rank == 3) {
        fits = t->dims[0] == b && t->dims[1] == s && t->dims[2] == n;
    } else if (t->rank == 4) {
        out->rows = (size_t)t->dims[2];
        out->width = (size_t)t->dims[3];
        fits = t->dims[0] == b && t->dims[1] == 1 && t->dims[2] >= (int64_t)past + s && t->dims[3] >= n;
    }
    if (!fits)
        return pg_op_err(op, PG_ERR_INVALID,
                         "the mask of rank %d does not fit %lld images, %lld queries, %lld keys", t->rank,
                         (long long)b, (long long)s, (long long)n);
    return NULL;
}

static double key_mask_at(const key_mask *m, size_t b, size_t i, size_t j)
{
    bool counts = true;
    if (m->rank == 1)
        counts = (int64_t)j < m->values[b] && !(m->starts && (int64_t)j < m->values[m->batch + b]);
    else if (m->rank == 2)
        counts = m->values[b * m->keys + j] > 0;
    else if (m->rank == 3)
        counts = m->values[(b * m->queries + i) * m->keys + j] > 0;
    else
        counts = m->values[(b * m->rows + m->past + i) * m->width + j] > 0;
    return counts ? 0 : m->filter;
}

/* attention_bias: 4-D, broadcast over images and heads. */
static pg_status check_bias(const pg_op *op, size_t i, const attention *a, const pg_tensor **out)
{
    const pg_tensor *t = pg_op_in(op, i);
    *out = t;
    if (t == NULL)
        return NULL;
    if (t->dtype != a->dtype)
        return pg_op_bad_type(op, i);
    if (t->rank != 4 || (t->dims[0] != 1 && t->dims[0] != (int64_t)a->batch) ||
        (t->dims[1] != 1 && t->dims[1] != (int64_t)a->q.count) || t->dims[2] != (int64_t)a->q.length ||
        t->dims[3] != (int64_t)a->k.length)
        return pg_op_err(op, PG_ERR_INVALID, "the attention bias does not fit the scores");
    return NULL;
}

/* One additive mask for both; *room describes it when it had to be made. */
static pg_status join_masks(pg_op *op, attention *a, const key_mask *keys, const pg_tensor *bias,
                            pg_tensor *room)
{
    a->mask = bias;
    if (keys->values == NULL)
        return NULL;
    const size_t n_heads = bias != NULL ? (size_t)bias->dims[1] : 1;
    const bool per_query = bias != NULL || keys->rank > 2;
    *room = (pg_tensor){.dtype = a->dtype,
                        .rank = 4,
                        .dims = {(int64_t)a->batch, (int64_t)n_heads, per_query ? (int64_t)a->q.length : 1,
                                 (int64_t)a->k.length}};
    uint64_t bytes;
    if (!nn_product(
            &bytes, 5,
            (uint64_t[]){(uint64_t)room->dims[0], n_heads, (uint64_t)room->dims[2], a->k.length, a->size}))
        return pg_op_err(op, PG_ERR_LIMIT, "the mask is too large");
    PG_TRY(pg_op_scratch(op, bytes + 1, &room->data));
    const size_t rows = (size_t)room->dims[2], n = a->k.length;
    size_t at = 0;
    for (size_t b = 0; b < a->batch; b++)
        for (size_t h = 0; h < n_heads; h++)
            for (size_t i = 0; i < rows; i++)
                for (size_t j = 0; j < n; j++, at++) {
                    double v = key_mask_at(keys, b, i, j);
                    if (bias != NULL)
                        v += nn_get(a->dtype, bias->data,
                                    (((bias->dims[0] == 1 ? 0 : b) * n_heads + h) * a->q.length + i) * n + j);
                    nn_put(a->dtype, room->data, at, v);
                }
    a->mask = room;
    return NULL;
}

/* ---- What all operators have ---- */

static pg_status start(const pg_op *op, attention *a, pg_dtype dtype, size_t batch)
{
    *a = (attention){
        .dtype = dtype, .size = nn_float_size(dtype), .batch = batch, .past = -1, .left = -1, .right = -1};
    return nn_is_float(dtype) ? NULL : pg_op_bad_type(op, 0);
}

static pg_status read_count(const pg_op *op, const char *name, size_t *out)
{
    int64_t value;
    PG_TRY(pg_op_attr_i(op, name, 0, &value));
    if (value < 1 || value > INT32_MAX)
        return pg_op_err(op, PG_ERR_INVALID, "%s is %lld", name, (long long)value);
    *out = (size_t)value;
    return NULL;
}

/* Scale 0 stands for the usual one, as a missing attribute does. */
static pg_status read_scale(const pg_op *op, attention *a)
{
    float scale;
    PG_TRY(pg_op_attr_f(op, "scale", 0, &scale));
    a->scale = scale != 0 ? (double)scale : 1 / sqrt((double)a->q.depth);
    return NULL;
}

/* Output 0 as (batch, queries, heads * depth). */
static pg_status make_output(pg_op *op, attention *a)
{
    const int64_t dims[3] = {(int64_t)a->batch, (int64_t)a->q.length, (int64_t)(a->q.count * a->v.depth)};
    pg_tensor *y;
    PG_TRY(pg_op_out(op, 0, a->dtype, 3, dims, &y));
    a->y = y->data;
    a->out.head = a->v.depth;
    a->out.row = (size_t)dims[2];
    a->out.image = a->q.length * a->out.row;
    return NULL;
}

/* ---- Attention ---- */

enum { AT_X, AT_W, AT_BIAS, AT_MASK, AT_PAST, AT_ATTENTION_BIAS, AT_PAST_LENGTH };

/* Sizes of the merged projections of queries, keys and values. */
static pg_status read_hidden(const pg_op *op, const pg_tensor *w, size_t n_heads, size_t *hidden)
{
    const int64_t *sizes, thirds[3] = {w->dims[1] / 3, w->dims[1] / 3, w->dims[1] / 3};
    size_t n;
    PG_TRY(pg_op_attr_is(op, "qkv_hidden_sizes", &sizes, &n));
    if (n == 0) {
        sizes = thirds;
        n = 3;
    }
    int64_t total = 0;
    for (size_t i = 0; i < n && n == 3; i++) {
        if (sizes[i] < 1 || sizes[i] > w->dims[1] || sizes[i] % (int64_t)n_heads != 0)
            return pg_op_err(op, PG_ERR_INVALID, "a hidden size of %lld for %zu heads", (long long)sizes[i],
                             n_heads);
        hidden[i] = (size_t)sizes[i];
        total += sizes[i];
    }
    if (n != 3 || total != w->dims[1] || sizes[0] != sizes[1])
        return pg_op_err(op, PG_ERR_INVALID, "the hidden sizes do not fit weights of %lld columns",
                         (long long)w->dims[1]);
    return NULL;
}

/* qkv = x W + bias, (batch, length, columns). */
static pg_status project(pg_op *op, const pg_tensor *x, const pg_tensor *w, const pg_tensor *bias, char **out)
{
    const size_t size = nn_float_size(x->dtype), k = (size_t)w->dims[0], n = (size_t)w->dims[1],
                 m = (size_t)(x->dims[0] * x->dims[1]);
    const uint64_t packed_bytes = pg_gemm_packed_bytes(x->dtype, k, n);
    uint64_t bytes;
    void *packed, *memory;
    if (!nn_product(&bytes, 3, (uint64_t[]){m, n, size}) || packed_bytes > PTRDIFF_MAX)
        return pg_op_err(op, PG_ERR_LIMIT, "the projection is too large");
    PG_TRY(pg_op_scratch(op, packed_bytes + 64, &packed));
    PG_TRY(pg_op_scratch(op, bytes + 1, &memory));
    pg_gemm_pack(x->dtype, k, n, w->data, n, false, 1, packed);
    pg_gemm_run(&(pg_gemm){.dtype = x->dtype,
                           .m = m,
                           .n = n,
                           .k = k,
                           .a = x->data,
                           .lda = k,
                           .b = packed,
                           .c = memory,
                           .ldc = n,
                           .bias = bias != NULL ? bias->data : NULL});
    *out = memory;
    return NULL;
}

/* Keys and values of the past, (2, batch, heads, positions, depth), go before the new ones. */
static pg_status attention_cache(pg_op *op, attention *a, size_t *past_length)
{
    const pg_tensor *past = pg_op_in(op, AT_PAST);
    *past_length = 0;
    if (past == NULL && !pg_op_out_wanted(op, 1))
        return NULL;
    if (a->k.depth != a->v.depth)
        return pg_op_err(op, PG_ERR_INVALID, "a cache needs keys and values of one size");
    if (past != NULL) {
        if (past->dtype != a->dtype)
            return pg_op_bad_type(op, AT_PAST);
        if (past->rank != 5 || past->dims[0] != 2 || past->dims[1] != (int64_t)a->batch ||
            past->dims[2] != (int64_t)a->k.count || past->dims[4] != (int64_t)a->k.depth)
            return pg_op_err(op, PG_ERR_INVALID, "the past does not fit the new keys and values");
        *past_length = (size_t)past->dims[3];
    }
    const size_t total = *past_length + a->k.length, images = a->batch * a->k.count;
    const int64_t dims[5] = {2, (int64_t)a->batch, (int64_t)a->k.count, (int64_t)total, (int64_t)a->k.depth};
    pg_tensor *present;
    PG_TRY(pg_op_out(op, 1, a->dtype, 5, dims, &present));
    const char *old = past != NULL ? past->data : NULL;
    const size_t old_half = images * *past_length * a->k.depth * a->size,
                 half = images * total * a->k.depth * a->size;
    PG_TRY(join_past(op, a, old, *past_length, &a->k, present->data));
    return join_past(op, a, old != NULL ? old + old_half : NULL, *past_length, &a->v,
                     (char *)present->data + half);
}

static pg_status check_projection(const pg_op *op)
{
    const pg_tensor *x = pg_op_in(op, AT_X), *w = pg_op_in(op, AT_W), *bias = pg_op_in(op, AT_BIAS);
    if (w->dtype != x->dtype)
        return pg_op_bad_type(op, AT_W);
    if (x->rank != 3 || w->rank != 2 || x->dims[2] != w->dims[0])
        return pg_op_err(op, PG_ERR_INVALID, "the input and the weights do not fit each other");
    if (bias != NULL && (bias->dtype != x->dtype || pg_tensor_count(bias) != (uint64_t)w->dims[1]))
        return pg_op_err(op, PG_ERR_INVALID, "the bias does not fit the weights");
    return NULL;
}

static pg_status run_attention(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, AT_X), *w = pg_op_in(op, AT_W), *bias;
    attention a;
    size_t n_heads, hidden[3], past;
    int64_t unidirectional;
    char *qkv;
    key_mask keys;
    pg_tensor room;
    PG_TRY(refuse_attr(op, "do_rotary", 0));
    PG_TRY(refuse_attr(op, "past_present_share_buffer", 0));
    PG_TRY(check_projection(op));
    PG_TRY(start(op, &a, x->dtype, (size_t)x->dims[0]));
    PG_TRY(read_count(op, "num_heads", &n_heads));
    PG_TRY(read_hidden(op, w, n_heads, hidden));
    PG_TRY(project(op, x, w, pg_op_in(op, AT_BIAS), &qkv));
    const size_t row = (size_t)w->dims[1], length = (size_t)x->dims[1];
    const size_t depth = hidden[0] / n_heads, v_depth = hidden[2] / n_heads;
    a.q = interleaved(qkv, n_heads, length, depth, row, depth);
    a.k = interleaved(qkv + hidden[0] * a.size, n_heads, length, depth, row, depth);
    a.v = interleaved(qkv + 2 * hidden[0] * a.size, n_heads, length, v_depth, row, v_depth);
    PG_TRY(attention_cache(op, &a, &past));
    PG_TRY(read_scale(op, &a));
    PG_TRY(pg_op_attr_i(op, "unidirectional", 0, &unidirectional));
    a.causal = unidirectional != 0;
    a.past = (int64_t)past;
    PG_TRY(read_key_mask(op, AT_MASK, &a, past, &keys));
    PG_TRY(check_bias(op, AT_ATTENTION_BIAS, &a, &bias));
    PG_TRY(join_masks(op, &a, &keys, bias, &room));
    PG_TRY(make_output(op, &a));
    return attention_run(op, &a);
}

/* ---- MultiHeadAttention ---- */

enum {
    MH_Q,
    MH_K,
    MH_V,
    MH_BIAS,
    MH_MASK,
    MH_ATTENTION_BIAS,
    MH_PAST_K,
    MH_PAST_V,
    MH_PAST_LENGTH,
    MH_CACHE
};

/* (batch, length, heads, parts, depth): part p of each. */
static pg_status packed_heads(const pg_op *op, const pg_tensor *t, size_t parts, size_t part, heads *out)
{
    if (t->rank != 5 || t->dims[3] != (int64_t)parts)
        return pg_op_err(op, PG_ERR_INVALID,
                         "packed heads must have the shape (batch, length, heads, %zu, depth)", parts);
    const size_t count = (size_t)t->dims[2], depth = (size_t)t->dims[4], size = nn_float_size(t->dtype);
    *out = interleaved((const char *)t->data + part * depth * size, count, (size_t)t->dims[1], depth,
                       count * parts * depth, parts * depth);
    return NULL;
}

/* (batch, length, heads * depth) or (batch, heads, length, depth). */
static pg_status plain_heads(const pg_op *op, size_t i, size_t count, heads *out)
{
    const pg_tensor *t = pg_op_in(op, i);
    if (t == NULL)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu is missing", i);
    if (t->rank == 4 && t->dims[1] == (int64_t)count) {
        *out = planar(t->data, count, (size_t)t->dims[2], (size_t)t->dims[3]);
        return NULL;
    }
    if (t->rank != 3 || t->dims[2] % (int64_t)count != 0)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu does not hold %zu heads", i, count);
    const size_t row = (size_t)t->dims[2];
    *out = interleaved(t->data, count, (size_t)t->dims[1], row / count, row, row / count);
    return NULL;
}

static pg_status read_mha_heads(const pg_op *op, size_t n_heads, attention *a)
{
    const pg_tensor *q = pg_op_in(op, MH_Q), *k = pg_op_in(op, MH_K), *v = pg_op_in(op, MH_V);
    for (size_t i = MH_K; i <= MH_V; i++)
        if (pg_op_in(op, i) != NULL && pg_op_in(op, i)->dtype != q->dtype)
            return pg_op_bad_type(op, i);
    if (k == NULL) {
        PG_TRY(packed_heads(op, q, 3, 0, &a->q));
        PG_TRY(packed_heads(op, q, 3, 1, &a->k));
        PG_TRY(packed_heads(op, q, 3, 2, &a->v));
    } else {
        if (q->rank != 3)
            return pg_op_err(op, PG_ERR_INVALID, "the query must have rank 3");
        PG_TRY(plain_heads(op, MH_Q, n_heads, &a->q));
        PG_TRY(v == NULL ? packed_heads(op, k, 2, 0, &a->k) : plain_heads(op, MH_K, n_heads, &a->k));
        PG_TRY(v == NULL ? packed_heads(op, k, 2, 1, &a->v) : plain_heads(op, MH_V, n_heads, &a->v));
    }
    if ((k != NULL && k->dims[0] != q->dims[0]) || (v != NULL && v->dims[0] != q->dims[0]) ||
        a->q.count != n_heads || a->k.count != n_heads || a->v.count != n_heads ||
        a->k.length != a->v.length || a->q.depth != a->k.depth)
        return pg_op_err(op, PG_ERR_INVALID, "queries, keys and values do not fit each other");
    return NULL;
}

/* The bias holds those of queries, keys and values; keys and values in planes come projected already. */
static pg_status add_mha_bias(pg_op *op, attention *a)
{
    const pg_tensor *bias = pg_op_in(op, MH_BIAS), *k = pg_op_in(op, MH_K);
    if (bias == NULL)
        return NULL;
    const size_t hidden = a->q.count * a->q.depth, v_hidden = a->v.count * a->v.depth;
    if (bias->dtype != a->dtype || pg_tensor_count(bias) != 2 * hidden + v_hidden)
        return pg_op_err(op, PG_ERR_INVALID, "the bias does not have %zu elements of the query's type",
                         2 * hidden + v_hidden);
    const char *data = bias->data;
    PG_TRY(with_bias(op, a, data, &a->q));
    if (k != NULL && k->rank == 4)
        return NULL;
    PG_TRY(with_bias(op, a, data + hidden * a->size, &a->k));
    return with_bias(op, a, data + 2 * hidden * a->size, &a->v);
}

static pg_status mha_cache(pg_op *op, attention *a, size_t output, size_t input, size_t past_length, heads *h)
{
    const pg_tensor *past = pg_op_in(op, input);
    if (past == NULL && !pg_op_out_wanted(op, output))
        return NULL;
    if (past != NULL && (past->dtype != a->dtype || past->rank != 4 || past->dims[0] != (int64_t)a->batch ||
                         past->dims[1] != (int64_t)h->count || past->dims[2] != (int64_t)past_length ||
                         past->dims[3] != (int64_t)h->depth))
        return pg_op_err(op, PG_ERR_INVALID, "input %zu does not fit the new keys or values", input);
    const int64_t dims[4] = {(int64_t)a->batch, (int64_t)h->count, (int64_t)(past_length + h->length),
                             (int64_t)h->depth};
    pg_tensor *present;
    PG_TRY(pg_op_out(op, output, a->dtype, 4, dims, &present));
    return join_past(op, a, past != NULL ? past->data : NULL, past_length, h, present->data);
}

static pg_status run_multi_head(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *q = pg_op_in(op, MH_Q), *past = pg_op_in(op, MH_PAST_K), *bias;
    attention a;
    size_t n_heads;
    int64_t unidirectional;
    key_mask keys;
    pg_tensor room;
    PG_TRY(refuse_input(op, MH_PAST_LENGTH, "past_sequence_length"));
    PG_TRY(refuse_input(op, MH_CACHE, "cache_indirection"));
    if (pg_op_out_wanted(op, 3))
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "output 3 (qk)");
    if (q->rank < 3)
        return pg_op_err(op, PG_ERR_INVALID, "the query has rank %d", q->rank);
    if ((past == NULL) != (pg_op_in(op, MH_PAST_V) == NULL) || (past != NULL && past->rank != 4))
        return pg_op_err(op, PG_ERR_INVALID, "the past needs keys and values of rank 4");
    PG_TRY(start(op, &a, q->dtype, (size_t)q->dims[0]));
    PG_TRY(read_count(op, "num_heads", &n_heads));
    PG_TRY(read_mha_heads(op, n_heads, &a));
    PG_TRY(add_mha_bias(op, &a));
    const size_t past_length = past != NULL ? (size_t)past->dims[2] : 0;
    PG_TRY(mha_cache(op, &a, 1, MH_PAST_K, past_length, &a.k));
    PG_TRY(mha_cache(op, &a, 2, MH_PAST_V, past_length, &a.v));
    PG_TRY(read_scale(op, &a));
    PG_TRY(pg_op_attr_i(op, "unidirectional", 0, &unidirectional));
    a.causal = unidirectional != 0;
    a.past = (int64_t)past_length;
    PG_TRY(read_key_mask(op, MH_MASK, &a, past_length, &keys));
    PG_TRY(check_bias(op, MH_ATTENTION_BIAS, &a, &bias));
    PG_TRY(join_masks(op, &a, &keys, bias, &room));
    PG_TRY(make_output(op, &a));
    return attention_run(op, &a);
}

/* ---- GroupQueryAttention ---- */

enum {
    GQ_Q,
    GQ_K,
    GQ_V,
    GQ_PAST_K,
    GQ_PAST_V,
    GQ_LENGTHS,
    GQ_TOTAL,
    GQ_COS,
    GQ_SIN,
    GQ_POSITIONS,
    GQ_BIAS,
    GQ_SINK,
    GQ_K_SCALE,
    GQ_V_SCALE,
    GQ_Q_NORM,
    GQ_K_NORM
};

typedef struct gqa {
    attention a;
    size_t capacity, past_capacity; /* positions of the present and the past buffers */
    bool first_prompt;
    int64_t *totals, *pasts; /* per image: keys in all, and before the new ones */
    bool rotates;
    rotary rotary;
} gqa;

static pg_status refuse_gqa(const pg_op *op)
{
    PG_TRY(refuse_attr(op, "sliding_window_cache", 0));
    PG_TRY(refuse_attr(op, "qk_output", 0));
    PG_TRY(refuse_attr(op, "kv_cache_bit_width", 0));
    PG_TRY(refuse_input(op, GQ_K_SCALE, "k_scale"));
    PG_TRY(refuse_input(op, GQ_V_SCALE, "v_scale"));
    PG_TRY(refuse_input(op, GQ_Q_NORM, "q_norm_weight"));
    return refuse_input(op, GQ_K_NORM, "k_norm_weight");
}

static pg_status read_gqa_heads(const pg_op *op, attention *a)
{
    const pg_tensor *q = pg_op_in(op, GQ_Q), *k = pg_op_in(op, GQ_K), *v = pg_op_in(op, GQ_V);
    size_t n, kv;
    PG_TRY(read_count(op, "num_heads", &n));
    PG_TRY(read_count(op, "kv_num_heads", &kv));
    if (q->rank != 3 || n % kv != 0)
        return pg_op_err(op, PG_ERR_INVALID, "a query of rank %d with %zu heads over %zu", q->rank, n, kv);
    const size_t length = (size_t)q->dims[1], row = (size_t)q->dims[2];
    if (k == NULL && v == NULL) { /* packed: queries, keys, values */
        const size_t depth = row / (n + 2 * kv);
        if (row % (n + 2 * kv) != 0)
            return pg_op_err(op, PG_ERR_INVALID, "rows of %zu do not hold %zu heads", row, n + 2 * kv);
        a->q = interleaved(q->data, n, length, depth, row, depth);
        a->k = interleaved(a->q.data + n * depth * a->size, kv, length, depth, row, depth);
        a->v = interleaved(a->k.data + kv * depth * a->size, kv, length, depth, row, depth);
        return NULL;
    }
    PG_TRY(plain_heads(op, GQ_Q, n, &a->q));
    PG_TRY(plain_heads(op, GQ_K, kv, &a->k));
    PG_TRY(plain_heads(op, GQ_V, kv, &a->v));
    if (k->rank != 3 || v->rank != 3 || k->dtype != q->dtype || v->dtype != q->dtype ||
        k->dims[0] != q->dims[0] || v->dims[0] != q->dims[0] || a->k.length != length ||
        a->v.length != length || a->k.depth != a->q.depth || a->v.depth != a->q.depth)
        return pg_op_err(op, PG_ERR_INVALID, "queries, keys and values do not fit each other");
    return NULL;
}

/* Per image: seqlens_k + 1 keys, of which the last ones are new. */
static pg_status read_lengths(pg_op *op, gqa *g)
{
    const pg_tensor *lengths = pg_op_in(op, GQ_LENGTHS), *total = pg_op_in(op, GQ_TOTAL);
    attention *a = &g->a;
    void *memory;
    if (lengths == NULL || total == NULL || lengths->dtype != PG_I32 || total->dtype != PG_I32 ||
        pg_tensor_count(lengths) != a->batch || pg_tensor_count(total) != 1)
        return pg_op_err(op, PG_ERR_INVALID,
                         "seqlens_k must be one int32 per image, total_sequence_length one int32");
    const int64_t longest = *(const int32_t *)total->data, fresh = (int64_t)a->q.length;
    if (longest < 1 || longest > (int64_t)g->past_capacity + fresh)
        return pg_op_err(op, PG_ERR_INVALID,
                         "total_sequence_length is %lld, but there are %zu past and %lld new positions",
                         (long long)longest, g->past_capacity, (long long)fresh);
    g->first_prompt = longest == fresh;
    g->capacity = PG_MAX((size_t)longest, g->past_capacity);
    PG_TRY(pg_op_scratch(op, a->batch * 2 * sizeof(int64_t) + 1, &memory));
    g->totals = memory;
    g->pasts = g->totals + a->batch;
    for (size_t b = 0; b < a->batch; b++) {
        const int64_t n = (int64_t)((const int32_t *)lengths->data)[b] + 1;
        g->totals[b] = n;
        g->pasts[b] = g->first_prompt ? 0 : n - fresh;
        if (n < 1 || n > (int64_t)g->capacity || g->pasts[b] < 0 || g->pasts[b] > (int64_t)g->past_capacity ||
            g->pasts[b] + fresh > (int64_t)g->capacity)
            return pg_op_err(op, PG_ERR_INVALID,
                             "image %zu has %lld keys: that fits neither the past nor the query", b,
                             (long long)n);
    }
    return NULL;
}

static pg_status read_gqa_rotary(pg_op *op, gqa *g)
{
    int64_t rotates, is_interleaved;
    const pg_tensor *positions = pg_op_in(op, GQ_POSITIONS);
    PG_TRY(pg_op_attr_i(op, "do_rotary", 0, &rotates));
    PG_TRY(pg_op_attr_i(op, "rotary_interleaved", 0, &is_interleaved));
    g->rotates = rotates != 0;
    if (!g->rotates)
        return NULL;
    g->rotary = (rotary){.interleaved = is_interleaved != 0, .first = g->pasts, .length = g->a.q.length};
    PG_TRY(read_caches(op, GQ_COS, g->a.dtype, g->a.q.depth, &g->rotary));
    if (positions == NULL)
        return NULL;
    if (positions->dtype != PG_I64 || pg_tensor_count(positions) != g->a.batch * g->a.q.length)
        return pg_op_err(op, PG_ERR_INVALID, "position_ids are not one int64 per position");
    if (!g->first_prompt) /* of a first prompt only the first counts, which is 0 */
        g->rotary.positions = positions->data;
    return NULL;
}

/* The present buffer: the past's positions, then the new ones behind what counts of them; zeros elsewhere. */
static pg_status fill_cache(pg_op *op, gqa *g, size_t output, size_t input, const rotary *r, heads *h)
{
    attention *a = &g->a;
    const pg_tensor *past = pg_op_in(op, input);
    const int64_t dims[4] = {(int64_t)a->batch, (int64_t)h->count, (int64_t)g->capacity, (int64_t)h->depth};
    pg_tensor *present;
    PG_TRY(pg_op_out(op, output, a->dtype, 4, dims, &present));
    const size_t row = h->depth * a->size;
    memset(present->data, 0, pg_tensor_bytes(present));
    for (size_t i = 0; i < a->batch * h->count && past != NULL; i++)
        memcpy((char *)present->data + i * g->capacity * row,
               (const char *)past->data + i * g->past_capacity * row, (size_t)g->pasts[i / h->count] * row);
    const mover m = {.dtype = a->dtype,
                     .batch = a->batch,
                     .capacity = g->capacity,
                     .first = g->pasts,
                     .rotary = r,
                     .to = present->data};
    PG_TRY(move_heads(op, &m, h));
    *h = planar(present->data, h->count, g->capacity, h->depth);
    return NULL;
}

static pg_status check_past(const pg_op *op, gqa *g)
{
    const pg_tensor *past[2] = {pg_op_in(op, GQ_PAST_K), pg_op_in(op, GQ_PAST_V)};
    const attention *a = &g->a;
    if ((past[0] == NULL) != (past[1] == NULL))
        return pg_op_err(op, PG_ERR_INVALID, "only one of the two past inputs is given");
    for (size_t i = 0; i < 2 && past[0] != NULL; i++)
        if (past[i]->dtype != a->dtype || past[i]->rank != 4 || past[i]->dims[0] != (int64_t)a->batch ||
            past[i]->dims[1] != (int64_t)a->k.count || past[i]->dims[3] != (int64_t)a->k.depth ||
            past[i]->dims[2] != past[0]->dims[2])
            return pg_op_err(op, PG_ERR_INVALID, "input %zu does not fit the new keys or values",
                             GQ_PAST_K + i);
    g->past_capacity = past[0] != NULL ? (size_t)past[0]->dims[2] : 0;
    return NULL;
}

static pg_status read_sinks(pg_op *op, attention *a)
{
    const pg_tensor *sink = pg_op_in(op, GQ_SINK);
    int64_t smooth;
    void *memory;
    PG_TRY(pg_op_attr_i(op, "smooth_softmax", 0, &smooth));
    if (sink != NULL) {
        if (pg_tensor_count(sink) != a->q.count)
            return pg_op_err(op, PG_ERR_INVALID, "head_sink does not have one entry per head");
        return nn_f64(op, GQ_SINK, &a->sinks);
    }
    if (smooth <= 0)
        return NULL;
    PG_TRY(pg_op_scratch(op, a->q.count * sizeof(double), &memory));
    memset(memory, 0, a->q.count * sizeof(double));
    a->sinks = memory;
    return NULL;
}

static pg_status read_gqa_options(pg_op *op, attention *a)
{
    float softcap;
    int64_t causal;
    PG_TRY(read_scale(op, a));
    PG_TRY(pg_op_attr_f(op, "softcap", 0, &softcap));
    PG_TRY(pg_op_attr_i(op, "causal", 1, &causal));
    PG_TRY(pg_op_attr_i(op, "local_window_size", -1, &a->left));
    a->softcap = (double)softcap;
    a->causal = causal != 0;
    if (a->left > 0)
        a->left--; /* the window counts the query's own position */
    else
        a->left = -1;
    return read_sinks(op, a);
}

/* The part of the buffers that this step reads: up to total_sequence_length. */
static void clip_keys(gqa *g)
{
    int64_t longest = 0;
    for (size_t b = 0; b < g->a.batch; b++)
        longest = PG_MAX(longest, PG_MAX(g->totals[b], g->pasts[b] + (int64_t)g->a.q.length));
    g->a.k.length = g->a.v.length = (size_t)longest;
}

static pg_status run_group_query(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *q = pg_op_in(op, GQ_Q);
    gqa g = {0};
    attention *a = &g.a;
    void *memory;
    uint64_t bytes;
    PG_TRY(refuse_gqa(op));
    if (q->rank != 3)
        return pg_op_err(op, PG_ERR_INVALID, "the query has rank %d, expected 3", q->rank);
    PG_TRY(start(op, a, q->dtype, (size_t)q->dims[0]));
    PG_TRY(read_gqa_heads(op, a));
    PG_TRY(check_past(op, &g));
    PG_TRY(read_lengths(op, &g));
    PG_TRY(read_gqa_rotary(op, &g));
    PG_TRY(fill_cache(op, &g, 1, GQ_PAST_K, g.rotates ? &g.rotary : NULL, &a->k));
    PG_TRY(fill_cache(op, &g, 2, GQ_PAST_V, NULL, &a->v));
    if (g.rotates) {
        if (!nn_product(&bytes, 5, (uint64_t[]){a->batch, a->q.count, a->q.length, a->q.depth, a->size}))
            return pg_op_err(op, PG_ERR_LIMIT, "heads too large");
        PG_TRY(pg_op_scratch(op, bytes + 1, &memory));
        const mover m = {
            .dtype = a->dtype, .batch = a->batch, .capacity = a->q.length, .rotary = &g.rotary, .to = memory};
        PG_TRY(move_heads(op, &m, &a->q));
        a->q = planar(memory, a->q.count, a->q.length, a->q.depth);
    }
    PG_TRY(read_gqa_options(op, a));
    clip_keys(&g);
    a->past = g.first_prompt ? 0 : -1;
    a->lengths = g.totals;
    PG_TRY(check_bias(op, GQ_BIAS, a, &a->mask));
    PG_TRY(make_output(op, a));
    return attention_run(op, a);
}

/* ---- RotaryEmbedding ---- */

static pg_status read_rotary_positions(pg_op *op, size_t batch, rotary *r)
{
    const pg_tensor *positions = pg_op_in(op, 1);
    void *memory;
    if (positions->dtype != PG_I64)
        return pg_op_bad_type(op, 1);
    if (pg_tensor_count(positions) == batch * r->length && positions->rank == 2) {
        r->positions = positions->data;
        return NULL;
    }
    if (pg_tensor_count(positions) != 1)
        return pg_op_err(op, PG_ERR_INVALID, "position_ids are neither one integer nor one per position");
    PG_TRY(pg_op_scratch(op, batch * sizeof(int64_t) + 1, &memory));
    int64_t *first = memory;
    for (size_t b = 0; b < batch; b++)
        first[b] = *(const int64_t *)positions->data;
    r->first = first;
    return NULL;
}

static pg_status run_rotary(pg_op *op)
{
    PG_TRY(pg_op_need(op, 4));
    const pg_tensor *x = pg_op_in(op, 0), *cosines = pg_op_in(op, 2);
    int64_t n_heads, dim, is_interleaved;
    pg_tensor *y;
    PG_TRY(refuse_attr(op, "is_packed_batching", 0));
    PG_TRY(pg_op_attr_i(op, "num_heads", 0, &n_heads));
    PG_TRY(pg_op_attr_i(op, "rotary_embedding_dim", 0, &dim));
    PG_TRY(pg_op_attr_i(op, "interleaved", 0, &is_interleaved));
    if (!nn_is_float(x->dtype))
        return pg_op_bad_type(op, 0);
    if ((x->rank != 3 && x->rank != 4) || cosines->rank != 2 || (dim > 0 && n_heads <= 0 && x->rank == 3))
        return pg_op_err(op, PG_ERR_INVALID, "the input has rank %d; a partial rotation needs num_heads",
                         x->rank);
    const bool planes = x->rank == 4;
    const int64_t hidden = x->dims[2], by_cache = cosines->dims[1] * 2;
    const int64_t depth = planes ? x->dims[3] : n_heads > 0 ? hidden / n_heads : by_cache;
    if (depth < 1 || (!planes && hidden % depth != 0))
        return pg_op_err(op, PG_ERR_INVALID, "rows of %lld do not hold heads of %lld", (long long)hidden,
                         (long long)depth);
    rotary r = {.interleaved = is_interleaved != 0, .length = (size_t)(planes ? x->dims[2] : x->dims[1])};
    PG_TRY(read_caches(op, 2, x->dtype, (size_t)depth, &r));
    PG_TRY(read_rotary_positions(op, (size_t)x->dims[0], &r));
    PG_TRY(pg_op_out(op, 0, x->dtype, x->rank, x->dims, &y));
    memcpy(y->data, x->data, pg_tensor_bytes(x));
    const size_t count = (size_t)(planes ? x->dims[1] : hidden / depth);
    for (size_t b = 0; b < (size_t)x->dims[0]; b++)
        for (size_t s = 0; s < r.length; s++)
            for (size_t h = 0; h < count; h++) {
                const size_t head = planes ? (b * count + h) * r.length + s : (b * r.length + s) * count + h;
                PG_TRY(rotate_head(op, &r, x->dtype, b, s,
                                   (char *)y->data + head * (size_t)depth * nn_float_size(x->dtype)));
            }
    return NULL;
}

#define MS "com.microsoft"
enum { HALF = PG_KERNEL_HALF_VIA_F32 };
const pg_kernel pg_kernels_ms_attention[] = {
    {MS, "Attention", 1, 0, run_attention, NULL, NULL, HALF},
    {MS, "MultiHeadAttention", 1, 0, run_multi_head, NULL, NULL, HALF},
    {MS, "GroupQueryAttention", 1, 0, run_group_query, NULL, NULL, HALF},
    {MS, "RotaryEmbedding", 1, 0, run_rotary, NULL, NULL, HALF},
    {0},
};
