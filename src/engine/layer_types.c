#include "engine/layer_types.h"

#include <string.h>

#include "base/alloc.h"

#define ACT(op, what)                                    \
    {                                                    \
        op, "ACTIVATION", "type", "ActivationType", what \
    }
#define POOL(op, what)                             \
    {                                              \
        op, "POOLING", "type", "PoolingType", what \
    }
#define ELT(op, what)                                         \
    {                                                         \
        op, "ELEMENTWISE", "op", "ElementWiseOperation", what \
    }
#define UN(op, what)                              \
    {                                             \
        op, "UNARY", "op", "UnaryOperation", what \
    }
#define RED(op, what)                               \
    {                                               \
        op, "REDUCE", "op", "ReduceOperation", what \
    }
#define TOP(op, what)                           \
    {                                           \
        op, "TOPK", "op", "TopKOperation", what \
    }
#define GATHER(op, what)                         \
    {                                            \
        op, "GATHER", "mode", "GatherMode", what \
    }
#define SCATTER(op, what)                          \
    {                                              \
        op, "SCATTER", "mode", "ScatterMode", what \
    }
#define FILL(op, what)                                 \
    {                                                  \
        op, "FILL", "operation", "FillOperation", what \
    }
#define PLAIN(op, type)            \
    {                              \
        op, type, NULL, NULL, NULL \
    }

