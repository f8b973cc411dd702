/* Rules of operators that move, cut and join data. */
#include "shapes/internal.h"

static pg_status shape_of(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *dims;
    if (!pg_get_shape(pg_in(c, 0), &rank, &dims)) {
        pg_dim *unknown = pg_new_dims(c, 1);
        pg_set_tensor(c, 0, PG_I64, 1, unknown);
        return NULL;
    }
    int64_t n = rank, start = pg_int_attr(c, "start", 0), end = pg_int_attr(c, "end", n);
    start = start < 0 ? PG_MAX(start + n, 0) : PG_MIN(start, n);
    end = end < 0 ? PG_MAX(end + n, 0) : PG_MIN(end, n);
    int64_t count = PG_MAX(end - start, 0);
    pg_dim *length = pg_new_dims(c, 1);
    length[0] = pg_dim_of(count);
    pg_set_tensor(c, 0, PG_I64, 1, length);
    pg_dim *values = PG_ARENA_ARRAY(c->arena, pg_dim, (size_t)count);
    for (int64_t i = 0; i < count; i++)
        values[i] = dims[start + i].has_value && dims[start + i].value < 0 ? (pg_dim){0} : dims[start + i];
    pg_set_values(c, 0, values, (size_t)count);
    return NULL;
}

/* Product of the known dimensions; false when one is unknown. */
static bool product(uint32_t rank, const pg_dim *dims, int64_t *out)
{
    int64_t count = 1;
    for (uint32_t i = 0; i < rank; i++)
        if (!pg_dim_known(dims[i]) || __builtin_mul_overflow(count, dims[i].value, &count))
            return false;
    *out = count;
    return true;
}

static pg_status size_of(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *dims;
    int64_t count;
    pg_set_tensor(c, 0, PG_I64, 0, NULL);
    if (pg_get_shape(pg_in(c, 0), &rank, &dims) && product(rank, dims, &count)) {
        pg_dim *value = pg_new_dims(c, 1);
        value[0] = pg_dim_of(count);
        pg_set_values(c, 0, value, 1);
    }
    return NULL;
}

/* The -1 of a Reshape: from the element count when everything is known, else by crossing out dims that stand
 * on both sides. */
static pg_dim missing_dim(uint32_t in_rank, const pg_dim *in, uint32_t rank, const pg_dim *dims, uint32_t at)
{
    bool used[64] = {0};
    int64_t have = 1, want = 1;
    pg_dim symbol = {0};
    size_t n_symbols = 0;
    if (in_rank > 64)
        return (pg_dim){0};
    for (uint32_t i = 0; i < rank; i++) {
        if (i == at)
            continue;
        if (pg_dim_known(dims[i])) {
            if (__builtin_mul_overflow(want, dims[i].value, &want))
                return (pg_dim){0};
            continue;
        }
        uint32_t match = 0;
        while (match < in_rank && (used[match] || !pg_dim_same(in[match], dims[i])))
            match++;
        if (match == in_rank)
            return (pg_dim){0};
        used[match] = true;
    }
    for (uint32_t i = 0; i < in_rank; i++) {
        if (used[i])
            continue;
        if (pg_dim_known(in[i])) {
            if (__builtin_mul_overflow(have, in[i].value, &have))
                return (pg_dim){0};
        } else {
            symbol = in[i];
            n_symbols++;
        }
    }
    if (n_symbols == 0 && want > 0 && have % want == 0)
        return pg_dim_of(have / want);
    return n_symbols == 1 && have == want ? symbol : (pg_dim){0};
}

static pg_status reshape_to(pg_infer *c, const pg_dim *target, uint32_t rank)
{
    uint32_t in_rank = 0, minus_one = UINT32_MAX;
    const pg_dim *in = NULL;
    bool known = pg_get_shape(pg_in(c, 0), &in_rank, &in);
    bool allow_zero = pg_int_attr(c, "allowzero", 0) != 0;
    pg_dim *dims = pg_new_dims(c, rank);
    for (uint32_t i = 0; i < rank; i++) {
        dims[i] = target[i];
        if (pg_dim_is(target[i], 0) && !allow_zero)
            dims[i] = known && i < in_rank ? in[i] : (pg_dim){0};
        if (pg_dim_is(target[i], -1)) {
            dims[i] = (pg_dim){0};
            minus_one = i;
        }
    }
    if (minus_one != UINT32_MAX && known)
        dims[minus_one] = missing_dim(in_rank, in, rank, dims, minus_one);
    int64_t from, to;
    if (known && product(in_rank, in, &from) && product(rank, dims, &to) && from != to)
        return pg_infer_err(c, "%lld elements cannot become %lld", (long long)from, (long long)to);
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    return NULL;
}

