#include "tensor/block_stats.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "tensor/block_kernels.h"
#include "tensor/block_keys.h"
#include "tensor/block_select.h"

enum {
    NODE = 1024,        /* values per node of the pairwise tree */
    SAMPLES = 65536,    /* values looked at to place the windows */
    FEW_VALUES = 65536, /* up to here quantiles need no sample */
    PASS_GRAIN_VALUES = 65536,
};

/* What a pass does with a stream. */
enum { DO_RANGE = 1, DO_COUNT = 2, DO_SUM32 = 4, DO_SUM64 = 8, DO_SPREAD = 16, DO_SELECT = 32 };

/* How the elements are cut: nodes of the pairwise tree over all of them, or pieces of PG_STAT_BLOCK, as
 * numpy's buffered casts. */
typedef struct node_cut {
    uint64_t *begins; /* n_nodes + 1 */
    size_t n_nodes;
    bool tree;
} node_cut;

typedef struct stream_state {
    pg_stat_stream spec;
    unsigned work;
    bool cast_mean; /* mean over pieces of the cast values instead of the tree */
    bool has_sum, has_center, has_spread;
    double *sums, *magnitudes; /* per node, in the running pass */
    double mean, magnitude, center, spread;
    /* range */
    bool has_nan;
    uint64_t min, max; /* keys */
    uint64_t min_begin, max_begin, nan_begin;
    /* windows of the counting pass */
    size_t n_windows;
    uint64_t low[PG_STAT_WINDOWS], high[PG_STAT_WINDOWS], below[PG_STAT_WINDOWS], upto[PG_STAT_WINDOWS];
    bool quantiles;
    pg_select select;
} stream_state;

typedef struct stats_run {
    const pg_stat_source *source;
    const pg_f32_kernels *f32;
    const node_cut *cut;
    bool observe;
    pthread_mutex_t lock;
    stream_state streams[PG_STAT_STREAMS];
} stats_run;

/* One thread's share of a pass. */
typedef struct local_stream {
    bool has_nan, any;
    uint64_t min, max, min_begin, max_begin, nan_begin;
    uint64_t below[PG_STAT_WINDOWS], upto[PG_STAT_WINDOWS];
    uint64_t *bins[PG_SELECT_RANKS];
} local_stream;

typedef struct local_pass {
    local_stream streams[PG_STAT_STREAMS];
    void *observed;
    uint64_t keys[PG_STAT_BLOCK], hits[PG_STAT_BLOCK];
    double wide[PG_STAT_BLOCK];
    float single[PG_STAT_BLOCK];
    uint16_t positions[PG_STAT_BLOCK];
    uint64_t scratch[PG_STAT_STREAMS][PG_STAT_BLOCK];
} local_pass;

/* ---- Cutting ---- */

static size_t count_tree_nodes(uint64_t n)
{
    if (n <= NODE)
        return 1;
    uint64_t half = pg_pairwise_half(n);
    return count_tree_nodes(half) + count_tree_nodes(n - half);
}

static void list_tree_nodes(uint64_t begin, uint64_t n, uint64_t **next)
{
    if (n <= NODE) {
        *(*next)++ = begin;
        return;
    }
    uint64_t half = pg_pairwise_half(n);
    list_tree_nodes(begin, half, next);
    list_tree_nodes(begin + half, n - half, next);
}

static node_cut cut_tree(uint64_t n)
{
    node_cut result = {.n_nodes = count_tree_nodes(n), .tree = true};
    result.begins = pg_calloc(result.n_nodes + 1, sizeof *result.begins);
    uint64_t *next = result.begins;
    list_tree_nodes(0, n, &next);
    *next = n;
    return result;
}

static node_cut cut_pieces(uint64_t n)
{
    node_cut result = {.n_nodes = (n + PG_STAT_BLOCK - 1) / PG_STAT_BLOCK};
    result.begins = pg_calloc(result.n_nodes + 1, sizeof *result.begins);
    for (size_t i = 0; i < result.n_nodes; i++)
        result.begins[i] = (uint64_t)i * PG_STAT_BLOCK;
    result.begins[result.n_nodes] = n;
    return result;
}

