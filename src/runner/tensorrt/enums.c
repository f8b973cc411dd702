#include "runner/tensorrt/enums.h"

#include "base/alloc.h"

typedef struct enum_row {
    trt_enum kind;
    const char *name;
    int16_t values[TRT_FAMILIES]; /* -1: the family lacks it */
} enum_row;

#define ALL(kind, name, value)         \
    {                                  \
        TRT_##kind, name,              \
        {                              \
            value, value, value, value \
        }                              \
    }
#define EACH(kind, name, trt10, trt11, rtx14, rtx15) \
    {                                                \
        TRT_##kind, name,                            \
        {                                            \
            trt10, trt11, rtx14, rtx15               \
        }                                            \
    }

/* The first row with a number gives its name. */
static const enum_row rows[] = {
    /* BuilderFlag */
    EACH(BUILDER_FLAG, "FP16", 0, -1, 0, -1),
    EACH(BUILDER_FLAG, "INT8", 1, -1, 1, -1),
    ALL(BUILDER_FLAG, "DEBUG", 2),
    ALL(BUILDER_FLAG, "GPU_FALLBACK", 3),
    ALL(BUILDER_FLAG, "REFIT", 4),
    ALL(BUILDER_FLAG, "DISABLE_TIMING_CACHE", 5),
    ALL(BUILDER_FLAG, "TF32", 6),
    ALL(BUILDER_FLAG, "SPARSE_WEIGHTS", 7),
    ALL(BUILDER_FLAG, "SAFETY_SCOPE", 8),
    EACH(BUILDER_FLAG, "OBEY_PRECISION_CONSTRAINTS", 9, -1, 9, -1),
    EACH(BUILDER_FLAG, "PREFER_PRECISION_CONSTRAINTS", 10, -1, 10, -1),
    ALL(BUILDER_FLAG, "DIRECT_IO", 11),
    EACH(BUILDER_FLAG, "REJECT_EMPTY_ALGORITHMS", 12, -1, 12, -1),
    EACH(BUILDER_FLAG, "VERSION_COMPATIBLE", 13, 12, 13, 12),
    EACH(BUILDER_FLAG, "EXCLUDE_LEAN_RUNTIME", 14, 13, 14, 13),
    EACH(BUILDER_FLAG, "FP8", 15, -1, 15, -1),
    EACH(BUILDER_FLAG, "ERROR_ON_TIMING_CACHE_MISS", 16, 15, 16, 15),
    EACH(BUILDER_FLAG, "BF16", 17, -1, 17, -1),
    EACH(BUILDER_FLAG, "DISABLE_COMPILATION_CACHE", 18, 17, 18, 17),
    EACH(BUILDER_FLAG, "STRIP_PLAN", 19, 18, 19, 18),
    EACH(BUILDER_FLAG, "WEIGHTLESS", 19, -1, 19, -1),
    EACH(BUILDER_FLAG, "REFIT_IDENTICAL", 20, 19, 20, 19),
    EACH(BUILDER_FLAG, "WEIGHT_STREAMING", 21, 20, 21, 20),
    EACH(BUILDER_FLAG, "INT4", 22, -1, 22, -1),
    EACH(BUILDER_FLAG, "REFIT_INDIVIDUAL", 23, 22, 23, 22),
    EACH(BUILDER_FLAG, "STRICT_NANS", 24, 23, 24, 23),
    EACH(BUILDER_FLAG, "MONITOR_MEMORY", 25, 24, 25, 24),
    EACH(BUILDER_FLAG, "FP4", 26, -1, 26, -1),
    EACH(BUILDER_FLAG, "EDITABLE_TIMING_CACHE", 27, 26, 27, 26),
    EACH(BUILDER_FLAG, "DISTRIBUTIVE_INDEPENDENCE", 28, 27, 28, 27),
    EACH(BUILDER_FLAG, "REQUIRE_USER_ALLOCATION", -1, -1, -1, 28),
    /* DataType */
    ALL(DATA_TYPE, "FLOAT", 0),
    ALL(DATA_TYPE, "HALF", 1),
    ALL(DATA_TYPE, "INT8", 2),
    ALL(DATA_TYPE, "INT32", 3),
    ALL(DATA_TYPE, "BOOL", 4),
    ALL(DATA_TYPE, "UINT8", 5),
    ALL(DATA_TYPE, "FP8", 6),
    ALL(DATA_TYPE, "BF16", 7),
    ALL(DATA_TYPE, "INT64", 8),
    ALL(DATA_TYPE, "INT4", 9),
    ALL(DATA_TYPE, "FP4", 10),
    ALL(DATA_TYPE, "E8M0", 11),
    /* EngineCapability */
    ALL(ENGINE_CAPABILITY, "STANDARD", 0),
    ALL(ENGINE_CAPABILITY, "SAFETY", 1),
    ALL(ENGINE_CAPABILITY, "DLA_STANDALONE", 2),
    /* HardwareCompatibilityLevel */
    ALL(HARDWARE_COMPATIBILITY_LEVEL, "NONE", 0),
    ALL(HARDWARE_COMPATIBILITY_LEVEL, "AMPERE_PLUS", 1),
    ALL(HARDWARE_COMPATIBILITY_LEVEL, "SAME_COMPUTE_CAPABILITY", 2),
    /* LayerType */
    ALL(LAYER_TYPE, "CONVOLUTION", 0),
    ALL(LAYER_TYPE, "CAST", 1),
    ALL(LAYER_TYPE, "ACTIVATION", 2),
    ALL(LAYER_TYPE, "POOLING", 3),
    ALL(LAYER_TYPE, "LRN", 4),
    ALL(LAYER_TYPE, "SCALE", 5),
    ALL(LAYER_TYPE, "SOFTMAX", 6),
    ALL(LAYER_TYPE, "DECONVOLUTION", 7),
    ALL(LAYER_TYPE, "CONCATENATION", 8),
    ALL(LAYER_TYPE, "ELEMENTWISE", 9),
    ALL(LAYER_TYPE, "PLUGIN", 10),
    ALL(LAYER_TYPE, "UNARY", 11),
    ALL(LAYER_TYPE, "PADDING", 12),
    ALL(LAYER_TYPE, "SHUFFLE", 13),
    ALL(LAYER_TYPE, "REDUCE", 14),
    ALL(LAYER_TYPE, "TOPK", 15),
    ALL(LAYER_TYPE, "GATHER", 16),
    ALL(LAYER_TYPE, "MATRIX_MULTIPLY", 17),
    ALL(LAYER_TYPE, "RAGGED_SOFTMAX", 18),
    ALL(LAYER_TYPE, "CONSTANT", 19),
    ALL(LAYER_TYPE, "IDENTITY", 20),
    ALL(LAYER_TYPE, "PLUGIN_V2", 21),
    ALL(LAYER_TYPE, "SLICE", 22),
    ALL(LAYER_TYPE, "SHAPE", 23),
    ALL(LAYER_TYPE, "PARAMETRIC_RELU", 24),
    ALL(LAYER_TYPE, "RESIZE", 25),
    ALL(LAYER_TYPE, "TRIP_LIMIT", 26),
    ALL(LAYER_TYPE, "RECURRENCE", 27),
    ALL(LAYER_TYPE, "ITERATOR", 28),
    ALL(LAYER_TYPE, "LOOP_OUTPUT", 29),
    ALL(LAYER_TYPE, "SELECT", 30),
    ALL(LAYER_TYPE, "FILL", 31),
    ALL(LAYER_TYPE, "QUANTIZE", 32),
    ALL(LAYER_TYPE, "DEQUANTIZE", 33),
    ALL(LAYER_TYPE, "CONDITION", 34),
    ALL(LAYER_TYPE, "CONDITIONAL_INPUT", 35),
    ALL(LAYER_TYPE, "CONDITIONAL_OUTPUT", 36),
    ALL(LAYER_TYPE, "SCATTER", 37),
    ALL(LAYER_TYPE, "EINSUM", 38),
    ALL(LAYER_TYPE, "ASSERTION", 39),
    ALL(LAYER_TYPE, "ONE_HOT", 40),
    ALL(LAYER_TYPE, "NON_ZERO", 41),
    ALL(LAYER_TYPE, "GRID_SAMPLE", 42),
    ALL(LAYER_TYPE, "NMS", 43),
    ALL(LAYER_TYPE, "REVERSE_SEQUENCE", 44),
    ALL(LAYER_TYPE, "NORMALIZATION", 45),
    ALL(LAYER_TYPE, "PLUGIN_V3", 46),
    ALL(LAYER_TYPE, "SQUEEZE", 47),
    ALL(LAYER_TYPE, "UNSQUEEZE", 48),
    ALL(LAYER_TYPE, "CUMULATIVE", 49),
    ALL(LAYER_TYPE, "DYNAMIC_QUANTIZE", 50),
    ALL(LAYER_TYPE, "ATTENTION_INPUT", 51),
    ALL(LAYER_TYPE, "ATTENTION_OUTPUT", 52),
    ALL(LAYER_TYPE, "ROTARY_EMBEDDING", 53),
    ALL(LAYER_TYPE, "KVCACHE_UPDATE", 54),
    ALL(LAYER_TYPE, "MOE", 55),
    ALL(LAYER_TYPE, "DIST_COLLECTIVE", 56),
    /* MemoryPoolType */
    ALL(MEMORY_POOL_TYPE, "WORKSPACE", 0),
    ALL(MEMORY_POOL_TYPE, "DLA_MANAGED_SRAM", 1),
    ALL(MEMORY_POOL_TYPE, "DLA_LOCAL_DRAM", 2),
    ALL(MEMORY_POOL_TYPE, "DLA_GLOBAL_DRAM", 3),
    ALL(MEMORY_POOL_TYPE, "TACTIC_DRAM", 4),
    ALL(MEMORY_POOL_TYPE, "TACTIC_SHARED_MEMORY", 5),
    /* NetworkDefinitionCreationFlag */
    EACH(NETWORK_DEFINITION_CREATION_FLAG, "EXPLICIT_BATCH", 0, -1, 0, -1),
    EACH(NETWORK_DEFINITION_CREATION_FLAG, "STRONGLY_TYPED", 1, 0, 1, 0),
    EACH(NETWORK_DEFINITION_CREATION_FLAG, "PREFER_JIT_PYTHON_PLUGINS", 2, 1, -1, -1),
    EACH(NETWORK_DEFINITION_CREATION_FLAG, "PREFER_AOT_PYTHON_PLUGINS", 3, 2, -1, -1),
    /* OnnxParserFlag */
    ALL(ONNX_PARSER_FLAG, "NATIVE_INSTANCENORM", 0),
    ALL(ONNX_PARSER_FLAG, "ENABLE_UINT8_AND_ASYMMETRIC_QUANTIZATION_DLA", 1),
    ALL(ONNX_PARSER_FLAG, "REPORT_CAPABILITY_DLA", 2),
    ALL(ONNX_PARSER_FLAG, "ENABLE_PLUGIN_OVERRIDE", 3),
    ALL(ONNX_PARSER_FLAG, "ADJUST_FOR_DLA", 4),
    /* PreviewFeature */
    EACH(PREVIEW_FEATURE, "PROFILE_SHARING_0806", 0, -1, 0, -1),
    EACH(PREVIEW_FEATURE, "ALIASED_PLUGIN_IO_10_03", 1, 0, 1, 0),
    EACH(PREVIEW_FEATURE, "RUNTIME_ACTIVATION_RESIZE_10_10", 2, 1, 2, 1),
    EACH(PREVIEW_FEATURE, "MULTIDEVICE_RUNTIME_10_16", 3, -1, 3, -1),
    /* ProfilingVerbosity */
    ALL(PROFILING_VERBOSITY, "LAYER_NAMES_ONLY", 0),
    ALL(PROFILING_VERBOSITY, "NONE", 1),
    ALL(PROFILING_VERBOSITY, "DETAILED", 2),
    /* QuantizationFlag */
    EACH(QUANTIZATION_FLAG, "CALIBRATE_BEFORE_FUSION", 0, -1, -1, -1),
    /* RuntimePlatform */
    ALL(RUNTIME_PLATFORM, "SAME_AS_BUILD", 0),
    ALL(RUNTIME_PLATFORM, "WINDOWS_AMD64", 1),
    /* TacticSource */
    EACH(TACTIC_SOURCE, "CUBLAS", 0, -1, 0, -1),
    EACH(TACTIC_SOURCE, "CUBLAS_LT", 1, -1, 1, -1),
    EACH(TACTIC_SOURCE, "CUDNN", 2, -1, 2, -1),
    EACH(TACTIC_SOURCE, "EDGE_MASK_CONVOLUTIONS", 3, 0, 3, 0),
    EACH(TACTIC_SOURCE, "JIT_CONVOLUTIONS", 4, 1, 4, 1),
    /* TensorFormat */
    ALL(TENSOR_FORMAT, "LINEAR", 0),
    ALL(TENSOR_FORMAT, "CHW2", 1),
    ALL(TENSOR_FORMAT, "HWC8", 2),
    ALL(TENSOR_FORMAT, "CHW4", 3),
    ALL(TENSOR_FORMAT, "CHW16", 4),
    ALL(TENSOR_FORMAT, "CHW32", 5),
    ALL(TENSOR_FORMAT, "DHWC8", 6),
    ALL(TENSOR_FORMAT, "CDHW32", 7),
    ALL(TENSOR_FORMAT, "HWC", 8),
    ALL(TENSOR_FORMAT, "DLA_LINEAR", 9),
    ALL(TENSOR_FORMAT, "DLA_HWC4", 10),
    ALL(TENSOR_FORMAT, "HWC16", 11),
    ALL(TENSOR_FORMAT, "DHWC", 12),
    /* TilingOptimizationLevel */
    ALL(TILING_OPTIMIZATION_LEVEL, "NONE", 0),
    ALL(TILING_OPTIMIZATION_LEVEL, "FAST", 1),
    ALL(TILING_OPTIMIZATION_LEVEL, "MODERATE", 2),
    ALL(TILING_OPTIMIZATION_LEVEL, "FULL", 3),
    /* ComputeCapability */
    EACH(COMPUTE_CAPABILITY, "NONE", -1, -1, 0, 0),
    EACH(COMPUTE_CAPABILITY, "CURRENT", -1, -1, 1, 1),
    EACH(COMPUTE_CAPABILITY, "SM75", -1, -1, 75, 75),
    EACH(COMPUTE_CAPABILITY, "SM80", -1, -1, 80, 80),
    EACH(COMPUTE_CAPABILITY, "SM86", -1, -1, 86, 86),
    EACH(COMPUTE_CAPABILITY, "SM89", -1, -1, 89, 89),
    EACH(COMPUTE_CAPABILITY, "SM120", -1, -1, 120, 120),
    EACH(COMPUTE_CAPABILITY, "SM121", -1, -1, -1, 121),
    /* ErrorCode */
    ALL(ERROR_CODE, "SUCCESS", 0),
    ALL(ERROR_CODE, "INTERNAL_ERROR", 1),
    ALL(ERROR_CODE, "MEM_ALLOC_FAILED", 2),
    ALL(ERROR_CODE, "MODEL_DESERIALIZE_FAILED", 3),
    ALL(ERROR_CODE, "INVALID_VALUE", 4),
    ALL(ERROR_CODE, "INVALID_GRAPH", 5),
    ALL(ERROR_CODE, "INVALID_NODE", 6),
    ALL(ERROR_CODE, "UNSUPPORTED_GRAPH", 7),
    ALL(ERROR_CODE, "UNSUPPORTED_NODE", 8),
    ALL(ERROR_CODE, "UNSUPPORTED_NODE_ATTR", 9),
    ALL(ERROR_CODE, "UNSUPPORTED_NODE_INPUT", 10),
    ALL(ERROR_CODE, "UNSUPPORTED_NODE_DATATYPE", 11),
    ALL(ERROR_CODE, "UNSUPPORTED_NODE_DYNAMIC", 12),
    ALL(ERROR_CODE, "UNSUPPORTED_NODE_SHAPE", 13),
    ALL(ERROR_CODE, "REFIT_FAILED", 14),
    /* ActivationType */
    ALL(ACTIVATION_TYPE, "RELU", 0),
    ALL(ACTIVATION_TYPE, "SIGMOID", 1),
    ALL(ACTIVATION_TYPE, "TANH", 2),
    ALL(ACTIVATION_TYPE, "LEAKY_RELU", 3),
    ALL(ACTIVATION_TYPE, "ELU", 4),
    ALL(ACTIVATION_TYPE, "SELU", 5),
    ALL(ACTIVATION_TYPE, "SOFTSIGN", 6),
    ALL(ACTIVATION_TYPE, "SOFTPLUS", 7),
    ALL(ACTIVATION_TYPE, "CLIP", 8),
    ALL(ACTIVATION_TYPE, "HARD_SIGMOID", 9),
    ALL(ACTIVATION_TYPE, "SCALED_TANH", 10),
    ALL(ACTIVATION_TYPE, "THRESHOLDED_RELU", 11),
    ALL(ACTIVATION_TYPE, "GELU_ERF", 12),
    ALL(ACTIVATION_TYPE, "GELU_TANH", 13),
    /* PoolingType */
    ALL(POOLING_TYPE, "MAX", 0),
    ALL(POOLING_TYPE, "AVERAGE", 1),
    ALL(POOLING_TYPE, "MAX_AVERAGE_BLEND", 2),
    /* ElementWiseOperation */
    ALL(ELEMENT_WISE_OPERATION, "SUM", 0),
    ALL(ELEMENT_WISE_OPERATION, "PROD", 1),
    ALL(ELEMENT_WISE_OPERATION, "MAX", 2),
    ALL(ELEMENT_WISE_OPERATION, "MIN", 3),
    ALL(ELEMENT_WISE_OPERATION, "SUB", 4),
    ALL(ELEMENT_WISE_OPERATION, "DIV", 5),
    ALL(ELEMENT_WISE_OPERATION, "POW", 6),
    ALL(ELEMENT_WISE_OPERATION, "FLOOR_DIV", 7),
    ALL(ELEMENT_WISE_OPERATION, "AND", 8),
    ALL(ELEMENT_WISE_OPERATION, "OR", 9),
    ALL(ELEMENT_WISE_OPERATION, "XOR", 10),
    ALL(ELEMENT_WISE_OPERATION, "EQUAL", 11),
    ALL(ELEMENT_WISE_OPERATION, "GREATER", 12),
    ALL(ELEMENT_WISE_OPERATION, "LESS", 13),
    /* UnaryOperation */
    ALL(UNARY_OPERATION, "EXP", 0),
    ALL(UNARY_OPERATION, "LOG", 1),
    ALL(UNARY_OPERATION, "SQRT", 2),
    ALL(UNARY_OPERATION, "RECIP", 3),
    ALL(UNARY_OPERATION, "ABS", 4),
    ALL(UNARY_OPERATION, "NEG", 5),
    ALL(UNARY_OPERATION, "SIN", 6),
    ALL(UNARY_OPERATION, "COS", 7),
    ALL(UNARY_OPERATION, "TAN", 8),
    ALL(UNARY_OPERATION, "SINH", 9),
    ALL(UNARY_OPERATION, "COSH", 10),
    ALL(UNARY_OPERATION, "ASIN", 11),
    ALL(UNARY_OPERATION, "ACOS", 12),
    ALL(UNARY_OPERATION, "ATAN", 13),
    ALL(UNARY_OPERATION, "ASINH", 14),
    ALL(UNARY_OPERATION, "ACOSH", 15),
    ALL(UNARY_OPERATION, "ATANH", 16),
    ALL(UNARY_OPERATION, "CEIL", 17),
    ALL(UNARY_OPERATION, "FLOOR", 18),
    ALL(UNARY_OPERATION, "ERF", 19),
    ALL(UNARY_OPERATION, "NOT", 20),
    ALL(UNARY_OPERATION, "SIGN", 21),
    ALL(UNARY_OPERATION, "ROUND", 22),
    ALL(UNARY_OPERATION, "ISINF", 23),
    ALL(UNARY_OPERATION, "ISNAN", 24),
    /* PaddingMode */
    ALL(PADDING_MODE, "EXPLICIT_ROUND_DOWN", 0),
    ALL(PADDING_MODE, "EXPLICIT_ROUND_UP", 1),
    ALL(PADDING_MODE, "SAME_UPPER", 2),
    ALL(PADDING_MODE, "SAME_LOWER", 3),
    /* SampleMode */
    ALL(SAMPLE_MODE, "STRICT_BOUNDS", 0),
    ALL(SAMPLE_MODE, "WRAP", 1),
    ALL(SAMPLE_MODE, "CLAMP", 2),
    ALL(SAMPLE_MODE, "FILL", 3),
    ALL(SAMPLE_MODE, "REFLECT", 4),
    /* GatherMode */
    ALL(GATHER_MODE, "DEFAULT", 0),
    ALL(GATHER_MODE, "ELEMENT", 1),
    ALL(GATHER_MODE, "ND", 2),
    /* ScaleMode */
    ALL(SCALE_MODE, "UNIFORM", 0),
    ALL(SCALE_MODE, "CHANNEL", 1),
    ALL(SCALE_MODE, "ELEMENTWISE", 2),
    /* ReduceOperation */
    ALL(REDUCE_OPERATION, "SUM", 0),
    ALL(REDUCE_OPERATION, "PROD", 1),
    ALL(REDUCE_OPERATION, "MAX", 2),
    ALL(REDUCE_OPERATION, "MIN", 3),
    ALL(REDUCE_OPERATION, "AVG", 4),
    ALL(REDUCE_OPERATION, "NONE", 5),
    /* MatrixOperation */
    ALL(MATRIX_OPERATION, "NONE", 0),
    ALL(MATRIX_OPERATION, "TRANSPOSE", 1),
    ALL(MATRIX_OPERATION, "VECTOR", 2),
    /* InterpolationMode */
    ALL(INTERPOLATION_MODE, "NEAREST", 0),
    ALL(INTERPOLATION_MODE, "LINEAR", 1),
    ALL(INTERPOLATION_MODE, "CUBIC", 2),
    /* ResizeCoordinateTransformation */
    ALL(RESIZE_COORDINATE_TRANSFORMATION, "ALIGN_CORNERS", 0),
    ALL(RESIZE_COORDINATE_TRANSFORMATION, "ASYMMETRIC", 1),
    ALL(RESIZE_COORDINATE_TRANSFORMATION, "HALF_PIXEL", 2),
    /* ResizeRoundMode */
    ALL(RESIZE_ROUND_MODE, "HALF_UP", 0),
    ALL(RESIZE_ROUND_MODE, "HALF_DOWN", 1),
    ALL(RESIZE_ROUND_MODE, "FLOOR", 2),
    ALL(RESIZE_ROUND_MODE, "CEIL", 3),
    /* ResizeSelector */
    ALL(RESIZE_SELECTOR, "FORMULA", 0),
    ALL(RESIZE_SELECTOR, "UPPER", 1),
    /* TopKOperation */
    ALL(TOPK_OPERATION, "MAX", 0),
    ALL(TOPK_OPERATION, "MIN", 1),
    /* FillOperation */
    ALL(FILL_OPERATION, "LINSPACE", 0),
    ALL(FILL_OPERATION, "RANDOM_UNIFORM", 1),
    ALL(FILL_OPERATION, "RANDOM_NORMAL", 2),
    /* ScatterMode */
    ALL(SCATTER_MODE, "ELEMENT", 0),
    ALL(SCATTER_MODE, "ND", 1),
    /* BoundingBoxFormat */
    ALL(BOUNDING_BOX_FORMAT, "CORNER_PAIRS", 0),
    ALL(BOUNDING_BOX_FORMAT, "CENTER_SIZES", 1),
    /* CumulativeOperation */
    ALL(CUMULATIVE_OPERATION, "SUM", 0),
    /* LoopOutput */
    ALL(LOOP_OUTPUT, "LAST_VALUE", 0),
    ALL(LOOP_OUTPUT, "CONCATENATE", 1),
    ALL(LOOP_OUTPUT, "REVERSE", 2),
    /* TripLimit */
    ALL(TRIP_LIMIT, "COUNT", 0),
    ALL(TRIP_LIMIT, "WHILE", 1),
    /* KVCacheMode */
    ALL(KV_CACHE_MODE, "LINEAR", 0),
    /* AttentionIOForm */
    EACH(ATTENTION_IO_FORM, "PADDED_BHND", -1, 0, -1, 0),
    EACH(ATTENTION_IO_FORM, "PACKED_NHD", -1, 1, -1, 1),
    /* MoEActType */
    ALL(MOE_ACT_TYPE, "NONE", 0),
    ALL(MOE_ACT_TYPE, "SILU", 1),
};

