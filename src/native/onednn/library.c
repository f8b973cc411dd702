/* Finding and loading oneDNN. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/onednn/api.h"
#include "native/onednn/onednn.h"

#define ROW(field, symbol)                            \
    {                                                 \
        symbol, offsetof(dnn_functions, field), false \
    }
static const pg_dylib_symbol symbols[] = {
    ROW(version, "dnnl_version"),
    ROW(engine_create, "dnnl_engine_create"),
    ROW(stream_create, "dnnl_stream_create"),
    ROW(stream_wait, "dnnl_stream_wait"),
    ROW(desc_with_tag, "dnnl_memory_desc_create_with_tag"),
    ROW(desc_with_strides, "dnnl_memory_desc_create_with_strides"),
    ROW(desc_destroy, "dnnl_memory_desc_destroy"),
    ROW(desc_size, "dnnl_memory_desc_get_size"),
    ROW(memory_create, "dnnl_memory_create"),
    ROW(memory_set, "dnnl_memory_set_data_handle"),
    ROW(memory_destroy, "dnnl_memory_destroy"),
    ROW(convolution, "dnnl_convolution_forward_primitive_desc_create"),
    ROW(reorder, "dnnl_reorder_primitive_desc_create"),
    ROW(query_desc, "dnnl_primitive_desc_query_md"),
    ROW(primitive_desc_destroy, "dnnl_primitive_desc_destroy"),
    ROW(primitive_create, "dnnl_primitive_create"),
    ROW(primitive_execute, "dnnl_primitive_execute"),
    ROW(primitive_destroy, "dnnl_primitive_destroy"),
    ROW(attr_create, "dnnl_primitive_attr_create"),
    ROW(attr_destroy, "dnnl_primitive_attr_destroy"),
    ROW(attr_set_post_ops, "dnnl_primitive_attr_set_post_ops"),
    ROW(post_ops_create, "dnnl_post_ops_create"),
    ROW(post_ops_destroy, "dnnl_post_ops_destroy"),
    ROW(post_ops_eltwise, "dnnl_post_ops_append_eltwise"),
    ROW(post_ops_binary, "dnnl_post_ops_append_binary"),
    {"omp_set_num_threads", offsetof(dnn_functions, omp_set_num_threads), true},
};

static struct {
    pthread_mutex_t lock;
    bool tried, usable, wanted;
    char *path; /* configured */
    char reason[512], version[32];
    dnn_library library;
    unsigned threads; /* set last */
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

void pg_onednn_configure(const char *path, bool wanted)
{
    pthread_mutex_lock(&state.lock);
    if (!state.tried) {
        free(state.path);
        state.path = path != NULL ? pg_strndup(path, strlen(path)) : NULL;
        state.wanted = wanted;
    }
    pthread_mutex_unlock(&state.lock);
}

pg_status dnn_check(int status, const char *what)
{
    static const char *const names[] = {"success",       "out of memory",     "invalid arguments",
                                        "unimplemented", "last impl reached", "runtime error",
                                        "not required"};
    if (status == 0)
        return NULL;
    return pg_err(PG_ERR_RUNTIME, "oneDNN: %s: %s (status %d)", what,
                  status > 0 && (size_t)status < PG_COUNT(names) ? names[status] : "unknown", status);
}

/* The library of one path, checked; closed again when it is of no use. */
static pg_status open_path(const char *path)
{
    pg_dylib file;
    dnn_library *l = &state.library;
    PG_TRY(pg_dylib_open(&file, path));
    pg_status status = pg_dylib_load(&file, symbols, PG_COUNT(symbols), &l->call);
    if (status == NULL) {
        l->version = *l->call.version();
        if (l->version.major != 3)
            status = pg_err(PG_ERR_UNAVAILABLE, "'%s' is oneDNN %d.%d, version 3 is needed", path,
                            l->version.major, l->version.minor);
    }
    if (status == NULL)
        status = dnn_check(l->call.engine_create(&l->engine, DNN_CPU, 0), "creating an engine");
    if (status == NULL)
        status = dnn_check(l->call.stream_create(&l->stream, l->engine, 1), "creating a stream");
    if (status != NULL)
        pg_dylib_close(&file);
    else
        free(file.path); /* the library stays loaded */
    return status;
}

static pg_status open_found(void)
{
    /* The package installs into <prefix>/lib, two folders above site-packages. */
    char *found = pg_dylib_find_in_site_packages("../../libdnnl.so.3");
    pg_status status = NULL;
    if (found != NULL) {
        status = open_path(found);
        free(found);
        if (status == NULL)
            return NULL;
    }
    pg_status_drop(status);
    return open_path("libdnnl.so.3");
}

static pg_status open_library(void)
{
    const char *variable = getenv("POLYGRAPHY_ONEDNN");
    /* Its threads shall sleep when they are done, not spin on the processors that ours go on with: with waiting
     * threads a network of both takes two to three times as long. */
    setenv("OMP_WAIT_POLICY", "passive", 0);
    if (state.path != NULL)
        return open_path(state.path);
    if (variable != NULL && strcmp(variable, "off") == 0)
        return pg_err(PG_ERR_UNAVAILABLE, "POLYGRAPHY_ONEDNN is off");
    if (variable != NULL && variable[0] != '\0' && strcmp(variable, "auto") != 0)
        return open_path(variable);
    if (variable == NULL && !state.wanted)
        return pg_err(PG_ERR_UNAVAILABLE, "oneDNN was not asked for: set POLYGRAPHY_ONEDNN=auto");
    return open_found();
}

const dnn_library *dnn_get(void)
{
    pthread_mutex_lock(&state.lock);
    if (!state.tried) {
        state.tried = true;
        pg_status status = open_library();
        state.usable = status == NULL;
        snprintf(state.reason, sizeof state.reason, "%s", pg_status_message(status));
        pg_status_drop(status);
        const dnn_version *v = &state.library.version;
        snprintf(state.version, sizeof state.version, "%d.%d.%d", v->major, v->minor, v->patch);
    }
    pthread_mutex_unlock(&state.lock);
    return state.usable ? &state.library : NULL;
}

bool pg_onednn_available(void)
{
    return dnn_get() != NULL;
}

const char *pg_onednn_version(void)
{
    return dnn_get() != NULL ? state.version : NULL;
}

const char *pg_onednn_reason(void)
{
    return dnn_get() == NULL ? state.reason : NULL;
}

void dnn_use_threads(const dnn_library *library)
{
    const unsigned threads = pg_threads();
    if (state.threads == threads || library->call.omp_set_num_threads == NULL)
        return;
    library->call.omp_set_num_threads((int)threads);
    state.threads = threads;
}
