#include <string.h>

#include "args/args.h"

enum { MAX_THREADS = 4096 };

#define RUNNER(names_, help_, flags_)                                                    \
    {                                                                                    \
        names_, PG_FIELD(pg_args_runners, names), .arity = PG_ARITY_NONE, .help = help_, \
                                                  .flags = PG_OPTION_APPEND | (flags_)   \
    }

static const pg_option rows[] = {
    {"--tf", .type = PG_ARG_FLAG, .missing = "the TensorFlow runtime", .help = "run with TensorFlow"},
    RUNNER("--onnxrt", "run with ONNX Runtime", 0),
    {"--pluginref", .type = PG_ARG_FLAG, .missing = "the plugin reference runner",
     .help = "run with the CPU reference of plugins"},
    RUNNER("--trt", "run with TensorRT; where there is none, the built-in engine stands in", 0),
    RUNNER("--native", "run with the built-in engine", PG_OPTION_OURS),
    RUNNER("--onnx", "the same as --native", PG_OPTION_OURS),
    {"--threads", PG_FIELD(pg_args_runners, threads_text), .metavar = "N", .flags = PG_OPTION_OURS,
     .default_text = "all processors this process may use",
     .help = "threads of the runners that work on the CPU"},
};

static pg_status finish(void *values, pg_arena *arena)
{
    pg_args_runners *args = values;
    int64_t threads = args->threads_text.value;
    if (threads < 0 || threads > MAX_THREADS)
        return pg_err(PG_ERR_INVALID, "option '--threads': %lld is not between 0 and %d", (long long)threads,
                      MAX_THREADS);
    args->threads = (unsigned)threads;
    return NULL;
}

const pg_group pg_group_runners = {"Runners", rows, PG_COUNT(rows),
                                   "They run in the order of the command line and may repeat.", finish};

static pg_status new_trt(const pg_args_trt *trt, pg_model *model, pg_runner **out)
{
    static const pg_trt_options defaults = {0};
    pg_arena arena = {0};
    pg_status status = trt != NULL ? pg_args_trt_require(trt, &arena) : pg_trt_find(PG_TRT_AUTO);
    if (status == NULL)
        *out = pg_runner_trt_new(model, model == NULL ? trt->engine_file : NULL,
                                 trt != NULL ? &trt->options : &defaults);
    else if (model == NULL)
        status = pg_status_context(status, "to run '%s'", trt->engine_file);
    pg_arena_deinit(&arena);
    return status;
}

pg_status pg_args_new_runner(const char *name, const pg_args_runners *runners, const pg_args_onnxrt *onnxrt,
                             const pg_args_native *native, const pg_args_trt *trt, pg_model *model,
                             pg_runner **out)
{
    pg_onnxrt_options onnxrt_options = onnxrt->options;
    pg_native_options native_options = native->options;
    onnxrt_options.threads = native_options.threads = runners->threads;
    if (strcmp(name, "trt") == 0)
        return new_trt(trt, model, out);
    if (model == NULL)
        return pg_err(PG_ERR_INVALID, "the runner '--%s' cannot run an engine of TensorRT: only --trt can",
                      name);
    if (strcmp(name, "onnxrt") == 0)
        *out = pg_runner_onnxrt_new(model, &onnxrt_options);
    else
        *out = pg_runner_native_new(model, &native_options);
    return NULL;
}
