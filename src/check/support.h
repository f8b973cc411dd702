/* Which nodes of a model a runtime does not take, told without running anything. */
#ifndef PG_CHECK_SUPPORT_H
#define PG_CHECK_SUPPORT_H

#include "check/lint.h"

typedef struct pg_support_fault {
    const pg_node *node; /* of the main graph */
    const char *message;
} pg_support_fault;

typedef struct pg_support {
    const char *runtime; /* "ONNX Runtime 1.31.1"; may be NULL when it does not take the model */
    const char *message; /* why not; NULL when it does */
    pg_support_fault *faults;
    size_t n_faults;
    size_t n_untold; /* nodes left out: the type of an input cannot be inferred */
} pg_support;

/* Loads the model; where that fails, loads each node as a model of its own, its inputs of the types that the
 * shape rules infer. Texts and lists live in the arena. A model that the runtime refuses is no error of this
 * call. */
PG_MUST_USE pg_status pg_support_check(pg_model *model, const pg_lint_engine *engine, pg_arena *arena,
                                       pg_support *out);

#endif
