/* Networks between QuantizeLinear and DequantizeLinear nodes compute on the 8-bit codes themselves.
 *
 * DequantizeLinear -> operator -> QuantizeLinear becomes one operator on codes: products and convolutions with
 * int32 sums and one rounding (QConv, QMatMul), sums and products of two tensors (QLinearAdd, QLinearMul), tables
 * for functions of one number (QTable), and what only moves numbers runs on codes as it is when both ends have one
 * scale. A product without QuantizeLinear after it gives float32. Weights are never widened.
 *
 * Runs while constant weights still stand behind their DequantizeLinear (see pg_net_fold_but_codes). */
#include <math.h>

#include "base/alloc.h"
#include "native/optimize/match.h"
#include "native/optimize/optimize.h"

/* A real tensor stated as codes. */
typedef struct coded {
    pg_str codes, scale, zero; /* zero: empty when omitted */
    const pg_tensor *constant; /* the codes, when they are constant */
    pg_net_node *node;         /* the DequantizeLinear or QuantizeLinear */
} coded;

static const pg_tensor *constant_tensor(const pg_net *net, pg_str name)
{
    const pg_value *value = pg_net_constant(net, name);
    return value != NULL && value->kind == PG_VALUE_TENSOR && value->tensor.layout == PG_ROW_MAJOR
               ? &value->tensor
               : NULL;
}

static bool is_8bit(const pg_tensor *t)
{
    return t != NULL && (t->dtype == PG_U8 || t->dtype == PG_I8);
}

/* Scale and zero point of a QuantizeLinear or DequantizeLinear node, both constant; the scale in float32. */
static bool read_parameters(const pg_net *net, pg_net_node *node, coded *out)
{
    if (node == NULL || node->node.n_outputs != 1 || net_attr_i(node, "block_size", 0) != 0 ||
        net_attr_i(node, "output_dtype", 0) != 0)
        return false;
    *out = (coded){.codes = net_in(node, 0), .scale = net_in(node, 1), .zero = net_in(node, 2), .node = node};
    const pg_tensor *scale = constant_tensor(net, out->scale), *zero = constant_tensor(net, out->zero);
    if (scale == NULL || scale->dtype != PG_F32 || scale->rank > 1 || (out->zero.len > 0 && zero == NULL))
        return false;
    const float *values = scale->data;
    for (uint64_t i = 0; i < pg_tensor_count(scale); i++)
        if (!(values[i] > 0) || isinf(values[i]))
            return false;
    return zero == NULL || pg_tensor_count(zero) == pg_tensor_count(scale);
}

static bool is_one(const pg_net *net, const coded *c)
{
    return pg_tensor_count(constant_tensor(net, c->scale)) == 1;
}

static pg_net_node *dequantize_of(const pg_net *net, pg_str name)
{
    const pg_net_value *value = pg_net_find(net, name);
    pg_net_node *node = value != NULL ? value->producer : NULL;
    return pg_net_is_dequantize(node) ? node : NULL;
}

/* An activation: codes of a known 8-bit type with one scale. */
static bool coded_input(const pg_net *net, pg_str name, coded *out)
{
    return read_parameters(net, dequantize_of(net, name), out) && is_one(net, out) &&
           is_8bit(constant_tensor(net, out->zero));
}

/* Constant codes with one scale, or one per position of `axis`. */
static bool coded_weights(const pg_net *net, pg_str name, int64_t axis, coded *out)
{
    if (!read_parameters(net, dequantize_of(net, name), out))
        return false;
    const pg_tensor *t = out->constant = constant_tensor(net, out->codes);
    if (!is_8bit(t) || axis >= t->rank)
        return false;
    const pg_tensor *scale = constant_tensor(net, out->scale), *zero = constant_tensor(net, out->zero);
    if (zero != NULL && zero->dtype != t->dtype)
        return false;
    int64_t stated = net_attr_i(out->node, "axis", 1);
    stated += stated < 0 ? t->rank : 0;
    return pg_tensor_count(scale) == 1 ||
           (stated == axis && pg_tensor_count(scale) == (uint64_t)t->dims[axis]);
}

