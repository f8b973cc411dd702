#include "onnx/proto.h"

const pg_wire_type pg_pb_pair = {"StringStringEntryProto", {{0}}};
const pg_wire_type pg_pb_opset = {"OperatorSetIdProto", {{0}}};
const pg_wire_type pg_pb_dim = {"TensorShapeProto.Dimension", {{0}}};
const pg_wire_type pg_pb_opaque = {"TypeProto.Opaque", {{0}}};
const pg_wire_type pg_pb_shape = {"TensorShapeProto", {{PG_PB_SHAPE_DIM, &pg_pb_dim}}};
const pg_wire_type pg_pb_type_tensor = {"TypeProto.Tensor", {{PG_PB_TYPE_TENSOR_SHAPE, &pg_pb_shape}}};
const pg_wire_type pg_pb_type_elem = {"TypeProto.Sequence", {{PG_PB_TYPE_INNER, &pg_pb_type}}};
const pg_wire_type pg_pb_type_map = {"TypeProto.Map", {{PG_PB_TYPE_MAP_VALUE, &pg_pb_type}}};
const pg_wire_type pg_pb_tensor = {"TensorProto", {{PG_PB_TENSOR_EXTERNAL, &pg_pb_pair}}};
const pg_wire_type pg_pb_sparse_tensor = {
    "SparseTensorProto", {{PG_PB_SPARSE_VALUES, &pg_pb_tensor}, {PG_PB_SPARSE_INDICES, &pg_pb_tensor}}};
const pg_wire_type pg_pb_value_info = {"ValueInfoProto", {{PG_PB_VALUE_TYPE, &pg_pb_type}}};
const pg_wire_type pg_pb_node = {"NodeProto", {{PG_PB_NODE_ATTR, &pg_pb_attr}}};
const pg_wire_type pg_pb_training = {
    "TrainingInfoProto",
    {{PG_PB_TRAINING_INITIALIZATION, &pg_pb_graph}, {PG_PB_TRAINING_ALGORITHM, &pg_pb_graph}}};
const pg_wire_type pg_pb_type = {"TypeProto",
                                 {{PG_PB_TYPE_TENSOR, &pg_pb_type_tensor},
                                  {PG_PB_TYPE_SEQUENCE, &pg_pb_type_elem},
                                  {PG_PB_TYPE_MAP, &pg_pb_type_map},
                                  {PG_PB_TYPE_OPAQUE, &pg_pb_opaque},
                                  {PG_PB_TYPE_SPARSE, &pg_pb_type_tensor},
                                  {PG_PB_TYPE_OPTIONAL, &pg_pb_type_elem}}};
const pg_wire_type pg_pb_attr = {"AttributeProto",
                                 {{PG_PB_ATTR_TENSOR, &pg_pb_tensor},
                                  {PG_PB_ATTR_GRAPH, &pg_pb_graph},
                                  {PG_PB_ATTR_TENSORS, &pg_pb_tensor},
                                  {PG_PB_ATTR_GRAPHS, &pg_pb_graph},
                                  {PG_PB_ATTR_TYPE_PROTO, &pg_pb_type},
                                  {PG_PB_ATTR_TYPE_PROTOS, &pg_pb_type},
                                  {PG_PB_ATTR_SPARSE_TENSOR, &pg_pb_sparse_tensor},
                                  {PG_PB_ATTR_SPARSE_TENSORS, &pg_pb_sparse_tensor}}};
const pg_wire_type pg_pb_graph = {"GraphProto",
                                  {{PG_PB_GRAPH_NODE, &pg_pb_node},
                                   {PG_PB_GRAPH_WEIGHT, &pg_pb_tensor},
                                   {PG_PB_GRAPH_SPARSE_WEIGHT, &pg_pb_sparse_tensor},
                                   {PG_PB_GRAPH_INPUT, &pg_pb_value_info},
                                   {PG_PB_GRAPH_OUTPUT, &pg_pb_value_info},
                                   {PG_PB_GRAPH_VALUE_INFO, &pg_pb_value_info}}};
const pg_wire_type pg_pb_function = {"FunctionProto",
                                     {{PG_PB_FUNCTION_NODE, &pg_pb_node},
                                      {PG_PB_FUNCTION_ATTR_DEFAULT, &pg_pb_attr},
                                      {PG_PB_FUNCTION_OPSET, &pg_pb_opset},
                                      {PG_PB_FUNCTION_VALUE_INFO, &pg_pb_value_info}}};
const pg_wire_type pg_pb_model = {"ModelProto",
                                  {{PG_PB_MODEL_GRAPH, &pg_pb_graph},
                                   {PG_PB_MODEL_OPSET, &pg_pb_opset},
                                   {PG_PB_MODEL_METADATA, &pg_pb_pair},
                                   {PG_PB_MODEL_TRAINING, &pg_pb_training},
                                   {PG_PB_MODEL_FUNCTION, &pg_pb_function}}};
