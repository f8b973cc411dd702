/* The pieces of the comparison of models:
 *
 *     match.c    which node and tensor of one graph is which of the other
 *     hash.c     what tensors are, without their names
 *     graph.c    graphs, nodes and attributes compared
 *     tensors.c  weights compared
 *     model.c    the model's own fields, opsets, metadata, functions
 *     text.c     lines and JSON
 *     conv.c     a model as text */
#ifndef PG_DELTA_INTERNAL_H
#define PG_DELTA_INTERNAL_H

#include "base/map.h"
#include "delta/delta.h"

/* One graph or function body. */
typedef struct pg_side {
    const pg_model *model;
    const pg_graph *graph; /* NULL for a function */
    const pg_node *nodes;
    size_t n_nodes, n_inputs, n_outputs;
    const pg_str *inputs, *outputs;
    pg_map makers;  /* tensor -> pg_node */
    pg_map weights; /* tensor -> pg_weight */
    pg_map types;   /* tensor -> pg_value_info, of inputs, outputs and inner tensors */
    struct pg_side *outer;
    const size_t *input_ids; /* equal for inputs that are partners; NULL: their places */
    bool is_hashed;
    pg_map hashes; /* tensor -> its hash; filled when the first one is asked for */
} pg_side;

typedef struct pg_matching {
    struct pg_matching *outer;
    pg_side *a, *b;
    size_t *to_b, *to_a;  /* by node; SIZE_MAX for a node without a partner */
    pg_map tensors, back; /* name -> pg_str: name in the other graph */
} pg_matching;

void pg_side_of_graph(const pg_model *model, const pg_graph *graph, pg_arena *arena, pg_side *out);
void pg_side_of_function(const pg_model *model, const pg_function *function, pg_arena *arena, pg_side *out);
void pg_side_deinit(pg_side *side);

/* hash.c: equal for tensors that are the same computation, seen from either side; looks outwards, too. */
uint64_t pg_side_hash(pg_side *side, pg_str name);
/* Of a node's operator and attributes. */
uint64_t pg_node_hash(pg_side *side, const pg_node *node);

void pg_match(pg_matching *outer, pg_side *a, pg_side *b, pg_arena *arena, pg_matching *out);
void pg_matching_deinit(pg_matching *matching);
/* The second graph's name of a tensor of the first, NULL when it has none; looks outwards, too. */
const pg_str *pg_matched(const pg_matching *matching, pg_str name);

/* Adds an item; `format` gives its detail and may be NULL. */
PG_PRINTF(7, 8)
pg_delta_item *pg_delta_add(pg_delta *diff, pg_delta_section section, pg_delta_change change, bool counts,
                            pg_str where, pg_str name, const char *format, ...);

PG_MUST_USE pg_status pg_delta_sides(pg_delta *diff, pg_matching *outer, pg_side *a, pg_side *b,
                                     pg_str where);

/* Whether two tensors are equal; if not, *detail says how they differ, and *out_numbers how far where their
 * elements can be compared (count 0 otherwise). */
PG_MUST_USE pg_status pg_delta_tensors(const pg_model *model_a, const pg_weight *a, const pg_model *model_b,
                                       const pg_weight *b, bool *out_equal, pg_buf *detail,
                                       pg_delta_numbers *out_numbers);

/* "tensor(float32) of shape (1, 'N')" */
void pg_delta_type_text(pg_buf *out, const pg_type *type);
bool pg_delta_types_equal(const pg_type *a, const pg_type *b);

#endif
