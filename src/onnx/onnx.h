/* ONNX models, read without copying: names are views into the mapped file, weights stay where they are.
 *
 * pg_model_load parses the structure (nodes, attributes, types) into an arena and leaves tensor bytes as
 * spans. All structs here are read-only and live as long as the model. Edits make a new model (onnx/edit.h)
 * that shares the mapped bytes. */
#ifndef PG_ONNX_ONNX_H
#define PG_ONNX_ONNX_H

#include "base/arena.h"
#include "base/file.h"
#include "base/map.h"
#include "base/status.h"
#include "base/str.h"
#include "tensor/tensor.h"

typedef struct pg_model pg_model;
typedef struct pg_graph pg_graph;
typedef struct pg_wire_message pg_wire_message; /* the protobuf message behind a struct (onnx/wire.h) */

typedef enum pg_type_kind {
    PG_TYPE_NONE = 0, /* not stated */
    PG_TYPE_TENSOR,
    PG_TYPE_SPARSE_TENSOR,
    PG_TYPE_SEQUENCE,
    PG_TYPE_MAP,
    PG_TYPE_OPTIONAL,
    PG_TYPE_OPAQUE,
} pg_type_kind;

typedef struct pg_dim {
    bool has_value;
    int64_t value; /* when has_value; some exporters write -1 here */
    pg_str name;   /* symbol; empty when neither is given */
} pg_dim;

typedef struct pg_type {
    pg_type_kind kind;
    pg_dtype elem; /* tensors; map: the key type */
    bool has_shape;
    uint32_t rank;
    const pg_dim *dims;
    const struct pg_type *inner; /* element of a sequence or optional, value of a map */
    int32_t data_type; /* the number that `elem` stands for, also when this program has no such type */
} pg_type;

typedef struct pg_value_info {
    pg_str name, doc;
    pg_type type;
    const pg_wire_message *wire;
} pg_value_info;

typedef enum pg_storage { PG_STORED_RAW, PG_STORED_TYPED, PG_STORED_EXTERNAL } pg_storage;

/* A TensorProto: where its elements are, not the elements. */
typedef struct pg_weight {
    pg_str name, doc;
    pg_dtype dtype; /* PG_UNDEFINED keeps an unknown number out */
    int32_t data_type;
    uint32_t rank;
    const int64_t *dims;
    pg_storage storage;
    pg_str raw;              /* PG_STORED_RAW */
    pg_str location;         /* PG_STORED_EXTERNAL: relative to the model's folder */
    uint64_t offset, length; /* of the external bytes; length UINT64_MAX when not stated */
    const pg_wire_message *wire;
} pg_weight;

typedef struct pg_sparse_weight {
    pg_weight values, indices;
    uint32_t rank;
    const int64_t *dims;
} pg_sparse_weight;

/* AttributeProto.AttributeType */
typedef enum pg_attr_type {
    PG_ATTR_UNDEFINED = 0,
    PG_ATTR_FLOAT = 1,
    PG_ATTR_INT = 2,
    PG_ATTR_STRING = 3,
    PG_ATTR_TENSOR = 4,
    PG_ATTR_GRAPH = 5,
    PG_ATTR_FLOATS = 6,
    PG_ATTR_INTS = 7,
    PG_ATTR_STRINGS = 8,
    PG_ATTR_TENSORS = 9,
    PG_ATTR_GRAPHS = 10,
    PG_ATTR_SPARSE_TENSOR = 11,
    PG_ATTR_SPARSE_TENSORS = 12,
    PG_ATTR_TYPE = 13,
    PG_ATTR_TYPES = 14,
} pg_attr_type;

typedef struct pg_attr {
    pg_str name, doc;
    pg_str ref; /* name of the enclosing function's attribute this one stands for; empty otherwise */
    pg_attr_type type;
    size_t count; /* of the lists */
    union {
        float f;
        int64_t i;
        pg_str s;
        const pg_weight *tensor; /* also the list of PG_ATTR_TENSORS */
        const pg_graph *graph;
        const float *floats;
        const int64_t *ints;
        const pg_str *strings;
        const pg_graph *const *graphs;
        const pg_sparse_weight *sparse;
        const pg_type *types;
    };
    const pg_wire_message *wire;
} pg_attr;

typedef struct pg_node {
    pg_str name, op_type, domain, overload, doc; /* domain "" and "ai.onnx" are both stored as "" */
    size_t n_inputs, n_outputs, n_attrs;
    const pg_str *inputs, *outputs; /* an empty name is an omitted optional */
    const pg_attr *attrs;
    size_t index; /* in its graph */
    const pg_wire_message *wire;
} pg_node;

