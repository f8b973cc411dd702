/* The engine's own Attention: what optimize/find_attention.c made of products, a scale, a mask and a softmax.
 * Inputs: queries, keys, values, and perhaps what is added to the scores; all broadcast as the operators that
 * they stand for. Attributes say which of them have their heads within positions (B, S, H, D), and whether keys
 * are columns already (B, H, D, S). */
#include "native/ops/attention.h"

enum { IN_Q, IN_K, IN_V, IN_MASK };
enum { B, H, S, D };
enum { K_TURNED, K_PLAIN, K_APART }; /* as find_attention.c has it */

/* A tensor as (B, H, S, D), whatever the order of its dims. */
typedef struct view {
    int64_t dims[4], steps[4];
} view;

static pg_status read_view(const pg_op *op, size_t i, const size_t *order, view *out)
{
    static const size_t in_order[] = {B, H, S, D};
    const pg_tensor *t = pg_op_in(op, i);
    if (t->rank > 4 || t->rank < 2 || (order != NULL && t->rank != 4))
        return pg_op_err(op, order != NULL ? PG_ERR_INVALID : PG_ERR_UNSUPPORTED,
                         "input %zu has rank %d, expected %s", i, t->rank, order != NULL ? "4" : "2 to 4");
    int64_t step = 1;
    if (order == NULL)
        order = in_order;
    for (size_t at = 4; at-- > 0;) {
        const int64_t dim = at + t->rank >= 4 ? t->dims[at + t->rank - 4u] : 1;
        out->dims[order[at]] = dim;
        out->steps[order[at]] = dim == 1 ? 0 : step; /* one stands for as many as there are */
        step *= dim;
    }
    return NULL;
}

/* *dim becomes what it and `other` broadcast to. */
static pg_status join(const pg_op *op, size_t i, int64_t *dim, int64_t other)
{
    if (*dim != other && *dim != 1 && other != 1)
        return pg_op_err(op, PG_ERR_INVALID, "dimension %lld of input %zu does not fit %lld",
                         (long long)other, i, (long long)*dim);
    *dim = *dim == 1 ? other : *dim;
    return NULL;
}

static heads heads_of(const pg_tensor *t, const view *v, int64_t count, int64_t length, size_t row)
{
    return (heads){t->data,
                   (size_t)count,
                   (size_t)length,
                   (size_t)v->dims[D],
                   (size_t)v->steps[B],
                   (size_t)v->steps[H],
                   (size_t)v->steps[row]};
}

static pg_status read_operands(const pg_op *op, attention *a, int64_t *dims)
{
    static const size_t apart[] = {B, S, H, D}, turned[] = {B, H, D, S};
    int64_t q_apart, k_form, v_apart;
    float scale;
    view q, k, v, mask = {.dims = {1, 1, 1, 1}};
    PG_TRY(pg_op_attr_i(op, "q_apart", 0, &q_apart));
    PG_TRY(pg_op_attr_i(op, "k_form", 0, &k_form));
    PG_TRY(pg_op_attr_i(op, "v_apart", 0, &v_apart));
    PG_TRY(pg_op_attr_f(op, "scale", 1, &scale));
    PG_TRY(read_view(op, IN_Q, q_apart != 0 ? apart : NULL, &q));
    a->k_turned = k_form == K_TURNED;
    if (a->k_turned) {
        view columns;
        PG_TRY(read_view(op, IN_K, NULL, &columns));
        for (size_t i = 0; i < 4; i++) {
            k.dims[turned[i]] = columns.dims[i];
            k.steps[turned[i]] = columns.steps[i];
        }
    } else {
        PG_TRY(read_view(op, IN_K, k_form == K_APART ? apart : NULL, &k));
    }
    PG_TRY(read_view(op, IN_V, v_apart != 0 ? apart : NULL, &v));
    a->mask = pg_op_in(op, IN_MASK);
    if (a->mask != NULL && a->mask->rank > 4)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "the mask has rank %d, expected at most 4", a->mask->rank);
    for (size_t i = 0; a->mask != NULL && i < a->mask->rank; i++)
        mask.dims[4u - a->mask->rank + i] = a->mask->dims[i];
    int64_t n = k.dims[S];
    memcpy(dims, q.dims, sizeof q.dims);
    for (size_t i = B; i <= H; i++) {
        PG_TRY(join(op, IN_K, &dims[i], k.dims[i]));
        PG_TRY(join(op, IN_MASK, &dims[i], mask.dims[i]));
        PG_TRY(join(op, IN_V, &dims[i], v.dims[i]));
    }
    PG_TRY(join(op, IN_MASK, &dims[S], mask.dims[2]));
    PG_TRY(join(op, IN_MASK, &n, mask.dims[3]));
    if (q.dims[D] != k.dims[D] || v.dims[S] != n)
        return pg_op_err(op, PG_ERR_INVALID,
                         "queries and keys of %lld and %lld elements, %lld keys and %lld values do not fit",
                         (long long)q.dims[D], (long long)k.dims[D], (long long)n, (long long)v.dims[S]);
    dims[D] = v.dims[D];
    if (k.dims[S] == 1) /* one key, perhaps for many: its elements lie together either way */
        a->k_turned = false;
    a->batch = (size_t)dims[B];
    a->scale = (double)scale;
    a->q = heads_of(pg_op_in(op, IN_Q), &q, dims[H], dims[S], S);
    a->k = heads_of(pg_op_in(op, IN_K), &k, dims[H], n, a->k_turned ? D : S);
    a->v = heads_of(pg_op_in(op, IN_V), &v, dims[H], n, S);
    return NULL;
}

static pg_status run_attention(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 3));
    const pg_tensor *q = pg_op_in(op, IN_Q), *mask = pg_op_in(op, IN_MASK);
    if (mask != NULL && mask->dtype != q->dtype)
        return pg_op_bad_type(op, IN_MASK);
    attention a = {.dtype = q->dtype,
                   .size = q->dtype == PG_F64 ? 8 : 4,
                   .past = -1,
                   .left = -1,
                   .right = -1,
                   .plain = true};
    int64_t dims[4], y_apart;
    PG_TRY(pg_op_attr_i(op, "y_apart", 0, &y_apart));
    PG_TRY(read_operands(op, &a, dims));
    const int64_t together[] = {dims[B], dims[H], dims[S], dims[D]};
    const int64_t apart[] = {dims[B], dims[S], dims[H], dims[D]};
    pg_tensor *y;
    PG_TRY(pg_op_out(op, 0, q->dtype, 4, y_apart != 0 ? apart : together, &y));
    a.y = y->data;
    a.out.image = (size_t)(dims[H] * dims[S] * dims[D]);
    a.out.head = (size_t)(y_apart != 0 ? dims[D] : dims[S] * dims[D]);
    a.out.row = (size_t)(y_apart != 0 ? dims[H] * dims[D] : dims[D]);
    return attention_run(op, &a);
}

const pg_kernel pg_kernels_attention_found[] = {
    {"pg", "Attention", 1, 0, run_attention, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {0},
};