/* ---- What follows an operator ---- */

/* Which activations an operator on codes takes in. */
typedef enum acts {
    TAKES_NONE,
    TAKES_MONOTONE, /* those that only narrow the range of codes */
    TAKES_ALL,      /* and real results may stay real behind them */
} acts;

typedef struct ending {
    pg_net_node *act; /* NULL for none */
    pg_act what;
    pg_str slopes;         /* of a PRelu */
    pg_net_node *quantize; /* NULL: the result stays real */
    coded to;
} ending;

static bool is_monotone(pg_act act)
{
    return !act.affine && (act.kind == PG_ACT_RELU || act.kind == PG_ACT_CLIP);
}

/* The node's only reader when it is an activation that may be taken in. `channels` and `rank` of a convolution's
 * result, or 0. */
static pg_net_node *find_act(const pg_net *net, const pg_net_node *node, acts takes, size_t rank,
                             size_t channels, ending *out)
{
    pg_net_node *next = pg_net_only_consumer(net, net_out(node));
    pg_act what;
    if (takes == TAKES_NONE || next == NULL || next->node.n_outputs != 1 ||
        !pg_str_eq(net_in(next, 0), net_out(node)))
        return NULL;
    if (takes == TAKES_ALL && channels > 0) {
        out->slopes = net_slopes(net, next, net_out(node), rank, channels, PG_F32);
        out->what = (pg_act){.kind = PG_ACT_PRELU};
        if (out->slopes.len > 0)
            return next;
    }
    if (!net_activation(net, next, &what) || (takes != TAKES_ALL && !is_monotone(what)))
        return NULL;
    out->what = what;
    return next;
}

/* [activation] QuantizeLinear with one scale to 8 bits. */
static void find_ending(const pg_net *net, const pg_net_node *node, acts takes, size_t rank, size_t channels,
                        ending *out)
{
    ending found = {.what = pg_act_none()};
    *out = (ending){.what = pg_act_none()};
    found.act = find_act(net, node, takes, rank, channels, &found);
    if (found.act == NULL)
        found.what = pg_act_none();
    else if (takes == TAKES_ALL)
        *out = found;
    const pg_str result = net_out(found.act != NULL ? found.act : node);
    pg_net_node *next = pg_net_only_consumer(net, result);
    if (next == NULL || !pg_net_is_quantize(next) || !read_parameters(net, next, &found.to) ||
        !is_one(net, &found.to) || !is_8bit(constant_tensor(net, found.to.zero)) ||
        !pg_str_eq(net_in(next, 0), result))
        return;
    found.quantize = next;
    *out = found;
}

/* The node becomes `op_type` of the engine and stands for all that the ending found. */
static void finish(pg_net *net, pg_net_node *node, const char *op_type, const pg_str *inputs, size_t n_inputs,
                   const ending *end)
{
    const pg_str *old = node->node.inputs;
    const size_t n_old = node->node.n_inputs;
    net_refit(net, node, op_type, inputs, n_inputs, end->what);
    if (end->act != NULL) {
        const pg_str *bounds = end->act->node.inputs;
        const size_t n_bounds = end->act->node.n_inputs;
        pg_net_absorb(net, node, end->act);
        net_prune(net, bounds, n_bounds);
    }
    if (end->quantize != NULL)
        pg_net_absorb(net, node, end->quantize);
    net_prune(net, old, n_old);
}

/* ---- Bias ---- */

static pg_str add_floats(pg_net *net, pg_str base, const float *values, size_t count)
{
    pg_tensor t;
    pg_status status = pg_tensor_alloc(&t, PG_F32, 1, (int64_t[]){(int64_t)count});
    if (status != NULL) {
        pg_status_drop(status);
        return PG_STR_EMPTY;
    }
    memcpy(t.data, values, count * sizeof *values);
    const pg_str name = pg_net_fresh_name(net, base);
    pg_net_add_constant(net, name, pg_value_of_tensor(t));
    return name;
}

