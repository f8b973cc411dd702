#include "native/optimize/match.h"

#include <math.h>

#include "base/alloc.h"
#include "tensor/dtype_convert.h"

/* ---- Constants ---- */

static const pg_tensor *as_floats(const pg_value *value)
{
    if (value == NULL || value->kind != PG_VALUE_TENSOR)
        return NULL;
    const pg_dtype dtype = value->tensor.dtype;
    return (dtype == PG_F32 || dtype == PG_F64) && value->tensor.layout == PG_ROW_MAJOR ? &value->tensor
                                                                                        : NULL;
}

const pg_tensor *net_floats(const pg_net *net, pg_str name)
{
    return as_floats(pg_net_constant(net, name));
}

const pg_tensor *net_float_weights(const pg_net *net, pg_str name)
{
    return as_floats(pg_net_weights(net, name));
}

double net_get(const pg_tensor *t, size_t i)
{
    return t->dtype == PG_F64 ? ((const double *)t->data)[i] : (double)((const float *)t->data)[i];
}

bool net_scalar(const pg_net *net, pg_str name, double *out)
{
    const pg_tensor *t = net_floats(net, name);
    if (t == NULL || t->rank > 1 || pg_tensor_count(t) != 1)
        return false;
    *out = net_get(t, 0);
    return true;
}

double net_precision(const pg_net *net, pg_str name)
{
    const pg_net_value *value = pg_net_find(net, name);
    const pg_dtype half = value != NULL ? value->widened : PG_UNDEFINED;
    return half == PG_F16 ? 0x1p-11 : half == PG_BF16 ? 0x1p-8 : 0;
}

/* A number as a constant of this name has it: rounded to the half type that the constant had. */
static double as_stored(const pg_net *net, pg_str name, double number)
{
    const double precision = net_precision(net, name);
    return precision == 0x1p-11  ? (double)pg_f16_to_f32(pg_f32_to_f16((float)number))
           : precision == 0x1p-8 ? (double)pg_bf16_to_f32(pg_f32_to_bf16((float)number))
                                 : number;
}

bool net_scalar_is(const pg_net *net, pg_str name, double value)
{
    double found;
    return net_scalar(net, name, &found) && fabs(found - as_stored(net, name, value)) <= 1e-6 * fabs(value);
}

/* ---- Nodes ---- */

pg_net_node *net_made_by(const pg_net *net, pg_str name, const char *op_type)
{
    const pg_net_value *value = pg_net_find(net, name);
    return value != NULL && value->producer != NULL && pg_net_is(value->producer, op_type) ? value->producer
                                                                                           : NULL;
}

pg_net_node *net_only_reader(const pg_net *net, const pg_net_node *node, const char *op_type)
{
    pg_net_node *reader = pg_net_only_consumer(net, net_out(node));
    return reader != NULL && pg_net_is(reader, op_type) ? reader : NULL;
}

pg_str net_other_input(const pg_net_node *node, pg_str name)
{
    if (node->node.n_inputs != 2 || pg_str_eq(node->node.inputs[0], node->node.inputs[1]))
        return PG_STR_EMPTY;
    if (pg_str_eq(node->node.inputs[0], name))
        return node->node.inputs[1];
    return pg_str_eq(node->node.inputs[1], name) ? node->node.inputs[0] : PG_STR_EMPTY;
}

int64_t net_attr_i(const pg_net_node *node, const char *name, int64_t missing)
{
    const pg_attr *attr = pg_node_attr(&node->node, name);
    return attr != NULL && attr->type == PG_ATTR_INT ? attr->i : missing;
}

float net_attr_f(const pg_net_node *node, const char *name, float missing)
{
    const pg_attr *attr = pg_node_attr(&node->node, name);
    return attr != NULL && attr->type == PG_ATTR_FLOAT ? attr->f : missing;
}

bool net_is_own(const pg_net_node *node, const char *op_type)
{
    return node != NULL && pg_str_is(node->node.domain, "pg") && pg_str_is(node->node.op_type, op_type);
}

void net_prune(pg_net *net, const pg_str *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pg_net_value *value = pg_net_find(net, names[i]);
        if (value == NULL || value->n_uses > 0 || value->is_output || value->captured ||
            value->producer == NULL)
            continue;
        pg_net_node *node = value->producer;
        if (node->node.n_outputs != 1)
            continue;
        pg_net_remove(net, node);
        net_prune(net, node->node.inputs, node->node.n_inputs);
    }
}

