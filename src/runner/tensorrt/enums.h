/* Enumerations of TensorRT by name: what options spell, for the library at hand. */
#ifndef PG_RUNNER_TENSORRT_ENUMS_H
#define PG_RUNNER_TENSORRT_ENUMS_H

#include "base/buf.h"
#include "runner/tensorrt/abi.h"

typedef enum trt_enum {
    TRT_BUILDER_FLAG,
    TRT_DATA_TYPE,
    TRT_ENGINE_CAPABILITY,
    TRT_HARDWARE_COMPATIBILITY_LEVEL,
    TRT_LAYER_TYPE,
    TRT_MEMORY_POOL_TYPE,
    TRT_NETWORK_DEFINITION_CREATION_FLAG,
    TRT_ONNX_PARSER_FLAG,
    TRT_PREVIEW_FEATURE,
    TRT_PROFILING_VERBOSITY,
    TRT_QUANTIZATION_FLAG,
    TRT_RUNTIME_PLATFORM,
    TRT_TACTIC_SOURCE,
    TRT_TENSOR_FORMAT,
    TRT_TILING_OPTIMIZATION_LEVEL,
    TRT_COMPUTE_CAPABILITY,
    TRT_ERROR_CODE,
    TRT_ACTIVATION_TYPE,
    TRT_POOLING_TYPE,
    /* Attributes of layers */
    TRT_ELEMENT_WISE_OPERATION,
    TRT_UNARY_OPERATION,
    TRT_PADDING_MODE,
    TRT_SAMPLE_MODE,
    TRT_GATHER_MODE,
    TRT_SCALE_MODE,
    TRT_REDUCE_OPERATION,
    TRT_MATRIX_OPERATION,
    TRT_INTERPOLATION_MODE,
    TRT_RESIZE_COORDINATE_TRANSFORMATION,
    TRT_RESIZE_ROUND_MODE,
    TRT_RESIZE_SELECTOR,
    TRT_TOPK_OPERATION,
    TRT_FILL_OPERATION,
    TRT_SCATTER_MODE,
    TRT_BOUNDING_BOX_FORMAT,
    TRT_CUMULATIVE_OPERATION,
    TRT_LOOP_OUTPUT,
    TRT_TRIP_LIMIT,
    TRT_KV_CACHE_MODE,
    TRT_ATTENTION_IO_FORM,
    TRT_MOE_ACT_TYPE,
} trt_enum;

/* In any case of letters; -1 for a name that this family does not have. */
int trt_enum_value(trt_family family, trt_enum kind, pg_str name);
/* NULL for a number without a name. */
const char *trt_enum_name(trt_family family, trt_enum kind, int value);
/* Every name of the family, "A, B, C". */
void trt_enum_choices(trt_family family, trt_enum kind, pg_buf *out);
/* How TensorRT calls the enumeration: "BuilderFlag". */
const char *trt_enum_title(trt_enum kind);

#endif