/* The bias as int32 in units of a_scale * b_scale when it is stated so, or as float32. False when it is neither
 * or does not have one element per column. */
static bool find_bias(pg_net *net, pg_str name, const coded *a, const coded *b, size_t columns, pg_str *bias,
                      pg_str *shift)
{
    *bias = *shift = PG_STR_EMPTY;
    if (name.len == 0)
        return true;
    const pg_tensor *floats = net_floats(net, name);
    if (floats != NULL) {
        *shift = name;
        return floats->dtype == PG_F32 && pg_tensor_count(floats) == columns;
    }
    coded c;
    if (!read_parameters(net, dequantize_of(net, name), &c))
        return false;
    const pg_tensor *codes = constant_tensor(net, c.codes), *scale = constant_tensor(net, c.scale),
                    *zero = constant_tensor(net, c.zero), *of_b = constant_tensor(net, b->scale);
    if (codes == NULL || codes->dtype != PG_I32 || pg_tensor_count(codes) != columns ||
        (zero != NULL && zero->dtype != PG_I32) ||
        (pg_tensor_count(scale) != 1 && pg_tensor_count(scale) != columns))
        return false;
    const float of_a = *(const float *)constant_tensor(net, a->scale)->data;
    float *real = pg_calloc(columns, sizeof *real);
    bool same = true;
    for (size_t j = 0; j < columns; j++) {
        const size_t s = pg_tensor_count(scale) == 1 ? 0 : j, t = pg_tensor_count(of_b) == 1 ? 0 : j;
        const float unit = of_a * ((const float *)of_b->data)[t], own = ((const float *)scale->data)[s];
        const int32_t z = zero != NULL ? ((const int32_t *)zero->data)[s] : 0;
        same &= z == 0 && fabsf(own - unit) <= 1e-6f * unit;
        real[j] = (float)((int64_t)((const int32_t *)codes->data)[j] - z) * own;
    }
    if (same)
        *bias = c.codes;
    else
        *shift = add_floats(net, name, real, columns);
    free(real);
    return bias->len > 0 || shift->len > 0;
}

/* ---- Convolutions and products ---- */

/* The node becomes a product of codes, with what follows it taken in. */
static void finish_product(pg_net *net, pg_net_node *node, const char *op_type, const coded *a,
                           const coded *b, pg_str bias, pg_str shift)
{
    ending end;
    const bool conv = pg_net_is(node, "Conv");
    find_ending(net, node, TAKES_ALL, conv ? b->constant->rank : 0, conv ? (size_t)b->constant->dims[0] : 0,
                &end);
    const pg_str inputs[] = {a->codes,     a->scale,    a->zero, b->codes, b->scale,  b->zero,
                             end.to.scale, end.to.zero, bias,    shift,    end.slopes};
    finish(net, node, op_type, inputs, PG_COUNT(inputs), &end);
}

static bool fuse_conv(pg_net *net, pg_net_node *node)
{
    coded x, w;
    pg_str bias, shift;
    if (!pg_net_is(node, "Conv") || !coded_input(net, net_in(node, 0), &x) ||
        !coded_weights(net, net_in(node, 1), 0, &w) ||
        !find_bias(net, net_in(node, 2), &x, &w, (size_t)w.constant->dims[0], &bias, &shift))
        return false;
    finish_product(net, node, "QConv", &x, &w, bias, shift);
    return true;
}

