/* The ONNX Runtime backend: a loaded library, sessions in it, and values that go in and come out. */
#ifndef PG_RUNNER_ONNXRT_INTERNAL_H
#define PG_RUNNER_ONNXRT_INTERNAL_H

#include "base/dylib.h"
#include "runner/onnxrt/abi.h"
#include "runner/runner.h"

/* ---- library.c: the runtime in this process ---- */

typedef struct pg_ort pg_ort;
struct pg_ort {
    ort_api api;
    ort_env *env;
    ort_memory_info *cpu;
    ort_allocator *allocator; /* the runtime's own; not ours to free */
    char *version;            /* "1.31.1" */
    char *providers;          /* "CUDAExecutionProvider, CPUExecutionProvider" */
    char *requested;          /* what it was asked for by, NULL for the search */
    pg_dylib dylib;
    pg_ort *next;
};

/* The runtime behind `path`, or behind the search when it is NULL: the environment variable
 * POLYGRAPHY_ONNXRUNTIME (a library or the folder it is in), the Python packages of the active environment,
 * the loader's path. Opened once and kept until the process ends. PG_ERR_UNAVAILABLE says what to install. */
PG_MUST_USE pg_status pg_ort_get(const char *path, const pg_ort **out);
/* Turns the runtime's status into ours and releases it; keeps its text. */
PG_MUST_USE pg_status pg_ort_status(const pg_ort *ort, ort_status *status);
#define ORT_TRY(ort, call) PG_TRY(pg_ort_status((ort), (call)))
#define ORT_TRY_GOTO(status, ort, call) PG_TRY_GOTO(status, pg_ort_status((ort), (call)))

/* ---- types.c ---- */

pg_dtype pg_ort_dtype(int elem);
int pg_ort_elem(pg_dtype dtype);
/* Copies into the arena. */
PG_MUST_USE pg_status pg_ort_type(const pg_ort *ort, pg_arena *arena, const ort_type_info *info,
                                  pg_type *out);

/* ---- session.c ---- */

/* Creates the session for a model as it stands (edits included). */
PG_MUST_USE pg_status pg_ort_session_new(const pg_ort *ort, pg_model *model, const pg_onnxrt_options *options,
                                         ort_session **out);

/* ---- crash.c ---- */

/* PG_ERR_UNSUPPORTED, with the node's name, for a model on which the runtime would end the process. */
PG_MUST_USE pg_status pg_ort_check_crashes(const pg_model *model);

/* ---- handover.c ---- */

/* Whether to let the runtime read the model's path: it finds the same model there, external weights included,
 * and there is no better way. */
bool pg_ort_reads_path(const pg_model *model);

typedef struct pg_ort_bytes {
    pg_str bytes;
    char *folder;   /* where the weights are that the bytes leave out; NULL: nowhere */
    pg_buf storage; /* owned; empty when the bytes are the model's own */
} pg_ort_bytes;
/* The model as bytes for the runtime; texts may lie in the arena. PG_ERR_LIMIT for more than it can read. */
PG_MUST_USE pg_status pg_ort_model_bytes(const pg_model *model, pg_arena *arena, pg_ort_bytes *out);

/* ---- empty.c ---- */

/* An empty sequence or an optional without a value, which the C interface has no call for. */
PG_MUST_USE pg_status pg_ort_empty_value(const pg_ort *ort, const pg_value *value, const pg_type *type,
                                         ort_value **out);

/* ---- values.c ---- */

/* A runtime value for one of ours. Tensors stay where they are: `value` must outlive the result. `type` is
 * the input's type, for values that do not tell it themselves (empty sequences and optionals). */
PG_MUST_USE pg_status pg_ort_value_from(const pg_ort *ort, const pg_value *value, const pg_type *type,
                                        ort_value **out);
/* Takes over `value` in any case. Tensors are shared: their buffer releases the runtime's value at the end.
 */
PG_MUST_USE pg_status pg_ort_value_to(const pg_ort *ort, ort_value *value, pg_value *out);

#endif
