/* Engines from models, built in a child process. */
#include "runner/tensorrt/internal.h"

#include <errno.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "log/log.h"

typedef struct build {
    pg_model *model;
    const pg_trt_options *options;
    int fd; /* where the engine goes */
} build;

static pg_status write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, bytes, PG_MIN(size, (size_t)1 << 30));
        if (done < 0 && errno != EINTR)
            return pg_err_errno(PG_ERR_IO, errno, "could not write the engine");
        if (done > 0) {
            bytes += done;
            size -= (size_t)done;
        }
    }
    return NULL;
}

static pg_status save_timing_cache(pg_trt *trt, trt_object *config, const char *path)
{
    const trt_object *cache = path != NULL ? TRT_CALL(trt, config_get_timing_cache, config) : NULL;
    if (path == NULL)
        return NULL;
    trt_object *memory = cache != NULL ? TRT_CALL(trt, timing_cache_serialize, cache) : NULL;
    if (memory == NULL)
        return pg_trt_failed(trt, "save its timing cache");
    pg_status status =
        pg_file_write(path, (pg_str){TRT_CALL(trt, memory_data, memory), TRT_CALL(trt, memory_size, memory)});
    trt_delete(memory);
    return status;
}

/* Exporters write "?" for sizes they do not know, and the library takes equal names for equal sizes. */
static pg_status explain(pg_trt_network *network, pg_status status)
{
    pg_trt *trt = network->trt;
    size_t unknown = 0;
    for (int32_t i = 0; i < TRT_CALL(trt, network_n_inputs, network->network); i++) {
        trt_object *input = TRT_CALL(trt, network_input, network->network, i);
        trt_dims dims = TRT_CALL(trt, tensor_dims, input);
        for (int32_t d = 0; d < dims.rank; d++) {
            const char *name = TRT_CALL(trt, tensor_dim_name, input, d);
            unknown += name != NULL && strcmp(name, "?") == 0;
        }
    }
    if (unknown < 2)
        return status;
    return pg_status_context(
        status,
        "the model gives %zu sizes of its inputs the name '?': the library takes them for "
        "equal, so give them equal sizes, or the model other names",
        unknown);
}

static pg_status take_failure(pg_trt_network *network)
{
    pg_status *places[] = {&network->selector.failed, &network->calibrator.failed};
    for (size_t i = 0; i < PG_COUNT(places); i++) {
        pg_status failed = *places[i];
        *places[i] = NULL;
        if (failed != NULL)
            return failed;
    }
    return NULL;
}

static pg_status serialize(pg_trt_network *network, trt_object *config, int fd)
{
    pg_trt *trt = network->trt;
    uint64_t start = pg_clock_ns();
    trt_object *memory = TRT_CALL(trt, builder_build, network->builder, network->network, config);
    /* What went wrong in a call of the library's comes before what the library says about it. */
    pg_status failed = take_failure(network);
    if (failed != NULL)
        trt_delete(memory);
    if (failed != NULL)
        return failed;
    if (memory == NULL)
        return explain(network, pg_trt_failed(trt, "build the engine"));
    PG_LOG(PG_FINISH, "Finished engine building in %.3f seconds", pg_clock_seconds_since(start));
    pg_status status = write_all(fd, TRT_CALL(trt, memory_data, memory), TRT_CALL(trt, memory_size, memory));
    trt_delete(memory);
    return status;
}

static pg_status configure_and_build(pg_trt_network *network, const build *work)
{
    trt_object *config = NULL;
    pg_trt_progress progress;
    pg_status status = NULL;
    PG_TRY_GOTO(status, pg_trt_config_new(network, work->options, &config));
    pg_trt_progress_init(&progress);
    TRT_CALL(network->trt, config_set_progress_monitor, config, &progress);
    PG_TRY_GOTO(status, serialize(network, config, work->fd));
    PG_TRY_GOTO(status, pg_trt_selector_save(&network->selector));
    status = save_timing_cache(network->trt, config, work->options->save_timing_cache);
done:
    trt_delete(config);
    return status;
}

static pg_status build_here(void *context, pg_buf *out)
{
    build *work = context;
    pg_trt_network network;
    (void)out;
    pg_status status = pg_trt_network_init(&network, work->model, work->options);
    if (status == NULL)
        status = configure_and_build(&network, work);
    pg_trt_network_deinit(&network);
    return status;
}

pg_status pg_trt_build(pg_model *model, const pg_trt_options *options, int fd)
{
    build work = {model, options, fd};
    pg_buf out = {0};
    if (pg_cuda_is_open())
        return build_here(&work, &out); /* what holds the driver cannot be copied */
    pg_status status = pg_child_call("the engine builder", build_here, &work, &out);
    pg_buf_deinit(&out);
    return status;
}

pg_status pg_trt_build_file(pg_model *model, const pg_trt_options *options, const char *path)
{
    pg_writer writer;
    PG_TRY(pg_writer_open(&writer, path));
    pg_status status = pg_trt_build(model, options, writer.fd);
    if (status != NULL) {
        pg_writer_abandon(&writer);
        return status;
    }
    PG_LOG(PG_FINISH, "Saving engine to %s", path);
    return pg_writer_commit(&writer);
}

/* ---- Looking at a network ---- */

typedef struct view {
    pg_model *model;
    const pg_trt_options *options;
    const pg_trt_text_options *show;
} view;

static pg_status describe_here(void *context, pg_buf *out)
{
    view *work = context;
    pg_trt_network network;
    pg_status status = pg_trt_network_init(&network, work->model, work->options);
    if (status == NULL)
        pg_trt_network_describe(&network, work->show, out);
    pg_trt_network_deinit(&network);
    return status;
}

pg_status pg_trt_network_text(pg_model *model, const pg_trt_options *options, const pg_trt_text_options *show,
                              pg_buf *out)
{
    view work = {model, options, show};
    return pg_child_call("the ONNX parser", describe_here, &work, out);
}