/* MatMul, and the Add of a constant after it. */
static bool fuse_matmul(pg_net *net, pg_net_node *node)
{
    coded a, b;
    pg_str bias = PG_STR_EMPTY, shift = PG_STR_EMPTY;
    if (!pg_net_is(node, "MatMul") || !coded_input(net, net_in(node, 0), &a))
        return false;
    const bool weights = coded_weights(net, net_in(node, 1), 1, &b) && b.constant->rank == 2;
    if (!weights && !coded_input(net, net_in(node, 1), &b))
        return false;
    pg_net_node *add = net_only_reader(net, node, "Add");
    if (add != NULL && weights) {
        const pg_str name = net_other_input(add, net_out(node));
        const pg_value *rank1 = pg_net_constant(net, name);
        const bool vector = rank1 == NULL || (rank1->kind == PG_VALUE_TENSOR && rank1->tensor.rank == 1);
        if (name.len > 0 && vector &&
            find_bias(net, name, &a, &b, (size_t)b.constant->dims[1], &bias, &shift)) {
            const pg_str old[] = {name};
            pg_net_absorb(net, node, add);
            net_prune(net, old, 1);
        }
    }
    finish_product(net, node, "QMatMul", &a, &b, bias, shift);
    return true;
}

static bool fuse_gemm(pg_net *net, pg_net_node *node)
{
    coded a, b;
    pg_str bias, shift;
    if (!pg_net_is(node, "Gemm") || net_attr_f(node, "alpha", 1) != 1 || net_attr_f(node, "beta", 1) != 1 ||
        !coded_input(net, net_in(node, 0), &a))
        return false;
    const int64_t axis = net_attr_i(node, "transB", 0) != 0 ? 0 : 1;
    if (!coded_weights(net, net_in(node, 1), axis, &b) || b.constant->rank != 2 ||
        !find_bias(net, net_in(node, 2), &a, &b, (size_t)b.constant->dims[axis], &bias, &shift))
        return false;
    finish_product(net, node, "QMatMul", &a, &b, bias, shift);
    return true;
}

/* ---- Element by element, and pools ---- */

static bool fuse_binary(pg_net *net, pg_net_node *node)
{
    coded a, b;
    ending end;
    const bool add = pg_net_is(node, "Add");
    if ((!add && !pg_net_is(node, "Mul")) || !coded_input(net, net_in(node, 0), &a) ||
        !coded_input(net, net_in(node, 1), &b))
        return false;
    find_ending(net, node, TAKES_MONOTONE, 0, 0, &end);
    if (end.quantize == NULL)
        return false;
    finish(net, node, add ? "QAdd" : "QMul",
           (pg_str[]){a.codes, a.scale, a.zero, b.codes, b.scale, b.zero, end.to.scale, end.to.zero}, 8,
           &end);
    return true;
}

static bool fuse_activation(pg_net *net, pg_net_node *node)
{
    coded x;
    ending end;
    pg_act act;
    if (!coded_input(net, net_in(node, 0), &x) || !net_activation(net, node, &act))
        return false;
    find_ending(net, node, TAKES_NONE, 0, 0, &end);
    if (end.quantize == NULL)
        return false;
    end.what = act;
    finish(net, node, "QTable", (pg_str[]){x.codes, x.scale, x.zero, end.to.scale, end.to.zero}, 5, &end);
    return true;
}

static bool fuse_average(pg_net *net, pg_net_node *node)
{
    coded x;
    ending end;
    const bool global = pg_net_is(node, "GlobalAveragePool");
    if ((!global && !pg_net_is(node, "AveragePool")) || !coded_input(net, net_in(node, 0), &x))
        return false;
    find_ending(net, node, TAKES_NONE, 0, 0, &end);
    if (end.quantize == NULL)
        return false;
    finish(net, node, global ? "QGlobalAveragePool" : "QAveragePool",
           (pg_str[]){x.codes, x.scale, x.zero, end.to.scale, end.to.zero}, 5, &end);
    return true;
}

/* ---- What only moves numbers ---- */

static bool same_constant(const pg_net *net, pg_str a, pg_str b)
{
    const pg_tensor *x = constant_tensor(net, a), *y = constant_tensor(net, b);
    return pg_str_eq(a, b) || (x != NULL && y != NULL && x->dtype == y->dtype && pg_tensor_count(x) == 1 &&
                               pg_tensor_count(y) == 1 && memcmp(x->data, y->data, pg_tensor_bytes(x)) == 0);
}