static pg_status reshape(pg_infer *c)
{
    const int64_t *ints;
    size_t count;
    pg_set_elem(c, 0, pg_elem(c, 0));
    const pg_fact *shape = pg_in(c, 1);
    if (c->opset < 5 && pg_ints_attr(c, "shape", &ints, &count)) {
        pg_dim *target = pg_new_dims(c, (uint32_t)count);
        for (size_t i = 0; i < count; i++)
            target[i] = pg_dim_of(ints[i]);
        return reshape_to(c, target, (uint32_t)count);
    }
    if (shape != NULL && shape->values != NULL)
        return reshape_to(c, shape->values, (uint32_t)shape->n_values);
    if (pg_has_shape(shape) && shape->type.rank == 1 && pg_dim_known(shape->type.dims[0]) &&
        shape->type.dims[0].value <= 64)
        pg_set_tensor(c, 0, pg_elem(c, 0), (uint32_t)shape->type.dims[0].value,
                      pg_new_dims(c, (uint32_t)shape->type.dims[0].value));
    return NULL;
}

static pg_status flatten(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *in;
    pg_dim *dims = pg_new_dims(c, 2);
    if (pg_get_shape(pg_in(c, 0), &rank, &in)) {
        int64_t axis = pg_int_attr(c, "axis", 1);
        if (axis < 0)
            axis += rank;
        if (axis < 0 || axis > (int64_t)rank)
            return pg_infer_err(c, "axis is outside the input's rank %u", rank);
        int64_t n;
        for (int side = 0; side < 2; side++) {
            uint32_t first = side == 0 ? 0 : (uint32_t)axis,
                     count = side == 0 ? (uint32_t)axis : rank - (uint32_t)axis;
            if (product(count, in + first, &n))
                dims[side] = pg_dim_of(n);
            else if (count == 1)
                dims[side] = in[first];
        }
    }
    pg_set_tensor(c, 0, pg_elem(c, 0), 2, dims);
    return NULL;
}

/* Axes from the attribute (older opsets) or input `input`; false when they are not known. */
static bool get_axes(pg_infer *c, size_t input, int64_t *axes, size_t *count)
{
    const int64_t *attr;
    if (pg_ints_attr(c, "axes", &attr, count)) {
        for (size_t i = 0; i < *count && i < 64; i++)
            axes[i] = attr[i];
        return *count <= 64;
    }
    return pg_get_ints(c, input, axes, 64, count);
}

static pg_status squeeze(pg_infer *c)
{
    uint32_t rank, kept = 0, axis;
    const pg_dim *in;
    int64_t axes[64];
    size_t n_axes = 0;
    pg_set_elem(c, 0, pg_elem(c, 0));
    bool have_axes = get_axes(c, 1, axes, &n_axes);
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank > 64)
        return NULL;
    if (!have_axes && pg_in(c, 1) != NULL) {
        uint32_t length;
        if (pg_get_length(c, 1, &length) && length <= rank)
            pg_set_tensor(c, 0, pg_elem(c, 0), rank - length, pg_new_dims(c, rank - length));
        return NULL;
    }
    bool drop[64] = {0};
    for (size_t i = 0; i < n_axes; i++) {
        PG_TRY(pg_norm_axis(c, axes[i], rank, &axis));
        drop[axis] = true;
        if (pg_dim_known(in[axis]) && in[axis].value != 1)
            return pg_infer_err(c, "axis %lld has %lld elements and cannot be squeezed", (long long)axes[i],
                                (long long)in[axis].value);
    }
    pg_dim *dims = pg_new_dims(c, rank);
    for (uint32_t i = 0; i < rank; i++) {
        if (!have_axes && !pg_dim_known(in[i]))
            return NULL; /* whether it goes is not known */
        if (!(have_axes ? drop[i] : in[i].value == 1))
            dims[kept++] = in[i];
    }
    pg_set_tensor(c, 0, pg_elem(c, 0), kept, dims);
    const pg_fact *fact = pg_in(c, 0);
    if (fact->values != NULL)
        pg_set_values(c, 0, fact->values, fact->n_values);
    return NULL;
}

