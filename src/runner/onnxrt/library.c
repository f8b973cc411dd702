/* Finding, opening and checking the ONNX Runtime library, its environment, and its errors. */
#include "runner/onnxrt/internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "log/log.h"

#define LIBRARY_STEM "libonnxruntime.so"
#define LIBRARY_PATTERN LIBRARY_STEM "*"
#define PATH_VARIABLE "POLYGRAPHY_ONNXRUNTIME"
#define INSTALL_HINT \
    "install it with 'python3 -m pip install onnxruntime', or name the library in " PATH_VARIABLE

enum { OLDEST_MINOR = ORT_API_VERSION_USED };

/* ---- Slots ---- */

typedef struct slot_row {
    unsigned slot;
    size_t offset;
} slot_row;

#define SLOT_ROW(slot, result, name, arguments) {slot, offsetof(ort_api, name)},
static const slot_row slot_rows[] = {ORT_SLOTS(SLOT_ROW)};
#undef SLOT_ROW

static void fill_api(ort_api *api, void *const *table)
{
    for (size_t i = 0; i < PG_COUNT(slot_rows); i++)
        memcpy((char *)api + slot_rows[i].offset, &table[slot_rows[i].slot], sizeof(void *));
}

/* ---- The listener ---- */

static pthread_mutex_t listener_lock = PTHREAD_MUTEX_INITIALIZER;
static const pg_onnxrt_listener *listener;

void pg_onnxrt_listen(const pg_onnxrt_listener *new_listener)
{
    pthread_mutex_lock(&listener_lock);
    listener = new_listener;
    pthread_mutex_unlock(&listener_lock);
}

static void tell(pg_str text, bool refusal)
{
    pthread_mutex_lock(&listener_lock);
    if (listener != NULL)
        (refusal ? listener->refusal : listener->log)(listener->context, text);
    pthread_mutex_unlock(&listener_lock);
}

/* ---- Errors ---- */

pg_status pg_ort_status(const pg_ort *ort, ort_status *status)
{
    if (status == NULL)
        return NULL;
    pg_code code = PG_ERR_RUNTIME;
    switch (ort->api.error_code(status)) {
    case ORT_NO_SUCH_FILE:
        code = PG_ERR_NOT_FOUND;
        break;
    case ORT_NOT_IMPLEMENTED:
        code = PG_ERR_UNSUPPORTED;
        break;
    default:
        break;
    }
    pg_str text = pg_str_c(ort->api.error_message(status));
    tell(text, true);
    text = pg_str_trim(text);
    pg_status error = pg_err(code, "ONNX Runtime: %" PG_STR_FMT, PG_STR_ARG(text));
    ort->api.release_status(status);
    return error;
}

/* ---- Log ---- */

/* The runtime's errors also come back as statuses, so its log is for those who ask for details. */
static pg_severity severity_of(int severity)
{
    switch (severity) {
    case ORT_LOG_VERBOSE:
        return PG_ULTRA_VERBOSE;
    case ORT_LOG_INFO:
        return PG_SUPER_VERBOSE;
    default:
        return PG_VERBOSE;
    }
}

static void on_log(void *context, int severity, const char *category, const char *log_id,
                   const char *location, const char *message)
{
    (void)context, (void)category, (void)log_id;
    if (severity >= ORT_LOG_WARNING)
        tell(pg_str_c(message), false);
    PG_LOG(severity_of(severity), "ONNX Runtime | %s [%s]", message, location);
}

/* Lines below this are not even formatted by the runtime. */
static int log_threshold(void)
{
    if (PG_LOG_ENABLED(PG_ULTRA_VERBOSE))
        return ORT_LOG_VERBOSE;
    if (PG_LOG_ENABLED(PG_SUPER_VERBOSE))
        return ORT_LOG_INFO;
    return ORT_LOG_WARNING; /* the listener may want them */
}

/* ---- Search ---- */

