/* Statistics and histograms of whole tensors: block_stats.h with a tensor as its source.
 *
 * The numbers are the peer's: NumPy's for the array cast up as the peer casts it (float16 to float32, small
 * integers to int32, uint32 to int64), the mean accumulated in float32, quantiles in the tensor's own type.
 * The types that NumPy does not have (bfloat16, the 8 and 4-bit floats, int4 ...) are taken as the float32 or
 * int32 they equal. */
#ifndef PG_TENSOR_STATS_H
#define PG_TENSOR_STATS_H

#include "tensor/block_stats.h"
#include "tensor/tensor.h"

enum { PG_HISTOGRAM_BINS = 10 };

/* Every type but strings and complex numbers. */
bool pg_tensor_has_stats(pg_dtype dtype);
/* `wanted` and `quantile` as in pg_block_stats; the tensor is row-major. PG_ERR_UNSUPPORTED for a type
 * without statistics, PG_ERR_NO_MEMORY. */
PG_MUST_USE pg_status pg_tensor_stats(const pg_tensor *tensor, unsigned wanted, double quantile,
                                      pg_value_stats *out);

typedef struct pg_histogram {
    bool valid; /* false: no bins, see pg_tensor_histogram */
    uint64_t counts[PG_HISTOGRAM_BINS];
    double edges[PG_HISTOGRAM_BINS + 1];
} pg_histogram;

/* Ten equal bins over the tensor's own range, or over range[0] .. range[1]. Not valid without elements, for
 * bool, strings and complex numbers, for a range that is not finite, empty in the wrong direction or too
 * narrow for ten bins. */
void pg_tensor_histogram(const pg_tensor *tensor, const double *range, pg_histogram *out);
/* The type in which NumPy keeps the edges for elements of `dtype`. */
pg_dtype pg_histogram_edge_type(pg_dtype dtype);

#endif
