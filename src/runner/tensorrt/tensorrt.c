/* The TensorRT runner. */
#include "runner/tensorrt/tensorrt.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "log/log.h"
#include "runner/tensorrt/internal.h"

typedef struct trt_runner {
    pg_runner base;
    pg_model *model; /* counted; NULL for an engine from a file */
    char *path;      /* owned; of that file */
    const pg_trt_options *options;

    /* While active */
    pg_trt_engine engine;
    pg_trt_context *context;
} trt_runner;

/* ---- Times of layers ---- */

static int by_time(const void *a, const void *b)
{
    const pg_trt_layer_time *x = a, *y = b;
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static void log_layers(const trt_runner *self)
{
    const pg_trt_profiler *profiler = pg_trt_context_profiler(self->context);
    if (profiler == NULL || profiler->layers.len == 0)
        return;
    size_t count = profiler->layers.len, shown = PG_MIN(count, self->options->profile_rows);
    pg_trt_layer_time *sorted = pg_calloc(count, sizeof *sorted);
    double total = 0;
    pg_buf text = {0};
    memcpy(sorted, profiler->layers.items, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_time);
    for (size_t i = 0; i < count; i++)
        total += sorted[i].seconds;
    for (size_t i = 0; i < shown; i++)
        pg_buf_printf(&text, "\n%10.4f ms  %5.1f%%  %s", sorted[i].seconds / (double)sorted[i].count * 1e3,
                      total > 0 ? sorted[i].seconds / total * 100 : 0, sorted[i].name);
    PG_LOG_INFO("%-35s | %zu of %zu layers by mean time:%s", self->base.name, shown, count,
                pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    free(sorted);
}

/* ---- Life cycle ---- */

static void deactivate(pg_runner *runner)
{
    trt_runner *self = (trt_runner *)runner;
    if (self->context != NULL)
        log_layers(self);
    pg_trt_context_free(self->context);
    self->context = NULL;
    pg_trt_engine_close(&self->engine);
}

static pg_status activate(pg_runner *runner)
{
    trt_runner *self = (trt_runner *)runner;
    pg_status status = pg_trt_engine_open(&self->engine, self->model, self->path, self->options);
    if (status == NULL)
        status = pg_trt_refit(&self->engine, self->model != NULL ? self->model : self->options->refit_from);
    if (status == NULL)
        status = pg_trt_context_new(&self->engine, self->options, &self->context);
    if (status == NULL)
        pg_runner_set_runtime(runner, self->engine.trt->product, self->engine.trt->version);
    else
        deactivate(runner);
    return status;
}

static pg_io_list inputs(pg_runner *runner)
{
    return pg_trt_context_inputs(((trt_runner *)runner)->context);
}

static pg_io_list outputs(pg_runner *runner)
{
    return pg_trt_context_outputs(((trt_runner *)runner)->context);
}

static pg_status infer(pg_runner *runner, const pg_feed *feed, pg_feed *out)
{
    uint64_t start = pg_clock_ns();
    PG_TRY(pg_trt_context_infer(((trt_runner *)runner)->context, feed, out));
    runner->seconds = pg_clock_seconds_since(start);
    return NULL;
}

static void destroy(pg_runner *runner)
{
    trt_runner *self = (trt_runner *)runner;
    pg_model_unref(self->model);
    free(self->path);
    free(self);
}

static const pg_runner_ops trt_ops = {"trt-runner", activate, inputs, outputs, infer, deactivate, destroy};

pg_runner *pg_runner_trt_new(pg_model *model, const char *engine, const pg_trt_options *options)
{
    trt_runner *self = PG_NEW(trt_runner);
    pg_runner_init(&self->base, &trt_ops);
    self->model = model != NULL ? pg_model_ref(model) : NULL;
    self->path = engine != NULL ? pg_strndup(engine, strlen(engine)) : NULL;
    self->options = options;
    return &self->base;
}