static pg_status unsqueeze(pg_infer *c)
{
    uint32_t rank, axis;
    const pg_dim *in;
    int64_t axes[64];
    size_t n_axes = 0;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in))
        return NULL;
    if (!get_axes(c, 1, axes, &n_axes)) {
        uint32_t length;
        if (pg_get_length(c, 1, &length))
            pg_set_tensor(c, 0, pg_elem(c, 0), rank + length, pg_new_dims(c, rank + length));
        return NULL;
    }
    if (rank + n_axes > 64)
        return NULL;
    bool added[64] = {0};
    uint32_t out_rank = rank + (uint32_t)n_axes;
    for (size_t i = 0; i < n_axes; i++) {
        PG_TRY(pg_norm_axis(c, axes[i], out_rank, &axis));
        added[axis] = true;
    }
    pg_dim *dims = pg_new_dims(c, out_rank);
    for (uint32_t i = 0, from = 0; i < out_rank; i++)
        dims[i] = added[i] || from >= rank ? pg_dim_of(1) : in[from++];
    pg_set_tensor(c, 0, pg_elem(c, 0), out_rank, dims);
    const pg_fact *fact = pg_in(c, 0);
    if (fact->values != NULL && out_rank <= 1)
        pg_set_values(c, 0, fact->values, fact->n_values);
    return NULL;
}

static pg_status transpose(pg_infer *c)
{
    uint32_t rank, axis;
    const pg_dim *in;
    const int64_t *perm = NULL;
    size_t n_perm = 0;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in))
        return NULL;
    bool given = pg_ints_attr(c, "perm", &perm, &n_perm);
    if (given && n_perm != rank)
        return pg_infer_err(c, "perm has %zu entries for a tensor of rank %u", n_perm, rank);
    pg_dim *dims = pg_new_dims(c, rank);
    for (uint32_t i = 0; i < rank; i++) {
        PG_TRY(pg_norm_axis(c, given ? perm[i] : (int64_t)(rank - 1 - i), rank, &axis));
        dims[i] = in[axis];
    }
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    return NULL;
}

static void concat_values(pg_infer *c)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < c->n_in; i++) {
        if (c->in[i] == NULL || c->in[i]->values == NULL || c->in[i]->type.rank != 1)
            return;
        total += c->in[i]->n_values;
    }
    if (total > PG_MOST_VALUES)
        return;
    pg_dim *values = PG_ARENA_ARRAY(c->arena, pg_dim, total);
    for (size_t i = 0; i < c->n_in; i++)
        for (size_t k = 0; k < c->in[i]->n_values; k++)
            values[at++] = c->in[i]->values[k];
    pg_set_values(c, 0, values, total);
}

static pg_status concat(pg_infer *c)
{
    uint32_t rank, axis;
    const pg_dim *in;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in))
        return NULL;
    PG_TRY(pg_norm_axis(c, pg_int_attr(c, "axis", c->opset < 4 ? 1 : 0), rank, &axis));
    pg_dim *dims = pg_new_dims(c, rank);
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = in[d];
    for (size_t i = 1; i < c->n_in; i++) {
        uint32_t other_rank;
        const pg_dim *other;
        if (!pg_get_shape(pg_in(c, i), &other_rank, &other)) {
            dims[axis] = (pg_dim){0};
            continue;
        }
        if (other_rank != rank)
            return pg_infer_err(c, "inputs 0 and %zu have ranks %u and %u", i, rank, other_rank);
        for (uint32_t d = 0; d < rank; d++) {
            if (d != axis)
                dims[d] = pg_dim_merge(dims[d], other[d]);
            else if (pg_dim_known(dims[d]) && pg_dim_known(other[d]))
                dims[d].value += other[d].value;
            else
                dims[d] = (pg_dim){0};
        }
    }
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    concat_values(c);
    return NULL;
}

