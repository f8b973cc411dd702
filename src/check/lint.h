/* Which nodes of a model are faulty, told by running it: first the model as a whole, and where that fails, each
 * node as a model of its own, fed with what its predecessors made.
 *
 *     pg_lint_report report = {0};
 *     PG_TRY_GOTO(status, pg_lint(model, &options, &report));
 *     PG_TRY_GOTO(status, pg_lint_save(&report, "report.json"));
 *   done:
 *     pg_lint_deinit(&report);
 *
 * Nodes behind a faulty one get no inputs and are left out, as in the peer. */
#ifndef PG_CHECK_LINT_H
#define PG_CHECK_LINT_H

#include "base/map.h"
#include "base/vec.h"
#include "runner/runner.h"

typedef enum pg_lint_level { PG_LINT_EXCEPTION, PG_LINT_WARNING, PG_LINT_INFO } pg_lint_level;

/* Who says it; the names are the peer's, except for the built-in engine's. */
#define PG_LINT_LOADER "onnx_loader"
#define PG_LINT_SPEC "onnx_checker"
#define PG_LINT_GRAPH "onnx_graphsurgeon"
#define PG_LINT_ONNXRUNTIME "onnxruntime"
#define PG_LINT_NATIVE "native"
#define PG_LINT_TENSORRT "tensorrt"

typedef struct pg_lint_entry {
    pg_lint_level level;
    const char *source;
    pg_str message;
    pg_str node; /* empty: of the whole model */
} pg_lint_entry;

/* A zeroed struct is an empty report. */
typedef struct pg_lint_report {
    PG_VEC(pg_lint_entry) entries;
    pg_map nodes; /* name -> NULL for a passing node, not NULL for a failing one */
    bool failed;  /* an entry is an exception */
    pg_arena arena;
} pg_lint_report;

/* Adds an entry and logs it, after the node's name and operator when both are given. */
void pg_lint_add(pg_lint_report *report, pg_lint_level level, const char *source, pg_str message, pg_str node,
                 pg_str op);
/* Without a message: the node passes, unless it has failed before. */
void pg_lint_pass(pg_lint_report *report, pg_str node);
/* Nodes that pass are forgotten. */
void pg_lint_forget_passing(pg_lint_report *report);
PG_MUST_USE pg_status pg_lint_save(const pg_lint_report *report, const char *path);
void pg_lint_deinit(pg_lint_report *report);

/* What runs models. */
typedef struct pg_lint_engine {
    const char *source; /* PG_LINT_ONNXRUNTIME, ... */
    void *context;
    pg_runner *(*make)(void *context, pg_model *model, bool single_node);
    /* Instead of a runner where nothing runs: whether the runtime takes the model. May be NULL. */
    PG_MUST_USE pg_status (*accepts)(void *context, pg_model *model);
} pg_lint_engine;

typedef struct pg_lint_options {
    pg_lint_engine engine;
    /* Makes one value per model input without an initializer; asked for after what can be told without. */
    void *context;
    PG_MUST_USE pg_status (*inputs)(void *context, pg_feed *out);
} pg_lint_options;

/* Adds what is wrong with the model to the report. A failure of the model is no error of this call; input that
 * contradicts the model, or that cannot be made for it, is, unless the report already tells why. */
PG_MUST_USE pg_status pg_lint(pg_model *model, const pg_lint_options *options, pg_lint_report *report);

/* What the standard asks of a model as a whole: versions, names, each tensor made once and before it is read,
 * sizes of weights. True when there is nothing to report. */
bool pg_lint_spec(const pg_model *model, pg_lint_report *report);

/* ONNX Runtime's text without what names its own sources. `is_status`: a failed call's, else a line of its
 * log. */
void pg_lint_prune(pg_str text, bool is_status, pg_buf *out);

/* The inputs that a run of the model needs: graph inputs without an initializer, each once; in the arena. */
pg_io_list pg_lint_inputs(const pg_model *model, pg_arena *arena);

#endif
