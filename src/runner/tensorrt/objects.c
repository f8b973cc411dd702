/* Objects that the library calls. Each starts with a pointer to a table of functions in the order that the
 * library's interface has; they are made and freed here, so the destructors in the tables do nothing.
 *
 * Two words before the first function belong to a C++ vtable: an offset and type information, both empty. */
#include "runner/tensorrt/internal.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/interrupt.h"
#include "log/log.h"

enum { VTABLE_HEAD = 2 };
#define FUNCTION(name) ((void *)(uintptr_t)(name))
#define VTABLE(name, ...) static void *const name[] = {NULL, NULL, __VA_ARGS__}
#define VTABLE_START(name) (&(name)[VTABLE_HEAD])

/* ---- What every interface has ---- */

static int32_t api_language(const void *self)
{
    (void)self;
    return 0; /* C++ */
}

static void destroy_nothing(void *self)
{
    (void)self;
}

#define INTERFACE_INFO(function, kind_)                         \
    static trt_interface_info function(const void *self)        \
    {                                                           \
        (void)self;                                             \
        return (trt_interface_info){.kind = kind_, .major = 1}; \
    }
#define INTERFACE(info) \
    FUNCTION(api_language), FUNCTION(info), FUNCTION(destroy_nothing), FUNCTION(destroy_nothing)

/* ---- Errors ---- */

typedef struct reported_error {
    int32_t code;
    char *text; /* owned */
} reported_error;

enum { MAX_ERRORS = 64 };

struct pg_trt_error_list {
    pthread_mutex_t lock;
    PG_VEC(reported_error) items;
    bool overflowed;
};

static void clear_locked(struct pg_trt_error_list *list)
{
    for (size_t i = 0; i < list->items.len; i++)
        free(list->items.items[i].text);
    list->items.len = 0;
    list->overflowed = false;
}

static void add_error(pg_trt_errors *errors, int32_t code, const char *text)
{
    struct pg_trt_error_list *list = errors->list;
    pg_str trimmed = pg_str_trim(pg_str_c(text));
    if (pg_str_starts(trimmed, PG_STR("Thread context has not been set!")))
        return; /* the library about its own log */
    pthread_mutex_lock(&list->lock);
    for (size_t i = 0; i < list->items.len; i++)
        if (pg_str_is(trimmed, list->items.items[i].text))
            trimmed.len = 0;
    if (list->items.len >= MAX_ERRORS)
        list->overflowed = true;
    else if (trimmed.len > 0)
        PG_VEC_PUSH(&list->items, ((reported_error){code, pg_strndup(trimmed.ptr, trimmed.len)}));
    pthread_mutex_unlock(&list->lock);
}

static int32_t recorder_count(const pg_trt_errors *self)
{
    pthread_mutex_lock(&self->list->lock);
    int32_t count = (int32_t)self->list->items.len;
    pthread_mutex_unlock(&self->list->lock);
    return count;
}

static int32_t recorder_code(const pg_trt_errors *self, int32_t index)
{
    return index >= 0 && index < recorder_count(self) ? self->list->items.items[index].code : 0;
}

static const char *recorder_text(const pg_trt_errors *self, int32_t index)
{
    return index >= 0 && index < recorder_count(self) ? self->list->items.items[index].text : "";
}

static bool recorder_overflowed(const pg_trt_errors *self)
{
    return self->list->overflowed;
}

static void recorder_clear(pg_trt_errors *self)
{
    pthread_mutex_lock(&self->list->lock);
    clear_locked(self->list);
    pthread_mutex_unlock(&self->list->lock);
}

static bool recorder_report(pg_trt_errors *self, int32_t code, const char *text)
{
    add_error(self, code, text);
    return false; /* nothing here ends the program */
}

static int32_t count_reference(void *self)
{
    (void)self;
    return 1;
}