static double add_tree(uint64_t n, const double **next, bool single)
{
    if (n <= NODE)
        return *(*next)++;
    uint64_t half = pg_pairwise_half(n);
    double low = add_tree(half, next, single);
    double sum = low + add_tree(n - half, next, single);
    return single ? (float)sum : sum;
}

static double add_nodes(const node_cut *cut, uint64_t n, const double *sums, bool single)
{
    if (cut->tree)
        return add_tree(n, &sums, single);
    double sum = 0;
    for (size_t i = 0; i < cut->n_nodes; i++) {
        sum += sums[i];
        if (single)
            sum = (float)sum;
    }
    return sum;
}

/* ---- One node ---- */

static void note_range(local_stream *local, uint64_t begin, uint64_t min, uint64_t max, bool has_nan)
{
    if (has_nan && !local->has_nan) {
        local->has_nan = true;
        local->nan_begin = begin;
    }
    if (min > max) /* nothing but NaN */
        return;
    if (!local->any || min < local->min) {
        local->min = min;
        local->min_begin = begin;
    }
    if (!local->any || max > local->max) {
        local->max = max;
        local->max_begin = begin;
    }
    local->any = true;
}

static pg_f32_windows float_windows(size_t n, const uint64_t *low, const uint64_t *high)
{
    pg_f32_windows windows = {.count = n};
    for (size_t w = 0; w < n; w++) {
        windows.low[w] = pg_stat_key_f32(low[w]);
        windows.high[w] = pg_stat_key_f32(high[w]);
    }
    return windows;
}

static void first_pass_f32(stats_run *run, stream_state *stream, local_stream *local, const float *x,
                           uint64_t begin, size_t n, size_t node)
{
    pg_f32_scan scan;
    run->f32->scan(x, n, &scan);
    if (stream->work & DO_RANGE)
        note_range(local, begin, pg_stat_f32_key(scan.min), pg_stat_f32_key(scan.max), scan.has_nan);
    if (stream->work & DO_SUM32) {
        stream->sums[node] = scan.sum;
        stream->magnitudes[node] = scan.magnitude_sum;
    }
    if (stream->work & DO_COUNT) {
        pg_f32_windows windows = float_windows(stream->n_windows, stream->low, stream->high);
        run->f32->count(x, n, &windows, local->below, local->upto);
    }
}

static void first_pass_keys(const stream_state *stream, local_stream *local, const uint64_t *keys,
                            uint64_t begin, size_t n)
{
    uint64_t min = UINT64_MAX, max = 0, nan = 0;
    bool is_float = stream->spec.dtype == PG_F64;
    for (size_t i = 0; i < n; i++) {
        bool bad = is_float && (keys[i] < PG_KEY_F64_LOWEST || keys[i] > PG_KEY_F64_HIGHEST);
        nan += bad;
        min = !bad && keys[i] < min ? keys[i] : min;
        max = !bad && keys[i] > max ? keys[i] : max;
    }
    if (stream->work & DO_RANGE)
        note_range(local, begin, min, max, nan > 0);
    if (stream->work & DO_COUNT)
        for (size_t w = 0; w < stream->n_windows; w++)
            for (size_t i = 0; i < n; i++) {
                local->below[w] += keys[i] < stream->low[w];
                local->upto[w] += keys[i] <= stream->high[w];
            }
}

/* Sums of values that numpy casts to float32 first, and of their magnitudes. */
static void sum_cast(stream_state *stream, local_pass *pass, const void *block, size_t n, size_t node)
{
    pg_stat_to_f32(stream->spec.dtype, block, n, pass->single);
    stream->sums[node] = pg_pairwise_f32(pass->single, n);
    /* The magnitude of the lowest value of a small integer type is that value again. */
    float lowest = stream->spec.origin == PG_I8 ? -128.0f : stream->spec.origin == PG_I16 ? -32768.0f : NAN;
    for (size_t i = 0; i < n; i++)
        pass->single[i] = pass->single[i] == lowest ? lowest : fabsf(pass->single[i]);
    stream->magnitudes[node] = pg_pairwise_f32(pass->single, n);
}

