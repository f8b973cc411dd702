/* The pieces of the float16 pass:
 *
 *     fp16_rules.c    what operators allow
 *     fp16_names.c    which tensors exist as float32, as float16, or as both, and what they are called
 *     fp16_weights.c  tensors and attributes converted
 *     fp16.c          the new graph */
#ifndef PG_SURGERY_FP16_INTERNAL_H
#define PG_SURGERY_FP16_INTERNAL_H

#include "base/map.h"
#include "onnx/build.h"
#include "shapes/shapes.h"
#include "surgery/fp16.h"
#include "surgery/internal.h"

/* ---- Rules ---- */

typedef enum pg_fp16_place {
    PG_FP16_HALF,    /* float16 where it was float32 */
    PG_FP16_FULL,    /* always float32 */
    PG_FP16_BY_TYPE, /* stays float32 if it is; other types pass */
} pg_fp16_place;
/* Of an input or output of a node. */
pg_fp16_place pg_fp16_place_of(const pg_node *node, int64_t opset, bool is_function, bool output,
                               size_t position);
/* Whether a node makes a float32 tensor out of nothing, and goes on doing so. */
bool pg_fp16_makes_float(const pg_node *node);
/* What the element type of a node's first output follows from: the index of an input, or -1 and the type
 * itself (PG_UNDEFINED when nothing is known). */
int pg_fp16_type_source(const pg_node *node, pg_dtype *out);

/* ---- Names ---- */

/* One tensor of a graph. */
typedef struct pg_fp16_value {
    pg_str name;
    const pg_node *producer;
    const pg_weight *weight; /* an initializer */
    pg_dtype declared;       /* PG_UNDEFINED when not stated */
    bool stays_full;         /* made as float32 by what makes it */
    bool is_output;          /* of the model, as float32: it keeps its name */
    bool wants_half, wants_full;
    pg_str half, full; /* its names; empty when nobody wants it so */
} pg_fp16_value;

typedef struct pg_fp16_scope {
    struct pg_fp16_scope *outer;
    const pg_graph *graph; /* NULL for a function */
    const pg_node *nodes;
    size_t n_nodes;
    pg_map values; /* by name */
    const pg_opset *opsets;
    size_t n_opsets;
    bool is_main;
} pg_fp16_scope;

typedef struct pg_fp16 {
    const pg_model *model;
    pg_fp16_options options;
    pg_arena *arena; /* of the new model */
    pg_arena scratch;
    pg_shapes *shapes;
    pg_map names;  /* all names in use */
    pg_map scopes; /* of subgraphs and functions; the key is the address of the graph's struct */
    pg_fp16_report report;
} pg_fp16;

/* Finds the values of the main graph, its subgraphs and the functions, and names them. */
PG_MUST_USE pg_status pg_fp16_name_all(pg_fp16 *pass);
pg_fp16_scope *pg_fp16_scope_of(const pg_fp16 *pass, const void *graph);
/* Looks outwards, too; NULL for a name that nothing makes. */
pg_fp16_value *pg_fp16_find(const pg_fp16_scope *scope, pg_str name);
int64_t pg_fp16_opset(const pg_fp16_scope *scope, pg_str domain);
pg_fp16_place pg_fp16_place_in(const pg_fp16 *pass, const pg_fp16_scope *scope, const pg_node *node,
                               bool output, size_t position);
/* PG_UNDEFINED when it cannot be told. */
pg_dtype pg_fp16_type_of(const pg_fp16 *pass, const pg_fp16_scope *scope, pg_str name);
/* Whether a place reads or makes a float32 tensor that stays one; an error when the type decides and is not
 * known. */
PG_MUST_USE pg_status pg_fp16_is_full(const pg_fp16 *pass, const pg_fp16_scope *scope, const pg_node *node,
                                      bool output, size_t position, bool *out);
/* The value of a Constant node that is float32. */
bool pg_fp16_is_float_constant(const pg_node *node);

/* ---- Weights ---- */

/* A TensorProto in the new type of a float32 one. */
PG_MUST_USE pg_status pg_fp16_weight(pg_fp16 *pass, const pg_weight *weight, pg_str name,
                                     pg_wire_message **out);
/* A Constant's value, whatever attribute states it. */
PG_MUST_USE pg_status pg_fp16_constant(pg_fp16 *pass, const pg_node *node, pg_wire_message **out);
/* `type` with float32 elements replaced by the new type; NULL when there are none. */
pg_wire_message *pg_fp16_type(pg_fp16 *pass, const pg_type *type);

#endif
