/* What follows a convolution or matrix product is done on its results while they are in registers: the bias
 * of a product, the sum with another tensor, the activation. */
#include "native/optimize/match.h"
#include "native/optimize/optimize.h"

/* The engine's operator for a node that can take an epilogue; NULL for others. */
static const char *fused_name(const pg_net_node *node)
{
    static const char *const plain[] = {"Conv", "ConvTranspose", "MatMul", "Gemm"};
    static const char *const fused[] = {"FusedConv", "FusedConvTranspose", "FusedMatMul", "FusedGemm"};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (pg_net_is(node, plain[i]) || net_is_own(node, fused[i]))
            return fused[i];
    return NULL;
}

static bool has_activation(const pg_net_node *node)
{
    for (size_t i = 0; i < node->node.n_attrs; i++)
        if (pg_str_starts(node->node.attrs[i].name, PG_STR("activation")))
            return true;
    return false;
}

/* A value that is one of the constants of floating point: only then do types agree for certain. */
static bool is_float_product(const pg_net *net, const pg_net_node *node)
{
    return net_float_weights(net, net_in(node, 1)) != NULL;
}

/* MatMul(A, constant B) + constant of one value per column of B. */
static bool take_bias(pg_net *net, pg_net_node *node)
{
    const pg_tensor *b = net_float_weights(net, net_in(node, 1));
    pg_net_node *add = net_only_reader(net, node, "Add");
    if (!pg_net_is(node, "MatMul") || add == NULL || b == NULL || b->rank != 2)
        return false;
    const pg_str name = net_other_input(add, net_out(node));
    const pg_tensor *bias = net_floats(net, name);
    if (bias == NULL || bias->rank == 0 || bias->dims[bias->rank - 1] != b->dims[1] ||
        pg_tensor_count(bias) != (uint64_t)b->dims[1] || bias->dtype != b->dtype ||
        (bias->rank > 1 && bias->rank > net_least_rank(net, net_in(node, 0))))
        return false;
    net_refit(net, node, "FusedMatMul", (pg_str[]){net_in(node, 0), net_in(node, 1), name}, 3, pg_act_none());
    pg_net_absorb(net, node, add);
    return true;
}

/* True when `name` is made by a node before position `at`, or is an input or constant: it is known there. */
static bool take_addend(pg_net *net, pg_net_node *node)
{
    const char *op_type = fused_name(node);
    const bool conv = op_type != NULL && strcmp(op_type, "FusedConv") == 0;
    const bool matmul = op_type != NULL && strcmp(op_type, "FusedMatMul") == 0;
    pg_net_node *add = net_only_reader(net, node, "Add");
    if ((!conv && !matmul) || add == NULL || has_activation(node) || net_in(node, 3).len > 0 ||
        !is_float_product(net, node))
        return false;
    const pg_str other = net_other_input(add, net_out(node));
    if (other.len == 0 || pg_net_constant(net, other) != NULL)
        return false;
    net_refit(net, node, op_type, (pg_str[]){net_in(node, 0), net_in(node, 1), net_in(node, 2), other}, 4,
              pg_act_none());
    pg_net_absorb(net, node, add);
    return true;
}

static bool take_activation(pg_net *net, pg_net_node *node)
{
    pg_act act;
    const char *op_type = fused_name(node);
    if (op_type == NULL || has_activation(node) || !is_float_product(net, node))
        return false;
    pg_net_node *next = pg_net_only_consumer(net, net_out(node));
    if (next == NULL || next->node.n_outputs != 1 || !pg_str_eq(net_in(next, 0), net_out(node)) ||
        !net_activation(net, next, &act))
        return false;
    net_refit(net, node, op_type, node->node.inputs, node->node.n_inputs, act);
    const pg_str *old = next->node.inputs;
    const size_t n_old = next->node.n_inputs;
    pg_net_absorb(net, node, next);
    net_prune(net, old, n_old);
    return true;
}

/* One constant slope per channel after a convolution without groups or addend. */
static bool take_slopes(pg_net *net, pg_net_node *node)
{
    const char *op_type = fused_name(node);
    const pg_tensor *w = net_float_weights(net, net_in(node, 1));
    pg_net_node *prelu = net_only_reader(net, node, "PRelu");
    if (op_type == NULL || strcmp(op_type, "FusedConv") != 0 || w == NULL || prelu == NULL ||
        has_activation(node) || net_in(node, 3).len > 0 || net_attr_i(node, "group", 1) != 1)
        return false;
    const pg_str name = net_slopes(net, prelu, net_out(node), w->rank, (size_t)w->dims[0], w->dtype);
    if (name.len == 0)
        return false;
    const pg_str none = PG_STR_EMPTY;
    net_refit(net, node, op_type, (pg_str[]){net_in(node, 0), net_in(node, 1), net_in(node, 2), none, name},
              5, (pg_act){.kind = PG_ACT_PRELU});
    pg_net_absorb(net, node, prelu);
    return true;
}

pg_status pg_net_fuse_epilogues(pg_net *net)
{
    for (size_t i = 0; i < net->nodes.len; i++) {
        pg_net_node *node = net->nodes.items[i];
        if (node->removed || node->node.n_outputs != 1 || fused_name(node) == NULL)
            continue;
        (void)take_bias(net, node);
        (void)take_addend(net, node);
        if (!take_slopes(net, node))
            (void)take_activation(net, node);
    }
    return NULL;
}