static double node_spread(stats_run *run, const stream_state *stream, local_pass *pass, const void *block,
                          size_t n)
{
    if (stream->spec.dtype == PG_F32)
        return run->f32->spread(block, n, (float)stream->center);
    pg_stat_to_f64(stream->spec.dtype, block, n, pass->wide);
    for (size_t i = 0; i < n; i++) {
        double d = pass->wide[i] - stream->center;
        pass->wide[i] = d * d;
    }
    return pg_pairwise_f64(pass->wide, n);
}

static void gather_keys(pg_interval *interval, local_pass *pass, const uint64_t *keys, size_t n)
{
    size_t hits = 0;
    uint64_t width = interval->high - interval->low;
    for (size_t i = 0; i < n; i++) {
        pass->hits[hits] = keys[i];
        hits += keys[i] - interval->low <= width;
    }
    if (hits == 0)
        return;
    size_t at = atomic_fetch_add_explicit(&interval->filled, hits, memory_order_relaxed);
    PG_ASSERT(at + hits <= interval->inside);
    memcpy(interval->keys + at, pass->hits, hits * sizeof *keys);
}

static void select_keys(stream_state *stream, local_stream *local, local_pass *pass, const uint64_t *keys,
                        size_t n)
{
    for (size_t k = 0; k < stream->select.n_intervals; k++) {
        pg_interval *interval = &stream->select.intervals[k];
        uint64_t width = interval->high - interval->low;
        if (interval->work == PG_INTERVAL_GATHER)
            gather_keys(interval, pass, keys, n);
        else if (interval->work == PG_INTERVAL_HISTOGRAM)
            for (size_t i = 0; i < n; i++)
                if (keys[i] - interval->low <= width)
                    local->bins[k][(keys[i] - interval->low) >> interval->shift]++;
    }
}

/* Only the values in some interval become keys, when the intervals are few. */
static void select_f32(stats_run *run, stream_state *stream, local_stream *local, local_pass *pass,
                       const float *x, size_t n)
{
    uint64_t low[PG_SELECT_RANKS], high[PG_SELECT_RANKS];
    size_t open = 0;
    for (size_t k = 0; k < stream->select.n_intervals; k++)
        if (stream->select.intervals[k].work != PG_INTERVAL_CLOSED) {
            low[open] = stream->select.intervals[k].low;
            high[open++] = stream->select.intervals[k].high;
        }
    if (open > PG_STAT_WINDOWS) {
        pg_stat_to_keys(PG_F32, x, n, pass->keys);
        select_keys(stream, local, pass, pass->keys, n);
        return;
    }
    pg_f32_windows windows = float_windows(open, low, high);
    size_t found = run->f32->inside(x, n, &windows, pass->positions);
    for (size_t i = 0; i < found; i++)
        pass->keys[i] = pg_stat_f32_key(x[pass->positions[i]]);
    select_keys(stream, local, pass, pass->keys, found);
}

static void visit_stream(stats_run *run, stream_state *stream, local_stream *local, local_pass *pass,
                         const void *block, uint64_t begin, size_t n, size_t node)
{
    unsigned work = stream->work;
    if (stream->spec.dtype == PG_F32) {
        if (work & (DO_RANGE | DO_COUNT | DO_SUM32))
            first_pass_f32(run, stream, local, block, begin, n, node);
        if (work & DO_SELECT)
            select_f32(run, stream, local, pass, block, n);
    } else {
        if (work & (DO_RANGE | DO_COUNT | DO_SELECT))
            pg_stat_to_keys(stream->spec.dtype, block, n, pass->keys);
        if (work & (DO_RANGE | DO_COUNT))
            first_pass_keys(stream, local, pass->keys, begin, n);
        if (work & DO_SELECT)
            select_keys(stream, local, pass, pass->keys, n);
        if (work & DO_SUM32)
            sum_cast(stream, pass, block, n, node);
    }
    if (work & DO_SUM64) {
        pg_stat_to_f64(stream->spec.dtype, block, n, pass->wide);
        stream->sums[node] = pg_pairwise_f64(pass->wide, n);
    }
    if (work & DO_SPREAD)
        stream->sums[node] = node_spread(run, stream, pass, block, n);
}

