#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "log/log.h"
#include "native/profile.h"
#include "tools/run/internal.h"

static pg_status add_runner(run_live *live, const run_args *args, const char *name, const pg_args_trt *trt,
                            pg_model *model, pg_arena *arena)
{
    pg_runner **out = &live->runners[live->count];
    const char *file = model == NULL ? trt->engine_file : NULL;
    if (strcmp(name, "trt") == 0 && run_is_native_engine(args, file))
        PG_TRY(run_new_engine_runner(args, file, model, arena, live, out));
    else if (strcmp(name, "trt") == 0 && args->trt.engine.refit_from != NULL)
        return pg_err(PG_ERR_UNSUPPORTED,
                      "option '--refit-from' is for stored engines of the built-in engine");
    else
        PG_TRY(pg_args_new_runner(name, &args->runners, &args->onnxrt, &args->native, trt, model, out));
    if (args->inference.subprocess)
        *out = pg_runner_in_process(*out);
    live->count++;
    return NULL;
}

pg_status run_live_new(run_live *live, const run_args *args, pg_model *model, pg_arena *arena)
{
    size_t count = args->runners.names.count;
    live->runners = PG_ARENA_ARRAY(arena, pg_runner *, count + 2);
    live->latencies = PG_ARENA_ARRAY(arena, run_latencies, count + 2);
    live->profiles = PG_ARENA_ARRAY(arena, struct pg_profile *, count + 2);
    live->profiled = args->native.profiles;
    for (size_t i = 0; i < count; i++)
        PG_TRY(add_runner(live, args, args->runners.names.items[i], &args->trt, model, arena));
    if (args->trt.engine.engine == NULL)
        return NULL;
    pg_args_trt *saved = PG_ARENA_NEW(arena, pg_args_trt); /* --trt-engine: one more runner */
    *saved = args->trt;
    saved->engine_file = args->trt.engine.engine;
    saved->options.refit_from = model;
    return add_runner(live, args, "trt", saved, NULL, arena);
}

void run_live_free(run_live *live)
{
    for (size_t i = 0; i < live->count; i++) {
        pg_runner_free(live->runners[i]);
        PG_VEC_FREE(&live->latencies[i].seconds);
        pg_profile_free(live->profiles[i]);
    }
    live->count = 0;
    pg_engine_unref(live->engine);
    live->engine = NULL;
}

pg_status run_live_activate(pg_runner *runner)
{
    PG_LOG(PG_START, "%-35s | Activating and starting inference", runner->name);
    return pg_runner_activate(runner);
}

static pg_status infer(pg_runner *runner, const pg_feed *feed, pg_feed *out)
{
    if (pg_interrupted())
        return pg_err(PG_ERR_INTERRUPTED, "stopped by Ctrl-C");
    pg_feed fitted = {0};
    pg_status status = pg_runner_fit(runner, feed, &fitted);
    if (status == NULL)
        status = pg_runner_infer(runner, &fitted, out);
    pg_feed_deinit(&fitted);
    return status;
}

pg_status run_live_warm_up(pg_runner *runner, size_t runs, const pg_feed *feed)
{
    if (runs == 0)
        return NULL;
    PG_LOG(PG_START, "%-35s | Running %zu warm-up run(s)", runner->name, runs);
    for (size_t i = 0; i < runs; i++) {
        pg_feed outputs = {0};
        PG_TRY(infer(runner, feed, &outputs));
        pg_feed_deinit(&outputs);
    }
    PG_LOG(PG_FINISH, "%-35s | Finished %zu warm-up run(s)", runner->name, runs);
    return NULL;
}

