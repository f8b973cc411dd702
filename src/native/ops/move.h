/* Moving elements without looking at them: copies between strided boxes, and one view of every element type
 * as a fixed number of whole bytes (packed 4-bit and 2-bit types and strings included).
 *
 *     const void *src;
 *     pg_move out;
 *     PG_TRY(pg_move_in(op, x, &src));
 *     PG_TRY(pg_move_out(op, 0, x->dtype, rank, dims, &out));
 *     pg_copy_strided(out.data, dst_strides, src, src_strides, rank, dims, out.size);
 *     return pg_move_done(&out);
 */
#ifndef PG_NATIVE_OPS_MOVE_H
#define PG_NATIVE_OPS_MOVE_H

#include "native/kernel.h"

typedef struct pg_move {
    pg_op *op;
    size_t index;
    pg_dtype dtype;
    size_t rank;
    int64_t dims[PG_MAX_RANK];
    uint64_t count;
    size_t size; /* bytes per element at `data`: 1, 2, 4, 8 or 16 */
    void *data;  /* the output's own bytes, or scratch that pg_move_done packs */
    pg_tensor *tensor;
} pg_move;

/* Bytes per element once packed types are spread to one byte each. */
size_t pg_move_size(pg_dtype dtype);
/* The elements of a tensor in pg_move_size bytes each; spread into scratch memory when they are packed. */
PG_MUST_USE pg_status pg_move_in(pg_op *op, const pg_tensor *tensor, const void **out);
/* Output `index`; its elements are written at out->data. Strings may be views of input texts: they are copied
 * by pg_move_done. */
PG_MUST_USE pg_status pg_move_out(pg_op *op, size_t index, pg_dtype dtype, size_t rank, const int64_t *dims,
                                  pg_move *out);
PG_MUST_USE pg_status pg_move_done(pg_move *move);

/* Row-major strides in elements. */
void pg_strides(size_t rank, const int64_t *dims, int64_t *out);
/* Copies a box of `dims`: element at index vector v goes from src + v.src_strides to dst + v.dst_strides.
 * Strides count elements of `size` bytes and may be zero or negative; destinations must be distinct. Runs in
 * parallel. */
void pg_copy_strided(void *dst, const int64_t *dst_strides, const void *src, const int64_t *src_strides,
                     size_t rank, const int64_t *dims, size_t size);
/* `count` copies of one element. */
void pg_fill(void *dst, const void *element, uint64_t count, size_t size);

/* Dimensions in the order in which the elements lie in memory. */
void pg_storage_dims(const pg_tensor *tensor, int64_t *out);
/* `tensor` itself when it has the layout, else a copy in scratch memory, described by *storage. Tensors of
 * rank below 3 lie the same way in both. */
PG_MUST_USE pg_status pg_with_layout(pg_op *op, const pg_tensor *tensor, pg_layout layout, pg_tensor *storage,
                                     const pg_tensor **out);

#endif