/* ---- One pass ---- */

static void merge_range(stream_state *stream, const local_stream *local)
{
    if (local->has_nan && (!stream->has_nan || local->nan_begin < stream->nan_begin)) {
        stream->has_nan = true;
        stream->nan_begin = local->nan_begin;
    }
    if (!local->any)
        return;
    if (local->min < stream->min || (local->min == stream->min && local->min_begin < stream->min_begin)) {
        stream->min = local->min;
        stream->min_begin = local->min_begin;
    }
    if (local->max > stream->max || (local->max == stream->max && local->max_begin < stream->max_begin)) {
        stream->max = local->max;
        stream->max_begin = local->max_begin;
    }
}

static void merge_stream(stream_state *stream, local_stream *local)
{
    if (stream->work & DO_RANGE)
        merge_range(stream, local);
    for (size_t w = 0; stream->work & DO_COUNT && w < stream->n_windows; w++) {
        stream->below[w] += local->below[w];
        stream->upto[w] += local->upto[w];
    }
    for (size_t k = 0; k < stream->select.n_intervals; k++)
        if (local->bins[k] != NULL) {
            for (size_t bin = 0; bin < PG_SELECT_BINS; bin++)
                stream->select.intervals[k].bins[bin] += local->bins[k][bin];
            free(local->bins[k]);
        }
}

static local_pass *new_local(const stats_run *run)
{
    local_pass *pass = pg_realloc(NULL, 1, sizeof *pass);
    memset(pass->streams, 0, sizeof pass->streams);
    pass->observed = run->observe ? pg_calloc(1, PG_MAX(run->source->local_size, (size_t)1)) : NULL;
    for (size_t s = 0; s < run->source->n_streams; s++)
        for (size_t k = 0; run->streams[s].work & DO_SELECT && k < run->streams[s].select.n_intervals; k++)
            if (run->streams[s].select.intervals[k].work == PG_INTERVAL_HISTOGRAM)
                pass->streams[s].bins[k] = pg_calloc(PG_SELECT_BINS, sizeof(uint64_t));
    return pass;
}

static void pass_range(void *context, size_t first, size_t last)
{
    stats_run *run = context;
    const pg_stat_source *source = run->source;
    local_pass *pass = new_local(run);
    for (size_t node = first; node < last; node++) {
        uint64_t begin = run->cut->begins[node];
        size_t n = (size_t)(run->cut->begins[node + 1] - begin);
        void *blocks[PG_STAT_STREAMS];
        for (size_t s = 0; s < source->n_streams; s++)
            blocks[s] = pass->scratch[s];
        source->fill(source->context, begin, n, blocks);
        if (run->observe)
            source->observe(source->context, pass->observed, begin, n, blocks);
        for (size_t s = 0; s < source->n_streams; s++)
            visit_stream(run, &run->streams[s], &pass->streams[s], pass, blocks[s], begin, n, node);
    }
    pthread_mutex_lock(&run->lock);
    if (run->observe && source->merge != NULL)
        source->merge(source->context, pass->observed);
    for (size_t s = 0; s < source->n_streams; s++)
        merge_stream(&run->streams[s], &pass->streams[s]);
    pthread_mutex_unlock(&run->lock);
    free(pass->observed);
    free(pass);
}

static void run_pass(stats_run *run, const node_cut *cut)
{
    run->cut = cut;
    for (size_t s = 0; s < run->source->n_streams; s++) {
        stream_state *stream = &run->streams[s];
        if (stream->work & (DO_SUM32 | DO_SUM64 | DO_SPREAD))
            stream->sums = pg_calloc(cut->n_nodes, sizeof(double));
        if (stream->work & DO_SUM32)
            stream->magnitudes = pg_calloc(cut->n_nodes, sizeof(double));
    }
    pg_parallel_for(cut->n_nodes, PASS_GRAIN_VALUES / (cut->tree ? NODE : PG_STAT_BLOCK), pass_range, run);
}

/* numpy divides a float32 sum by the count in double and rounds the quotient. */
static double divide_sum(float sum, uint64_t n)
{
    return (double)(float)((double)sum / (double)n);
}