/* Operators whose result has the rank of the input with most, or of input 0. */
static bool keeps_rank(const pg_net_node *node, bool *of_all)
{
    static const char *const all[] = {"Add", "Sub", "Mul", "Div", "Equal", "Where", "MatMul", "Max", "Min"};
    static const char *const first[] = {"Cast", "Relu", "Sigmoid", "Tanh", "Erf",     "Softmax",
                                        "Clip", "Neg",  "Sqrt",    "Exp",  "Identity"};
    *of_all = false;
    for (size_t i = 0; i < PG_COUNT(first); i++)
        if (pg_net_is(node, first[i]))
            return true;
    *of_all = true;
    for (size_t i = 0; i < PG_COUNT(all); i++)
        if (pg_net_is(node, all[i]))
            return true;
    return net_is_own(node, "FusedMatMul");
}

/* Products with a vector have a dimension less: a rank below 2 tells nothing. */
static size_t least_rank(const pg_net *net, pg_str name, int depth)
{
    const pg_value *constant = pg_net_constant(net, name);
    if (constant != NULL)
        return constant->kind == PG_VALUE_TENSOR ? constant->tensor.rank : 0;
    const pg_net_value *value = pg_net_find(net, name);
    bool of_all;
    if (value == NULL || value->producer == NULL || depth == 0)
        return 0;
    const pg_net_node *node = value->producer;
    const pg_attr *perm = pg_node_attr(&node->node, "perm");
    if (pg_net_is(node, "Transpose") && perm != NULL && perm->type == PG_ATTR_INTS)
        return perm->count;
    if (pg_net_is(node, "LayerNormalization") || net_is_own(node, "LayerNormalization"))
        return least_rank(net, net_in(node, 0), depth - 1);
    if (!keeps_rank(node, &of_all))
        return 0;
    size_t most = 0;
    for (size_t i = 0; i < (of_all ? node->node.n_inputs : 1); i++)
        most = PG_MAX(most, least_rank(net, net_in(node, i), depth - 1));
    const bool product = pg_net_is(node, "MatMul") || net_is_own(node, "FusedMatMul");
    return product && most < 3                                          ? 0
           : product && least_rank(net, net_in(node, 1), depth - 1) < 2 ? most - 1
                                                                        : most;
}

size_t net_least_rank(const pg_net *net, pg_str name)
{
    return least_rank(net, name, 6);
}

/* ---- Activations ---- */

static const char *const names[PG_ACT_COUNT] = {
    [PG_ACT_RELU] = "Relu",           [PG_ACT_CLIP] = "Clip",
    [PG_ACT_LEAKY] = "LeakyRelu",     [PG_ACT_HARDSIGMOID] = "HardSigmoid",
    [PG_ACT_HARDSWISH] = "HardSwish", [PG_ACT_SIGMOID] = "Sigmoid",
    [PG_ACT_SILU] = "Silu",           [PG_ACT_TANH] = "Tanh",
    [PG_ACT_GELU] = "Gelu",           [PG_ACT_GELU_TANH] = "GeluTanh",
    [PG_ACT_PRELU] = "PRelu",         [PG_ACT_MISH] = "Mish",
};

static bool clip_bounds(const pg_net *net, const pg_net_node *node, pg_act *out)
{
    double lo = (double)-__FLT_MAX__, hi = (double)__FLT_MAX__;
    if (node->opset < 11) {
        lo = (double)net_attr_f(node, "min", -__FLT_MAX__);
        hi = (double)net_attr_f(node, "max", __FLT_MAX__);
    } else if ((net_in(node, 1).len > 0 && !net_scalar(net, net_in(node, 1), &lo)) ||
               (net_in(node, 2).len > 0 && !net_scalar(net, net_in(node, 2), &hi))) {
        return false;
    }
    if (!(lo <= hi))
        return false;
    *out = (pg_act){.kind = PG_ACT_CLIP, .alpha = (float)lo, .beta = (float)hi};
    return true;
}

static void read_own(const pg_net_node *node, pg_act *out)
{
    *out = pg_act_none();
    const pg_attr *attr = pg_node_attr(&node->node, "activation");
    for (int kind = 0; kind < PG_ACT_COUNT && attr != NULL; kind++)
        if (names[kind] != NULL && pg_str_is(attr->s, names[kind]))
            out->kind = (pg_act_kind)kind;
    out->alpha = net_attr_f(node, "activation_alpha", 0);
    out->beta = net_attr_f(node, "activation_beta", 0);
    out->scale = net_attr_f(node, "activation_scale", 1);
    out->shift = net_attr_f(node, "activation_shift", 0);
    out->affine = out->scale != 1 || out->shift != 0;
}