static pg_status split(pg_infer *c)
{
    uint32_t rank, axis;
    const pg_dim *in;
    for (size_t o = 0; o < c->n_out; o++)
        pg_set_elem(c, o, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in))
        return NULL;
    PG_TRY(pg_norm_axis(c, pg_int_attr(c, "axis", 0), rank, &axis));
    int64_t sizes[64];
    const int64_t *attr;
    size_t n_sizes = 0;
    bool given = pg_ints_attr(c, "split", &attr, &n_sizes);
    for (size_t i = 0; given && i < n_sizes && i < 64; i++)
        sizes[i] = attr[i];
    given = given ? n_sizes <= 64 : pg_get_ints(c, 1, sizes, 64, &n_sizes);
    int64_t parts = pg_int_attr(c, "num_outputs", (int64_t)c->n_out);
    for (size_t o = 0; o < c->n_out; o++) {
        pg_dim *dims = pg_new_dims(c, rank);
        for (uint32_t d = 0; d < rank; d++)
            dims[d] = in[d];
        dims[axis] = (pg_dim){0};
        if (given && o < n_sizes) {
            dims[axis] = pg_dim_of(sizes[o]);
        } else if (!given && pg_in(c, 1) == NULL && pg_dim_known(in[axis]) && parts > 0) {
            int64_t chunk = (in[axis].value + parts - 1) / parts, left = in[axis].value - chunk * (int64_t)o;
            dims[axis] = pg_dim_of(PG_MAX(PG_MIN(chunk, left), 0));
        }
        pg_set_tensor(c, o, pg_elem(c, 0), rank, dims);
    }
    return NULL;
}

typedef struct slices {
    int64_t starts[64], ends[64], axes[64], steps[64];
    size_t count;
} slices;

/* False when they are not known. */
static bool get_slices(pg_infer *c, slices *out)
{
    size_t n = 0, n_axes = 0, n_steps = 0;
    bool have_axes, have_steps = false;
    if (c->opset < 10) {
        const int64_t *starts, *ends, *axes = NULL;
        if (!pg_ints_attr(c, "starts", &starts, &out->count) || !pg_ints_attr(c, "ends", &ends, &n) ||
            n != out->count || n > 64)
            return false;
        have_axes = pg_ints_attr(c, "axes", &axes, &n_axes);
        for (size_t i = 0; i < n; i++) {
            out->starts[i] = starts[i];
            out->ends[i] = ends[i];
            out->axes[i] = have_axes && i < n_axes ? axes[i] : (int64_t)i;
        }
    } else {
        if (!pg_get_ints(c, 1, out->starts, 64, &out->count) || !pg_get_ints(c, 2, out->ends, 64, &n) ||
            n != out->count)
            return false;
        have_axes = pg_get_ints(c, 3, out->axes, 64, &n_axes);
        have_steps = pg_get_ints(c, 4, out->steps, 64, &n_steps);
        if ((!have_axes && pg_in(c, 3) != NULL) || (!have_steps && pg_in(c, 4) != NULL))
            return false;
    }
    if ((have_axes && n_axes != out->count) || (have_steps && n_steps != out->count))
        return false;
    for (size_t i = 0; i < out->count; i++) {
        if (!have_axes)
            out->axes[i] = (int64_t)i;
        if (!have_steps)
            out->steps[i] = 1;
    }
    return true;
}

/* First element and number of elements that a slice takes of `size`. */
static void slice_range(int64_t size, int64_t start, int64_t end, int64_t step, int64_t *out_first,
                        int64_t *out_count)
{
    if (start < 0)
        start = start < -size ? -1 : start + size;
    if (end < 0)
        end = end < -size ? -1 : end + size;
    if (step > 0) {
        start = PG_MAX(PG_MIN(start, size), 0);
        end = PG_MAX(PG_MIN(end, size), 0);
        *out_count = end > start ? (end - start + step - 1) / step : 0;
    } else {
        start = PG_MAX(PG_MIN(start, size - 1), PG_MIN(0, size - 1));
        end = PG_MAX(PG_MIN(end, size - 1), -1);
        *out_count = start > end ? (start - end - step - 1) / -step : 0;
    }
    *out_first = start;
}