/* Takes what a pass has found into the stream's results. */
static void finish_stream(stats_run *run, stream_state *stream)
{
    uint64_t n = run->source->count;
    bool single = stream->spec.dtype == PG_F32;
    if (stream->work & DO_SUM32) {
        float sum = (float)add_nodes(run->cut, n, stream->sums, true);
        if (!stream->has_sum && run->cut->tree == !stream->cast_mean) {
            stream->mean = divide_sum(sum, n);
            stream->magnitude = divide_sum((float)add_nodes(run->cut, n, stream->magnitudes, true), n);
            stream->has_sum = true;
        }
        if (run->cut->tree && single) {
            stream->center = divide_sum(sum, n);
            stream->has_center = true;
        }
    }
    if (stream->work & DO_SUM64) {
        stream->center = add_nodes(run->cut, n, stream->sums, false) / (double)n;
        stream->has_center = true;
    }
    if (stream->work & DO_SPREAD) {
        double sum = add_nodes(run->cut, n, stream->sums, single);
        stream->spread = single ? divide_sum((float)sum, n) : sum / (double)n;
        stream->has_spread = true;
    }
    free(stream->sums);
    free(stream->magnitudes);
    stream->sums = stream->magnitudes = NULL;
}

static void finish_pass(stats_run *run)
{
    for (size_t s = 0; s < run->source->n_streams; s++)
        finish_stream(run, &run->streams[s]);
}

/* ---- Quantiles ---- */

static double virtual_index(uint64_t n, double q)
{
    return (double)(n - 1) * q;
}

static void want_quantile(pg_select *select, double q)
{
    double at = virtual_index(select->count, q);
    uint64_t low = at >= (double)(select->count - 1) ? select->count - 1 : (uint64_t)floor(at);
    pg_select_want(select, low);
    pg_select_want(select, PG_MIN(low + 1, select->count - 1));
}

static const double usual_quantiles[] = {0.5, 0.9, 0.95, 0.99};

typedef struct sample_run {
    stats_run *run;
    uint64_t *keys[PG_STAT_STREAMS];
    double quantile; /* NaN for none */
} sample_run;

/* Evenly spread places, moved by a hash so that they do not beat with the data's period. */
static void take_samples(void *context, size_t begin, size_t end)
{
    sample_run *sampler = context;
    const pg_stat_source *source = sampler->run->source;
    uint64_t stride = source->count / SAMPLES;
    for (size_t i = begin; i < end; i++) {
        uint64_t hash = (uint64_t)i * 0x9E3779B97F4A7C15u;
        uint64_t at = (uint64_t)i * stride + (hash >> 20) % stride, room[PG_STAT_STREAMS];
        void *blocks[PG_STAT_STREAMS];
        for (size_t s = 0; s < source->n_streams; s++)
            blocks[s] = &room[s];
        source->fill(source->context, at, 1, blocks);
        for (size_t s = 0; s < source->n_streams; s++)
            pg_stat_to_keys(source->streams[s].dtype, blocks[s], 1, &sampler->keys[s][i]);
    }
}

/* A window around the sample's quantile that misses the true one about once in ten million. */
static void place_window(stream_state *stream, uint64_t *sample, double q)
{
    double middle = q * (SAMPLES - 1), reach = 5.5 * sqrt(SAMPLES * q * (1 - q)) + 3;
    double low = floor(middle - reach), high = ceil(middle + reach);
    size_t w = stream->n_windows++;
    stream->low[w] = low < 0 ? 0 : pg_nth_key(sample, SAMPLES, (size_t)low);
    stream->high[w] = high > SAMPLES - 1 ? UINT64_MAX : pg_nth_key(sample, SAMPLES, (size_t)high);
}

static void place_windows(void *context, size_t begin, size_t end)
{
    sample_run *sampler = context;
    for (size_t s = begin; s < end; s++) {
        stream_state *stream = &sampler->run->streams[s];
        if (!stream->quantiles)
            continue;
        for (size_t i = 0; i < PG_COUNT(usual_quantiles); i++)
            place_window(stream, sampler->keys[s], usual_quantiles[i]);
        if (!isnan(sampler->quantile))
            place_window(stream, sampler->keys[s], sampler->quantile);
    }
}

