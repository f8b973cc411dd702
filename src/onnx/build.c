#include "onnx/build.h"

#include "base/alloc.h"
#include "onnx/internal.h"

enum { BUILD_IR_VERSION = 8 };

static void add_text(pg_arena *arena, pg_wire_message *message, uint32_t number, const char *text)
{
    pg_wire_add_str(arena, message, number, pg_arena_str(arena, pg_str_c(text)));
}

/* What a list of names starts from: NULL for an empty text, which holds no name rather than an empty one. */
static pg_str list_of(const char *text)
{
    return text[0] != '\0' ? pg_str_c(text) : PG_STR_EMPTY;
}

static void add_list(pg_arena *arena, pg_wire_message *message, uint32_t number, const char *list)
{
    pg_str rest = list_of(list), part;
    while (pg_str_split(&rest, ',', &part))
        pg_wire_add_str(arena, message, number, pg_arena_str(arena, part));
}

pg_wire_message *pg_build_model(pg_arena *arena, pg_wire_message *graph, int64_t opset)
{
    pg_wire_message *model = pg_wire_new(arena, &pg_pb_model);
    pg_wire_add_int(arena, model, PG_PB_MODEL_IR_VERSION, BUILD_IR_VERSION);
    pg_wire_add_message(arena, model, PG_PB_MODEL_GRAPH, graph);
    if (opset > 0)
        pg_build_opset(arena, model, "", opset);
    return model;
}

void pg_build_opset(pg_arena *arena, pg_wire_message *model, const char *domain, int64_t version)
{
    pg_wire_message *opset = pg_wire_new(arena, &pg_pb_opset);
    add_text(arena, opset, PG_PB_OPSET_DOMAIN, domain);
    pg_wire_add_int(arena, opset, PG_PB_OPSET_VERSION, version);
    pg_wire_add_message(arena, model,
                        model->type == &pg_pb_function ? PG_PB_FUNCTION_OPSET : PG_PB_MODEL_OPSET, opset);
}

void pg_build_metadata(pg_arena *arena, pg_wire_message *model, const char *key, const char *value)
{
    pg_wire_message *pair = pg_wire_new(arena, &pg_pb_pair);
    add_text(arena, pair, PG_PB_PAIR_KEY, key);
    add_text(arena, pair, PG_PB_PAIR_VALUE, value);
    pg_wire_add_message(arena, model, PG_PB_MODEL_METADATA, pair);
}

pg_wire_message *pg_build_graph(pg_arena *arena, const char *name)
{
    pg_wire_message *graph = pg_wire_new(arena, &pg_pb_graph);
    add_text(arena, graph, PG_PB_GRAPH_NAME, name);
    return graph;
}

pg_wire_message *pg_build_function(pg_arena *arena, pg_wire_message *model, const char *domain,
                                   const char *name, const char *inputs, const char *outputs, int64_t opset)
{
    pg_wire_message *function = pg_wire_new(arena, &pg_pb_function);
    add_text(arena, function, PG_PB_FUNCTION_NAME, name);
    add_list(arena, function, PG_PB_FUNCTION_INPUT, inputs);
    add_list(arena, function, PG_PB_FUNCTION_OUTPUT, outputs);
    add_text(arena, function, PG_PB_FUNCTION_DOMAIN, domain);
    pg_build_opset(arena, function, "", opset);
    pg_wire_add_message(arena, model, PG_PB_MODEL_FUNCTION, function);
    return function;
}

/* Types */

static void add_dim(pg_arena *arena, pg_wire_message *shape, const pg_dim *dim)
{
    pg_wire_message *message = pg_wire_new(arena, &pg_pb_dim);
    if (dim->has_value)
        pg_wire_add_int(arena, message, PG_PB_DIM_VALUE, dim->value);
    else if (dim->name.len > 0)
        pg_wire_add_str(arena, message, PG_PB_DIM_PARAM, pg_arena_str(arena, dim->name));
    pg_wire_add_message(arena, shape, PG_PB_SHAPE_DIM, message);
}

