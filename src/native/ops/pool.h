/* Walks over pooling windows, shared by the fast float32 loops and the general ones. */
#ifndef PG_NATIVE_OPS_POOL_H
#define PG_NATIVE_OPS_POOL_H

#include "native/ops/nn.h"

typedef struct pool_shape {
    nn_window window;
    int64_t batch, channels;
    int64_t in[NN_SPATIAL], out[NN_SPATIAL];
    size_t rank;
    int64_t dims[2 + NN_SPATIAL]; /* of the output */
} pool_shape;

PG_MUST_USE pg_status pool_shape_read(const pg_op *op, pool_shape *out);
/* The same for an input of these dims (N, C, ...). */
PG_MUST_USE pg_status pool_shape_of(const pg_op *op, const pg_tensor *x, pool_shape *out);

/* The input positions under one result, as offsets of pixels in the image. */
typedef struct pool_window {
    int64_t begin[NN_SPATIAL];                   /* of the first position; may lie in the padding */
    int64_t first[NN_SPATIAL], last[NN_SPATIAL]; /* kernel steps [first, last) that lie inside */
    int64_t inside;                              /* positions inside the input */
    int64_t with_padding;                        /* positions inside input and padding */
} pool_window;
void pool_window_at(const pool_shape *shape, const int64_t *result, pool_window *out);
/* Pixel offsets of the inside positions in the order of the kernel; `out` has room for all of them. */
size_t pool_window_offsets(const pool_shape *shape, const pool_window *window, int64_t *out);
/* The position of result `index` of an image. */
void pool_result_at(const pool_shape *shape, size_t index, int64_t *out);
static inline size_t pool_area(const int64_t *dims)
{
    return (size_t)(dims[0] * dims[1] * dims[2]);
}

/* MaxRoiPool, RoiAlign and MaxUnpool. */
PG_MUST_USE pg_status pool_run_max_roi(pg_op *op);
PG_MUST_USE pg_status pool_run_roi_align(pg_op *op);
PG_MUST_USE pg_status pool_run_max_unpool(pg_op *op);

#endif
