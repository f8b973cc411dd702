/* What differs between two models.
 *
 *     pg_delta diff = {0};
 *     PG_TRY_GOTO(status, pg_delta_models(a, b, &diff));
 *     pg_delta_text(&diff, &text);
 *   done:
 *     pg_delta_deinit(&diff);
 *
 * Nodes and tensors of the two graphs are matched first, by name and then by structure (what a node reads, who
 * reads it), so that renamed tensors, renamed nodes and another order are not taken for changes. These are
 * told, but do not count as differences; other names of the model's inputs and outputs do. */
#ifndef PG_DELTA_DIFF_H
#define PG_DELTA_DIFF_H

#include "base/vec.h"
#include "json/json.h"
#include "onnx/onnx.h"

typedef enum pg_delta_section {
    PG_DELTA_MODEL, /* versions, producer, metadata, opsets */
    PG_DELTA_INPUT,
    PG_DELTA_OUTPUT,
    PG_DELTA_NODE,
    PG_DELTA_WEIGHT,
    PG_DELTA_TYPE, /* declared for an inner tensor */
    PG_DELTA_FUNCTION,
    PG_DELTA_SECTION_COUNT
} pg_delta_section;

typedef enum pg_delta_change {
    PG_DELTA_ADDED,
    PG_DELTA_REMOVED,
    PG_DELTA_CHANGED,
    PG_DELTA_RENAMED
} pg_delta_change;

/* How far apart the elements of two tensors of one shape are. */
typedef struct pg_delta_numbers {
    uint64_t count, differing; /* elements */
    double max_abs, max_rel;   /* relative to the second one's; NaN where that cannot be told */
} pg_delta_numbers;

typedef struct pg_delta_item {
    pg_delta_section section;
    pg_delta_change change;
    bool counts;   /* as a difference */
    pg_str where;  /* "" in the main graph, else "node.attribute" or a function's name */
    pg_str name;   /* in the first model, or in the second for what was added */
    pg_str detail; /* what changed; may be empty */
    bool has_numbers;
    pg_delta_numbers numbers;
} pg_delta_item;

/* A zeroed struct is empty. */
typedef struct pg_delta {
    PG_VEC(pg_delta_item) items;
    size_t n_differences;
    pg_arena arena;
} pg_delta;

/* Adds all differences. PG_ERR_* only for weights that cannot be read; with pg_model_options's
 * ignore_external_data weights outside the files count as equal when their places are. */
PG_MUST_USE pg_status pg_delta_models(const pg_model *a, const pg_model *b, pg_delta *out);
void pg_delta_deinit(pg_delta *diff);

/* One line per item, in sections. */
void pg_delta_text(const pg_delta *diff, pg_buf *out);
/* The list of items as JSON. */
void pg_delta_json(const pg_delta *diff, pg_json_writer *json);

/* A model as stable text with a checksum for every weight: what version control compares line by line. */
void pg_delta_textconv(const pg_model *model, pg_buf *out);

#endif