static pg_wire_message *type_around(pg_arena *arena, uint32_t field, pg_wire_message *content)
{
    pg_wire_message *type = pg_wire_new(arena, &pg_pb_type);
    pg_wire_add_message(arena, type, field, content);
    return type;
}

pg_wire_message *pg_build_tensor_type(pg_arena *arena, pg_dtype dtype, const char *dims)
{
    pg_wire_message *tensor = pg_wire_new(arena, &pg_pb_type_tensor);
    pg_wire_add_int(arena, tensor, PG_PB_TYPE_TENSOR_ELEM, dtype);
    if (dims != NULL) {
        pg_wire_message *shape = pg_wire_new(arena, &pg_pb_shape);
        pg_str rest = list_of(dims), part;
        while (pg_str_split(&rest, ',', &part)) {
            pg_dim dim = {.name = pg_str_is(part, "?") ? PG_STR_EMPTY : part};
            dim.has_value = pg_str_to_i64(part, &dim.value);
            add_dim(arena, shape, &dim);
        }
        pg_wire_add_message(arena, tensor, PG_PB_TYPE_TENSOR_SHAPE, shape);
    }
    return type_around(arena, PG_PB_TYPE_TENSOR, tensor);
}

static pg_wire_message *container_type(pg_arena *arena, uint32_t field, pg_wire_message *element)
{
    pg_wire_message *content = pg_wire_new(arena, &pg_pb_type_elem);
    pg_wire_add_message(arena, content, PG_PB_TYPE_INNER, element);
    return type_around(arena, field, content);
}

pg_wire_message *pg_build_sequence_type(pg_arena *arena, pg_wire_message *element)
{
    return container_type(arena, PG_PB_TYPE_SEQUENCE, element);
}

pg_wire_message *pg_build_optional_type(pg_arena *arena, pg_wire_message *element)
{
    return container_type(arena, PG_PB_TYPE_OPTIONAL, element);
}

pg_wire_message *pg_build_map_type(pg_arena *arena, pg_dtype key, pg_wire_message *value)
{
    pg_wire_message *map = pg_wire_new(arena, &pg_pb_type_map);
    pg_wire_add_int(arena, map, PG_PB_TYPE_MAP_KEY, key);
    pg_wire_add_message(arena, map, PG_PB_TYPE_MAP_VALUE, value);
    return type_around(arena, PG_PB_TYPE_MAP, map);
}

static pg_wire_message *tensor_type(pg_arena *arena, const pg_type *type)
{
    pg_wire_message *tensor = pg_wire_new(arena, &pg_pb_type_tensor);
    pg_wire_add_int(arena, tensor, PG_PB_TYPE_TENSOR_ELEM, type->elem);
    if (type->has_shape) {
        pg_wire_message *shape = pg_wire_new(arena, &pg_pb_shape);
        for (uint32_t i = 0; i < type->rank; i++)
            add_dim(arena, shape, &type->dims[i]);
        pg_wire_add_message(arena, tensor, PG_PB_TYPE_TENSOR_SHAPE, shape);
    }
    return tensor;
}

pg_wire_message *pg_build_type(pg_arena *arena, const pg_type *type)
{
    static const pg_type none;
    const pg_type *inner = type->inner != NULL ? type->inner : &none;
    switch (type->kind) {
    case PG_TYPE_TENSOR:
        return type_around(arena, PG_PB_TYPE_TENSOR, tensor_type(arena, type));
    case PG_TYPE_SPARSE_TENSOR:
        return type_around(arena, PG_PB_TYPE_SPARSE, tensor_type(arena, type));
    case PG_TYPE_SEQUENCE:
        return pg_build_sequence_type(arena, pg_build_type(arena, inner));
    case PG_TYPE_OPTIONAL:
        return pg_build_optional_type(arena, pg_build_type(arena, inner));
    case PG_TYPE_MAP:
        return pg_build_map_type(arena, type->elem, pg_build_type(arena, inner));
    case PG_TYPE_OPAQUE:
        return type_around(arena, PG_PB_TYPE_OPAQUE, pg_wire_new(arena, &pg_pb_opaque));
    case PG_TYPE_NONE:
        break;
    }
    return pg_wire_new(arena, &pg_pb_type);
}