/* The highest version in a folder; NULL when there is none. */
static char *library_in_folder(const char *folder)
{
    pg_arena arena = {0};
    char **names, *best = NULL;
    size_t count;
    pg_status status = pg_path_list(folder, &arena, &names, &count);
    for (size_t i = 0; status == NULL && i < count; i++)
        if (pg_str_starts(pg_str_c(names[i]), PG_STR(LIBRARY_STEM)) &&
            (best == NULL || strverscmp(names[i], best) > 0))
            best = names[i];
    if (best != NULL) {
        const char *path = pg_path_join(&arena, pg_str_c(folder), pg_str_c(best));
        best = pg_strndup(path, strlen(path));
    }
    pg_status_drop(status);
    pg_arena_deinit(&arena);
    return best;
}

static pg_status open_named(pg_dylib *dylib, const char *path)
{
    if (!pg_path_is_dir(path))
        return pg_dylib_open(dylib, path);
    char *inside = library_in_folder(path);
    if (inside == NULL)
        return pg_err(PG_ERR_UNAVAILABLE, "the folder '%s' has no " LIBRARY_PATTERN, path);
    pg_status status = pg_dylib_open(dylib, inside);
    free(inside);
    return status;
}

static pg_status open_by_search(pg_dylib *dylib)
{
    char *path = pg_dylib_find_in_site_packages("onnxruntime/capi/" LIBRARY_PATTERN);
    if (path != NULL) {
        pg_status status = pg_dylib_open(dylib, path);
        free(path);
        return status;
    }
    static const char *const names[] = {LIBRARY_STEM, LIBRARY_STEM ".1"};
    for (size_t i = 0; i < PG_COUNT(names); i++) {
        pg_status status = pg_dylib_open(dylib, names[i]);
        if (status == NULL)
            return NULL;
        pg_status_drop(status);
    }
    char *package = pg_dylib_find_in_site_packages("onnxruntime/capi/onnxruntime_pybind11_state*.so");
    if (package == NULL)
        return pg_err(PG_ERR_UNAVAILABLE, "ONNX Runtime is not installed: " INSTALL_HINT);
    pg_status status =
        pg_err(PG_ERR_UNAVAILABLE,
               "the installed ONNX Runtime has no " LIBRARY_PATTERN " beside '%s': it is too old, "
               "upgrade it with 'python3 -m pip install -U onnxruntime'",
               package);
    free(package);
    return status;
}

static pg_status open_library(pg_dylib *dylib, const char *requested)
{
    /* Otherwise the library starts threads and writes files of its own while it loads. */
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
    if (requested != NULL)
        return open_named(dylib, requested);
    const char *named = getenv(PATH_VARIABLE);
    if (named != NULL && named[0] != '\0')
        return pg_status_context(open_named(dylib, named), "named in " PATH_VARIABLE);
    return open_by_search(dylib);
}

/* ---- Set-up ---- */

static pg_status load_api(pg_ort *ort)
{
    const ort_api_base *(*get_base)(void);
    void *symbol = pg_dylib_find(&ort->dylib, "OrtGetApiBase");
    if (symbol == NULL)
        return pg_err(PG_ERR_UNAVAILABLE,
                      "'%s' is not ONNX Runtime: it has no function 'OrtGetApiBase'; " INSTALL_HINT,
                      ort->dylib.path);
    memcpy(&get_base, &symbol, sizeof symbol);
    const ort_api_base *base = get_base();
    const char *version = base->get_version();
    ort->version = pg_strndup(version, strlen(version));
    unsigned major = 0, minor = 0;
    /* Checked first, because get_api prints a line of its own about versions it does not know. */
    if (sscanf(version, "%u.%u", &major, &minor) == 2 && major <= 1 && minor < OLDEST_MINOR)
        return pg_err(PG_ERR_UNAVAILABLE,
                      "ONNX Runtime %s in '%s' is too old: 1.%d or newer is needed; upgrade it with "
                      "'python3 -m pip install -U onnxruntime'",
                      version, ort->dylib.path, OLDEST_MINOR);
    void *const *table = base->get_api(ORT_API_VERSION_USED);
    if (table == NULL)
        return pg_err(PG_ERR_UNAVAILABLE,
                      "ONNX Runtime %s in '%s' does not offer version %d of its interface", version,
                      ort->dylib.path, ORT_API_VERSION_USED);
    fill_api(&ort->api, table);
    return NULL;
}

