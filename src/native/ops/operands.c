#include "native/ops/operands.h"

#include <string.h>

#include "base/alloc.h"
#include "native/ops/move.h"

/* Dims of one are added in front up to the output's rank. */
static void extend(pg_tensor *tensor, size_t rank)
{
    size_t more = rank - tensor->rank;
    memmove(tensor->dims + more, tensor->dims, tensor->rank * sizeof tensor->dims[0]);
    for (size_t i = 0; i < more; i++)
        tensor->dims[i] = 1;
    tensor->rank = (uint16_t)rank;
}

/* Row-major elements that lie in the same order channels-last: one channel, or nothing but channels. */
static bool fits_channels_last(const pg_tensor *tensor)
{
    if (tensor->dims[1] == 1)
        return true;
    for (size_t i = 2; i < tensor->rank; i++)
        if (tensor->dims[i] != 1)
            return false;
    return true;
}

bool pg_operand_lies(const pg_tensor *tensor, size_t rank, pg_layout layout)
{
    pg_tensor view = *tensor;
    if (view.rank < rank && view.rank > 2 && view.layout != PG_ROW_MAJOR)
        return false;
    if (view.rank < rank) {
        view.layout = PG_ROW_MAJOR;
        extend(&view, rank);
    }
    return rank < 3 || view.layout == layout || (layout == PG_CHANNELS_LAST && fits_channels_last(&view));
}

pg_status pg_operand_lay(pg_op *op, const pg_tensor *tensor, size_t rank, pg_layout layout, pg_operand *out)
{
    pg_tensor view = *tensor, storage;
    const pg_tensor *laid = &view;
    if (view.rank < rank) {
        PG_TRY(pg_with_layout(op, tensor, PG_ROW_MAJOR, &storage, &laid));
        view = *laid;
        laid = &view;
        extend(&view, rank);
    }
    if (layout == PG_CHANNELS_LAST && view.layout == PG_ROW_MAJOR && rank > 2 && fits_channels_last(&view))
        view.layout = PG_CHANNELS_LAST;
    PG_TRY(pg_with_layout(op, &view, layout, &storage, &laid));
    out->data = laid->data;
    pg_storage_dims(laid, out->dims);
    return NULL;
}

static pg_status add_operand(pg_op *op, pg_operands *all, const pg_tensor *tensor)
{
    pg_operand *operand = &all->items[all->n++];
    PG_TRY(pg_operand_lay(op, tensor, all->rank, all->layout, operand));
    operand->whole = memcmp(operand->dims, all->storage, all->rank * sizeof operand->dims[0]) == 0;
    return NULL;
}

pg_status pg_operands_join(pg_op *op, size_t n, const pg_tensor *const *tensors, pg_operands *out)
{
    *out = (pg_operands){.layout = PG_ROW_MAJOR};
    for (size_t i = 0; i < n; i++)
        PG_TRY(pg_broadcast_dims(op, &out->rank, out->dims, tensors[i]->rank, tensors[i]->dims));
    for (size_t i = 0; i < n; i++)
        if (tensors[i]->layout == PG_CHANNELS_LAST && tensors[i]->rank == out->rank && out->rank > 2)
            out->layout = PG_CHANNELS_LAST;
    pg_tensor shape = {.rank = (uint16_t)out->rank, .layout = (uint16_t)out->layout};
    memcpy(shape.dims, out->dims, sizeof shape.dims);
    pg_storage_dims(&shape, out->storage);
    for (size_t i = 0; i < n; i++)
        PG_TRY(add_operand(op, out, tensors[i]));
    return NULL;
}

pg_status pg_operands_out(pg_op *op, const pg_operands *operands, pg_dtype dtype, bool in_place,
                          pg_tensor **out)
{
    size_t donor = operands->n;
    for (size_t i = 0; in_place && i < operands->n && donor == operands->n; i++) {
        const pg_tensor *in = pg_op_in(op, i);
        if (operands->items[i].whole && in != NULL && (op->in_flags[i] & PG_IN_LAST_USE) != 0 &&
            pg_dtype_get(in->dtype)->bits == pg_dtype_get(dtype)->bits && dtype != PG_STRING)
            donor = i;
    }
    if (donor < operands->n)
        PG_TRY(pg_op_out_reuse(op, 0, donor, dtype, operands->rank, operands->dims, out));
    else
        PG_TRY(pg_op_out(op, 0, dtype, operands->rank, operands->dims, out));
    (*out)->layout = (uint16_t)operands->layout;
    return NULL;
}

void pg_operands_walk(const pg_operands *operands, pg_walk *out)
{
    pg_walk_init(out, operands->rank, operands->storage);
    for (size_t i = 0; i < operands->n; i++)
        pg_walk_add(out, operands->rank, operands->items[i].dims);
}

pg_status pg_operands_legacy(pg_op *op, const pg_tensor *x, pg_tensor *y)
{
    int64_t broadcast, axis;
    size_t first;
    PG_TRY(pg_op_attr_i(op, "broadcast", 0, &broadcast));
    if (broadcast == 0) {
        if (pg_tensor_same_shape(x, y))
            return NULL;
        return pg_op_err(op, PG_ERR_INVALID,
                         "the inputs' shapes differ and attribute 'broadcast' is not set");
    }
    PG_TRY(pg_op_attr_i(op, "axis", (int64_t)x->rank - y->rank, &axis));
    if (y->rank > x->rank)
        return pg_op_err(op, PG_ERR_INVALID, "input 1 has more dimensions (%d) than input 0 (%d)", y->rank,
                         x->rank);
    if (y->rank == 0)
        return NULL;
    PG_TRY(pg_op_axis(op, axis, x->rank, &first));
    if (first + y->rank > x->rank)
        return pg_op_err(op, PG_ERR_INVALID, "input 1 does not fit into input 0 at axis %lld",
                         (long long)axis);
    for (size_t i = first + y->rank; i < x->rank; i++)
        y->dims[i] = 1;
    y->rank = (uint16_t)(x->rank - first);
    return NULL;
}
