#include "engine/calibrate.h"

#include <math.h>

#include "base/alloc.h"
#include "native/native.h"
#include "tensor/dtype_convert.h"

enum { BINS = 2048, LEVELS = 128 };

/* Magnitudes of one tensor. When one lies beyond the last bin, bins are joined in pairs until it does not. */
typedef struct histogram {
    double width; /* of a bin; 0 while all elements were 0 */
    double max;
    uint64_t zeros; /* elements seen while width was 0 */
    uint64_t bins[BINS];
} histogram;

typedef struct calibration {
    pg_observer observer;
    pg_map tensors; /* histograms of the main graph's values, by name; NULL until one is seen */
} calibration;

/* ---- Histograms ---- */

static double largest(const float *values, uint64_t count)
{
    float max = 0;
    for (uint64_t i = 0; i < count; i++) {
        float magnitude = fabsf(values[i]);
        max = magnitude > max && isfinite(magnitude) ? magnitude : max;
    }
    return (double)max;
}

static void widen(histogram *h)
{
    for (size_t i = 0; i < BINS / 2; i++)
        h->bins[i] = h->bins[2 * i] + h->bins[2 * i + 1];
    memset(h->bins + BINS / 2, 0, sizeof h->bins / 2);
    h->width *= 2;
}

static void histogram_add(histogram *h, const float *values, uint64_t count)
{
    double max = largest(values, count);
    h->max = fmax(h->max, max);
    if (h->width == 0 && max == 0) {
        h->zeros += count;
        return;
    }
    if (h->width == 0) {
        h->width = max / BINS;
        h->bins[0] = h->zeros;
    }
    while (max > h->width * BINS)
        widen(h);
    double scale = 1 / h->width;
    for (uint64_t i = 0; i < count; i++) {
        double position = fabs((double)values[i]) * scale;
        if (position <= BINS) /* neither NaN nor infinite */
            h->bins[position < BINS ? (size_t)position : BINS - 1]++;
    }
}

/* ---- Thresholds ---- */

/* Sums over the bins before each edge. */
typedef struct prefix {
    double mass, filled, mass_log; /* elements, bins that are not empty, elements * log(elements) */
} prefix;

static void sum_prefixes(const uint64_t *bins, size_t count, prefix *out)
{
    out[0] = (prefix){0};
    for (size_t i = 0; i < count; i++) {
        double mass = (double)bins[i];
        out[i + 1] = (prefix){out[i].mass + mass, out[i].filled + (mass > 0),
                              out[i].mass_log + (mass > 0 ? mass * log(mass) : 0)};
    }
}

/* Divergence sum(p log(p/q)) of the first `n` bins, with the rest added to the last of them, from their form in
 * LEVELS levels: a level's elements are spread evenly over its bins that are not empty, so that log q is one
 * number per level. What lies beyond has q = 1e-12 when the last bin is empty. */
static double divergence(const prefix *sums, size_t count, size_t n)
{
    const double tiny = 1e-12;
    double total_p = sums[count].mass, total_q = sums[n].mass, beyond = total_p - total_q;
    double last = total_q - sums[n - 1].mass, cross = 0;
    if (total_q == 0)
        return INFINITY;
    for (size_t level = 0; level < LEVELS; level++) {
        const prefix *begin = &sums[level * n / LEVELS], *end = &sums[(level + 1) * n / LEVELS];
        double mass = end->mass - begin->mass;
        double reached = mass + (level == LEVELS - 1 && last > 0 ? beyond : 0);
        if (mass > 0)
            cross += reached * log(mass / (end->filled - begin->filled) / total_q);
    }
    if (last == 0)
        cross += beyond * log(tiny);
    double moved = last + beyond, own = sums[n - 1].mass_log + (moved > 0 ? moved * log(moved) : 0);
    return (own - cross) / total_p - log(total_p);
}

static double entropy_threshold(const uint64_t *bins, size_t count, double width)
{
    double least = INFINITY;
    size_t best = count;
    uint64_t *work = pg_calloc(count, sizeof *work);
    prefix *sums = pg_calloc(count + 1, sizeof *sums);
    memcpy(work, bins, count * sizeof *work);
    if (count > 1)
        work[0] = work[1]; /* zeros (after Relu, of padding) are exact in int8 and say nothing about T */
    sum_prefixes(work, count, sums);
    for (size_t n = LEVELS; n <= count; n++) {
        double loss = divergence(sums, count, n);
        if (loss < least) {
            least = loss;
            best = n;
        }
    }
    free(sums);
    free(work);
    return (double)best * width;
}

static double quantile_threshold(const uint64_t *bins, size_t count, double width, double quantile)
{
    double total = 0, below = 0;
    for (size_t i = 0; i < count; i++)
        total += (double)bins[i];
    for (size_t i = 0; i < count; i++) {
        below += (double)bins[i];
        if (below >= quantile * total)
            return (double)(i + 1) * width;
    }
    return (double)count * width;
}

/* The power of what int8 up to `threshold` changes, as a part of the tensor's: within the range an even error of
 * one step, beyond it what is cut off. */
static double noise_of(const uint64_t *bins, size_t count, double width, double threshold)
{
    const double scale = threshold / 127;
    double signal = 0, noise = 0;
    for (size_t i = 0; i < count; i++) {
        const double x = ((double)i + 0.5) * width, n = (double)bins[i], beyond = x - threshold;
        signal += n * x * x;
        noise += n * (x < scale / 2 ? x * x : beyond > 0 ? beyond * beyond : scale * scale / 12);
    }
    return signal > 0 ? noise / signal : 0;
}