INTERFACE_INFO(recorder_info, "IErrorRecorder")
VTABLE(recorder_vtable, INTERFACE(recorder_info), FUNCTION(recorder_count), FUNCTION(recorder_code),
       FUNCTION(recorder_text), FUNCTION(recorder_overflowed), FUNCTION(recorder_clear),
       FUNCTION(recorder_report), FUNCTION(count_reference), FUNCTION(count_reference));

void pg_trt_errors_init(pg_trt_errors *errors)
{
    *errors = (pg_trt_errors){VTABLE_START(recorder_vtable), PG_NEW(struct pg_trt_error_list)};
    pthread_mutex_init(&errors->list->lock, NULL);
}

void pg_trt_errors_deinit(pg_trt_errors *errors)
{
    if (errors->list == NULL)
        return;
    clear_locked(errors->list);
    PG_VEC_FREE(&errors->list->items);
    pthread_mutex_destroy(&errors->list->lock);
    free(errors->list);
    errors->list = NULL;
}

bool pg_trt_errors_take(pg_trt_errors *errors, pg_buf *out)
{
    struct pg_trt_error_list *list = errors->list;
    pthread_mutex_lock(&list->lock);
    size_t count = list->items.len;
    for (size_t i = 0; i < count; i++)
        pg_buf_printf(out, "%s%s", i > 0 ? "\n" : "", list->items.items[i].text);
    if (list->overflowed)
        pg_buf_puts(out, "\n(and more)");
    clear_locked(list);
    pthread_mutex_unlock(&list->lock);
    return count > 0;
}

/* ---- Logger ---- */

/* Errors also come back as statuses, so the library's own log is for those who ask for details; its warnings
 * are the user's. */
static void logger_log(pg_trt_logger *self, int32_t severity, const char *text)
{
    static const pg_severity severities[] = {PG_VERBOSE, PG_VERBOSE, PG_WARNING, PG_EXTRA_VERBOSE,
                                             PG_ULTRA_VERBOSE};
    bool error = severity <= TRT_SEVERITY_ERROR;
    if (error)
        add_error(self->errors, severity, text);
    if (severity >= 0 && severity < (int32_t)PG_COUNT(severities))
        PG_LOG(severities[severity], "%s", text);
}

INTERFACE_INFO(logger_info, "ILogger")
VTABLE(old_logger_vtable, FUNCTION(logger_log), FUNCTION(destroy_nothing), FUNCTION(destroy_nothing));
VTABLE(logger_vtable, INTERFACE(logger_info), FUNCTION(logger_log));

/* TensorRT 10 and TensorRT-RTX 1.4 have a logger and a profiler without the functions of INTERFACE. */
static bool is_old(trt_family family)
{
    return family == TRT_10 || family == TRT_RTX_1_4;
}

void pg_trt_logger_init(pg_trt_logger *logger, trt_family family, pg_trt_errors *errors)
{
    *logger = (pg_trt_logger){is_old(family) ? VTABLE_START(old_logger_vtable) : VTABLE_START(logger_vtable),
                              errors};
}

/* ---- Progress ---- */

static void progress_start(void *self, const char *phase, const char *parent, int32_t steps)
{
    (void)self;
    if (parent != NULL)
        PG_LOG(PG_EXTRA_VERBOSE, "Building | %s | %s: %d step(s)", parent, phase, steps);
    else
        PG_LOG_VERBOSE("Building | %s: %d step(s)", phase, steps);
}

static bool progress_step(void *self, const char *phase, int32_t step)
{
    (void)self;
    PG_LOG(PG_ULTRA_VERBOSE, "Building | %s: step %d", phase, step);
    return !pg_interrupted();
}

static void progress_finish(void *self, const char *phase)
{
    (void)self;
    PG_LOG(PG_EXTRA_VERBOSE, "Building | %s: done", phase);
}

INTERFACE_INFO(progress_info, "IProgressMonitor")
VTABLE(progress_vtable, INTERFACE(progress_info), FUNCTION(progress_start), FUNCTION(progress_step),
       FUNCTION(progress_finish));

