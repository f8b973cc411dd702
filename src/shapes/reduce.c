/* Rules of reductions and searches along axes. */
#include "shapes/internal.h"

/* The input's shape without (or with 1 at) the marked axes. */
static void set_reduced(pg_infer *c, size_t o, pg_dtype elem, uint32_t rank, const pg_dim *in,
                        const bool *reduced, bool keep)
{
    pg_dim *dims = pg_new_dims(c, rank);
    uint32_t n = 0;
    for (uint32_t d = 0; d < rank; d++) {
        if (!reduced[d])
            dims[n++] = in[d];
        else if (keep)
            dims[n++] = pg_dim_of(1);
    }
    pg_set_tensor(c, o, elem, n, dims);
}

static pg_status reduce(pg_infer *c)
{
    uint32_t rank, axis;
    const pg_dim *in;
    const int64_t *attr;
    int64_t axes[64];
    size_t count = 0;
    bool reduced[64] = {0}, keep = pg_int_attr(c, "keepdims", 1) != 0;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank > 64)
        return NULL;
    if (pg_ints_attr(c, "axes", &attr, &count)) {
        for (size_t i = 0; i < count && i < 64; i++)
            axes[i] = attr[i];
    } else if (pg_in(c, 1) != NULL && !pg_get_ints(c, 1, axes, 64, &count)) {
        uint32_t length;
        if (keep)
            pg_set_tensor(c, 0, pg_elem(c, 0), rank, pg_new_dims(c, rank));
        else if (pg_get_length(c, 1, &length) && length > 0 && length <= rank)
            pg_set_tensor(c, 0, pg_elem(c, 0), rank - length, pg_new_dims(c, rank - length));
        return NULL;
    }
    if (count > 64)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        PG_TRY(pg_norm_axis(c, axes[i], rank, &axis));
        reduced[axis] = true;
    }
    if (count == 0 && pg_int_attr(c, "noop_with_empty_axes", 0) == 0)
        for (uint32_t d = 0; d < rank; d++)
            reduced[d] = true;
    set_reduced(c, 0, pg_elem(c, 0), rank, in, reduced, keep);
    return NULL;
}

static pg_status arg_reduce(pg_infer *c)
{
    uint32_t rank, axis;
    const pg_dim *in;
    bool reduced[64] = {0};
    pg_set_elem(c, 0, PG_I64);
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank > 64)
        return NULL;
    PG_TRY(pg_norm_axis(c, pg_int_attr(c, "axis", 0), rank, &axis));
    reduced[axis] = true;
    set_reduced(c, 0, PG_I64, rank, in, reduced, pg_int_attr(c, "keepdims", 1) != 0);
    return NULL;
}

static pg_status top_k(pg_infer *c)
{
    uint32_t rank, axis;
    const pg_dim *in;
    int64_t k = pg_int_attr(c, "k", -1);
    size_t n;
    pg_set_elem(c, 0, pg_elem(c, 0));
    pg_set_elem(c, 1, PG_I64);
    if (!pg_get_shape(pg_in(c, 0), &rank, &in))
        return NULL;
    PG_TRY(pg_norm_axis(c, pg_int_attr(c, "axis", -1), rank, &axis));
    bool known = k >= 0 || (pg_get_ints(c, 1, &k, 1, &n) && n == 1);
    pg_dim *dims = pg_new_dims(c, rank);
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = d == axis ? (known ? pg_dim_of(k) : (pg_dim){0}) : in[d];
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    pg_set_tensor(c, 1, PG_I64, rank, dims);
    return NULL;
}

const pg_shape_rule pg_shape_rules_reduce[] = {
    {"ReduceSum", reduce},
    {"ReduceMean", reduce},
    {"ReduceMax", reduce},
    {"ReduceMin", reduce},
    {"ReduceProd", reduce},
    {"ReduceL1", reduce},
    {"ReduceL2", reduce},
    {"ReduceLogSum", reduce},
    {"ReduceLogSumExp", reduce},
    {"ReduceSumSquare", reduce},
    {"ArgMax", arg_reduce},
    {"ArgMin", arg_reduce},
    {"TopK", top_k},
    {0},
};