static pg_status slice(pg_infer *c)
{
    uint32_t rank, axis;
    const pg_dim *in;
    slices s;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in))
        return NULL;
    pg_dim *dims = pg_new_dims(c, rank);
    bool known = get_slices(c, &s);
    for (uint32_t d = 0; d < rank && known; d++)
        dims[d] = in[d];
    const pg_fact *data = pg_in(c, 0);
    for (size_t i = 0; known && i < s.count; i++) {
        PG_TRY(pg_norm_axis(c, s.axes[i], rank, &axis));
        if (s.steps[i] == 0)
            return pg_infer_err(c, "a step is 0");
        if (!pg_dim_known(in[axis])) {
            bool whole = s.steps[i] == 1 && s.starts[i] == 0 && s.ends[i] >= INT32_MAX;
            dims[axis] = whole ? in[axis] : (pg_dim){0};
            continue;
        }
        int64_t first, count;
        slice_range(in[axis].value, s.starts[i], s.ends[i], s.steps[i], &first, &count);
        dims[axis] = pg_dim_of(count);
        if (data->values != NULL && rank == 1 && s.count == 1) {
            pg_dim *values = PG_ARENA_ARRAY(c->arena, pg_dim, (size_t)count);
            for (int64_t k = 0; k < count; k++)
                values[k] = data->values[first + k * s.steps[i]];
            pg_set_values(c, 0, values, (size_t)count);
        }
    }
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    return NULL;
}

static void gather_values(pg_infer *c)
{
    const pg_fact *data = pg_in(c, 0), *index = pg_in(c, 1);
    if (data->values == NULL || index->values == NULL || data->type.rank != 1)
        return;
    pg_dim *values = PG_ARENA_ARRAY(c->arena, pg_dim, index->n_values);
    for (size_t k = 0; k < index->n_values; k++) {
        int64_t at = index->values[k].has_value ? index->values[k].value : -1;
        if (at < 0 && index->values[k].has_value)
            at += (int64_t)data->n_values;
        if (at >= 0 && at < (int64_t)data->n_values)
            values[k] = data->values[at];
    }
    pg_set_values(c, 0, values, index->n_values);
}

static pg_status gather(pg_infer *c)
{
    uint32_t rank, index_rank, axis;
    const pg_dim *in, *index;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || !pg_get_shape(pg_in(c, 1), &index_rank, &index))
        return NULL;
    PG_TRY(pg_norm_axis(c, pg_int_attr(c, "axis", 0), rank, &axis));
    pg_dim *dims = pg_new_dims(c, rank + index_rank);
    uint32_t n = 0;
    for (uint32_t d = 0; d < axis; d++)
        dims[n++] = in[d];
    for (uint32_t d = 0; d < index_rank; d++)
        dims[n++] = index[d];
    for (uint32_t d = axis + 1; d < rank; d++)
        dims[n++] = in[d];
    pg_set_tensor(c, 0, pg_elem(c, 0), n, dims);
    gather_values(c);
    return NULL;
}

static pg_status gather_elements(pg_infer *c)
{
    pg_set_like(c, 0, 1);
    c->out[0].type.kind = PG_TYPE_TENSOR;
    c->out[0].type.elem = pg_elem(c, 0);
    return NULL;
}

static pg_status gather_nd(pg_infer *c)
{
    uint32_t rank, index_rank;
    const pg_dim *in, *index;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || !pg_get_shape(pg_in(c, 1), &index_rank, &index) ||
        index_rank == 0 || !pg_dim_known(index[index_rank - 1]))
        return NULL;
    int64_t batch = pg_int_attr(c, "batch_dims", 0), depth = index[index_rank - 1].value;
    if (batch < 0 || batch + depth > (int64_t)rank)
        return pg_infer_err(c, "indices of depth %lld do not fit data of rank %u", (long long)depth, rank);
    pg_dim *dims = pg_new_dims(c, index_rank + rank);
    uint32_t n = 0;
    for (uint32_t d = 0; d + 1 < index_rank; d++)
        dims[n++] = index[d];
    for (uint32_t d = (uint32_t)(batch + depth); d < rank; d++)
        dims[n++] = in[d];
    pg_set_tensor(c, 0, pg_elem(c, 0), n, dims);
    return NULL;
}