void pg_trt_progress_init(pg_trt_progress *progress)
{
    progress->vtable = VTABLE_START(progress_vtable);
}

/* ---- Profiler ---- */

static void profiler_report(pg_trt_profiler *self, const char *layer, float milliseconds)
{
    size_t at = pg_map_index(&self->index, pg_str_c(layer));
    if (at == SIZE_MAX) {
        char *name = pg_strndup(layer, strlen(layer));
        PG_VEC_PUSH(&self->layers, ((pg_trt_layer_time){.name = name}));
        pg_map_put(&self->index, pg_str_c(name), NULL);
        at = self->layers.len - 1;
    }
    self->layers.items[at].seconds += (double)milliseconds * 1e-3;
    self->layers.items[at].count++;
}

INTERFACE_INFO(profiler_info, "IProfiler")
VTABLE(old_profiler_vtable, FUNCTION(profiler_report), FUNCTION(destroy_nothing), FUNCTION(destroy_nothing));
VTABLE(profiler_vtable, INTERFACE(profiler_info), FUNCTION(profiler_report));

void pg_trt_profiler_init(pg_trt_profiler *profiler, trt_family family)
{
    *profiler = (pg_trt_profiler){.vtable = is_old(family) ? VTABLE_START(old_profiler_vtable)
                                                           : VTABLE_START(profiler_vtable)};
}

void pg_trt_profiler_deinit(pg_trt_profiler *profiler)
{
    for (size_t i = 0; i < profiler->layers.len; i++)
        free(profiler->layers.items[i].name);
    PG_VEC_FREE(&profiler->layers);
    pg_map_deinit(&profiler->index);
}

/* ---- Debug listener ---- */

static bool debug_process(pg_trt_debug_listener *self, const void *address, int32_t location, int32_t dtype,
                          const trt_dims *dims, const char *name, void *stream)
{
    return self->fn(self->context, address, location, dtype, dims, name, stream);
}

INTERFACE_INFO(debug_info, "IDebugListener")
VTABLE(debug_vtable, INTERFACE(debug_info), FUNCTION(debug_process));

void pg_trt_debug_listener_init(pg_trt_debug_listener *listener, pg_trt_debug_fn fn, void *context)
{
    *listener = (pg_trt_debug_listener){VTABLE_START(debug_vtable), fn, context};
}

/* ---- Output allocator ---- */

static void *allocate_output(pg_trt_output_allocator *self, const char *name, void *memory, uint64_t size,
                             uint64_t alignment)
{
    (void)name, (void)memory, (void)alignment; /* the driver aligns to 256 bytes */
    return self->allocate(self->context, size);
}

static void *allocate_output_async(pg_trt_output_allocator *self, const char *name, void *memory,
                                   uint64_t size, uint64_t alignment, void *stream)
{
    (void)stream;
    return allocate_output(self, name, memory, size, alignment);
}

static void notify_shape(pg_trt_output_allocator *self, const char *name, const trt_dims *dims)
{
    (void)name;
    self->shape(self->context, dims);
}

INTERFACE_INFO(allocator_info, "IOutputAllocator")
VTABLE(allocator_vtable, INTERFACE(allocator_info), FUNCTION(allocate_output),
       FUNCTION(allocate_output_async), FUNCTION(notify_shape));
VTABLE(rtx_allocator_vtable, INTERFACE(allocator_info), FUNCTION(allocate_output_async),
       FUNCTION(notify_shape));

void pg_trt_output_allocator_init(pg_trt_output_allocator *allocator, trt_family family,
                                  pg_trt_allocate_fn allocate, pg_trt_shape_fn shape, void *context)
{
    bool rtx = family == TRT_RTX_1_4 || family == TRT_RTX_1_5;
    *allocator = (pg_trt_output_allocator){
        rtx ? VTABLE_START(rtx_allocator_vtable) : VTABLE_START(allocator_vtable), allocate, shape, context};
}