static pg_status list_providers(pg_ort *ort)
{
    char **names = NULL;
    int count = 0;
    pg_buf text = {0};
    ORT_TRY(ort, ort->api.available_providers(&names, &count));
    for (int i = 0; i < count; i++)
        pg_buf_printf(&text, "%s%s", i > 0 ? ", " : "", names[i]);
    ort->providers = pg_strndup(pg_buf_cstr(&text), text.len);
    pg_buf_deinit(&text);
    return pg_ort_status(ort, ort->api.release_providers(names, count));
}

static pg_status set_up(pg_ort *ort, const char *requested)
{
    PG_TRY(open_library(&ort->dylib, requested));
    pg_status status = load_api(ort);
    if (status != NULL) {
        pg_dylib_close(&ort->dylib);
        return status;
    }
    ORT_TRY(ort, ort->api.create_env(on_log, NULL, log_threshold(), "polygraphy", &ort->env));
    ORT_TRY(ort, ort->api.create_cpu_memory_info(ORT_ALLOCATOR_ARENA, ORT_MEMORY_DEFAULT, &ort->cpu));
    ORT_TRY(ort, ort->api.default_allocator(&ort->allocator));
    PG_TRY(list_providers(ort));
    PG_LOG_VERBOSE("Loaded ONNX Runtime | Version: %s | Path: %s", ort->version, ort->dylib.path);
    return NULL;
}

/* The library stays mapped: threads and exit handlers of its own may still need it. */
static void tear_down(pg_ort *ort)
{
    if (ort->cpu != NULL)
        ort->api.release_memory_info(ort->cpu);
    if (ort->env != NULL)
        ort->api.release_env(ort->env);
    free(ort->dylib.path);
    free(ort->version);
    free(ort->providers);
    free(ort->requested);
    free(ort);
}

/* ---- The runtimes of this process ---- */

static pthread_mutex_t loaded_lock = PTHREAD_MUTEX_INITIALIZER;
static pg_ort *loaded;

static void tear_down_all(void)
{
    while (loaded != NULL) {
        pg_ort *next = loaded->next;
        tear_down(loaded);
        loaded = next;
    }
}

static bool same_request(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static pg_status get_locked(const char *path, const pg_ort **out)
{
    for (pg_ort *ort = loaded; ort != NULL; ort = ort->next) {
        if (same_request(ort->requested, path)) {
            *out = ort;
            return NULL;
        }
    }
    pg_ort *ort = PG_NEW(pg_ort);
    pg_status status = set_up(ort, path);
    if (status != NULL) {
        tear_down(ort);
        return status;
    }
    if (loaded == NULL)
        atexit(tear_down_all);
    ort->requested = path != NULL ? pg_strndup(path, strlen(path)) : NULL;
    ort->next = loaded;
    loaded = ort;
    *out = ort;
    return NULL;
}

pg_status pg_ort_get(const char *path, const pg_ort **out)
{
    pthread_mutex_lock(&loaded_lock);
    pg_status status = get_locked(path, out);
    pthread_mutex_unlock(&loaded_lock);
    return status;
}

pg_status pg_onnxrt_find(const char *library, pg_onnxrt_found *out)
{
    const pg_ort *ort;
    PG_TRY(pg_ort_get(library, &ort));
    *out = (pg_onnxrt_found){ort->version, ort->dylib.path, ort->providers};
    return NULL;
}