/* Rows of a type lie together. */
static const pg_layer_type rows[] = {
    PLAIN("Conv", "CONVOLUTION"),
    PLAIN("Cast", "CAST"),
    PLAIN("CastLike", "CAST"),
    ACT("Relu", "RELU"),
    ACT("Sigmoid", "SIGMOID"),
    ACT("Tanh", "TANH"),
    ACT("LeakyRelu", "LEAKY_RELU"),
    ACT("Elu", "ELU"),
    ACT("Selu", "SELU"),
    ACT("Softsign", "SOFTSIGN"),
    ACT("Softplus", "SOFTPLUS"),
    ACT("Clip", "CLIP"),
    ACT("HardSigmoid", "HARD_SIGMOID"),
    ACT("ThresholdedRelu", "THRESHOLDED_RELU"),
    ACT("Gelu", "GELU_ERF"),
    POOL("MaxPool", "MAX"),
    POOL("AveragePool", "AVERAGE"),
    POOL("LpPool", "AVERAGE"),
    PLAIN("LRN", "LRN"),
    PLAIN("BatchNormalization", "SCALE"),
    PLAIN("Softmax", "SOFTMAX"),
    PLAIN("LogSoftmax", "SOFTMAX"),
    PLAIN("ConvTranspose", "DECONVOLUTION"),
    PLAIN("Concat", "CONCATENATION"),
    ELT("Add", "SUM"),
    ELT("Sum", "SUM"),
    ELT("Mean", "SUM"),
    ELT("Sub", "SUB"),
    ELT("Mul", "PROD"),
    ELT("Div", "DIV"),
    ELT("Mod", "FLOOR_DIV"),
    ELT("Pow", "POW"),
    ELT("Max", "MAX"),
    ELT("Min", "MIN"),
    ELT("And", "AND"),
    ELT("Or", "OR"),
    ELT("Xor", "XOR"),
    ELT("Equal", "EQUAL"),
    ELT("Greater", "GREATER"),
    ELT("GreaterOrEqual", "GREATER"),
    ELT("Less", "LESS"),
    ELT("LessOrEqual", "LESS"),
    UN("Exp", "EXP"),
    UN("Log", "LOG"),
    UN("Sqrt", "SQRT"),
    UN("Reciprocal", "RECIP"),
    UN("Abs", "ABS"),
    UN("Neg", "NEG"),
    UN("Sin", "SIN"),
    UN("Cos", "COS"),
    UN("Tan", "TAN"),
    UN("Sinh", "SINH"),
    UN("Cosh", "COSH"),
    UN("Asin", "ASIN"),
    UN("Acos", "ACOS"),
    UN("Atan", "ATAN"),
    UN("Asinh", "ASINH"),
    UN("Acosh", "ACOSH"),
    UN("Atanh", "ATANH"),
    UN("Ceil", "CEIL"),
    UN("Floor", "FLOOR"),
    UN("Erf", "ERF"),
    UN("Not", "NOT"),
    UN("Sign", "SIGN"),
    UN("Round", "ROUND"),
    UN("IsInf", "ISINF"),
    UN("IsNaN", "ISNAN"),
    PLAIN("Reshape", "SHUFFLE"),
    PLAIN("Transpose", "SHUFFLE"),
    PLAIN("Flatten", "SHUFFLE"),
    PLAIN("DepthToSpace", "SHUFFLE"),
    PLAIN("SpaceToDepth", "SHUFFLE"),
    RED("ReduceSum", "SUM"),
    RED("ReduceProd", "PROD"),
    RED("ReduceMax", "MAX"),
    RED("ReduceMin", "MIN"),
    RED("ReduceMean", "AVG"),
    RED("ReduceL1", "SUM"),
    RED("ReduceL2", "SUM"),
    RED("ReduceLogSum", "SUM"),
    RED("ReduceLogSumExp", "SUM"),
    RED("ReduceSumSquare", "SUM"),
    RED("GlobalAveragePool", "AVG"),
    RED("GlobalMaxPool", "MAX"),
    TOP("TopK", "MAX"),
    TOP("ArgMax", "MAX"),
    TOP("ArgMin", "MIN"),
    GATHER("Gather", "DEFAULT"),
    GATHER("GatherElements", "ELEMENT"),
    GATHER("GatherND", "ND"),
    PLAIN("MatMul", "MATRIX_MULTIPLY"),
    PLAIN("Gemm", "MATRIX_MULTIPLY"),
    PLAIN("Constant", "CONSTANT"),
    PLAIN("EyeLike", "CONSTANT"),
    PLAIN("Identity", "IDENTITY"),
    PLAIN("Dropout", "IDENTITY"),
    PLAIN("Slice", "SLICE"),
    PLAIN("Split", "SLICE"),
    PLAIN("Pad", "SLICE"),
    PLAIN("Expand", "SLICE"),
    PLAIN("Tile", "SLICE"),
    PLAIN("ConstantOfShape", "SLICE"),
    PLAIN("Shape", "SHAPE"),
    PLAIN("Size", "SHAPE"),
    PLAIN("PRelu", "PARAMETRIC_RELU"),
    PLAIN("Resize", "RESIZE"),
    PLAIN("Upsample", "RESIZE"),
    PLAIN("Loop", "LOOP_OUTPUT"),
    PLAIN("Scan", "LOOP_OUTPUT"),
    PLAIN("LSTM", "LOOP_OUTPUT"),
    PLAIN("GRU", "LOOP_OUTPUT"),
    PLAIN("RNN", "LOOP_OUTPUT"),
    PLAIN("Where", "SELECT"),
    FILL("Range", "LINSPACE"),
    FILL("RandomNormal", "RANDOM_NORMAL"),
    FILL("RandomNormalLike", "RANDOM_NORMAL"),
    FILL("RandomUniform", "RANDOM_UNIFORM"),
    FILL("RandomUniformLike", "RANDOM_UNIFORM"),
    PLAIN("QuantizeLinear", "QUANTIZE"),
    PLAIN("DequantizeLinear", "DEQUANTIZE"),
    PLAIN("If", "CONDITIONAL_OUTPUT"),
    SCATTER("ScatterElements", "ELEMENT"),
    SCATTER("Scatter", "ELEMENT"),
    SCATTER("ScatterND", "ND"),
    PLAIN("Einsum", "EINSUM"),
    PLAIN("OneHot", "ONE_HOT"),
    PLAIN("NonZero", "NON_ZERO"),
    PLAIN("GridSample", "GRID_SAMPLE"),
    PLAIN("NonMaxSuppression", "NMS"),
    PLAIN("ReverseSequence", "REVERSE_SEQUENCE"),
    PLAIN("InstanceNormalization", "NORMALIZATION"),
    PLAIN("GroupNormalization", "NORMALIZATION"),
    PLAIN("LayerNormalization", "NORMALIZATION"),
    PLAIN("Squeeze", "SQUEEZE"),
    PLAIN("Unsqueeze", "UNSQUEEZE"),
    PLAIN("CumSum", "CUMULATIVE"),
};

const pg_layer_type *pg_layer_type_of(const pg_node *node)
{
    for (size_t i = 0; node->domain.len == 0 && i < PG_COUNT(rows); i++)
        if (pg_str_is(node->op_type, rows[i].op))
            return &rows[i];
    return NULL;
}

void pg_layer_type_text(const pg_node *node, pg_buf *out)
{
    const pg_layer_type *row = pg_layer_type_of(node);
    if (row == NULL)
        pg_buf_printf(out, "%" PG_STR_FMT "%s%" PG_STR_FMT, PG_STR_ARG(node->domain),
                      node->domain.len > 0 ? "." : "", PG_STR_ARG(node->op_type));
    else if (row->attr != NULL && strcmp(row->attr, "type") == 0)
        pg_buf_printf(out, "%s.%s", row->kind, row->what);
    else
        pg_buf_printf(out, "LayerType.%s", row->type);
}

const char *const *pg_layer_type_names(size_t *out_count)
{
    static const char *names[PG_COUNT(rows)];
    size_t count = 0;
    for (size_t i = 0; i < PG_COUNT(rows); i++)
        if (i == 0 || strcmp(rows[i].type, rows[i - 1].type) != 0)
            names[count++] = rows[i].type;
    *out_count = count;
    return names;
}