bool net_activation(const pg_net *net, const pg_net_node *node, pg_act *out)
{
    *out = pg_act_none();
    if (net_is_own(node, "Act")) {
        read_own(node, out);
        return true;
    }
    if (pg_net_is(node, "Clip"))
        return clip_bounds(net, node, out);
    if (pg_net_is(node, "Gelu")) {
        const pg_attr *way = pg_node_attr(&node->node, "approximate");
        const bool by_tanh = way != NULL && way->type == PG_ATTR_STRING && pg_str_is(way->s, "tanh");
        out->kind = by_tanh ? PG_ACT_GELU_TANH : PG_ACT_GELU;
        return true;
    }
    double slope;
    if (pg_net_is(node, "PRelu") && net_scalar(net, net_in(node, 1), &slope)) {
        *out = (pg_act){.kind = PG_ACT_LEAKY, .alpha = (float)slope};
        return true;
    }
    static const struct {
        const char *op_type;
        pg_act_kind kind;
        float alpha, beta;
    } rows[] = {
        {"Relu", PG_ACT_RELU, 0, 0},
        {"LeakyRelu", PG_ACT_LEAKY, 0.01f, 0},
        {"HardSigmoid", PG_ACT_HARDSIGMOID, 0.2f, 0.5f},
        {"HardSwish", PG_ACT_HARDSWISH, 0, 0},
        {"Sigmoid", PG_ACT_SIGMOID, 0, 0},
        {"Tanh", PG_ACT_TANH, 0, 0},
        {"Mish", PG_ACT_MISH, 0, 0},
    };
    for (size_t i = 0; i < PG_COUNT(rows); i++)
        if (pg_net_is(node, rows[i].op_type)) {
            out->kind = rows[i].kind;
            out->alpha = net_attr_f(node, "alpha", rows[i].alpha);
            out->beta = net_attr_f(node, "beta", rows[i].beta);
            return true;
        }
    return false;
}

pg_str net_slopes(const pg_net *net, const pg_net_node *node, pg_str x, size_t rank, size_t channels,
                  pg_dtype dtype)
{
    if (!pg_net_is(node, "PRelu") || !pg_str_eq(net_in(node, 0), x))
        return PG_STR_EMPTY;
    const pg_tensor *t = net_floats(net, net_in(node, 1));
    const bool fits = t != NULL && t->dtype == dtype && t->rank + 1u >= rank && t->rank <= rank &&
                      t->dims[t->rank + 1u - rank] == (int64_t)channels && pg_tensor_count(t) == channels;
    return fits ? net_in(node, 1) : PG_STR_EMPTY;
}

size_t net_act_attrs(pg_act act, pg_attr *out)
{
    size_t n = 0;
    if (act.kind != PG_ACT_NONE) {
        out[n++] = pg_net_attr_s("activation", names[act.kind]);
        out[n++] = pg_net_attr_f("activation_alpha", act.alpha);
        out[n++] = pg_net_attr_f("activation_beta", act.beta);
    }
    if (act.affine) {
        out[n++] = pg_net_attr_f("activation_scale", act.scale);
        out[n++] = pg_net_attr_f("activation_shift", act.shift);
    }
    return n;
}

void net_make_act(pg_net *net, pg_net_node *node, pg_str x, pg_act act)
{
    pg_attr attrs[PG_ACT_ATTRS];
    const size_t n = net_act_attrs(act, attrs);
    const pg_str *old = node->node.inputs;
    const size_t n_old = node->node.n_inputs;
    pg_net_rewrite(net, node, "pg", "Act", &x, 1, attrs, n);
    net_prune(net, old, n_old);
}

void net_refit(pg_net *net, pg_net_node *node, const char *op_type, const pg_str *inputs, size_t n_inputs,
               pg_act act)
{
    pg_attr *attrs = pg_calloc(node->node.n_attrs + PG_ACT_ATTRS, sizeof *attrs);
    size_t n = 0;
    for (size_t i = 0; i < node->node.n_attrs; i++)
        if (!pg_str_starts(node->node.attrs[i].name, PG_STR("activation")))
            attrs[n++] = node->node.attrs[i];
    n += net_act_attrs(act, attrs + n);
    pg_net_rewrite(net, node, "pg", op_type, inputs, n_inputs, attrs, n);
    free(attrs);
}