static pg_status expand(pg_infer *c)
{
    const pg_fact *in = pg_in(c, 0), *shape = pg_in(c, 1);
    pg_set_elem(c, 0, pg_elem(c, 0));
    uint32_t length;
    if (!pg_has_shape(in))
        return NULL;
    if (shape == NULL || shape->values == NULL) {
        if (pg_get_length(c, 1, &length))
            pg_set_tensor(c, 0, pg_elem(c, 0), PG_MAX(length, in->type.rank),
                          pg_new_dims(c, PG_MAX(length, in->type.rank)));
        return NULL;
    }
    pg_fact target = {.type = {.kind = PG_TYPE_TENSOR,
                               .has_shape = true,
                               .rank = (uint32_t)shape->n_values,
                               .dims = shape->values}};
    const pg_fact *both[2] = {in, &target}, **saved = c->in;
    bool known;
    uint32_t rank;
    pg_dim *dims;
    c->in = both;
    pg_status status = pg_infer_broadcast(c, 0, 2, &known, &rank, &dims);
    c->in = saved;
    PG_TRY(status);
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    return NULL;
}

static pg_status tile(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *in;
    int64_t repeats[64];
    size_t count;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in))
        return NULL;
    pg_dim *dims = pg_new_dims(c, rank);
    if (pg_get_ints(c, 1, repeats, 64, &count) && count == rank && c->opset >= 6)
        for (uint32_t d = 0; d < rank; d++) {
            if (pg_dim_known(in[d]))
                dims[d] = pg_dim_of(in[d].value * repeats[d]);
            else if (repeats[d] == 1)
                dims[d] = in[d];
        }
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    return NULL;
}

static pg_status pad(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *in;
    int64_t pads[128], axes[64];
    const int64_t *attr;
    size_t count = 0, n_axes = 0;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank > 64)
        return NULL;
    pg_dim *dims = pg_new_dims(c, rank);
    bool known;
    if (c->opset < 11) {
        known = pg_ints_attr(c, c->opset < 2 ? "paddings" : "pads", &attr, &count) && count <= 128;
        for (size_t i = 0; known && i < count; i++)
            pads[i] = attr[i];
    } else {
        known = pg_get_ints(c, 1, pads, 128, &count);
    }
    bool have_axes = pg_get_ints(c, 3, axes, 64, &n_axes);
    if (!have_axes && pg_in(c, 3) == NULL) {
        n_axes = rank;
        for (uint32_t d = 0; d < rank; d++)
            axes[d] = d;
    } else if (!have_axes) {
        known = false;
    }
    if (known && count == 2 * n_axes) {
        for (uint32_t d = 0; d < rank; d++)
            dims[d] = in[d];
        for (size_t i = 0; i < n_axes; i++) {
            uint32_t axis;
            PG_TRY(pg_norm_axis(c, axes[i], rank, &axis));
            int64_t extra = pads[i] + pads[n_axes + i];
            dims[axis] = pg_dim_known(in[axis]) ? pg_dim_of(PG_MAX(in[axis].value + extra, 0))
                         : extra == 0           ? in[axis]
                                                : (pg_dim){0};
        }
    }
    pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    return NULL;
}