/* Places the windows of the counting pass. */
static void sample_windows(stats_run *run, double quantile)
{
    sample_run sampler = {.run = run, .quantile = quantile};
    for (size_t s = 0; s < run->source->n_streams; s++)
        sampler.keys[s] = pg_calloc(SAMPLES, sizeof(uint64_t));
    pg_parallel_for(SAMPLES, 4096, take_samples, &sampler);
    pg_parallel_for(run->source->n_streams, 1, place_windows, &sampler);
    for (size_t s = 0; s < run->source->n_streams; s++)
        free(sampler.keys[s]);
}

typedef struct typed_value {
    double real;
    int64_t integer;
} typed_value;

static typed_value value_of(const stream_state *stream, uint64_t key)
{
    return (typed_value){pg_stat_key_f64(stream->spec.dtype, key), pg_stat_key_i64(stream->spec.dtype, key)};
}

static uint64_t key_at(const pg_select *select, uint64_t rank)
{
    for (size_t i = 0; i < select->n_ranks; i++)
        if (select->ranks[i] == rank)
            return select->found[i];
    PG_BUG("rank %llu was not asked for", (unsigned long long)rank);
}

static double round_half(double value)
{
    return pg_f16_to_f32(pg_f32_to_f16((float)value));
}

/* b - a in the element type, where integers wrap. */
static double step_between(const pg_stat_stream *spec, typed_value a, typed_value b)
{
    if (spec->origin == PG_I8)
        return (int8_t)(b.integer - a.integer);
    if (spec->origin == PG_I16)
        return (int16_t)(b.integer - a.integer);
    switch (spec->dtype) {
    case PG_I32:
        return (int32_t)((uint32_t)b.integer - (uint32_t)a.integer);
    case PG_I64:
        return (double)(int64_t)((uint64_t)b.integer - (uint64_t)a.integer);
    case PG_U64:
        return (double)((uint64_t)b.integer - (uint64_t)a.integer);
    default:
        return b.real - a.real;
    }
}

/* numpy's linear interpolation, each step rounded to the type that numpy computes in. */
static double interpolate(const pg_stat_stream *spec, typed_value a, typed_value b, double weight)
{
    double step = step_between(spec, a, b);
    if (spec->origin == PG_F16) {
        step = round_half(step);
        return weight < 0.5 ? round_half(a.real + round_half(step * round_half(weight)))
                            : round_half(b.real - round_half(step * round_half(1 - weight)));
    }
    if (spec->dtype == PG_F32) {
        float wide = (float)step;
        return weight < 0.5 ? (float)a.real + wide * (float)weight
                            : (float)b.real - wide * (float)(1 - weight);
    }
    return weight < 0.5 ? a.real + step * weight : b.real - step * (1 - weight);
}

static double read_quantile(const stream_state *stream, double q)
{
    uint64_t n = stream->select.count;
    double at = virtual_index(n, q);
    uint64_t low = at >= (double)(n - 1) ? n - 1 : (uint64_t)floor(at);
    uint64_t high = PG_MIN(low + 1, n - 1);
    return interpolate(&stream->spec, value_of(stream, key_at(&stream->select, low)),
                       value_of(stream, key_at(&stream->select, high)), at - (double)low);
}

static double read_median(const stream_state *stream)
{
    uint64_t n = stream->select.count;
    double low = value_of(stream, key_at(&stream->select, (n - 1) / 2)).real;
    double high = value_of(stream, key_at(&stream->select, n / 2)).real;
    if (n % 2 == 1)
        return high;
    return stream->spec.dtype == PG_F32 ? (double)(((float)low + (float)high) / 2) : (low + high) / 2;
}

/* ---- Results ---- */