static bool same_parameters(const pg_net *net, const coded *a, const coded *b)
{
    return same_constant(net, a->scale, b->scale) && same_constant(net, a->zero, b->zero);
}

/* Whether a Resize may give a value that is not one of its input's. */
static bool extrapolates(const pg_net_node *node)
{
    const pg_attr *way = pg_node_attr(&node->node, "coordinate_transformation_mode");
    return way != NULL && pg_str_is(way->s, "tf_crop_and_resize");
}

/* The operator's name, or NULL. */
static const char *only_moves(const pg_net_node *node)
{
    static const char *const names[] = {"MaxPool",   "Reshape",      "Flatten",     "Transpose", "Squeeze",
                                        "Unsqueeze", "Identity",     "Slice",       "Gather",    "Expand",
                                        "Tile",      "DepthToSpace", "SpaceToDepth"};
    const pg_attr *mode = pg_node_attr(&node->node, "mode");
    if (pg_net_is(node, "Resize") && (mode == NULL || pg_str_is(mode->s, "nearest")) && !extrapolates(node))
        return "Resize";
    for (size_t i = 0; i < PG_COUNT(names); i++)
        if (pg_net_is(node, names[i]))
            return names[i];
    return NULL;
}

static bool fuse_move(pg_net *net, pg_net_node *node)
{
    coded x;
    ending end;
    const char *op_type = only_moves(node);
    if (op_type == NULL || !coded_input(net, net_in(node, 0), &x))
        return false;
    find_ending(net, node, TAKES_NONE, 0, 0, &end);
    if (end.quantize == NULL || !same_parameters(net, &x, &end.to))
        return false;
    const pg_str old = net_in(node, 0);
    pg_str *inputs = PG_ARENA_ARRAY(&net->session->arena, pg_str, node->node.n_inputs);
    memcpy(inputs, node->node.inputs, node->node.n_inputs * sizeof *inputs);
    inputs[0] = x.codes;
    pg_net_rewrite(net, node, "", op_type, inputs, node->node.n_inputs, node->node.attrs, node->node.n_attrs);
    pg_net_absorb(net, node, end.quantize);
    net_prune(net, &old, 1);
    return true;
}

static bool fuse_concat(pg_net *net, pg_net_node *node)
{
    ending end;
    const size_t n = node->node.n_inputs;
    if (!pg_net_is(node, "Concat") || n == 0)
        return false;
    find_ending(net, node, TAKES_NONE, 0, 0, &end);
    pg_str *inputs = PG_ARENA_ARRAY(&net->session->arena, pg_str, 2 + 3 * n);
    for (size_t i = 0; i < n; i++) {
        coded x;
        if (end.quantize == NULL || !coded_input(net, net_in(node, i), &x))
            return false;
        inputs[2 + 3 * i] = x.codes;
        inputs[3 + 3 * i] = x.scale;
        inputs[4 + 3 * i] = x.zero;
    }
    inputs[0] = end.to.scale;
    inputs[1] = end.to.zero;
    finish(net, node, "QConcat", inputs, 2 + 3 * n, &end);
    return true;
}

pg_status pg_net_fuse_codes(pg_net *net)
{
    if (net->session->options.float64)
        return NULL;
    for (size_t i = 0; i < net->nodes.len; i++) {
        pg_net_node *node = net->nodes.items[i];
        if (node->removed || node->node.n_outputs != 1 || node->function != NULL)
            continue;
        (void)(fuse_conv(net, node) || fuse_matmul(net, node) || fuse_gemm(net, node) ||
               fuse_binary(net, node) || fuse_activation(net, node) || fuse_average(net, node) ||
               fuse_move(net, node) || fuse_concat(net, node));
    }
    return NULL;
}