int trt_enum_value(trt_family family, trt_enum kind, pg_str name)
{
    for (size_t i = 0; i < PG_COUNT(rows); i++)
        if (rows[i].kind == kind && rows[i].values[family] >= 0 &&
            pg_str_eq_nocase(pg_str_c(rows[i].name), name))
            return rows[i].values[family];
    return -1;
}

const char *trt_enum_name(trt_family family, trt_enum kind, int value)
{
    for (size_t i = 0; i < PG_COUNT(rows); i++)
        if (rows[i].kind == kind && value >= 0 && rows[i].values[family] == value)
            return rows[i].name;
    return NULL;
}

void trt_enum_choices(trt_family family, trt_enum kind, pg_buf *out)
{
    size_t start = out->len;
    for (size_t i = 0; i < PG_COUNT(rows); i++)
        if (rows[i].kind == kind && rows[i].values[family] >= 0)
            pg_buf_printf(out, "%s%s", out->len > start ? ", " : "", rows[i].name);
}

const char *trt_enum_title(trt_enum kind)
{
    static const char *const titles[] = {
        [TRT_BUILDER_FLAG] = "BuilderFlag",
        [TRT_DATA_TYPE] = "DataType",
        [TRT_ENGINE_CAPABILITY] = "EngineCapability",
        [TRT_HARDWARE_COMPATIBILITY_LEVEL] = "HardwareCompatibilityLevel",
        [TRT_LAYER_TYPE] = "LayerType",
        [TRT_MEMORY_POOL_TYPE] = "MemoryPoolType",
        [TRT_NETWORK_DEFINITION_CREATION_FLAG] = "NetworkDefinitionCreationFlag",
        [TRT_ONNX_PARSER_FLAG] = "OnnxParserFlag",
        [TRT_PREVIEW_FEATURE] = "PreviewFeature",
        [TRT_PROFILING_VERBOSITY] = "ProfilingVerbosity",
        [TRT_QUANTIZATION_FLAG] = "QuantizationFlag",
        [TRT_RUNTIME_PLATFORM] = "RuntimePlatform",
        [TRT_TACTIC_SOURCE] = "TacticSource",
        [TRT_TENSOR_FORMAT] = "TensorFormat",
        [TRT_TILING_OPTIMIZATION_LEVEL] = "TilingOptimizationLevel",
        [TRT_COMPUTE_CAPABILITY] = "ComputeCapability",
        [TRT_ERROR_CODE] = "ErrorCode",
        [TRT_ACTIVATION_TYPE] = "ActivationType",
        [TRT_POOLING_TYPE] = "PoolingType",
        [TRT_ELEMENT_WISE_OPERATION] = "ElementWiseOperation",
        [TRT_UNARY_OPERATION] = "UnaryOperation",
        [TRT_PADDING_MODE] = "PaddingMode",
        [TRT_SAMPLE_MODE] = "SampleMode",
        [TRT_GATHER_MODE] = "GatherMode",
        [TRT_SCALE_MODE] = "ScaleMode",
        [TRT_REDUCE_OPERATION] = "ReduceOperation",
        [TRT_MATRIX_OPERATION] = "MatrixOperation",
        [TRT_INTERPOLATION_MODE] = "InterpolationMode",
        [TRT_RESIZE_COORDINATE_TRANSFORMATION] = "ResizeCoordinateTransformation",
        [TRT_RESIZE_ROUND_MODE] = "ResizeRoundMode",
        [TRT_RESIZE_SELECTOR] = "ResizeSelector",
        [TRT_TOPK_OPERATION] = "TopKOperation",
        [TRT_FILL_OPERATION] = "FillOperation",
        [TRT_SCATTER_MODE] = "ScatterMode",
        [TRT_BOUNDING_BOX_FORMAT] = "BoundingBoxFormat",
        [TRT_CUMULATIVE_OPERATION] = "CumulativeOperation",
        [TRT_LOOP_OUTPUT] = "LoopOutput",
        [TRT_TRIP_LIMIT] = "TripLimit",
        [TRT_KV_CACHE_MODE] = "KVCacheMode",
        [TRT_ATTENTION_IO_FORM] = "AttentionIOForm",
        [TRT_MOE_ACT_TYPE] = "MoEActType",
    };
    return titles[kind];
}
