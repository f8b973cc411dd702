/* TensorRT's pieces:
 *
 *     abi.h, abi.c      slots of every method that is called, per family of libraries
 *     enums.c           names of enumerations, per family
 *     library.c         which library, which version, which family
 *     objects.c         objects that the library calls: logger, error recorder, progress, profiler, listeners
 *     calibrator.c      int8 ranges from data, for TensorRT 10
 *     selector.c        kernels recorded, replayed and excluded, for TensorRT 10
 *     network.c         a model through the library's parser
 *     retype.c          the model's types, before it is parsed
 *     outputs.c         which tensors of a network are outputs
 *     config.c          the builder's configuration from options
 *     profiles.c        optimization profiles
 *     build.c           builds, in a child process
 *     network_attrs.c   attributes of layers as text
 *     network_text.c    a network as text; network_onnx.c: as a model
 *     cuda.c            device memory and streams through the driver
 *     engine.c          an engine from bytes; engine_text.c: as text
 *     refit.c           weights for an engine without them
 *     context.c         one engine running: buffers, copies
 *     tensorrt.c        the runner */
#ifndef PG_RUNNER_TENSORRT_INTERNAL_H
#define PG_RUNNER_TENSORRT_INTERNAL_H

#include "base/dylib.h"
#include "base/file.h"
#include "base/map.h"
#include "base/vec.h"
#include "runner/tensorrt/abi.h"
#include "runner/tensorrt/cuda.h"
#include "runner/tensorrt/enums.h"
#include "runner/tensorrt/tensorrt.h"

/* ---- Objects that the library calls ----
 *
 * Each starts with a pointer to a table of functions in the order that the library's interface has. Two words
 * before the first function belong to a C++ vtable: an offset and type information, both empty. The objects are
 * made and freed here, so the destructors in the tables do nothing. */

enum { TRT_VTABLE_HEAD = 2 };
#define TRT_FUNCTION(name) ((void *)(uintptr_t)(name))
#define TRT_VTABLE(name, ...) static void *const name[] = {NULL, NULL, __VA_ARGS__}
#define TRT_VTABLE_START(name) (&(name)[TRT_VTABLE_HEAD])
#define TRT_INTERFACE_INFO(function, kind_)                     \
    static trt_interface_info function(const void *self)        \
    {                                                           \
        (void)self;                                             \
        return (trt_interface_info){.kind = kind_, .major = 1}; \
    }
/* The first four functions of every interface. */
#define TRT_INTERFACE(info)                                                                      \
    TRT_FUNCTION(pg_trt_api_language), TRT_FUNCTION(info), TRT_FUNCTION(pg_trt_destroy_nothing), \
        TRT_FUNCTION(pg_trt_destroy_nothing)
int32_t pg_trt_api_language(const void *self);
void pg_trt_destroy_nothing(void *self);

/* ---- objects.c ---- */

/* Errors that the library reported since they were last taken. Any of its threads may report. */
typedef struct pg_trt_errors {
    void *const *vtable; /* first: the library sees this object */
    struct pg_trt_error_list *list;
} pg_trt_errors;

typedef struct pg_trt_logger {
    void *const *vtable;
    pg_trt_errors *errors;
    bool muted; /* warnings are details for now */
} pg_trt_logger;

/* Logs the builder's phases, and stops it on Ctrl-C. */
typedef struct pg_trt_progress {
    void *const *vtable;
} pg_trt_progress;

typedef struct pg_trt_layer_time {
    char *name; /* owned */
    double seconds;
    size_t count;
} pg_trt_layer_time;
typedef struct pg_trt_profiler {
    void *const *vtable;
    PG_VEC(pg_trt_layer_time) layers; /* in the order of the first report */
    pg_map index;
} pg_trt_profiler;

/* Called with the tensors that are watched, while the engine runs. */
typedef bool (*pg_trt_debug_fn)(void *context, const void *address, int location, int dtype,
                                const trt_dims *dims, const char *name, void *stream);
typedef struct pg_trt_debug_listener {
    void *const *vtable;
    pg_trt_debug_fn fn;
    void *context;
} pg_trt_debug_listener;

/* Asked for the memory of an output whose size only the run knows. */
typedef void *(*pg_trt_allocate_fn)(void *context, uint64_t size);
typedef void (*pg_trt_shape_fn)(void *context, const trt_dims *dims);
typedef struct pg_trt_output_allocator {
    void *const *vtable;
    pg_trt_allocate_fn allocate;
    pg_trt_shape_fn shape;
    void *context;
} pg_trt_output_allocator;