struct pg_graph {
    pg_str name, doc;
    size_t n_nodes, n_inputs, n_outputs, n_value_infos, n_weights, n_sparse_weights;
    const pg_node *nodes;
    const pg_value_info *inputs, *outputs, *value_infos;
    const pg_weight *weights; /* initializers */
    const pg_sparse_weight *sparse_weights;
    const pg_wire_message *wire;
};

typedef struct pg_opset {
    pg_str domain; /* "" for ai.onnx */
    int64_t version;
} pg_opset;

typedef struct pg_pair {
    pg_str key, value;
} pg_pair;

typedef struct pg_function {
    pg_str name, domain, overload, doc;
    size_t n_inputs, n_outputs, n_attr_names, n_attr_defaults, n_nodes, n_opsets, n_value_infos;
    const pg_str *inputs, *outputs, *attr_names;
    const pg_attr *attr_defaults;
    const pg_node *nodes;
    const pg_opset *opsets;
    const pg_value_info *value_infos;
    const pg_wire_message *wire;
} pg_function;

struct pg_model {
    int64_t ir_version, model_version;
    pg_str producer_name, producer_version, domain, doc;
    size_t n_opsets, n_metadata, n_functions;
    const pg_opset *opsets;
    const pg_pair *metadata;
    const pg_function *functions;
    const pg_graph *graph; /* never NULL after a successful load */
    char *path;            /* NULL when read from memory */
    char *data_dir;        /* where external data is looked for */
    bool ignore_external_data;
    pg_file_map map;
    pg_wire_message *wire;
    pg_arena arena;
    const pg_model *base;         /* the model whose bytes an edited one shares, counted */
    struct pg_external *external; /* opened external files */
    atomic_int refs;
};

typedef struct pg_model_options {
    const char *external_data_dir; /* NULL: the model's folder */
    bool ignore_external_data;     /* structure only: loading a weight that is external is then an error */
} pg_model_options;

/* Maps and parses. Errors name the path, what is wrong and the byte offset. A file without a graph, an empty
 * file, or something that is not protobuf is PG_ERR_INVALID. `options` may be NULL. Free with pg_model_unref.
 */
PG_MUST_USE pg_status pg_model_load(const char *path, const pg_model_options *options, pg_model **out);
/* The bytes must outlive the model. `name` is used in messages. */
PG_MUST_USE pg_status pg_model_parse(const void *bytes, uint64_t size, const char *name, pg_model **out);
pg_model *pg_model_ref(pg_model *model);
void pg_model_unref(pg_model *model);
/* Every external weight's file exists, lies inside the folder and is long enough; first problem as an error
 * that names weight, file and bytes. */
PG_MUST_USE pg_status pg_model_check_external(const pg_model *model);

/* Whether a name is an initializer of the graph, dense or sparse. Looks through all of them. */
bool pg_graph_has_weight(const pg_graph *graph, pg_str name);

/* External weights of `location` lie in bytes [begin, begin + size) of a mapped file, which the model takes
 * over. Before the first weight is loaded. */
void pg_model_attach(pg_model *model, const char *location, pg_file_map map, uint64_t begin, uint64_t size);

/* The version of a domain's opset; 0 when the model does not import it. */
int64_t pg_model_opset(const pg_model *model, pg_str domain);
const pg_function *pg_model_find_function(const pg_model *model, pg_str domain, pg_str name, pg_str overload);

/* Elements of a weight. Borrowed from the mapping when they are stored raw or external in this machine's
 * order and suitably aligned, else decoded into a buffer. The model must outlive a borrowed tensor. Checks
 * that the stored size fits the dims. */
PG_MUST_USE pg_status pg_weight_load(const pg_model *model, const pg_weight *weight, pg_tensor *out);
/* The same, but raw and external elements stay where they are, at any address: for readers that copy. */
PG_MUST_USE pg_status pg_weight_view(const pg_model *model, const pg_weight *weight, pg_tensor *out);
/* Gives a borrowed tensor whose elements are not aligned for their type bytes of its own. */
PG_MUST_USE pg_status pg_weight_align(const pg_model *model, pg_tensor *tensor);
/* The bytes of a borrowed weight will hardly be read again: they leave this process's memory. */
void pg_model_forget(const pg_model *model, const void *bytes, uint64_t size);
/* Bytes the elements take, from type and dims; false on overflow. */
bool pg_weight_bytes(const pg_weight *weight, uint64_t *out);

/* A stand-alone TensorProto file (.pb), e.g. of the standard's test cases; the bytes must outlive a borrowed
 * result. */
PG_MUST_USE pg_status pg_tensor_parse_pb(const void *bytes, uint64_t size, const char *name, pg_tensor *out,
                                         char **out_name);
void pg_tensor_write_pb(const pg_tensor *tensor, pg_str name, pg_buf *out);

/* Attributes by name; NULL when missing. */
const pg_attr *pg_node_attr(const pg_node *node, const char *name);

#endif
