/* Cutting ranges out of tensors and joining tensors along an axis, for any element type of at least a byte.
 */
#ifndef PG_NATIVE_OPS_SLICES_H
#define PG_NATIVE_OPS_SLICES_H

#include "native/kernel.h"

/* A new tensor with elements [begin, begin + count) along `axis`; with `squeeze` (count 1) the axis goes. */
PG_MUST_USE pg_status pg_slice_take(const pg_op *op, const pg_tensor *from, size_t axis, int64_t begin,
                                    int64_t count, bool squeeze, pg_tensor *out);
/* A new tensor of `count` (at least 1) tensors one after the other along `axis`, or, with `new_axis`, stacked
 * along a new one. Types and the other dims must agree. `reverse` takes them from the last to the first. */
PG_MUST_USE pg_status pg_slice_join(const pg_op *op, pg_tensor *const *items, size_t count, size_t axis,
                                    bool new_axis, bool reverse, pg_tensor *out);

#endif