void pg_trt_errors_init(pg_trt_errors *errors);
void pg_trt_errors_deinit(pg_trt_errors *errors);
/* What was reported, one line each, and forgotten; false when there is nothing. */
bool pg_trt_errors_take(pg_trt_errors *errors, pg_buf *out);
void pg_trt_logger_init(pg_trt_logger *logger, trt_family family, pg_trt_errors *errors);
void pg_trt_progress_init(pg_trt_progress *progress);
void pg_trt_profiler_init(pg_trt_profiler *profiler, trt_family family);
void pg_trt_profiler_deinit(pg_trt_profiler *profiler);
void pg_trt_debug_listener_init(pg_trt_debug_listener *listener, pg_trt_debug_fn fn, void *context);
void pg_trt_output_allocator_init(pg_trt_output_allocator *allocator, trt_family family,
                                  pg_trt_allocate_fn allocate, pg_trt_shape_fn shape, void *context);

/* ---- library.c ---- */

typedef struct pg_trt {
    trt_family family;
    const char *product; /* "TensorRT", "TensorRT-RTX" */
    char version[24];    /* "1.6.1" */
    pg_dylib core, parser;
    trt_object *(*create_builder)(void *logger, int version);
    trt_object *(*create_runtime)(void *logger, int version);
    trt_object *(*create_refitter)(trt_object *engine, void *logger, int version);
    trt_object *(*create_parser)(trt_object *network, void *logger, int version);
    trt_object *(*plugin_registry)(void);
    int number; /* what the create functions are handed */
    pg_trt_errors errors;
    pg_trt_logger logger;
} pg_trt;

/* The library of this process: opened once and kept. A second choice that finds another library is
 * PG_ERR_UNSUPPORTED. PG_ERR_UNAVAILABLE where there is none, PG_ERR_UNSUPPORTED for a version whose tables
 * are not known. */
PG_MUST_USE pg_status pg_trt_get(pg_trt_choice choice, pg_trt **out);
/* Strongly typed networks only: types follow from the model and are never changed. */
static inline bool pg_trt_is_rtx(const pg_trt *trt)
{
    return trt->family >= TRT_RTX_1_4;
}
static inline bool pg_trt_is_strongly_typed(const pg_trt *trt)
{
    return trt->family != TRT_10;
}
/* "TensorRT-RTX 1.6.1: could not <what>: " and what the library reported. */
PG_MUST_USE pg_status pg_trt_failed(pg_trt *trt, const char *what);
/* "option '--fp16': TensorRT-RTX 1.6.1 has no ..." */
PG_MUST_USE pg_status pg_trt_lacks(const pg_trt *trt, const char *option, const char *what);
/* The value of a name, or an error that lists the names there are. */
PG_MUST_USE pg_status pg_trt_option_enum(const pg_trt *trt, const char *option, trt_enum kind, pg_str name,
                                         int *out);

/* PG_UNDEFINED for a type this program has no name for. */
pg_dtype pg_trt_dtype(int dtype);
/* A tensor's type, in the arena. */
pg_type pg_trt_tensor_type(pg_arena *arena, pg_dtype dtype, const trt_dims *dims);

typedef struct pg_trt_network pg_trt_network;

/* ---- calibrator.c ---- */

/* Gives the builder data to find the ranges of int8 with, or the ranges of a cache. */
typedef struct pg_trt_calibrator {
    void *const *vtable;
    pg_trt *trt;
    const pg_trt_options *options;
    const pg_cuda *cuda;
    cuda_stream *stream;
    pg_io_list inputs; /* in the shapes of the calibration profile */
    pg_arena arena;
    pg_cuda_buffer *buffers; /* one per input */
    pg_feed feed;            /* the batch that is being copied */
    size_t batches;
    bool is_open;
    pg_buf cache;
    pg_status failed; /* the first error of a call, owned */
} pg_trt_calibrator;

/* Sets a calibrator where the network needs one: --int8 and no quantization layers. */
PG_MUST_USE pg_status pg_trt_set_calibrator(pg_trt_network *network, trt_object *config,
                                            const pg_trt_options *options, trt_object *profile);
void pg_trt_calibrator_deinit(pg_trt_calibrator *calibrator);

/* ---- selector.c ---- */

/* Chooses among the kernels that the builder offers for a layer, and notes those that it took. */
typedef struct pg_trt_selector {
    void *const *vtable;
    pg_trt *trt;
    const pg_trt_options *options;
    PG_VEC(pg_tactic) made; /* in the order of the first report */
    pg_map index;
    pg_arena arena;
    pg_status failed; /* the first error of a call, owned */
} pg_trt_selector;

PG_MUST_USE pg_status pg_trt_set_selector(pg_trt_network *network, trt_object *config,
                                          const pg_trt_options *options);
/* Writes what --save-tactics asks for; after the build. */
PG_MUST_USE pg_status pg_trt_selector_save(const pg_trt_selector *selector);
void pg_trt_selector_deinit(pg_trt_selector *selector);

/* ---- network.c ---- */

struct pg_trt_network {
    pg_trt *trt;
    trt_object *builder, *network, *parser;
    /* The configuration points to these. */
    trt_object *timing_cache;
    pg_trt_calibrator calibrator;
    pg_trt_selector selector;
    pg_buf bytes;    /* of the model; the parser points into them */
    pg_model *model; /* counted: weights lie in it */
    pg_arena arena;
};

