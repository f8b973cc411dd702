/* Rules of element-by-element operators. */
#include "shapes/internal.h"

static pg_status same(pg_infer *c)
{
    pg_set_like(c, 0, 0);
    return NULL;
}

static pg_status identity(pg_infer *c)
{
    if (pg_in(c, 0) != NULL)
        c->out[0] = *pg_in(c, 0);
    return NULL;
}

static pg_status same_as_bool(pg_infer *c)
{
    pg_set_like(c, 0, 0);
    c->out[0].type.kind = PG_TYPE_TENSOR;
    c->out[0].type.elem = PG_BOOL;
    return NULL;
}

/* Dropout: the mask has the shape of the data; it is bool since opset 10. */
static pg_status dropout(pg_infer *c)
{
    pg_set_like(c, 0, 0);
    pg_set_like(c, 1, 0);
    if (c->n_out > 1 && c->opset >= 10)
        c->out[1].type.elem = PG_BOOL;
    return NULL;
}

static pg_status broadcast_as(pg_infer *c, size_t first, size_t last, pg_dtype elem)
{
    bool known;
    uint32_t rank;
    pg_dim *dims;
    PG_TRY(pg_infer_broadcast(c, first, last, &known, &rank, &dims));
    if (known)
        pg_set_tensor(c, 0, elem, rank, dims);
    else
        pg_set_elem(c, 0, elem);
    return NULL;
}

/* Before opset 7 the second operand was fitted to the first by attributes. */
static pg_status binary(pg_infer *c)
{
    if (c->opset < 7 && c->node->domain.len == 0)
        return same(c);
    return broadcast_as(c, 0, 2, pg_elem(c, 0));
}

static pg_status compare(pg_infer *c)
{
    if (c->opset < 7)
        return same_as_bool(c);
    return broadcast_as(c, 0, 2, PG_BOOL);
}

static pg_status variadic(pg_infer *c)
{
    return broadcast_as(c, 0, c->n_in, pg_elem(c, 0));
}

static bool apply(char op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case '+':
        return !__builtin_add_overflow(a, b, out);
    case '-':
        return !__builtin_sub_overflow(a, b, out);
    case '*':
        return !__builtin_mul_overflow(a, b, out);
    default:
        if (b == 0 || (a == INT64_MIN && b == -1))
            return false;
        *out = a / b;
        return true;
    }
}

/* Element k of an operand that is a list or a single value. */
static pg_dim value_at(const pg_fact *fact, size_t k)
{
    return fact->values[fact->n_values == 1 ? 0 : k];
}

/* Symbols survive what does not change them: x + 0, x * 1, x / 1. */
static pg_dim combine(char op, pg_dim a, pg_dim b)
{
    pg_dim result = {.has_value = true};
    if (a.has_value && b.has_value)
        return apply(op, a.value, b.value, &result.value) ? result : (pg_dim){0};
    int64_t neutral = op == '*' || op == '/' ? 1 : 0;
    if (pg_dim_is(b, neutral))
        return a;
    if (pg_dim_is(a, neutral) && (op == '+' || op == '*'))
        return b;
    return (pg_dim){0};
}

static pg_status arithmetic(pg_infer *c, char op)
{
    PG_TRY(binary(c));
    const pg_fact *a = pg_in(c, 0), *b = pg_in(c, 1);
    if (a == NULL || b == NULL || a->values == NULL || b->values == NULL)
        return NULL;
    size_t count = a->n_values == 1 ? b->n_values : a->n_values;
    if (b->n_values != count && b->n_values != 1)
        return NULL;
    pg_dim *values = PG_ARENA_ARRAY(c->arena, pg_dim, count);
    for (size_t k = 0; k < count; k++)
        values[k] = combine(op, value_at(a, k), value_at(b, k));
    pg_set_values(c, 0, values, count);
    return NULL;
}

static pg_status add(pg_infer *c)
{
    return arithmetic(c, '+');
}
static pg_status sub(pg_infer *c)
{
    return arithmetic(c, '-');
}
static pg_status mul(pg_infer *c)
{
    return arithmetic(c, '*');
}
static pg_status divide(pg_infer *c)
{
    return arithmetic(c, '/');
}

static pg_status where(pg_infer *c)
{
    return broadcast_as(c, 0, 3, pg_elem(c, 1));
}

static pg_status cast(pg_infer *c)
{
    pg_set_like(c, 0, 0);
    c->out[0].type.kind = PG_TYPE_TENSOR;
    c->out[0].type.elem = (pg_dtype)pg_int_attr(c, "to", PG_UNDEFINED);
    const pg_fact *in = pg_in(c, 0);
    if (in != NULL && in->values != NULL && pg_dtype_is_integer(c->out[0].type.elem) &&
        pg_str_is(c->node->op_type, "Cast"))
        pg_set_values(c, 0, in->values, in->n_values);
    return NULL;
}

static pg_status cast_like(pg_infer *c)
{
    pg_set_like(c, 0, 0);
    c->out[0].type.kind = PG_TYPE_TENSOR;
    c->out[0].type.elem = pg_elem(c, 1);
    return NULL;
}

/* Quantising: the type of the zero point, else the attribute, else uint8. */
static pg_status quantize(pg_infer *c)
{
    pg_set_like(c, 0, 0);
    pg_dtype elem = pg_elem(c, 2);
    if (elem == PG_UNDEFINED)
        elem = (pg_dtype)pg_int_attr(c, "output_dtype", 0);
    c->out[0].type.elem = elem != PG_UNDEFINED ? elem : PG_U8;
    return NULL;
}