/* First element of a node whose key is `key` (or that is NaN). */
static uint64_t locate(stats_run *run, size_t s, uint64_t node_begin, uint64_t key, bool nan)
{
    const pg_stat_source *source = run->source;
    local_pass *pass = new_local(run);
    size_t n = (size_t)PG_MIN(source->count - node_begin, (uint64_t)PG_STAT_BLOCK), i = 0;
    void *blocks[PG_STAT_STREAMS];
    for (size_t k = 0; k < source->n_streams; k++)
        blocks[k] = pass->scratch[k];
    source->fill(source->context, node_begin, n, blocks);
    pg_stat_to_keys(source->streams[s].dtype, blocks[s], n, pass->keys);
    while (i + 1 < n &&
           (nan ? !pg_stat_key_is_nan(source->streams[s].dtype, pass->keys[i]) : pass->keys[i] != key))
        i++;
    free(pass->observed);
    free(pass);
    return node_begin + i;
}

static void all_nan(pg_value_stats *out, uint64_t index)
{
    *out = (pg_value_stats){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, index, index, true};
}

static void report_stream(stats_run *run, size_t s, unsigned wanted, double quantile, pg_value_stats *out)
{
    stream_state *stream = &run->streams[s];
    *out = (pg_value_stats){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0, 0, false};
    for (size_t k = 0; k < PG_STAT_STREAMS; k++)
        run->streams[k].work = 0;
    if (stream->has_nan) {
        all_nan(out, locate(run, s, stream->nan_begin, 0, true));
        return;
    }
    out->min = pg_stat_key_f64(stream->spec.dtype, stream->min);
    out->max = pg_stat_key_f64(stream->spec.dtype, stream->max);
    out->argmin = locate(run, s, stream->min_begin, stream->min, false);
    out->argmax = locate(run, s, stream->max_begin, stream->max, false);
    if (wanted & PG_STAT_MEAN) {
        out->mean = stream->mean;
        out->avg_magnitude = stream->spec.nonnegative ? stream->mean : stream->magnitude;
    }
    if (wanted & PG_STAT_SPREAD) {
        out->var = stream->spread;
        out->std = stream->spec.dtype == PG_F32 ? (double)sqrtf((float)stream->spread) : sqrt(stream->spread);
    }
    if (!stream->quantiles)
        return;
    out->median = read_median(stream);
    out->p90 = read_quantile(stream, 0.9);
    out->p95 = read_quantile(stream, 0.95);
    out->p99 = read_quantile(stream, 0.99);
    if (!isnan(quantile))
        out->quantile = read_quantile(stream, quantile);
}

static void report_empty(size_t n_streams, double quantile, pg_value_stats *out)
{
    for (size_t s = 0; s < n_streams; s++)
        out[s] = (pg_value_stats){.mean = NAN,
                                  .avg_magnitude = NAN,
                                  .p90 = INFINITY,
                                  .p95 = INFINITY,
                                  .p99 = INFINITY,
                                  .quantile = isnan(quantile) ? NAN : INFINITY};
}

/* ---- Order of passes ---- */

static void init_streams(stats_run *run, unsigned wanted, double quantile)
{
    for (size_t s = 0; s < run->source->n_streams; s++) {
        stream_state *stream = &run->streams[s];
        stream->spec = run->source->streams[s];
        stream->min = UINT64_MAX;
        stream->min_begin = stream->max_begin = UINT64_MAX;
        stream->cast_mean = stream->spec.dtype != PG_F32 || stream->spec.origin != PG_F32;
        stream->quantiles = (wanted & PG_STAT_QUANTILES) != 0;
        pg_select_init(&stream->select, run->source->count);
        if (!stream->quantiles)
            continue;
        pg_select_want(&stream->select, (run->source->count - 1) / 2);
        pg_select_want(&stream->select, run->source->count / 2);
        for (size_t i = 1; i < PG_COUNT(usual_quantiles); i++)
            want_quantile(&stream->select, usual_quantiles[i]);
        if (!isnan(quantile))
            want_quantile(&stream->select, quantile);
    }
}

static bool any_cast(const stats_run *run)
{
    for (size_t s = 0; s < run->source->n_streams; s++)
        if (run->streams[s].cast_mean)
            return true;
    return false;
}

