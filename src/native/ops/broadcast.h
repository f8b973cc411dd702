/* Elementwise walks over operands of different shapes.
 *
 * A walk has an output of `dims` in row-major order and up to PG_WALK_MOST operands, each of which is
 * repeated along the dims where it has size 1. Neighbouring dims that all operands treat alike are merged, so
 * the usual cases (same shape, one value, one row, one value per channel) end in few long rows. */
#ifndef PG_NATIVE_OPS_BROADCAST_H
#define PG_NATIVE_OPS_BROADCAST_H

#include "native/kernel.h"

enum { PG_WALK_MOST = 12 };

typedef struct pg_walk {
    size_t rank, n;
    int64_t dims[PG_MAX_RANK];
    int64_t strides[PG_WALK_MOST][PG_MAX_RANK]; /* 0 where an operand is repeated */
} pg_walk;

/* One row: elements [at, at + n) of the output; operand k starts at element offsets[k] and advances by
 * steps[k], which is 0 or 1. */
typedef void (*pg_walk_row)(void *context, uint64_t at, size_t n, const int64_t *offsets,
                            const int64_t *steps);

/* Elements from one index to the next along each of `rank` dims for an operand of `own_rank` dims, aligned at the end; 0
 * where it is repeated. */
void pg_broadcast_steps(size_t rank, size_t own_rank, const int64_t *own_dims, int64_t *out);

void pg_walk_init(pg_walk *walk, size_t rank, const int64_t *dims);
/* Adds an operand whose dims, aligned at the end, are 1 or the output's. */
void pg_walk_add(pg_walk *walk, size_t rank, const int64_t *dims);
/* Merges neighbouring dims that all operands treat alike. */
void pg_walk_merge(pg_walk *walk);
/* Of a merged walk: calls `row` for elements [begin, end) of the output. */
void pg_walk_range(const pg_walk *walk, uint64_t begin, uint64_t end, pg_walk_row row, void *context);
/* Merges, and calls `row` for all of the output, in parallel in pieces of about `grain` elements. */
void pg_walk_run(pg_walk *walk, size_t grain, pg_walk_row row, void *context);

/* The shape that `dims` (growing) and `more` broadcast to; the error names both. */
PG_MUST_USE pg_status pg_broadcast_dims(const pg_op *op, size_t *rank, int64_t *dims, size_t more_rank,
                                        const int64_t *more);

#endif
