/* Statistics as the peer prints them. */
#ifndef PG_TENSOR_STATS_TEXT_H
#define PG_TENSOR_STATS_TEXT_H

#include "base/buf.h"
#include "tensor/stats.h"

/* "mean=0.30098, std-dev=0.3368, ..., min=0 at (0, 1), ..., avg-magnitude=0.30098, p90=0.68747, ...", without
 * a line feed. Bool values have no p90, p95, p99. Without elements the places are "0". */
void pg_stats_text(pg_buf *out, const pg_value_stats *stats, pg_dtype dtype, size_t rank,
                   const int64_t *dims);
/* The statistics of a tensor, or "<Error while computing statistics>" for a type that has none.
 * PG_ERR_NO_MEMORY. */
PG_MUST_USE pg_status pg_tensor_stats_text(pg_buf *out, const pg_tensor *tensor);

/* "---- Histogram ----", a heading and one line per bin, each ended by a line feed; nothing for a histogram
 * that is not valid or counts nothing. */
void pg_histogram_text(pg_buf *out, const pg_histogram *histogram);

#endif
