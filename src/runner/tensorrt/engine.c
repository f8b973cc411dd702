/* Engines from bytes. */
#include "runner/tensorrt/internal.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/log.h"

/* ---- Bytes ---- */

static pg_status save(const pg_trt_engine *self, const char *path)
{
    PG_LOG(PG_FINISH, "Saving engine to %s", path);
    return pg_file_write(path, (pg_str){self->bytes, self->size});
}

/* The engine is written to memory that this process shares with the child that builds. */
static pg_status build(pg_trt_engine *self, pg_model *model, const pg_trt_options *options)
{
    struct stat info;
    int fd = memfd_create("engine", MFD_CLOEXEC);
    if (fd < 0)
        return pg_err_errno(PG_ERR_IO, errno, "could not make room for the engine");
    pg_status status = pg_trt_build(model, options, fd);
    if (status == NULL && (fstat(fd, &info) != 0 || info.st_size == 0))
        status = pg_err(PG_ERR_RUNTIME, "the engine that was built is empty");
    if (status == NULL) {
        self->size = (size_t)info.st_size;
        self->bytes = mmap(NULL, self->size, PROT_READ, MAP_SHARED, fd, 0);
        if (self->bytes == MAP_FAILED)
            status = pg_err_errno(PG_ERR_NO_MEMORY, errno, "could not map the engine");
        if (self->bytes == MAP_FAILED)
            self->bytes = NULL;
    }
    close(fd);
    if (status == NULL && options->save_engine != NULL)
        status = save(self, options->save_engine);
    return status;
}

static void drop_bytes(pg_trt_engine *self)
{
    if (self->file.data == NULL && self->bytes != NULL)
        munmap(self->bytes, self->size);
    pg_file_map_close(&self->file);
    self->bytes = NULL;
}

static pg_status read_file(pg_trt_engine *self, const char *path)
{
    PG_LOG_INFO("Loading bytes from %s", path);
    PG_TRY(pg_file_map_open(path, &self->file));
    self->bytes = (void *)(uintptr_t)self->file.data;
    self->size = self->file.size;
    return self->size > 0 ? NULL : pg_err(PG_ERR_INVALID, "the engine '%s' is empty", path);
}

/* ---- The engine ---- */

static pg_status create_runtime(pg_trt_engine *self, const pg_trt_options *options)
{
    pg_trt *trt = self->trt;
    self->runtime = trt->create_runtime(&trt->logger, trt->number);
    if (self->runtime == NULL)
        return pg_trt_failed(trt, "create a runtime");
    TRT_CALL(trt, runtime_set_error_recorder, self->runtime, &trt->errors);
    int32_t threads = TRT_CALL(trt, runtime_get_max_threads, self->runtime);
    if (!TRT_CALL(trt, runtime_set_max_threads, self->runtime, threads + 1) ||
        TRT_CALL(trt, runtime_get_max_threads, self->runtime) != threads + 1)
        return pg_err(PG_ERR_UNSUPPORTED,
                      "%s %s in '%s' does not answer as its version should (a runtime's threads)",
                      trt->product, trt->version, trt->core.path);
    TRT_CALL(trt, runtime_set_max_threads, self->runtime, threads);
    TRT_CALL(trt, runtime_set_host_code_allowed, self->runtime, true);
    if (options->load_runtime == NULL)
        return NULL;
    self->lean = TRT_CALL(trt, runtime_load_runtime, self->runtime, options->load_runtime);
    return self->lean != NULL ? NULL
                              : pg_status_context(pg_trt_failed(trt, "load the runtime library"),
                                                  "'%s', of --load-runtime", options->load_runtime);
}

static pg_status set_streaming_budget(pg_trt_engine *self, const pg_trt_options *options)
{
    pg_trt *trt = self->trt;
    double budget = options->streaming_budget;
    if (!options->has_streaming_budget)
        return NULL;
    int64_t all = TRT_CALL(trt, engine_streamable_weights, self->engine);
    if (all <= 0)
        return pg_err(PG_ERR_INVALID,
                      "option '--weight-streaming-budget': the engine streams no weights: build it "
                      "with --weight-streaming");
    int64_t bytes = options->streaming_percent ? (int64_t)((double)all * budget / 100)
                    : budget == -1 ? TRT_CALL(trt, engine_automatic_streaming_budget, self->engine)
                    : budget == -2 ? all
                                   : (int64_t)budget;
    PG_LOG_INFO("Weight streaming is enabled with a budget of %.2f MiB of %.2f MiB of weights",
                (double)bytes / 0x1p20, (double)all / 0x1p20);
    return TRT_CALL(trt, engine_set_streaming_budget, self->engine, bytes)
               ? NULL
               : pg_trt_failed(trt, "set the budget of streamed weights");
}

static pg_status deserialize(pg_trt_engine *self, const char *path, const pg_trt_options *options)
{
    pg_trt *trt = self->trt;
    trt_object *runtime = self->lean != NULL ? self->lean : self->runtime;
    self->engine = TRT_CALL(trt, runtime_deserialize, runtime, self->bytes, self->size);
    if (self->engine == NULL) {
        pg_status status = pg_trt_failed(trt, "load the engine");
        return path == NULL ? status
                            : pg_status_context(status,
                                                "in '%s': an engine belongs to the library, its version and "
                                                "the GPU it was built for",
                                                path);
    }
    if (TRT_CALL(trt, engine_n_io, self->engine) < 1)
        return pg_err(PG_ERR_UNSUPPORTED, "the engine has no inputs and outputs");
    return set_streaming_budget(self, options);
}

pg_status pg_trt_engine_open(pg_trt_engine *self, pg_model *model, const char *path,
                             const pg_trt_options *options)
{
    *self = (pg_trt_engine){0};
    PG_TRY(model != NULL ? build(self, model, options) : read_file(self, path));
    PG_TRY(pg_cuda_get(&self->cuda));
    PG_TRY(pg_trt_get(options->library, &self->trt));
    PG_TRY(create_runtime(self, options));
    PG_TRY(deserialize(self, path, options));
    drop_bytes(self);
    return NULL;
}

void pg_trt_engine_close(pg_trt_engine *self)
{
    trt_delete(self->engine);
    trt_delete(self->lean);
    trt_delete(self->runtime);
    drop_bytes(self);
    *self = (pg_trt_engine){0};
}

pg_type pg_trt_io_type(const pg_trt_engine *self, const char *name, pg_arena *arena)
{
    trt_dims dims = TRT_CALL(self->trt, engine_shape, self->engine, name);
    return pg_trt_tensor_type(arena, pg_trt_dtype(TRT_CALL(self->trt, engine_dtype, self->engine, name)),
                              &dims);
}