void pg_build_value(pg_arena *arena, pg_wire_message *graph, uint32_t field, const char *name,
                    pg_wire_message *type)
{
    pg_wire_message *value = pg_wire_new(arena, &pg_pb_value_info);
    add_text(arena, value, PG_PB_VALUE_NAME, name);
    if (type != NULL)
        pg_wire_add_message(arena, value, PG_PB_VALUE_TYPE, type);
    pg_wire_add_message(arena, graph, field, value);
}

void pg_build_input(pg_arena *arena, pg_wire_message *graph, const char *name, pg_dtype dtype,
                    const char *dims)
{
    pg_build_value(arena, graph, PG_PB_GRAPH_INPUT, name, pg_build_tensor_type(arena, dtype, dims));
}

void pg_build_output(pg_arena *arena, pg_wire_message *graph, const char *name, pg_dtype dtype,
                     const char *dims)
{
    pg_build_value(arena, graph, PG_PB_GRAPH_OUTPUT, name, pg_build_tensor_type(arena, dtype, dims));
}

/* Tensors */

static pg_wire_message *tensor_head(pg_arena *arena, const char *name, pg_dtype dtype, size_t rank,
                                    const int64_t *dims)
{
    pg_wire_message *tensor = pg_wire_new(arena, &pg_pb_tensor);
    for (size_t i = 0; i < rank; i++)
        pg_wire_add_int(arena, tensor, PG_PB_TENSOR_DIMS, dims[i]);
    pg_wire_add_int(arena, tensor, PG_PB_TENSOR_DATA_TYPE, dtype);
    if (name[0] != '\0')
        add_text(arena, tensor, PG_PB_TENSOR_NAME, name);
    return tensor;
}

pg_wire_message *pg_build_tensor(pg_arena *arena, const char *name, const pg_tensor *tensor)
{
    PG_ASSERT(tensor->layout == PG_ROW_MAJOR);
    pg_wire_message *message = tensor_head(arena, name, tensor->dtype, tensor->rank, tensor->dims);
    if (tensor->dtype == PG_STRING) {
        const pg_str *texts = tensor->data;
        for (uint64_t i = 0; i < pg_tensor_count(tensor); i++)
            pg_wire_add_str(arena, message, PG_PB_TENSOR_STRINGS, pg_arena_str(arena, texts[i]));
        return message;
    }
    pg_wire_add_str(arena, message, PG_PB_TENSOR_RAW,
                    pg_arena_str(arena, (pg_str){tensor->data, pg_tensor_bytes(tensor)}));
    return message;
}

pg_wire_message *pg_build_raw_tensor(pg_arena *arena, const char *name, pg_dtype dtype, size_t rank,
                                     const int64_t *dims, pg_str borrowed)
{
    pg_wire_message *tensor = tensor_head(arena, name, dtype, rank, dims);
    pg_wire_add_str(arena, tensor, PG_PB_TENSOR_RAW, borrowed);
    return tensor;
}

static void add_external(pg_arena *arena, pg_wire_message *tensor, const char *key, const char *value)
{
    pg_wire_message *pair = pg_wire_new(arena, &pg_pb_pair);
    add_text(arena, pair, PG_PB_PAIR_KEY, key);
    add_text(arena, pair, PG_PB_PAIR_VALUE, value);
    pg_wire_add_message(arena, tensor, PG_PB_TENSOR_EXTERNAL, pair);
}

pg_wire_message *pg_build_external_tensor(pg_arena *arena, const char *name, pg_dtype dtype, size_t rank,
                                          const int64_t *dims, const char *location, uint64_t offset,
                                          uint64_t length)
{
    pg_wire_message *tensor = tensor_head(arena, name, dtype, rank, dims);
    add_external(arena, tensor, "location", location);
    add_external(arena, tensor, "offset", pg_arena_printf(arena, "%llu", (unsigned long long)offset));
    add_external(arena, tensor, "length", pg_arena_printf(arena, "%llu", (unsigned long long)length));
    pg_wire_add_int(arena, tensor, PG_PB_TENSOR_LOCATION, 1);
    return tensor;
}

/* Nodes */

