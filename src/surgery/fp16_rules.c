/* Which inputs and outputs of which operators know no float16. */
#include "surgery/fp16_internal.h"

/* Positions as bits. `fixed` ones are float32 by definition; `open` ones are float32 or something else. */
typedef struct fp16_row {
    const char *op_type;
    int64_t since; /* opset that allows float16 at all of them; 0: none */
    uint32_t fixed_in, fixed_out, open_in, open_out;
} fp16_row;

enum { B0 = 1, B1 = 2, B2 = 4, B3 = 8, B4 = 16, B6 = 64 };

static const fp16_row rows[] = {
    {"BitCast", 0, 0, 0, B0, B0},
    {"Celu", 0, B0, B0, 0, 0},
    {"CumSum", 14, 0, 0, B0, B0},
    {"DequantizeLinear", 19, B1, B0, 0, 0},
    {"DynamicQuantizeLinear", 0, B0, B1, 0, 0},
    {"IsInf", 20, 0, 0, B0, 0},
    {"LayerNormalization", 0, 0, B1 | B2, 0, 0},
    {"NonMaxSuppression", 0, B0 | B1 | B3 | B4, 0, 0, 0},
    {"QLinearConv", 0, B1 | B4 | B6, 0, 0, 0},
    {"QLinearMatMul", 0, B1 | B4 | B6, 0, 0, 0},
    {"QuantizeLinear", 19, B1, 0, B0, 0},
    {"Range", 0, 0, 0, B0 | B1 | B2, B0},
    {"TfIdfVectorizer", 0, 0, B0, 0, 0},
    {"Upsample", 0, B1, 0, 0, 0},
};

static pg_fp16_place of_bits(uint32_t fixed, uint32_t open, size_t position)
{
    if (position >= 32)
        return PG_FP16_HALF;
    uint32_t bit = 1u << position;
    return (fixed & bit) != 0 ? PG_FP16_FULL : (open & bit) != 0 ? PG_FP16_BY_TYPE : PG_FP16_HALF;
}

/* Operators that make a tensor of the type they state from none of that type: runtimes lack float16 kernels
 * for them, and what they make is cast as easily. */
bool pg_fp16_makes_float(const pg_node *node)
{
    static const struct {
        const char *op_type, *attribute;
        bool by_default;
    } makers[] = {
        {"RandomNormal", "dtype", true},
        {"RandomUniform", "dtype", true},
        {"RandomNormalLike", "dtype", false},
        {"RandomUniformLike", "dtype", false},
        {"EyeLike", "dtype", false},
        {"Bernoulli", "dtype", false},
        {"HannWindow", "output_datatype", true},
        {"HammingWindow", "output_datatype", true},
        {"BlackmanWindow", "output_datatype", true},
        {"MelWeightMatrix", "output_datatype", true},
    };
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        if (node->domain.len > 0 || !pg_str_is(node->op_type, makers[i].op_type))
            continue;
        const pg_attr *attr = pg_node_attr(node, makers[i].attribute);
        return attr != NULL ? attr->type == PG_ATTR_INT && attr->i == PG_F32 : makers[i].by_default;
    }
    return false;
}

static bool is_known_domain(pg_str domain)
{
    return domain.len == 0 || pg_str_is(domain, "com.microsoft");
}

pg_fp16_place pg_fp16_place_of(const pg_node *node, int64_t opset, bool is_function, bool output,
                               size_t position)
{
    if (is_function)
        return PG_FP16_HALF;
    if (!is_known_domain(node->domain))
        return PG_FP16_BY_TYPE;
    if (node->domain.len > 0)
        return PG_FP16_HALF;
    if (output && pg_fp16_makes_float(node))
        return PG_FP16_FULL;
    if (pg_str_is(node->op_type, "Resize"))
        return !output && position == (opset >= 11 ? 2u : 1u) ? PG_FP16_FULL : PG_FP16_HALF;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const fp16_row *row = &rows[i];
        if (pg_str_is(node->op_type, row->op_type) && (row->since == 0 || opset < row->since))
            return output ? of_bits(row->fixed_out, row->open_out, position)
                          : of_bits(row->fixed_in, row->open_in, position);
    }
    return PG_FP16_HALF;
}

/* ---- Types of tensors in graphs without declarations ---- */

static bool one_of(pg_str op, const char *const *names)
{
    for (; *names != NULL; names++)
        if (pg_str_is(op, *names))
            return true;
    return false;
}

int pg_fp16_type_source(const pg_node *node, pg_dtype *out)
{
    static const char *const longs[] = {"Shape", "Size", "NonZero", "ArgMax", "ArgMin", "NonMaxSuppression",
                                        NULL};
    static const char *const bools[] = {
        "Equal", "Greater", "GreaterOrEqual", "Less",  "LessOrEqual", "And", "Or",
        "Xor",   "Not",     "IsNaN",          "IsInf", NULL};
    static const char *const same[] = {"Abs",
                                       "Add",
                                       "Ceil",
                                       "Clip",
                                       "Concat",
                                       "CumSum",
                                       "Div",
                                       "Exp",
                                       "Expand",
                                       "Flatten",
                                       "Floor",
                                       "Gather",
                                       "GatherElements",
                                       "GatherND",
                                       "Gemm",
                                       "Identity",
                                       "MatMul",
                                       "Max",
                                       "Min",
                                       "Mod",
                                       "Mul",
                                       "Neg",
                                       "Pad",
                                       "Pow",
                                       "Range",
                                       "ReduceMax",
                                       "ReduceMean",
                                       "ReduceMin",
                                       "ReduceProd",
                                       "ReduceSum",
                                       "Relu",
                                       "Reshape",
                                       "Round",
                                       "Sigmoid",
                                       "Sign",
                                       "Slice",
                                       "Softmax",
                                       "Split",
                                       "Sqrt",
                                       "Squeeze",
                                       "Sub",
                                       "Sum",
                                       "Tanh",
                                       "Tile",
                                       "Transpose",
                                       "Unsqueeze",
                                       "AveragePool",
                                       "BatchNormalization",
                                       "Conv",
                                       "ConvTranspose",
                                       "GlobalAveragePool",
                                       "GlobalMaxPool",
                                       "LeakyRelu",
                                       "MaxPool",
                                       "PRelu",
                                       "Resize",
                                       NULL};
    const pg_attr *to = pg_node_attr(node, "to");
    *out = PG_UNDEFINED;
    if (is_known_domain(node->domain) && pg_str_is(node->op_type, "QuantizeLinear") && node->n_inputs > 2)
        return 2; /* the zero point */
    if (is_known_domain(node->domain) && pg_str_is(node->op_type, "DequantizeLinear"))
        return 1; /* the scale */
    if (node->domain.len > 0)
        return -1;
    if (one_of(node->op_type, longs))
        *out = PG_I64;
    else if (one_of(node->op_type, bools))
        *out = PG_BOOL;
    else if ((pg_str_is(node->op_type, "Cast") || pg_str_is(node->op_type, "BitCast")) && to != NULL &&
             to->type == PG_ATTR_INT && to->i > 0 && to->i < PG_DTYPE_COUNT)
        *out = (pg_dtype)to->i;
    else if (one_of(node->op_type, same))
        return 0;
    else if (pg_str_is(node->op_type, "Where") || pg_str_is(node->op_type, "CastLike"))
        return 1;
    return -1;
}