/* Work of a pass after the first; false when nothing is left. */
static bool plan_pass(stats_run *run, unsigned wanted)
{
    bool any = false;
    for (size_t s = 0; s < run->source->n_streams; s++) {
        stream_state *stream = &run->streams[s];
        stream->work = 0;
        if (stream->has_nan)
            continue;
        if (wanted & PG_STAT_MEAN && !stream->has_sum)
            stream->work |= DO_SUM32;
        if (wanted & PG_STAT_SPREAD && !stream->has_spread) {
            if (stream->has_center)
                stream->work |= DO_SPREAD;
            else
                stream->work |= stream->spec.dtype == PG_F32 ? DO_SUM32 : DO_SUM64;
        }
        if (stream->quantiles && !pg_select_done(&stream->select))
            stream->work |= DO_SELECT;
        any = any || stream->work != 0;
    }
    return any;
}

/* Intervals of the coming pass. */
static pg_status prepare_selects(stats_run *run)
{
    for (size_t s = 0; s < run->source->n_streams; s++)
        if (run->streams[s].quantiles && !run->streams[s].has_nan && !pg_select_done(&run->streams[s].select))
            PG_TRY(pg_select_prepare(&run->streams[s].select));
    return NULL;
}

static void narrow_selects(void *context, size_t begin, size_t end)
{
    stats_run *run = context;
    for (size_t s = begin; s < end; s++)
        if (run->streams[s].work & DO_SELECT)
            pg_select_narrow(&run->streams[s].select);
}

static void first_pass(stats_run *run, unsigned wanted, double quantile, const node_cut *cut)
{
    bool count = wanted & PG_STAT_QUANTILES && run->source->count > FEW_VALUES;
    if (count)
        sample_windows(run, quantile);
    for (size_t s = 0; s < run->source->n_streams; s++) {
        stream_state *stream = &run->streams[s];
        stream->work = DO_RANGE | (count ? DO_COUNT : 0);
        if (wanted & (PG_STAT_MEAN | PG_STAT_SPREAD) && cut->tree == !stream->cast_mean)
            stream->work |= DO_SUM32;
    }
    run->observe = run->source->observe != NULL;
    run_pass(run, cut);
    run->observe = false;
    finish_pass(run);
    for (size_t s = 0; s < run->source->n_streams; s++) {
        stream_state *stream = &run->streams[s];
        if (stream->quantiles && !stream->has_nan)
            pg_select_place(&stream->select, stream->n_windows, stream->low, stream->high, stream->below,
                            stream->upto);
    }
}

static pg_status all_passes(stats_run *run, unsigned wanted, double quantile)
{
    node_cut tree = cut_tree(run->source->count), pieces = cut_pieces(run->source->count);
    pg_status status = NULL;
    bool cast = wanted & PG_STAT_MEAN && any_cast(run);
    first_pass(run, wanted, quantile, cast ? &pieces : &tree);
    for (;;) {
        PG_TRY_GOTO(status, prepare_selects(run));
        if (!plan_pass(run, wanted))
            break;
        run_pass(run, &tree);
        finish_pass(run);
        pg_parallel_for(run->source->n_streams, 1, narrow_selects, run);
    }
done:
    free(tree.begins);
    free(pieces.begins);
    return status;
}

pg_status pg_block_stats(const pg_stat_source *source, unsigned wanted, double quantile, pg_value_stats *out)
{
    PG_ASSERT(source->n_streams <= PG_STAT_STREAMS);
    if (!isnan(quantile))
        wanted |= PG_STAT_QUANTILES;
    if (source->count == 0) {
        report_empty(source->n_streams, quantile, out);
        return NULL;
    }
    stats_run *run = PG_NEW(stats_run);
    run->source = source;
    run->f32 = pg_f32_kernels_get();
    pthread_mutex_init(&run->lock, NULL);
    init_streams(run, wanted, quantile);
    pg_status status = all_passes(run, wanted, quantile);
    for (size_t s = 0; status == NULL && s < source->n_streams; s++)
        report_stream(run, s, wanted, quantile, &out[s]);
    for (size_t s = 0; s < source->n_streams; s++)
        pg_select_deinit(&run->streams[s].select);
    pthread_mutex_destroy(&run->lock);
    free(run);
    return status;
}