static pg_status constant(pg_infer *c)
{
    const pg_attr *attr = NULL;
    for (size_t i = 0; i < c->node->n_attrs; i++)
        attr = &c->node->attrs[i];
    if (attr == NULL)
        return NULL;
    pg_dim *length = pg_new_dims(c, 1);
    length[0] = pg_dim_of((int64_t)attr->count);
    if (attr->type == PG_ATTR_FLOAT)
        pg_set_tensor(c, 0, PG_F32, 0, NULL);
    else if (attr->type == PG_ATTR_FLOATS)
        pg_set_tensor(c, 0, PG_F32, 1, length);
    else if (attr->type == PG_ATTR_STRING)
        pg_set_tensor(c, 0, PG_STRING, 0, NULL);
    else if (attr->type == PG_ATTR_STRINGS)
        pg_set_tensor(c, 0, PG_STRING, 1, length);
    else if (attr->type == PG_ATTR_INT || attr->type == PG_ATTR_INTS) {
        size_t count = attr->type == PG_ATTR_INT ? 1 : attr->count;
        pg_set_tensor(c, 0, PG_I64, attr->type == PG_ATTR_INTS, length);
        if (count <= PG_MOST_VALUES) {
            pg_dim *values = PG_ARENA_ARRAY(c->arena, pg_dim, count);
            for (size_t i = 0; i < count; i++)
                values[i] = pg_dim_of(attr->type == PG_ATTR_INT ? attr->i : attr->ints[i]);
            pg_set_values(c, 0, values, count);
        }
    }
    return NULL; /* a tensor value is read by infer.c, which knows the model */
}

/* The output's elements are the one of `weight`. */
static void repeat_value(pg_infer *c, const pg_weight *weight, size_t count)
{
    pg_tensor tensor;
    pg_status status = pg_weight_load(pg_infer_model(c), weight, &tensor);
    if (status == NULL && pg_tensor_count(&tensor) == 1) {
        pg_dim *values = PG_ARENA_ARRAY(c->arena, pg_dim, count);
        for (size_t i = 0; i < count; i++)
            values[i] = pg_dim_of(pg_tensor_get_i64(&tensor, 0));
        pg_set_values(c, 0, values, count);
    }
    if (status == NULL)
        pg_tensor_deinit(&tensor);
    pg_status_drop(status);
}

static pg_status constant_of_shape(pg_infer *c)
{
    const pg_attr *value = pg_node_attr(c->node, "value");
    const pg_fact *shape = pg_in(c, 0);
    pg_dtype elem = value != NULL && value->type == PG_ATTR_TENSOR ? value->tensor->dtype : PG_F32;
    pg_set_elem(c, 0, elem);
    uint32_t length;
    if (shape != NULL && shape->values != NULL)
        pg_set_tensor(c, 0, elem, (uint32_t)shape->n_values, shape->values);
    else if (pg_get_length(c, 0, &length))
        pg_set_tensor(c, 0, elem, length, pg_new_dims(c, length));
    if (elem == PG_I64 && shape != NULL && shape->n_values == 1 && shape->values != NULL &&
        pg_dim_known(shape->values[0]) && shape->values[0].value <= PG_MOST_VALUES)
        repeat_value(c, value->tensor, (size_t)shape->values[0].value);
    return NULL;
}

static pg_status range(pg_infer *c)
{
    int64_t start, limit, delta;
    size_t n;
    pg_dim *length = pg_new_dims(c, 1);
    if (pg_get_ints(c, 0, &start, 1, &n) && pg_get_ints(c, 1, &limit, 1, &n) &&
        pg_get_ints(c, 2, &delta, 1, &n) && delta != 0) {
        int64_t span, top, count = 0;
        bool fits = !__builtin_sub_overflow(limit, start, &span) &&
                    !__builtin_add_overflow(span, delta > 0 ? delta - 1 : delta + 1, &top) &&
                    top != INT64_MIN;
        if (fits)
            count = top / delta;
        if (fits)
            length[0] = pg_dim_of(PG_MAX(count, 0));
        if (fits && length[0].value <= PG_MOST_VALUES) {
            pg_dim *values = PG_ARENA_ARRAY(c->arena, pg_dim, (size_t)length[0].value);
            for (int64_t i = 0; i < length[0].value; i++)
                values[i] = pg_dim_of(start + i * delta);
            pg_set_values(c, 0, values, (size_t)length[0].value);
        }
    }
    pg_set_tensor(c, 0, pg_elem(c, 0), 1, length);
    return NULL;
}

/* Depth/space: blocks of b x b move between the channels and the plane. */
static pg_status depth_space(pg_infer *c, bool to_space)
{
    uint32_t rank;
    const pg_dim *in;
    int64_t b = pg_int_attr(c, "blocksize", 1);
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in) || rank != 4 || b <= 0)
        return NULL;
    pg_dim *dims = pg_new_dims(c, 4);
    dims[0] = in[0];
    for (uint32_t d = 1; d < 4; d++)
        if (pg_dim_known(in[d])) {
            bool grows = (d > 1) == to_space;
            int64_t factor = d == 1 ? b * b : b;
            dims[d] = pg_dim_of(grows ? in[d].value * factor : in[d].value / factor);
        }
    pg_set_tensor(c, 0, pg_elem(c, 0), 4, dims);
    return NULL;
}

