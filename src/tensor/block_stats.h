/* Statistics of values that are produced block by block: a tensor, or the difference of two tensors that is
 * never stored. Several streams of values (say, both differences and both tensors) are read in the same
 * passes over memory.
 *
 * The numbers are those that numpy gives for the whole array, bit for bit where numpy's result depends on the
 * order of additions: means are accumulated in float32 as numpy does it (pairwise over the whole array for
 * float32, pairwise within pieces of 8192 for types that are cast), variances in the element type. Medians
 * and quantiles are exact: a sample gives for each a window that almost surely holds it, the first pass
 * counts what lies below, the second collects the window; where a window misses, a radix histogram narrows it
 * down.
 *
 * Cost: two passes for float32, three for other types. Threads: pg_parallel_for; the result does not depend
 * on their number. */
#ifndef PG_TENSOR_BLOCK_STATS_H
#define PG_TENSOR_BLOCK_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/dtype.h"

enum { PG_STAT_BLOCK = 8192, PG_STAT_STREAMS = 4 };

typedef struct pg_stat_stream {
    pg_dtype dtype;   /* of a block's elements: PG_F32, PG_F64, PG_I32, PG_I64, PG_U64 or PG_BOOL */
    pg_dtype origin;  /* type before widening; quantiles of PG_F16 are rounded to it, small integers wrap as
                         they do in numpy: the difference of two neighbours, the magnitude of the lowest */
    bool nonnegative; /* a magnitude: its mean is its average magnitude */
} pg_stat_stream;

typedef struct pg_stat_source {
    uint64_t count;
    size_t n_streams;
    pg_stat_stream streams[PG_STAT_STREAMS];
    const void *context;
    /* Values [begin, begin + n) of every stream, n <= PG_STAT_BLOCK. blocks[i] is scratch memory to fill, or
     * may be pointed at values that exist already. Called from several threads, several times per element. */
    void (*fill)(const void *context, uint64_t begin, size_t n, void **blocks);
    /* Optional: sees every block exactly once, in the first pass. `local` is zeroed memory of local_size
     * bytes, one per thread; merge is called under a lock. */
    size_t local_size;
    void (*observe)(const void *context, void *local, uint64_t begin, size_t n, void *const *blocks);
    void (*merge)(const void *context, const void *local);
} pg_stat_source;

typedef struct pg_value_stats {
    double mean, std, var, median, min, max, avg_magnitude, p90, p95, p99;
    double quantile;         /* NaN unless asked for */
    uint64_t argmin, argmax; /* row-major; the first of equals; the first NaN when there is one */
    bool has_nan;            /* then all of the above are NaN */
} pg_value_stats;

typedef enum pg_stat_wanted {
    PG_STAT_RANGE = 1,     /* min, max and where; has_nan */
    PG_STAT_MEAN = 2,      /* mean, avg_magnitude */
    PG_STAT_SPREAD = 4,    /* std, var */
    PG_STAT_QUANTILES = 8, /* median, p90, p95, p99 */
    PG_STAT_ALL = 15,
} pg_stat_wanted;

/* `quantile` in [0, 1] asks for one more, NaN for none. `out` has one element per stream; what was not wanted
 * is NaN. Without elements: mean NaN, quantiles infinite, the rest 0 (as the peer shows it).
 * PG_ERR_NO_MEMORY. */
PG_MUST_USE pg_status pg_block_stats(const pg_stat_source *source, unsigned wanted, double quantile,
                                     pg_value_stats *out);

/* numpy's histogram of one stream: `bins` equal bins over [low, high] (widened by 0.5 on both sides when they
 * are equal), values outside do not count. `edges` has bins + 1 elements; with `single` they are computed in
 * float32, as numpy does when the values and the range are. low and high are finite, bins at most 64. False
 * when the range is too narrow for that many bins. */
bool pg_block_histogram(const pg_stat_source *source, size_t stream, double low, double high, bool single,
                        size_t bins, uint64_t *counts, double *edges);

/* The same for any type of the edges: they are computed in `compute` and stored as `edge_type`, both PG_F16,
 * PG_F32 or PG_F64; numpy computes in double when the range was given to it as numbers of Python. */
bool pg_block_histogram_as(const pg_stat_source *source, size_t stream, double low, double high,
                           pg_dtype compute, pg_dtype edge_type, size_t bins, uint64_t *counts,
                           double *edges);

/* The instruction set in use: "avx2" or "portable"; the second forces it for tests (false = not available).
 */
const char *pg_block_stats_isa(void);
bool pg_block_stats_set_isa(const char *name);

#endif