static pg_status dequantize(pg_infer *c)
{
    pg_set_like(c, 0, 0);
    pg_dtype elem = (pg_dtype)pg_int_attr(c, "output_dtype", 0);
    c->out[0].type.elem = elem != PG_UNDEFINED ? elem : pg_elem(c, 1);
    return NULL;
}

static pg_status dynamic_quantize(pg_infer *c)
{
    pg_set_like(c, 0, 0);
    c->out[0].type.elem = PG_U8;
    pg_set_tensor(c, 1, PG_F32, 0, NULL);
    pg_set_tensor(c, 2, PG_U8, 0, NULL);
    return NULL;
}

static pg_status random_like(pg_infer *c)
{
    pg_set_like(c, 0, 0);
    c->out[0].type.elem = (pg_dtype)pg_int_attr(c, "dtype", pg_elem(c, 0));
    return NULL;
}

static pg_status random_shape(pg_infer *c)
{
    const int64_t *shape;
    size_t rank;
    pg_dtype elem = (pg_dtype)pg_int_attr(c, "dtype", PG_F32);
    if (!pg_ints_attr(c, "shape", &shape, &rank))
        return NULL;
    pg_dim *dims = pg_new_dims(c, (uint32_t)rank);
    for (size_t i = 0; i < rank; i++)
        dims[i] = pg_dim_of(shape[i]);
    pg_set_tensor(c, 0, elem, (uint32_t)rank, dims);
    return NULL;
}

static pg_status multinomial(pg_infer *c)
{
    uint32_t rank;
    const pg_dim *in;
    int64_t size = pg_int_attr(c, "sample_size", 1);
    pg_dim *dims = pg_new_dims(c, 2);
    if (pg_get_shape(pg_in(c, 0), &rank, &in) && rank == 2)
        dims[0] = in[0];
    dims[1] = size >= 0 ? pg_dim_of(size) : (pg_dim){0};
    pg_set_tensor(c, 0, (pg_dtype)pg_int_attr(c, "dtype", PG_I32), 2, dims);
    return NULL;
}

const pg_shape_rule pg_shape_rules_elementwise[] = {
    {"Abs", same},
    {"Neg", same},
    {"Sign", same},
    {"Ceil", same},
    {"Floor", same},
    {"Round", same},
    {"Sqrt", same},
    {"Exp", same},
    {"Log", same},
    {"Reciprocal", same},
    {"Sin", same},
    {"Cos", same},
    {"Tan", same},
    {"Asin", same},
    {"Acos", same},
    {"Atan", same},
    {"Sinh", same},
    {"Cosh", same},
    {"Tanh", same},
    {"Asinh", same},
    {"Acosh", same},
    {"Atanh", same},
    {"Erf", same},
    {"Sigmoid", same},
    {"Relu", same},
    {"LeakyRelu", same},
    {"Elu", same},
    {"Selu", same},
    {"Celu", same},
    {"ThresholdedRelu", same},
    {"HardSigmoid", same},
    {"HardSwish", same},
    {"Mish", same},
    {"Softplus", same},
    {"Softsign", same},
    {"Gelu", same},
    {"Shrink", same},
    {"Swish", same},
    {"Clip", same},
    {"CumSum", same},
    {"CumProd", same},
    {"Softmax", same},
    {"LogSoftmax", same},
    {"Hardmax", same},
    {"LpNormalization", same},
    {"LRN", same},
    {"MeanVarianceNormalization", same},
    {"InstanceNormalization", same},
    {"GroupNormalization", same},
    {"RMSNormalization", same},
    {"Trilu", same},
    {"ReverseSequence", same},
    {"Scatter", same},
    {"ScatterElements", same},
    {"ScatterND", same},
    {"TensorScatter", same},
    {"BitwiseNot", same},
    {"SwiGLU", same},
    {"BitCast", cast},
    {"Multinomial", multinomial},
    {"RotaryEmbedding", same},
    {"Identity", identity},
    {"Dropout", dropout},
    {"Not", same_as_bool},
    {"IsNaN", same_as_bool},
    {"IsInf", same_as_bool},
    {"Add", add},
    {"Sub", sub},
    {"Mul", mul},
    {"Div", divide},
    {"Mod", binary},
    {"Pow", binary},
    {"PRelu", same},
    {"And", compare},
    {"Or", compare},
    {"Xor", compare},
    {"Equal", compare},
    {"Greater", compare},
    {"Less", compare},
    {"GreaterOrEqual", compare},
    {"LessOrEqual", compare},
    {"BitShift", binary},
    {"BitwiseAnd", binary},
    {"BitwiseOr", binary},
    {"BitwiseXor", binary},
    {"Max", variadic},
    {"Min", variadic},
    {"Sum", variadic},
    {"Mean", variadic},
    {"Where", where},
    {"Cast", cast},
    {"CastLike", cast_like},
    {"QuantizeLinear", quantize},
    {"DequantizeLinear", dequantize},
    {"DynamicQuantizeLinear", dynamic_quantize},
    {"RandomNormalLike", random_like},
    {"RandomUniformLike", random_like},
    {"Bernoulli", random_like},
    {"RandomNormal", random_shape},
    {"RandomUniform", random_shape},
    {0},
};
