/* Runners: one inference backend each, behind one interface.
 *
 * Life cycle: new (cheap, loads nothing) -> activate (loads the library, builds the session) -> infer, any
 * number of times -> deactivate -> free. pg_runner_free deactivates when needed. A runner is used from one
 * thread at a time.
 *
 * Adding a backend: a folder here with its pg_runner_ops and a constructor declared below. */
#ifndef PG_RUNNER_RUNNER_H
#define PG_RUNNER_RUNNER_H

#include "onnx/onnx.h"
#include "tensor/value.h"

typedef struct pg_runner pg_runner;

/* A model input or output as the backend states it. */
typedef struct pg_io {
    pg_str name;
    pg_type type;
} pg_io;

typedef struct pg_io_list {
    const pg_io *items;
    size_t count;
} pg_io_list;

typedef struct pg_runner_ops {
    const char *prefix; /* of the runner's name: "onnxrt-runner" */
    PG_MUST_USE pg_status (*activate)(pg_runner *runner);
    /* After activation; views that live until deactivation. */
    pg_io_list (*inputs)(pg_runner *runner);
    pg_io_list (*outputs)(pg_runner *runner);
    /* Adds every output, in model order, to the zeroed `out`; sets runner->seconds to the time of the
     * inference alone. The feed holds one value per input, row-major; names and types were checked by
     * pg_runner_infer. */
    PG_MUST_USE pg_status (*infer)(pg_runner *runner, const pg_feed *feed, pg_feed *out);
    void (*deactivate)(pg_runner *runner);
    void (*destroy)(pg_runner *runner); /* frees the runner itself */
} pg_runner_ops;

/* First member of each backend's own struct. */
struct pg_runner {
    const pg_runner_ops *ops;
    char *name;    /* owned: "onnxrt-runner-N0-11/21/26-08:14:32" */
    char *runtime; /* owned: "ONNX Runtime 1.31.1"; NULL before the first activation */
    double seconds;
    bool active;
};

/* For activate: names the runtime behind the runner. */
void pg_runner_set_runtime(pg_runner *runner, const char *name, const char *version);
/* Gives the runner its name: prefix, N<index> counted per prefix in this process, date and time. */
void pg_runner_init(pg_runner *runner, const pg_runner_ops *ops);
PG_MUST_USE pg_status pg_runner_activate(pg_runner *runner);
/* Checks the feed against the inputs first: a missing or unknown name, another element type or a shape that
 * contradicts the fixed dims is PG_ERR_INVALID naming input, expected and found. On error `out` is empty. */
PG_MUST_USE pg_status pg_runner_infer(pg_runner *runner, const pg_feed *feed, pg_feed *out);
/* The feed as the active runner wants it: inputs of nearly the same name, type cast, dims rearranged without
 * changing their product, each with a warning. `out` shares what needs no change; it is zeroed by the caller
 * and the caller's on errors too. */
PG_MUST_USE pg_status pg_runner_fit(pg_runner *runner, const pg_feed *feed, pg_feed *out);
/* The same for a model with these inputs. */
PG_MUST_USE pg_status pg_feed_fit(const pg_feed *feed, pg_io_list inputs, pg_feed *out);
void pg_runner_deactivate(pg_runner *runner);
void pg_runner_free(pg_runner *runner); /* NULL is fine */

/* ---- Backends ---- */

typedef struct pg_onnxrt_options {
    const pg_str *providers; /* exact or partial names, in order of preference; none = CPU */
    size_t n_providers;
    pg_str optimization_level; /* "ORT_DISABLE_ALL", ...; empty = the runtime's default */
    unsigned threads;          /* 0 = pg_cpu_count() */
    const char *library;       /* path of libonnxruntime; NULL = search */
} pg_onnxrt_options;
typedef struct pg_onnxrt_found {
    const char *version, *path, *providers; /* live as long as the process; providers: "A, B" */
} pg_onnxrt_found;
/* Looks for the runtime as the runner does, and loads it. `library` as in the options. */
PG_MUST_USE pg_status pg_onnxrt_find(const char *library, pg_onnxrt_found *out);

/* Hears what ONNX Runtime itself says: `log` the warnings and errors of its log, maybe from other threads, and
 * `refusal` its text whenever a call fails. */
typedef struct pg_onnxrt_listener {
    void *context;
    void (*log)(void *context, pg_str text);
    void (*refusal)(void *context, pg_str text);
} pg_onnxrt_listener;
/* One per process, which must outlive its use; NULL ends it. */
void pg_onnxrt_listen(const pg_onnxrt_listener *listener);

/* The model is kept (counted). `options` may be NULL and is copied. */
pg_runner *pg_runner_onnxrt_new(pg_model *model, const pg_onnxrt_options *options);

typedef struct pg_native_options pg_native_options; /* native/native.h */
pg_runner *pg_runner_native_new(pg_model *model, const pg_native_options *options);
/* An engine that the built-in engine built ("trt-native-runner"): feeds must fit the profile. The engine is kept
 * (counted). `options` may be NULL and is copied. */
struct pg_engine;
pg_runner *pg_runner_trt_native_new(struct pg_engine *engine, size_t profile,
                                    const pg_native_options *options);
/* The engine that such a runner runs; NULL for any other runner. */
const struct pg_engine *pg_runner_native_engine(const pg_runner *runner);
/* The session of either, to observe it or ask for its memory; NULL for other backends and while the runner is
 * not active. */
struct pg_session *pg_runner_native_session(const pg_runner *runner);

/* Another runner, not active yet, in a process of its own from activation on; takes it over and has its name. When
 * the runtime crashes the call is PG_ERR_RUNTIME with the runner's name and the signal. */
pg_runner *pg_runner_in_process(pg_runner *inner);

/* ---- Results ---- */

typedef struct pg_iteration {
    pg_feed outputs;
    bool has_runtime;
    double runtime;    /* seconds */
    char *runner_name; /* owned; may be NULL */
} pg_iteration;

typedef struct pg_runner_results {
    char *name; /* owned */
    pg_iteration *items;
    size_t count, cap;
} pg_runner_results;

/* One entry per runner, in order; names may repeat. */
typedef struct pg_run_results {
    pg_runner_results *items;
    size_t count, cap;
} pg_run_results;

/* Added entries are zeroed but for the name; a pointer is valid until the next one is added. */
pg_runner_results *pg_run_results_add(pg_run_results *results, pg_str name);
pg_iteration *pg_runner_results_add(pg_runner_results *runner);
void pg_iteration_deinit(pg_iteration *iteration);
void pg_run_results_deinit(pg_run_results *results);

#endif
