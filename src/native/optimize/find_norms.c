/* Layer normalisation over the last dim, spelt out with means, becomes one node. */
#include "native/optimize/match.h"
#include "native/optimize/optimize.h"

/* x when `name` is its mean over the last dim, kept; empty otherwise. */
static pg_str mean_of(const pg_net *net, pg_str name)
{
    const pg_net_node *node = net_made_by(net, name, "ReduceMean");
    if (node == NULL || net_attr_i(node, "keepdims", 1) != 1)
        return PG_STR_EMPTY;
    const pg_attr *axes = pg_node_attr(&node->node, "axes");
    if (axes != NULL)
        return axes->type == PG_ATTR_INTS && axes->count == 1 && axes->ints[0] == -1 ? net_in(node, 0)
                                                                                     : PG_STR_EMPTY;
    const pg_value *value = pg_net_constant(net, net_in(node, 1));
    if (value == NULL || value->kind != PG_VALUE_TENSOR || value->tensor.dtype != PG_I64 ||
        pg_tensor_count(&value->tensor) != 1 || pg_tensor_get_i64(&value->tensor, 0) != -1)
        return PG_STR_EMPTY;
    return net_in(node, 0);
}

/* x when `name` is x minus its mean. */
static pg_str centered(const pg_net *net, pg_str name)
{
    const pg_net_node *sub = net_made_by(net, name, "Sub");
    if (sub == NULL || !pg_str_eq(mean_of(net, net_in(sub, 1)), net_in(sub, 0)))
        return PG_STR_EMPTY;
    return net_in(sub, 0);
}

/* x when `name` is sqrt(mean((x - mean x)^2) + epsilon). */
static pg_str deviation(const pg_net *net, pg_str name, double *epsilon)
{
    const pg_net_node *root = net_made_by(net, name, "Sqrt");
    const pg_net_node *add = root != NULL ? net_made_by(net, net_in(root, 0), "Add") : NULL;
    if (add == NULL || !net_scalar(net, net_in(add, 1), epsilon))
        return PG_STR_EMPTY;
    const pg_str squares = mean_of(net, net_in(add, 0));
    const pg_net_node *pow = net_made_by(net, squares, "Pow"), *mul = net_made_by(net, squares, "Mul");
    if (pow != NULL && net_scalar_is(net, net_in(pow, 1), 2))
        return centered(net, net_in(pow, 0));
    if (mul != NULL && pg_str_eq(net_in(mul, 0), net_in(mul, 1)))
        return centered(net, net_in(mul, 0));
    return PG_STR_EMPTY;
}

/* The constant vector that the only reader of `node` multiplies with or adds; NULL when it does not. */
static pg_net_node *reader_with_vector(const pg_net *net, const pg_net_node *node, const char *op_type,
                                       pg_str *vector)
{
    pg_net_node *reader = net_only_reader(net, node, op_type);
    if (reader == NULL)
        return NULL;
    *vector = net_other_input(reader, net_out(node));
    const pg_tensor *t = net_floats(net, *vector);
    return t != NULL && t->rank == 1 && t->dims[0] > 1 ? reader : NULL;
}

static void find_layer_norm(pg_net *net, pg_net_node *div)
{
    double epsilon;
    if (!pg_net_is(div, "Div"))
        return;
    const pg_str x = centered(net, net_in(div, 0));
    if (x.len == 0 || !pg_str_eq(deviation(net, net_in(div, 1), &epsilon), x))
        return;
    const pg_attr attrs[] = {pg_net_attr_i("axis", -1), pg_net_attr_f("epsilon", (float)epsilon)};
    pg_str inputs[3] = {x};
    const pg_str *old = div->node.inputs;
    pg_net_rewrite(net, div, "pg", "LayerNormalization", inputs, 1, attrs, 2);
    net_prune(net, old, 2);
    pg_net_node *mul = reader_with_vector(net, div, "Mul", &inputs[1]);
    if (mul == NULL)
        return;
    pg_net_rewrite(net, div, "pg", "LayerNormalization", inputs, 2, attrs, 2);
    pg_net_absorb(net, div, mul);
    pg_net_node *add = reader_with_vector(net, div, "Add", &inputs[2]);
    if (add == NULL)
        return;
    pg_net_rewrite(net, div, "pg", "LayerNormalization", inputs, 3, attrs, 2);
    pg_net_absorb(net, div, add);
}

pg_status pg_net_find_norms(pg_net *net)
{
    for (size_t i = 0; i < net->nodes.len; i++)
        if (!net->nodes.items[i]->removed)
            find_layer_norm(net, net->nodes.items[i]);
    return NULL;
}