pg_wire_message *pg_build_node(pg_arena *arena, pg_wire_message *graph, const char *op_type, const char *name,
                               const char *inputs, const char *outputs)
{
    pg_wire_message *node = pg_wire_new(arena, &pg_pb_node);
    const char *colons = strstr(op_type, "::");
    add_list(arena, node, PG_PB_NODE_INPUT, inputs);
    add_list(arena, node, PG_PB_NODE_OUTPUT, outputs);
    if (name[0] != '\0')
        add_text(arena, node, PG_PB_NODE_NAME, name);
    add_text(arena, node, PG_PB_NODE_OP_TYPE, colons != NULL ? colons + 2 : op_type);
    if (colons != NULL)
        pg_wire_add_str(arena, node, PG_PB_NODE_DOMAIN,
                        pg_arena_str(arena, (pg_str){op_type, (size_t)(colons - op_type)}));
    pg_wire_add_message(arena, graph, graph->type == &pg_pb_function ? PG_PB_FUNCTION_NODE : PG_PB_GRAPH_NODE,
                        node);
    return node;
}

static pg_wire_message *add_attr(pg_arena *arena, pg_wire_message *node, const char *name, pg_attr_type type)
{
    pg_wire_message *attr = pg_wire_new(arena, &pg_pb_attr);
    add_text(arena, attr, PG_PB_ATTR_NAME, name);
    pg_wire_add_int(arena, attr, PG_PB_ATTR_TYPE, type);
    pg_wire_add_message(arena, node, PG_PB_NODE_ATTR, attr);
    return attr;
}

void pg_build_attr_float(pg_arena *arena, pg_wire_message *node, const char *name, float value)
{
    pg_wire_add_float(arena, add_attr(arena, node, name, PG_ATTR_FLOAT), PG_PB_ATTR_FLOAT, value);
}

void pg_build_attr_int(pg_arena *arena, pg_wire_message *node, const char *name, int64_t value)
{
    pg_wire_add_int(arena, add_attr(arena, node, name, PG_ATTR_INT), PG_PB_ATTR_INT, value);
}

void pg_build_attr_str(pg_arena *arena, pg_wire_message *node, const char *name, const char *value)
{
    add_text(arena, add_attr(arena, node, name, PG_ATTR_STRING), PG_PB_ATTR_STRING, value);
}

void pg_build_attr_tensor(pg_arena *arena, pg_wire_message *node, const char *name, pg_wire_message *tensor)
{
    pg_wire_add_message(arena, add_attr(arena, node, name, PG_ATTR_TENSOR), PG_PB_ATTR_TENSOR, tensor);
}

void pg_build_attr_graph(pg_arena *arena, pg_wire_message *node, const char *name, pg_wire_message *graph)
{
    pg_wire_add_message(arena, add_attr(arena, node, name, PG_ATTR_GRAPH), PG_PB_ATTR_GRAPH, graph);
}

void pg_build_attr_floats(pg_arena *arena, pg_wire_message *node, const char *name, size_t count,
                          const float *values)
{
    pg_wire_message *attr = add_attr(arena, node, name, PG_ATTR_FLOATS);
    for (size_t i = 0; i < count; i++)
        pg_wire_add_float(arena, attr, PG_PB_ATTR_FLOATS, values[i]);
}

void pg_build_attr_ints(pg_arena *arena, pg_wire_message *node, const char *name, size_t count,
                        const int64_t *values)
{
    pg_wire_message *attr = add_attr(arena, node, name, PG_ATTR_INTS);
    for (size_t i = 0; i < count; i++)
        pg_wire_add_int(arena, attr, PG_PB_ATTR_INTS, values[i]);
}

void pg_build_attr_strs(pg_arena *arena, pg_wire_message *node, const char *name, const char *list)
{
    add_list(arena, add_attr(arena, node, name, PG_ATTR_STRINGS), PG_PB_ATTR_STRINGS, list);
}

void pg_build_attr_type(pg_arena *arena, pg_wire_message *node, const char *name, pg_wire_message *type)
{
    pg_wire_add_message(arena, add_attr(arena, node, name, PG_ATTR_TYPE), PG_PB_ATTR_TYPE_PROTO, type);
}
