#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "tensor/block_keys.h"
#include "tensor/block_stats.h"

enum { MAX_BINS = 64 };

typedef struct histogram_run {
    const pg_stat_source *source;
    size_t stream, bins;
    double low, high, scale;
    const double *edges;
    uint64_t *counts;
    pthread_mutex_t lock;
} histogram_run;

/* The arithmetic guess may be off by one at an edge; the edges decide. */
static inline size_t bin_of(const histogram_run *run, double v)
{
    double guess = (v - run->low) * run->scale;
    size_t bin = guess >= (double)run->bins ? run->bins - 1 : guess > 0 ? (size_t)guess : 0;
    while (bin > 0 && v < run->edges[bin])
        bin--;
    while (bin + 1 < run->bins && v >= run->edges[bin + 1])
        bin++;
    return bin;
}

static void count_range(void *context, size_t first, size_t last)
{
    histogram_run *run = context;
    const pg_stat_source *source = run->source;
    double *values = pg_calloc(PG_STAT_BLOCK, sizeof *values);
    uint64_t *scratch = pg_calloc(source->n_streams * (size_t)PG_STAT_BLOCK, sizeof *scratch);
    uint64_t counts[MAX_BINS] = {0};
    for (size_t piece = first; piece < last; piece++) {
        uint64_t begin = (uint64_t)piece * PG_STAT_BLOCK;
        size_t n = (size_t)PG_MIN(source->count - begin, (uint64_t)PG_STAT_BLOCK);
        void *blocks[PG_STAT_STREAMS];
        for (size_t s = 0; s < source->n_streams; s++)
            blocks[s] = scratch + s * PG_STAT_BLOCK;
        source->fill(source->context, begin, n, blocks);
        pg_stat_to_f64(source->streams[run->stream].dtype, blocks[run->stream], n, values);
        for (size_t i = 0; i < n; i++)
            if (values[i] >= run->low && values[i] <= run->high)
                counts[bin_of(run, values[i])]++;
    }
    pthread_mutex_lock(&run->lock);
    for (size_t bin = 0; bin < run->bins; bin++)
        run->counts[bin] += counts[bin];
    pthread_mutex_unlock(&run->lock);
    free(values);
    free(scratch);
}

/* numpy's linspace, in the type of the edges. */
static bool set_edges(double low, double high, bool single, size_t bins, double *edges)
{
    if (single) {
        float step = ((float)high - (float)low) / (float)bins;
        for (size_t i = 0; i < bins; i++) {
            float offset = (float)i * step;
            edges[i] = offset + (float)low;
        }
    } else {
        double step = (high - low) / (double)bins;
        for (size_t i = 0; i < bins; i++)
            edges[i] = (double)i * step + low;
    }
    edges[bins] = high;
    for (size_t i = 0; i < bins; i++)
        if (!(edges[i] < edges[i + 1]))
            return false;
    return true;
}

bool pg_block_histogram(const pg_stat_source *source, size_t stream, double low, double high, bool single,
                        size_t bins, uint64_t *counts, double *edges)
{
    PG_ASSERT(bins >= 1 && bins <= MAX_BINS);
    memset(counts, 0, bins * sizeof *counts);
    if (low == high) {
        low = single ? (double)((float)low - 0.5f) : low - 0.5;
        high = single ? (double)((float)high + 0.5f) : high + 0.5;
    }
    if (!set_edges(low, high, single, bins, edges))
        return false;
    histogram_run run = {.source = source,
                         .stream = stream,
                         .bins = bins,
                         .low = low,
                         .high = high,
                         .scale = (double)bins / (high - low),
                         .edges = edges,
                         .counts = counts,
                         .lock = PTHREAD_MUTEX_INITIALIZER};
    size_t pieces = (size_t)((source->count + PG_STAT_BLOCK - 1) / PG_STAT_BLOCK);
    pg_parallel_for(pieces, 8, count_range, &run);
    return true;
}
