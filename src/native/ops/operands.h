/* What elementwise operators of several inputs share: one broadcast shape, one layout, and the output's bytes
 * taken from an input where that is possible. */
#ifndef PG_NATIVE_OPS_OPERANDS_H
#define PG_NATIVE_OPS_OPERANDS_H

#include "native/ops/broadcast.h"

enum { PG_OPERANDS_MOST = 3 };

/* An input as it takes part: its bytes and its dims in storage order, of the output's rank. */
typedef struct pg_operand {
    const void *data;
    int64_t dims[PG_MAX_RANK];
    bool whole; /* it has all elements of the output */
} pg_operand;

typedef struct pg_operands {
    size_t n, rank;
    int64_t dims[PG_MAX_RANK];    /* of the output */
    int64_t storage[PG_MAX_RANK]; /* the same in storage order */
    pg_layout layout;             /* of the output: channels-last when an input of its rank is */
    pg_operand items[PG_OPERANDS_MOST];
} pg_operands;

/* True when the tensor, seen with `rank` dims of which the first are 1, has its elements in this layout's order as
 * they are. */
bool pg_operand_lies(const pg_tensor *tensor, size_t rank, pg_layout layout);
/* The tensor with `rank` dims in a layout; it is converted into scratch memory where it does not lie so. */
PG_MUST_USE pg_status pg_operand_lay(pg_op *op, const pg_tensor *tensor, size_t rank, pg_layout layout,
                                     pg_operand *out);
/* Joins `n` tensors of the operator; converts those whose layout does not fit into scratch memory. */
PG_MUST_USE pg_status pg_operands_join(pg_op *op, size_t n, const pg_tensor *const *tensors,
                                       pg_operands *out);
/* Output 0 of the joined shape and layout; takes over the bytes of a whole input of the same element size
 * (inputs 0 .. n-1 are then the joined tensors) when `in_place` allows it. */
PG_MUST_USE pg_status pg_operands_out(pg_op *op, const pg_operands *operands, pg_dtype dtype, bool in_place,
                                      pg_tensor **out);
/* Before opset 7 the second input was aligned at an axis and repeated only when 'broadcast' was set. Turns y's shape into
 * the one that today's rule repeats in the same way. */
PG_MUST_USE pg_status pg_operands_legacy(pg_op *op, const pg_tensor *x, pg_tensor *y);
/* A walk over the joined shape with all operands. */
void pg_operands_walk(const pg_operands *operands, pg_walk *out);

#endif
