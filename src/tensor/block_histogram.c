#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "tensor/block_keys.h"
#include "tensor/block_stats.h"
#include "tensor/dtype_convert.h"

enum { MAX_BINS = 64 };

typedef struct histogram_run {
    const pg_stat_source *source;
    size_t stream, bins;
    pg_dtype edge_type;
    const double *edges;
    uint64_t *counts;
    pthread_mutex_t lock;
} histogram_run;

/* How many values are not below an edge, and how many lie above the last one: sums of comparisons, which the
 * compiler turns into vector code. NaN is neither. */
#define COUNT_EDGES(name, type)                                                                 \
    static void name(const histogram_run *run, const void *block, size_t n, uint64_t *at_least) \
    {                                                                                           \
        const type *values = block;                                                             \
        for (size_t k = 0; k <= run->bins; k++) {                                               \
            type edge = (type)run->edges[k];                                                    \
            uint32_t count = 0;                                                                 \
            if (k < run->bins)                                                                  \
                for (size_t i = 0; i < n; i++)                                                  \
                    count += values[i] >= edge;                                                 \
            else                                                                                \
                for (size_t i = 0; i < n; i++)                                                  \
                    count += values[i] > edge;                                                  \
            at_least[k] += count;                                                               \
        }                                                                                       \
    }
COUNT_EDGES(count_edges_f32, float)
COUNT_EDGES(count_edges_f64, double)

static void count_range(void *context, size_t first, size_t last)
{
    histogram_run *run = context;
    const pg_stat_source *source = run->source;
    double *values = pg_calloc(PG_STAT_BLOCK, sizeof *values);
    uint64_t *scratch = pg_calloc(source->n_streams * (size_t)PG_STAT_BLOCK, sizeof *scratch);
    uint64_t at_least[MAX_BINS + 1] = {0};
    bool single = source->streams[run->stream].dtype == PG_F32 && run->edge_type != PG_F64;
    for (size_t piece = first; piece < last; piece++) {
        uint64_t begin = (uint64_t)piece * PG_STAT_BLOCK;
        size_t n = (size_t)PG_MIN(source->count - begin, (uint64_t)PG_STAT_BLOCK);
        void *blocks[PG_STAT_STREAMS];
        for (size_t s = 0; s < source->n_streams; s++)
            blocks[s] = scratch + s * PG_STAT_BLOCK;
        source->fill(source->context, begin, n, blocks);
        if (single) {
            count_edges_f32(run, blocks[run->stream], n, at_least);
        } else {
            pg_stat_to_f64(source->streams[run->stream].dtype, blocks[run->stream], n, values);
            count_edges_f64(run, values, n, at_least);
        }
    }
    pthread_mutex_lock(&run->lock);
    for (size_t bin = 0; bin < run->bins; bin++)
        run->counts[bin] += at_least[bin] - at_least[bin + 1];
    pthread_mutex_unlock(&run->lock);
    free(values);
    free(scratch);
}

static double round_to(pg_dtype dtype, double value)
{
    if (dtype == PG_F16)
        return (double)pg_f16_to_f32(pg_f64_to_f16(value));
    return dtype == PG_F32 ? (double)(float)value : value;
}

/* numpy's linspace: computed in one type, stored in another. One operation on two floats is exact enough in
 * double to be rounded to a narrower type afterwards. */
static bool set_edges(double low, double high, pg_dtype compute, pg_dtype type, size_t bins, double *edges)
{
    double step = round_to(compute, round_to(compute, high - low) / (double)bins);
    for (size_t i = 0; i < bins; i++) {
        double offset = round_to(compute, (double)i * step);
        edges[i] = round_to(type, round_to(compute, offset + low));
    }
    edges[bins] = round_to(type, high);
    for (size_t i = 0; i < bins; i++)
        if (!(edges[i] < edges[i + 1]) || !isfinite(edges[i + 1]))
            return false;
    return true;
}

bool pg_block_histogram(const pg_stat_source *source, size_t stream, double low, double high, bool single,
                        size_t bins, uint64_t *counts, double *edges)
{
    pg_dtype type = single ? PG_F32 : PG_F64;
    return pg_block_histogram_as(source, stream, low, high, type, type, bins, counts, edges);
}

bool pg_block_histogram_as(const pg_stat_source *source, size_t stream, double low, double high,
                           pg_dtype compute, pg_dtype edge_type, size_t bins, uint64_t *counts, double *edges)
{
    PG_ASSERT(bins >= 1 && bins <= MAX_BINS);
    memset(counts, 0, bins * sizeof *counts);
    if (low == high) {
        low = round_to(compute, low - 0.5);
        high = round_to(compute, high + 0.5);
    }
    if (!set_edges(low, high, compute, edge_type, bins, edges))
        return false;
    histogram_run run = {.source = source,
                         .stream = stream,
                         .bins = bins,
                         .edge_type = edge_type,
                         .edges = edges,
                         .counts = counts,
                         .lock = PTHREAD_MUTEX_INITIALIZER};
    size_t pieces = (size_t)((source->count + PG_STAT_BLOCK - 1) / PG_STAT_BLOCK);
    pg_parallel_for(pieces, 8, count_range, &run);
    return true;
}
