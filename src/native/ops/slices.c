#include "native/ops/slices.h"

#include "base/alloc.h"
#include "native/internal.h"

/* A tensor as outer x axis x inner, inner in bytes. */
static void view_axis(const pg_tensor *tensor, size_t axis, size_t *outer, size_t *inner)
{
    size_t bytes = pg_dtype_get(tensor->dtype)->bits / 8u;
    *outer = 1;
    *inner = bytes;
    for (size_t i = 0; i < axis; i++)
        *outer *= (size_t)tensor->dims[i];
    for (size_t i = axis + 1; i < tensor->rank; i++)
        *inner *= (size_t)tensor->dims[i];
}

static pg_status check_type(const pg_op *op, pg_dtype dtype)
{
    if (pg_dtype_get(dtype)->bits < 8)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "elements of type %s cannot be cut or joined",
                         pg_dtype_name(dtype));
    return NULL;
}

/* String elements were copied as views: give the tensor texts of its own. */
static pg_status own_strings(pg_tensor *tensor)
{
    if (tensor->dtype != PG_STRING)
        return NULL;
    pg_tensor owner;
    PG_TRY(pg_tensor_copy(&owner, tensor));
    pg_tensor_deinit(tensor);
    *tensor = owner;
    return NULL;
}

pg_status pg_slice_take(const pg_op *op, const pg_tensor *from, size_t axis, int64_t begin, int64_t count,
                        bool squeeze, pg_tensor *out)
{
    PG_TRY(check_type(op, from->dtype));
    int64_t dims[PG_MAX_RANK];
    size_t rank = 0, outer, inner;
    for (size_t i = 0; i < from->rank; i++)
        if (i != axis || !squeeze)
            dims[rank++] = i == axis ? count : from->dims[i];
    PG_TRY(pg_session_tensor(op->session, out, from->dtype, rank, dims));
    view_axis(from, axis, &outer, &inner);
    size_t stride = (size_t)from->dims[axis] * inner, bytes = (size_t)count * inner;
    for (size_t i = 0; i < outer && bytes > 0; i++)
        memcpy((char *)out->data + i * bytes, (const char *)from->data + i * stride + (size_t)begin * inner,
               bytes);
    return own_strings(out);
}

static pg_status check_items(const pg_op *op, pg_tensor *const *items, size_t count, size_t axis,
                             bool new_axis)
{
    for (size_t i = 1; i < count; i++) {
        bool agree = items[i]->dtype == items[0]->dtype && items[i]->rank == items[0]->rank;
        for (size_t d = 0; agree && d < items[0]->rank; d++)
            agree = (d == axis && !new_axis) || items[i]->dims[d] == items[0]->dims[d];
        if (agree)
            continue;
        pg_buf first = {0}, other = {0};
        pg_shape_text(&first, items[0]->rank, items[0]->dims);
        pg_shape_text(&other, items[i]->rank, items[i]->dims);
        pg_status status = pg_op_err(op, PG_ERR_INVALID, "tensors of %s %s and %s %s cannot be joined",
                                     pg_dtype_name(items[0]->dtype), pg_buf_cstr(&first),
                                     pg_dtype_name(items[i]->dtype), pg_buf_cstr(&other));
        pg_buf_deinit(&first);
        pg_buf_deinit(&other);
        return status;
    }
    return NULL;
}

pg_status pg_slice_join(const pg_op *op, pg_tensor *const *items, size_t count, size_t axis, bool new_axis,
                        bool reverse, pg_tensor *out)
{
    PG_TRY(check_type(op, items[0]->dtype));
    PG_TRY(check_items(op, items, count, axis, new_axis));
    int64_t dims[PG_MAX_RANK + 1];
    size_t rank = items[0]->rank, outer = 1, at = 0;
    if (new_axis) {
        for (size_t i = 0, from = 0; i <= rank; i++)
            dims[i] = i == axis ? (int64_t)count : items[0]->dims[from++];
        rank++;
    } else {
        memcpy(dims, items[0]->dims, rank * sizeof *dims);
        for (size_t i = 1; i < count; i++)
            dims[axis] += items[i]->dims[axis];
    }
    PG_TRY(pg_session_tensor(op->session, out, items[0]->dtype, rank, dims));
    for (size_t i = 0; i < axis; i++)
        outer *= (size_t)dims[i];
    size_t row = outer > 0 ? (size_t)pg_tensor_bytes(out) / outer : 0;
    for (size_t i = 0; i < count; i++) {
        const pg_tensor *item = items[reverse ? count - 1 - i : i];
        size_t bytes = outer > 0 ? (size_t)pg_tensor_bytes(item) / outer : 0;
        for (size_t k = 0; k < outer && bytes > 0; k++)
            memcpy((char *)out->data + k * row + at, (const char *)item->data + k * bytes, bytes);
        at += bytes;
    }
    return own_strings(out);
}
