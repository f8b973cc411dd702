/* ONNX models made from C: message trees (onnx/wire.h) with the standard's fields filled in.
 *
 *     pg_arena arena = {0};
 *     pg_wire_message *graph = pg_build_graph(&arena, "g");
 *     pg_build_input(&arena, graph, "x", PG_F32, "N,3");
 *     pg_build_output(&arena, graph, "y", PG_F32, "N,3");
 *     pg_wire_message *node = pg_build_node(&arena, graph, "LeakyRelu", "n0", "x", "y");
 *     pg_build_attr_float(&arena, node, "alpha", 0.1f);
 *     PG_TRY(pg_model_from_wire(&arena, pg_build_model(&arena, graph, 17), NULL, "test", &model));
 *
 * Everything is allocated in the arena; texts handed in are copied, bytes of tensors too except where it says
 * borrowed. Lists of names are texts with commas ("x,w,,b": the third is omitted). */
#ifndef PG_ONNX_BUILD_H
#define PG_ONNX_BUILD_H

#include "onnx/onnx.h"
#include "onnx/proto.h"

/* IR version 8; further fields may be added with pg_wire_add_*. `opset` of ai.onnx; 0: none. */
pg_wire_message *pg_build_model(pg_arena *arena, pg_wire_message *graph, int64_t opset);
void pg_build_opset(pg_arena *arena, pg_wire_message *model, const char *domain, int64_t version);
void pg_build_metadata(pg_arena *arena, pg_wire_message *model, const char *key, const char *value);
pg_wire_message *pg_build_graph(pg_arena *arena, const char *name);
/* Adds a local function to a model; nodes go into what it returns. */
pg_wire_message *pg_build_function(pg_arena *arena, pg_wire_message *model, const char *domain,
                                   const char *name, const char *inputs, const char *outputs, int64_t opset);

/* Types. `dims` is "1,3,H,?": numbers, symbols, ? for a dimension that is not known; "" is a scalar, NULL no
 * shape at all. */
pg_wire_message *pg_build_tensor_type(pg_arena *arena, pg_dtype dtype, const char *dims);
pg_wire_message *pg_build_sequence_type(pg_arena *arena, pg_wire_message *element);
pg_wire_message *pg_build_optional_type(pg_arena *arena, pg_wire_message *element);
pg_wire_message *pg_build_map_type(pg_arena *arena, pg_dtype key, pg_wire_message *value);
pg_wire_message *pg_build_type(pg_arena *arena, const pg_type *type);
/* Adds to PG_PB_GRAPH_INPUT, _OUTPUT or _VALUE_INFO; `type` may be NULL. */
void pg_build_value(pg_arena *arena, pg_wire_message *graph, uint32_t field, const char *name,
                    pg_wire_message *type);
void pg_build_input(pg_arena *arena, pg_wire_message *graph, const char *name, pg_dtype dtype,
                    const char *dims);
void pg_build_output(pg_arena *arena, pg_wire_message *graph, const char *name, pg_dtype dtype,
                     const char *dims);

/* TensorProtos, without being added to anything. */
pg_wire_message *pg_build_tensor(pg_arena *arena, const char *name, const pg_tensor *tensor);
pg_wire_message *pg_build_raw_tensor(pg_arena *arena, const char *name, pg_dtype dtype, size_t rank,
                                     const int64_t *dims, pg_str borrowed);
pg_wire_message *pg_build_external_tensor(pg_arena *arena, const char *name, pg_dtype dtype, size_t rank,
                                          const int64_t *dims, const char *location, uint64_t offset,
                                          uint64_t length);
static inline void pg_build_weight(pg_arena *arena, pg_wire_message *graph, pg_wire_message *tensor)
{
    pg_wire_add_message(arena, graph, PG_PB_GRAPH_WEIGHT, tensor);
}

/* Adds a node to a graph or function. An op_type with a domain is "domain::Op". */
pg_wire_message *pg_build_node(pg_arena *arena, pg_wire_message *graph, const char *op_type, const char *name,
                               const char *inputs, const char *outputs);
void pg_build_attr_float(pg_arena *arena, pg_wire_message *node, const char *name, float value);
void pg_build_attr_int(pg_arena *arena, pg_wire_message *node, const char *name, int64_t value);
void pg_build_attr_str(pg_arena *arena, pg_wire_message *node, const char *name, const char *value);
void pg_build_attr_tensor(pg_arena *arena, pg_wire_message *node, const char *name, pg_wire_message *tensor);
void pg_build_attr_graph(pg_arena *arena, pg_wire_message *node, const char *name, pg_wire_message *graph);
void pg_build_attr_floats(pg_arena *arena, pg_wire_message *node, const char *name, size_t count,
                          const float *values);
void pg_build_attr_ints(pg_arena *arena, pg_wire_message *node, const char *name, size_t count,
                        const int64_t *values);
void pg_build_attr_strs(pg_arena *arena, pg_wire_message *node, const char *name, const char *list);
void pg_build_attr_type(pg_arena *arena, pg_wire_message *node, const char *name, pg_wire_message *type);

#endif