static void log_values(const pg_runner *runner, const pg_feed *outputs)
{
    if (!PG_LOG_ENABLED(PG_EXTRA_VERBOSE))
        return;
    pg_buf text = {0};
    run_describe_values(&text, outputs);
    PG_LOG(PG_EXTRA_VERBOSE, "%-35s | Inference Time: %.3f ms | Received outputs:%s", runner->name,
           runner->seconds * 1e3, pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

pg_status run_live_infer(run_live *live, size_t which, const pg_feed *feed, pg_iteration *out)
{
    pg_runner *runner = live->runners[which];
    run_profile_begin(live, which);
    PG_TRY(infer(runner, feed, &out->outputs));
    run_profile_end(live, which);
    out->has_runtime = true;
    out->runtime = runner->seconds;
    out->runner_name = pg_strndup(runner->name, strlen(runner->name));
    PG_VEC_PUSH(&live->latencies[which].seconds, runner->seconds);
    if (PG_LOG_ENABLED(PG_INFO)) {
        pg_buf text = {0};
        run_describe_feed(&text, &out->outputs);
        PG_LOG_ONCE(PG_INFO, "%-35s\n---- Inference Output(s) ----\n%s", runner->name, pg_buf_cstr(&text));
        pg_buf_deinit(&text);
    }
    log_values(runner, &out->outputs);
    return NULL;
}

/* ---- Latency ---- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear between the neighbours, as numpy's default. */
static double percentile(const double *sorted, size_t count, double fraction)
{
    double place = fraction * (double)(count - 1);
    size_t below = (size_t)place, above = PG_MIN(below + 1, count - 1);
    return sorted[below] + (sorted[above] - sorted[below]) * (place - (double)below);
}

static double total(const run_latencies *latencies)
{
    double sum = 0;
    for (size_t i = 0; i < latencies->seconds.len; i++)
        sum += latencies->seconds.items[i];
    return sum;
}

void run_live_log_completed(const run_live *live, size_t which)
{
    const run_latencies *latencies = &live->latencies[which];
    double milliseconds = total(latencies) * 1e3;
    size_t count = latencies->seconds.len;
    if (count > 0)
        PG_LOG(PG_FINISH, "%-35s | Completed %zu iteration(s) in %.4g ms | Average inference time: %.4g ms.",
               live->runners[which]->name, count, milliseconds, milliseconds / (double)count);
}

void run_live_latency(const run_live *live, size_t which, pg_report_run *out)
{
    const run_latencies *latencies = &live->latencies[which];
    size_t count = latencies->seconds.len;
    out->iterations = count;
    out->has_latency = count > 0;
    if (count == 0)
        return;
    double *sorted = pg_calloc(count, sizeof *sorted);
    memcpy(sorted, latencies->seconds.items, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_doubles);
    out->min = sorted[0];
    out->mean = total(latencies) / (double)count;
    out->p50 = percentile(sorted, count, 0.5);
    out->p90 = percentile(sorted, count, 0.9);
    out->p99 = percentile(sorted, count, 0.99);
    free(sorted);
}

static void log_latency(const run_live *live, size_t which)
{
    pg_report_run run = {0};
    run_live_latency(live, which, &run);
    if (run.iterations < 2)
        return;
    PG_LOG_INFO("%-35s | Latency of %zu iterations: min=%.4g ms, mean=%.4g ms, p50=%.4g ms, p90=%.4g ms, "
                "p99=%.4g ms",
                live->runners[which]->name, run.iterations, run.min * 1e3, run.mean * 1e3, run.p50 * 1e3,
                run.p90 * 1e3, run.p99 * 1e3);
}

static void log_memory(const pg_runner *runner)
{
    const struct pg_session *session = pg_runner_native_session(runner);
    if (session != NULL)
        PG_LOG_VERBOSE("%-35s | Peak memory of tensors, without weights: %.2f MiB", runner->name,
                       (double)pg_session_peak_bytes(session) / 0x1p20);
}

void run_live_log_end(const run_live *live, size_t which, const run_args *args)
{
    log_latency(live, which);
    log_memory(live->runners[which]);
    run_profile_log(live, which, args->native.profile_rows);
}
