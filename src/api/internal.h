/* The public interface (include/polygraphy.h) on top of the layers below it:
 *
 *     error.c    codes, the last message, log level
 *     array.c    arrays and feeds
 *     model.c    models: loading, what is in them, models made from models
 *     runner.c   runners and inputs
 *     results.c  results of runs
 *     compare.c  comparison
 *
 * Each function begins with pg_api_begin and ends with pg_api_end, which turns a status into a code and keeps its
 * message for polygraphy_error_message. */
#ifndef PG_API_INTERNAL_H
#define PG_API_INTERNAL_H

#include "base/alloc.h"
#include "data/files.h"
#include "data/loader.h"
#include "polygraphy.h"
#include "runner/runner.h"

/* Forgets the last message; the first time it also silences the log. */
void pg_api_begin(void);
polygraphy_code pg_api_end(pg_status status);

/* The caller's options as this version knows them: members that the caller's version lacks are as in `out` already.
 */
void pg_api_options(void *out, size_t size, const void *options);

struct polygraphy_feed {
    pg_feed feed;
};
/* Takes over the values. */
polygraphy_feed *pg_api_feed_new(pg_feed feed);
/* Takes over the tensor. */
polygraphy_array *pg_api_array_new(pg_tensor tensor);

/* A list of tensors as the caller sees them; the memory is the arena's. */
typedef struct pg_api_infos {
    polygraphy_tensor_info *items;
    size_t count;
} pg_api_infos;
void pg_api_info_fill(pg_arena *arena, pg_str name, const pg_type *type, polygraphy_tensor_info *out);
const polygraphy_tensor_info *pg_api_info_get(const pg_api_infos *infos, size_t index);

struct polygraphy_model {
    pg_model *model; /* counted */
    pg_arena arena;
    pg_api_infos inputs, outputs, weights;
    polygraphy_node *nodes; /* NULL until somebody asks */
};

struct polygraphy_runner {
    pg_runner *runner;
    pg_arena arena;
    pg_api_infos inputs, outputs;
};

struct polygraphy_inputs {
    const polygraphy_runner *runner; /* of random inputs */
    pg_io_list expected;             /* of files */
    pg_inputs *files;                /* NULL: random */
    pg_loader_options options;
    size_t count;
    pg_arena arena;
};

struct polygraphy_results {
    pg_run_results results;
};

#endif
