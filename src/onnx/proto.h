/* ONNX's protobuf messages: field numbers, and which fields are messages. The numbers are the standard's
 * (onnx.proto); names are PG_PB_<MESSAGE>_<FIELD>. */
#ifndef PG_ONNX_PROTO_H
#define PG_ONNX_PROTO_H

#include "onnx/wire.h"

extern const pg_wire_type pg_pb_model, pg_pb_graph, pg_pb_node, pg_pb_attr, pg_pb_tensor, pg_pb_sparse_tensor,
    pg_pb_value_info, pg_pb_type, pg_pb_type_tensor, pg_pb_type_elem, pg_pb_type_map, pg_pb_opaque,
    pg_pb_shape, pg_pb_dim, pg_pb_function, pg_pb_pair, pg_pb_opset, pg_pb_training;

enum {
    PG_PB_MODEL_IR_VERSION = 1,
    PG_PB_MODEL_PRODUCER_NAME = 2,
    PG_PB_MODEL_PRODUCER_VERSION = 3,
    PG_PB_MODEL_DOMAIN = 4,
    PG_PB_MODEL_MODEL_VERSION = 5,
    PG_PB_MODEL_DOC = 6,
    PG_PB_MODEL_GRAPH = 7,
    PG_PB_MODEL_OPSET = 8,
    PG_PB_MODEL_METADATA = 14,
    PG_PB_MODEL_TRAINING = 20,
    PG_PB_MODEL_FUNCTION = 25,

    PG_PB_GRAPH_NODE = 1,
    PG_PB_GRAPH_NAME = 2,
    PG_PB_GRAPH_WEIGHT = 5,
    PG_PB_GRAPH_DOC = 10,
    PG_PB_GRAPH_INPUT = 11,
    PG_PB_GRAPH_OUTPUT = 12,
    PG_PB_GRAPH_VALUE_INFO = 13,
    PG_PB_GRAPH_SPARSE_WEIGHT = 15,

    PG_PB_NODE_INPUT = 1,
    PG_PB_NODE_OUTPUT = 2,
    PG_PB_NODE_NAME = 3,
    PG_PB_NODE_OP_TYPE = 4,
    PG_PB_NODE_ATTR = 5,
    PG_PB_NODE_DOC = 6,
    PG_PB_NODE_DOMAIN = 7,
    PG_PB_NODE_OVERLOAD = 8,

    PG_PB_ATTR_NAME = 1,
    PG_PB_ATTR_FLOAT = 2,
    PG_PB_ATTR_INT = 3,
    PG_PB_ATTR_STRING = 4,
    PG_PB_ATTR_TENSOR = 5,
    PG_PB_ATTR_GRAPH = 6,
    PG_PB_ATTR_FLOATS = 7,
    PG_PB_ATTR_INTS = 8,
    PG_PB_ATTR_STRINGS = 9,
    PG_PB_ATTR_TENSORS = 10,
    PG_PB_ATTR_GRAPHS = 11,
    PG_PB_ATTR_DOC = 13,
    PG_PB_ATTR_TYPE_PROTO = 14,
    PG_PB_ATTR_TYPE_PROTOS = 15,
    PG_PB_ATTR_TYPE = 20, /* which of the others is in use */
    PG_PB_ATTR_REF = 21,
    PG_PB_ATTR_SPARSE_TENSOR = 22,
    PG_PB_ATTR_SPARSE_TENSORS = 23,

    PG_PB_TENSOR_DIMS = 1,
    PG_PB_TENSOR_DATA_TYPE = 2,
    PG_PB_TENSOR_SEGMENT = 3,
    PG_PB_TENSOR_FLOATS = 4,
    PG_PB_TENSOR_INT32S = 5,
    PG_PB_TENSOR_STRINGS = 6,
    PG_PB_TENSOR_INT64S = 7,
    PG_PB_TENSOR_NAME = 8,
    PG_PB_TENSOR_RAW = 9,
    PG_PB_TENSOR_DOUBLES = 10,
    PG_PB_TENSOR_UINT64S = 11,
    PG_PB_TENSOR_DOC = 12,
    PG_PB_TENSOR_EXTERNAL = 13,
    PG_PB_TENSOR_LOCATION = 14, /* 1: external */

    PG_PB_SPARSE_VALUES = 1,
    PG_PB_SPARSE_INDICES = 2,
    PG_PB_SPARSE_DIMS = 3,

    PG_PB_VALUE_NAME = 1,
    PG_PB_VALUE_TYPE = 2,
    PG_PB_VALUE_DOC = 3,

    PG_PB_TYPE_TENSOR = 1,
    PG_PB_TYPE_SEQUENCE = 4,
    PG_PB_TYPE_MAP = 5,
    PG_PB_TYPE_OPAQUE = 7,
    PG_PB_TYPE_SPARSE = 8,
    PG_PB_TYPE_OPTIONAL = 9,

    PG_PB_TYPE_TENSOR_ELEM = 1,
    PG_PB_TYPE_TENSOR_SHAPE = 2,
    PG_PB_TYPE_INNER = 1, /* of sequences and optionals */
    PG_PB_TYPE_MAP_KEY = 1,
    PG_PB_TYPE_MAP_VALUE = 2,

    PG_PB_SHAPE_DIM = 1,
    PG_PB_DIM_VALUE = 1,
    PG_PB_DIM_PARAM = 2,

    PG_PB_FUNCTION_NAME = 1,
    PG_PB_FUNCTION_INPUT = 4,
    PG_PB_FUNCTION_OUTPUT = 5,
    PG_PB_FUNCTION_ATTR = 6,
    PG_PB_FUNCTION_NODE = 7,
    PG_PB_FUNCTION_DOC = 8,
    PG_PB_FUNCTION_OPSET = 9,
    PG_PB_FUNCTION_DOMAIN = 10,
    PG_PB_FUNCTION_ATTR_DEFAULT = 11,
    PG_PB_FUNCTION_VALUE_INFO = 12,
    PG_PB_FUNCTION_OVERLOAD = 13,

    PG_PB_PAIR_KEY = 1,
    PG_PB_PAIR_VALUE = 2,
    PG_PB_OPSET_DOMAIN = 1,
    PG_PB_OPSET_VERSION = 2,

    PG_PB_TRAINING_INITIALIZATION = 1,
    PG_PB_TRAINING_ALGORITHM = 2,

    PG_PB_MAX_FIELD = 31 /* above every number here */
};

#endif