/* The divergence looks at the form of a histogram alone: of few or far-flung numbers it may cut off what matters.
 * Its cut is not taken when that loses several times what int8 over the whole range loses. */
static double guarded(const uint64_t *bins, size_t count, double width, double max)
{
    enum { WORSE = 4 };
    const double cut = fmin(entropy_threshold(bins, count, width), max);
    return noise_of(bins, count, width, cut) > WORSE * noise_of(bins, count, width, max) ? max : cut;
}

double pg_calibrate_threshold(const pg_calibrate_options *options, const uint64_t *bins, size_t count,
                              double width, double max)
{
    switch (options->calibrator) {
    case PG_CALIBRATOR_ENTROPY2:
    case PG_CALIBRATOR_ENTROPY:
        return guarded(bins, count, width, max);
    case PG_CALIBRATOR_LEGACY:
        return fmin(
            fmax(quantile_threshold(bins, count, width, options->quantile), options->regression_cutoff * max),
            max);
    default:
        return max;
    }
}

/* ---- Watching the runs ---- */

static pg_status see(calibration *c, pg_str name, const pg_value *value)
{
    size_t at = pg_map_index(&c->tensors, name);
    if (at == SIZE_MAX || value == NULL || value->kind != PG_VALUE_TENSOR ||
        !pg_dtype_is_float(value->tensor.dtype))
        return NULL;
    pg_tensor wide;
    PG_TRY(pg_tensor_cast(&value->tensor, PG_F32, NULL, &wide));
    if (c->tensors.entries[at].value == NULL)
        c->tensors.entries[at].value = PG_NEW(histogram);
    histogram_add(c->tensors.entries[at].value, wide.data, pg_tensor_count(&wide));
    pg_tensor_deinit(&wide);
    return NULL;
}

static pg_status see_node(void *context, const pg_node *node, const pg_value *const *inputs,
                          const pg_value *outputs, double seconds)
{
    calibration *c = context;
    (void)inputs;
    (void)seconds;
    for (size_t i = 0; i < node->n_outputs; i++)
        PG_TRY(see(c, node->outputs[i], &outputs[i]));
    return NULL;
}

static void list_tensors(calibration *c, const pg_graph *graph)
{
    for (size_t i = 0; i < graph->n_inputs; i++)
        pg_map_put(&c->tensors, graph->inputs[i].name, NULL);
    for (size_t n = 0; n < graph->n_nodes; n++)
        for (size_t i = 0; i < graph->nodes[n].n_outputs; i++)
            if (graph->nodes[n].outputs[i].len > 0 && !pg_str_is(graph->nodes[n].op_type, "Constant"))
                pg_map_put(&c->tensors, graph->nodes[n].outputs[i], NULL);
}

static pg_status run_one(calibration *c, pg_session *session, const pg_feed *feed)
{
    pg_feed outputs = {0};
    for (size_t i = 0; i < feed->count; i++)
        PG_TRY(see(c, pg_str_c(feed->items[i].name), &feed->items[i].value));
    PG_TRY(pg_session_run(session, feed, &outputs));
    pg_feed_deinit(&outputs);
    return NULL;
}

static pg_status run_all(calibration *c, pg_session *session, pg_feed_source source, void *context)
{
    for (size_t index = 0;; index++) {
        pg_feed feed = {0};
        bool end = false;
        PG_TRY(source(context, index, &feed, &end));
        if (end)
            return index > 0
                       ? NULL
                       : pg_err(PG_ERR_INVALID, "there are no inputs to calibrate with: the data loader "
                                                "gave no iteration");
        pg_status status = run_one(c, session, &feed);
        pg_feed_deinit(&feed);
        PG_TRY_CTX(status, "while calibrating with iteration %zu", index);
    }
}

static void choose(const calibration *c, const pg_calibrate_options *options, pg_scales *out)
{
    for (size_t i = 0; i < c->tensors.len; i++) {
        const histogram *h = c->tensors.entries[i].value;
        if (h == NULL || h->width == 0)
            continue;
        const double threshold = pg_calibrate_threshold(options, h->bins, BINS, h->width, h->max);
        const float scale = (float)(threshold / 127);
        if (scale <= 0)
            continue;
        pg_scales_put(out, c->tensors.entries[i].key, scale);
        out->items.items[out->items.len - 1].noise = noise_of(h->bins, BINS, h->width, threshold);
    }
}

pg_status pg_calibrate(pg_model *model, const pg_calibrate_options *options, pg_feed_source source,
                       void *context, pg_scales *out)
{
    calibration c = {0};
    pg_session *session;
    pg_native_options native = {.no_optimization = true, .threads = options->threads};
    PG_TRY(pg_session_new(model, &native, &session));
    c.observer = (pg_observer){&c, see_node};
    pg_session_observe(session, &c.observer);
    list_tensors(&c, model->graph);
    pg_status status = run_all(&c, session, source, context);
    if (status == NULL)
        choose(&c, options, out);
    pg_session_free(session);
    for (size_t i = 0; i < c.tensors.len; i++)
        free(c.tensors.entries[i].value);
    pg_map_deinit(&c.tensors);
    return status;
}
