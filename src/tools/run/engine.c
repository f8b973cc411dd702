/* Engines that the built-in engine runs: built from the model, or loaded. */
#include <stdlib.h>
#include <unistd.h>

#include "log/log.h"
#include "tools/run/internal.h"

bool run_is_native_engine(const run_args *args, const char *file)
{
    return args->trt.library.choice == PG_TRT_NATIVE ||
           (file != NULL ? pg_engine_is_plan(file) : pg_args_trt_is_native(&args->trt));
}

static pg_status load(const char *path, pg_engine **out)
{
    PG_LOG_INFO("Loading engine from %s", path);
    return pg_engine_load(path, out);
}

/* Weights are streamed from a file: that of --save-engine, or one that nobody else sees. */
static pg_status from_file(const char *saved, pg_engine **engine)
{
    pg_engine *loaded = NULL;
    pg_buf path = {0};
    pg_status status = NULL;
    if (saved != NULL) {
        status = pg_engine_load(saved, &loaded);
    } else {
        const char *folder = getenv("TMPDIR");
        pg_buf_printf(&path, "%s/polygraphy-%ld.engine", folder != NULL ? folder : "/tmp", (long)getpid());
        status = pg_engine_save(*engine, pg_buf_cstr(&path));
        if (status == NULL)
            status = pg_engine_load(pg_buf_cstr(&path), &loaded);
        unlink(pg_buf_cstr(&path));
    }
    pg_buf_deinit(&path);
    if (status != NULL)
        return status;
    pg_engine_unref(*engine);
    *engine = loaded;
    return NULL;
}

static pg_status build(const run_args *args, pg_model *model, pg_arena *arena, pg_engine **out)
{
    pg_args_build options = {.model = &args->model,
                             .data = &args->data,
                             .trt = &args->trt,
                             .threads = args->runners.threads,
                             .onednn = args->native.options.onednn,
                             .no_onednn = args->native.options.no_onednn};
    if (args->trt.library.choice != PG_TRT_NATIVE)
        PG_LOG_WARNING("No TensorRT was found: the built-in engine stands in for it.");
    PG_TRY(pg_args_build_engine(&options, model, arena, out));
    pg_status status = NULL;
    if (args->trt.save.engine != NULL) {
        PG_LOG_INFO("Saving engine to %s", args->trt.save.engine);
        status = pg_engine_save(*out, args->trt.save.engine);
    }
    if (status == NULL && pg_args_engine_streams(&args->trt))
        status = from_file(args->trt.save.engine, out);
    if (status != NULL) {
        pg_engine_unref(*out);
        *out = NULL;
    }
    return status;
}

pg_status run_new_engine_runner(const run_args *args, const char *file, pg_model *model, pg_arena *arena,
                                run_live *live, pg_runner **out)
{
    pg_engine *engine = NULL;
    size_t profile = args->trt.inference.profile.set ? (size_t)args->trt.inference.profile.value : 0;
    pg_native_options options = args->native.options;
    options.threads = args->runners.threads;
    if (file == NULL && args->trt.engine.refit_from != NULL && args->trt.engine.engine == NULL)
        return pg_err(PG_ERR_INVALID, "option '--refit-from' needs a stored engine of the built-in engine");
    PG_TRY(file != NULL ? load(file, &engine) : build(args, model, arena, &engine));
    pg_status status = file != NULL ? pg_args_engine_refit(&args->trt, args->runners.threads, &engine) : NULL;
    if (status == NULL)
        status = pg_args_engine_use(&args->trt, engine);
    if (status == NULL && profile >= engine->n_profiles)
        status =
            pg_err(PG_ERR_INVALID,
                   "option '--optimization-profile': the engine has %zu profiles; there is no profile %zu",
                   engine->n_profiles, profile);
    else if (status == NULL)
        *out = pg_runner_trt_native_new(engine, profile, &options);
    if (status == NULL && live->engine == NULL)
        live->engine = pg_engine_ref(engine);
    pg_engine_unref(engine);
    return status;
}
