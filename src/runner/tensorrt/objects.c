/* Objects that the library calls while it builds and runs. */
#include "runner/tensorrt/internal.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/interrupt.h"
#include "log/log.h"

/* ---- What every interface has ---- */

int32_t pg_trt_api_language(const void *self)
{
    (void)self;
    return 0; /* C++ */
}

void pg_trt_destroy_nothing(void *self)
{
    (void)self;
}

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

TRT_INTERFACE_INFO(recorder_info, "IErrorRecorder")
TRT_VTABLE(recorder_vtable, TRT_INTERFACE(recorder_info), TRT_FUNCTION(recorder_count),
           TRT_FUNCTION(recorder_code), TRT_FUNCTION(recorder_text), TRT_FUNCTION(recorder_overflowed),
           TRT_FUNCTION(recorder_clear), TRT_FUNCTION(recorder_report), TRT_FUNCTION(count_reference),
           TRT_FUNCTION(count_reference));

void pg_trt_errors_init(pg_trt_errors *errors)
{
    *errors = (pg_trt_errors){TRT_VTABLE_START(recorder_vtable), PG_NEW(struct pg_trt_error_list)};
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
    if (self->muted && severity == TRT_SEVERITY_WARNING)
        severity = TRT_SEVERITY_INFO;
    if (error)
        add_error(self->errors, severity, text);
    if (severity >= 0 && severity < (int32_t)PG_COUNT(severities))
        PG_LOG(severities[severity], "%s", text);
}

TRT_INTERFACE_INFO(logger_info, "ILogger")
TRT_VTABLE(old_logger_vtable, TRT_FUNCTION(logger_log), TRT_FUNCTION(pg_trt_destroy_nothing),
           TRT_FUNCTION(pg_trt_destroy_nothing));
TRT_VTABLE(logger_vtable, TRT_INTERFACE(logger_info), TRT_FUNCTION(logger_log));

/* TensorRT 10 and TensorRT-RTX 1.4 have a logger and a profiler without the functions of INTERFACE. */
static bool is_old(trt_family family)
{
    return family == TRT_10 || family == TRT_RTX_1_4;
}

void pg_trt_logger_init(pg_trt_logger *logger, trt_family family, pg_trt_errors *errors)
{
    *logger = (pg_trt_logger){
        is_old(family) ? TRT_VTABLE_START(old_logger_vtable) : TRT_VTABLE_START(logger_vtable), errors};
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

TRT_INTERFACE_INFO(progress_info, "IProgressMonitor")
TRT_VTABLE(progress_vtable, TRT_INTERFACE(progress_info), TRT_FUNCTION(progress_start),
           TRT_FUNCTION(progress_step), TRT_FUNCTION(progress_finish));

void pg_trt_progress_init(pg_trt_progress *progress)
{
    progress->vtable = TRT_VTABLE_START(progress_vtable);
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

TRT_INTERFACE_INFO(profiler_info, "IProfiler")
TRT_VTABLE(old_profiler_vtable, TRT_FUNCTION(profiler_report), TRT_FUNCTION(pg_trt_destroy_nothing),
           TRT_FUNCTION(pg_trt_destroy_nothing));
TRT_VTABLE(profiler_vtable, TRT_INTERFACE(profiler_info), TRT_FUNCTION(profiler_report));

void pg_trt_profiler_init(pg_trt_profiler *profiler, trt_family family)
{
    *profiler = (pg_trt_profiler){.vtable = is_old(family) ? TRT_VTABLE_START(old_profiler_vtable)
                                                           : TRT_VTABLE_START(profiler_vtable)};
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

TRT_INTERFACE_INFO(debug_info, "IDebugListener")
TRT_VTABLE(debug_vtable, TRT_INTERFACE(debug_info), TRT_FUNCTION(debug_process));

void pg_trt_debug_listener_init(pg_trt_debug_listener *listener, pg_trt_debug_fn fn, void *context)
{
    *listener = (pg_trt_debug_listener){TRT_VTABLE_START(debug_vtable), fn, context};
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

TRT_INTERFACE_INFO(allocator_info, "IOutputAllocator")
TRT_VTABLE(allocator_vtable, TRT_INTERFACE(allocator_info), TRT_FUNCTION(allocate_output),
           TRT_FUNCTION(allocate_output_async), TRT_FUNCTION(notify_shape));
TRT_VTABLE(rtx_allocator_vtable, TRT_INTERFACE(allocator_info), TRT_FUNCTION(allocate_output_async),
           TRT_FUNCTION(notify_shape));

void pg_trt_output_allocator_init(pg_trt_output_allocator *allocator, trt_family family,
                                  pg_trt_allocate_fn allocate, pg_trt_shape_fn shape, void *context)
{
    bool rtx = family == TRT_RTX_1_4 || family == TRT_RTX_1_5;
    *allocator = (pg_trt_output_allocator){rtx ? TRT_VTABLE_START(rtx_allocator_vtable)
                                               : TRT_VTABLE_START(allocator_vtable),
                                           allocate, shape, context};
}