static pg_status depth_to_space(pg_infer *c)
{
    return depth_space(c, true);
}
static pg_status space_to_depth(pg_infer *c)
{
    return depth_space(c, false);
}

static pg_status non_zero(pg_infer *c)
{
    pg_dim *dims = pg_new_dims(c, 2);
    if (pg_has_shape(pg_in(c, 0)))
        dims[0] = pg_dim_of(pg_in(c, 0)->type.rank);
    pg_set_tensor(c, 0, PG_I64, 2, dims);
    return NULL;
}

/* Output 0 is input 0 with some of the elements along attribute axis, or, without one, some of all in a row. */
static pg_status some_elements(pg_infer *c)
{
    uint32_t rank, axis;
    const pg_dim *in;
    pg_set_elem(c, 0, pg_elem(c, 0));
    if (pg_node_attr(c->node, "axis") == NULL) {
        pg_set_tensor(c, 0, pg_elem(c, 0), 1, pg_new_dims(c, 1));
    } else if (pg_get_shape(pg_in(c, 0), &rank, &in)) {
        PG_TRY(pg_norm_axis(c, pg_int_attr(c, "axis", 0), rank, &axis));
        pg_dim *dims = pg_new_dims(c, rank);
        for (uint32_t d = 0; d < rank; d++)
            dims[d] = d == axis ? (pg_dim){0} : in[d];
        pg_set_tensor(c, 0, pg_elem(c, 0), rank, dims);
    }
    return NULL;
}

static pg_status one_hot(pg_infer *c)
{
    uint32_t rank, axis;
    const pg_dim *in;
    int64_t depth;
    size_t n;
    pg_set_elem(c, 0, pg_elem(c, 2));
    if (!pg_get_shape(pg_in(c, 0), &rank, &in))
        return NULL;
    PG_TRY(pg_norm_axis(c, pg_int_attr(c, "axis", -1), rank + 1, &axis));
    pg_dim *dims = pg_new_dims(c, rank + 1);
    for (uint32_t d = 0, from = 0; d <= rank; d++)
        if (d != axis)
            dims[d] = in[from++];
    if (pg_get_ints(c, 1, &depth, 1, &n) && n == 1)
        dims[axis] = pg_dim_of(depth);
    pg_set_tensor(c, 0, pg_elem(c, 2), rank + 1, dims);
    return NULL;
}

static pg_status eye_like(pg_infer *c)
{
    pg_set_like(c, 0, 0);
    c->out[0].type.elem = (pg_dtype)pg_int_attr(c, "dtype", pg_elem(c, 0));
    return NULL;
}

static pg_status unique(pg_infer *c)
{
    PG_TRY(some_elements(c));
    for (size_t o = 1; o < c->n_out; o++)
        pg_set_tensor(c, o, PG_I64, 1, pg_new_dims(c, 1));
    return NULL;
}

const pg_shape_rule pg_shape_rules_movement[] = {
    {"Shape", shape_of},
    {"Size", size_of},
    {"Reshape", reshape},
    {"Flatten", flatten},
    {"Squeeze", squeeze},
    {"Unsqueeze", unsqueeze},
    {"Transpose", transpose},
    {"Concat", concat},
    {"Split", split},
    {"Slice", slice},
    {"Gather", gather},
    {"GatherElements", gather_elements},
    {"GatherND", gather_nd},
    {"Expand", expand},
    {"Tile", tile},
    {"Pad", pad},
    {"Constant", constant},
    {"ConstantOfShape", constant_of_shape},
    {"Range", range},
    {"DepthToSpace", depth_to_space},
    {"SpaceToDepth", space_to_depth},
    {"NonZero", non_zero},
    {"Compress", some_elements},
    {"OneHot", one_hot},
    {"EyeLike", eye_like},
    {"Unique", unique},
    {0},
};