/* Loads the library, parses the model, chooses outputs and types. To be deinitialised after a failure too. */
PG_MUST_USE pg_status pg_trt_network_init(pg_trt_network *network, pg_model *model,
                                          const pg_trt_options *options);
void pg_trt_network_deinit(pg_trt_network *network);

/* ---- retype.c ---- */

/* Writes the types that options ask for into the model, where the network is strongly typed. */
PG_MUST_USE pg_status pg_trt_retype(pg_trt_network *network, const pg_trt_options *options);

/* ---- outputs.c ---- */

PG_MUST_USE pg_status pg_trt_choose_outputs(pg_trt_network *network, const pg_trt_options *options);
/* A tensor of the network by name; NULL when there is none. */
trt_object *pg_trt_find_tensor(pg_trt_network *network, pg_str name);
/* PG_ERR_NOT_FOUND naming the nearest tensor there is. */
PG_MUST_USE pg_status pg_trt_get_tensor(pg_trt_network *network, const char *option, pg_str name,
                                        trt_object **out);

/* ---- config.c, profiles.c ---- */

/* Whether a builder flag was given on the command line, by the option's name. */
bool pg_trt_asks_for(const pg_trt_options *options, const char *option);
/* The caller deletes the configuration, on failure too. */
PG_MUST_USE pg_status pg_trt_config_new(pg_trt_network *network, const pg_trt_options *options,
                                        trt_object **out);
/* *out_last is the last profile, the builder's; NULL where the network needs none. */
PG_MUST_USE pg_status pg_trt_add_profiles(pg_trt_network *network, trt_object *config,
                                          const pg_trt_options *options, trt_object **out_last);
/* "(1, 3, 32, 32)", as Python prints a tuple. */
void pg_trt_dims_text(pg_buf *out, const trt_dims *dims);

/* ---- build.c ---- */

/* Builds in a child process and writes the engine to an open file. */
PG_MUST_USE pg_status pg_trt_build(pg_model *model, const pg_trt_options *options, int fd);

/* ---- engine.c ---- */

/* An engine in device memory. */
typedef struct pg_trt_engine {
    pg_trt *trt;
    const pg_cuda *cuda;
    trt_object *runtime, *lean, *engine; /* lean: of --load-runtime; NULL otherwise */
    void *bytes;                         /* mapped while the engine is read */
    size_t size;
    pg_file_map file;
} pg_trt_engine;

/* From a file, or built from a model and then saved where the options say so. */
PG_MUST_USE pg_status pg_trt_engine_open(pg_trt_engine *engine, pg_model *model, const char *path,
                                         const pg_trt_options *options);
void pg_trt_engine_close(pg_trt_engine *engine);
/* The type of an input or output; dims in the arena. */
pg_type pg_trt_io_type(const pg_trt_engine *engine, const char *name, pg_arena *arena);

/* ---- refit.c ---- */

/* Gives the engine the weights that it was built without; nothing where it lacks none. PG_ERR_INVALID names the
 * first one where `model` is NULL. */
PG_MUST_USE pg_status pg_trt_refit(pg_trt_engine *engine, const pg_model *model);

/* ---- context.c ---- */

/* An engine that runs: a stream, device memory, pinned memory. */
typedef struct pg_trt_context pg_trt_context;
PG_MUST_USE pg_status pg_trt_context_new(pg_trt_engine *engine, const pg_trt_options *options,
                                         pg_trt_context **out);
void pg_trt_context_free(pg_trt_context *context);
pg_io_list pg_trt_context_inputs(const pg_trt_context *context);
pg_io_list pg_trt_context_outputs(const pg_trt_context *context);
/* One inference; `out` gets every output, then the tensors that are watched. */
PG_MUST_USE pg_status pg_trt_context_infer(pg_trt_context *context, const pg_feed *feed, pg_feed *out);
/* The work alone, on what is in device memory since the last inference; returns when the device is done. */
PG_MUST_USE pg_status pg_trt_context_repeat(pg_trt_context *context, size_t times);
/* `times` inferences of one feed with copies and work overlapped; `fn`, which may be NULL, gets the outputs of
 * each, views that end with the call. PG_ERR_UNSUPPORTED for engines with outputs whose size depends on data. */
typedef pg_status (*pg_trt_results_fn)(void *user, const pg_feed *outputs);
PG_MUST_USE pg_status pg_trt_context_stream(pg_trt_context *context, const pg_feed *feed, size_t times,
                                            pg_trt_results_fn fn, void *user);
const pg_trt_profiler *pg_trt_context_profiler(const pg_trt_context *context);

/* ---- network_attrs.c, network_text.c ---- */

/* The attributes of a layer, a line each or none; weights on demand. */
void pg_trt_layer_attrs(pg_trt *trt, const trt_object *layer, bool weights, pg_buf *out);

void pg_trt_network_describe(pg_trt_network *network, const pg_trt_text_options *show, pg_buf *out);

#endif
