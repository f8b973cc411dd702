/* Extra runs of the built-in engine, beside the runners that were asked for. */
#include "log/log.h"
#include "tools/run/internal.h"

pg_status run_probe_open(run_probe *probe, const run_args *args, pg_model *model,
                         const pg_native_options *options)
{
    *probe = (run_probe){.runner = pg_runner_native_new(model, options)};
    PG_TRY(pg_runner_activate(probe->runner));
    return run_source_open(&probe->source, args, probe->runner, NULL);
}

pg_status run_probe_infer(run_probe *probe, size_t index, const pg_observer *observer, pg_feed *out)
{
    pg_feed feed = {0}, fitted = {0};
    pg_status status = run_source_get(&probe->source, index, &feed);
    if (status == NULL)
        status = pg_runner_fit(probe->runner, &feed, &fitted);
    pg_session_observe(pg_runner_native_session(probe->runner), observer);
    if (status == NULL)
        status = pg_runner_infer(probe->runner, &fitted, out);
    pg_session_observe(pg_runner_native_session(probe->runner), NULL);
    pg_feed_deinit(&fitted);
    pg_feed_deinit(&feed);
    return status;
}

void run_probe_close(run_probe *probe)
{
    run_source_close(&probe->source);
    pg_runner_free(probe->runner);
    probe->runner = NULL;
}

pg_status run_probe_watch(const run_args *args, pg_model *model, size_t index, pg_watch *watch)
{
    run_probe probe;
    pg_feed outputs = {0};
    const pg_native_options options = {.threads = args->runners.threads, .no_optimization = true};
    pg_status status = run_probe_open(&probe, args, model, &options);
    if (status == NULL)
        status = run_probe_infer(&probe, index, pg_watch_observer(watch), &outputs);
    pg_feed_deinit(&outputs);
    run_probe_close(&probe);
    return status;
}
