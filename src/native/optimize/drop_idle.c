/* Nodes that change nothing go: Identity, Dropout outside training, Cast to what the value was just cast to, and
 * transpositions that undo each other; two transpositions that do not become one. */
#include "native/optimize/match.h"
#include "native/optimize/optimize.h"

static bool is_false(const pg_net *net, pg_str name)
{
    const pg_value *value = pg_net_constant(net, name);
    return value != NULL && value->kind == PG_VALUE_TENSOR && value->tensor.dtype == PG_BOOL &&
           pg_tensor_count(&value->tensor) == 1 && *(const uint8_t *)value->tensor.data == 0;
}

static bool is_unused(const pg_net *net, pg_str name)
{
    const pg_net_value *value = name.len > 0 ? pg_net_find(net, name) : NULL;
    return value == NULL || (value->n_uses == 0 && !value->is_output && !value->captured);
}

static bool is_idle_dropout(const pg_net *net, const pg_net_node *node)
{
    return pg_net_is(node, "Dropout") && node->opset >= 7 &&
           (net_in(node, 2).len == 0 || is_false(net, net_in(node, 2))) &&
           (node->node.n_outputs < 2 || is_unused(net, node->node.outputs[1]));
}

static bool is_idle_cast(const pg_net *net, const pg_net_node *node)
{
    const pg_net_node *before = net_made_by(net, net_in(node, 0), "Cast");
    return pg_net_is(node, "Cast") && before != NULL &&
           net_attr_i(node, "to", -1) == net_attr_i(before, "to", -2);
}

/* The permutation of both transpositions together; false when they do not state one each, of one rank. */
static bool join_permutations(const pg_net_node *second, const pg_net_node *first, int64_t *out,
                              size_t *count)
{
    const pg_attr *a = pg_node_attr(&first->node, "perm"), *b = pg_node_attr(&second->node, "perm");
    if (a == NULL || b == NULL || a->type != PG_ATTR_INTS || b->type != PG_ATTR_INTS ||
        a->count != b->count || a->count > PG_MAX_RANK)
        return false;
    bool seen[PG_MAX_RANK] = {false}, again[PG_MAX_RANK] = {false};
    *count = a->count;
    for (size_t i = 0; i < a->count; i++) {
        const int64_t from = a->ints[i], to = b->ints[i];
        if (from < 0 || to < 0 || (size_t)from >= a->count || (size_t)to >= a->count || seen[from] ||
            again[to])
            return false; /* the nodes say what is wrong */
        seen[from] = again[to] = true;
        out[i] = a->ints[to];
    }
    return true;
}

/* True when the node is a transposition back; one that goes elsewhere takes its predecessor in. */
static bool joins_transpositions(pg_net *net, pg_net_node *node)
{
    if (!pg_net_is(node, "Transpose"))
        return false;
    const pg_net_node *first = net_made_by(net, net_in(node, 0), "Transpose");
    int64_t joined[PG_MAX_RANK];
    size_t count;
    if (first == NULL || !join_permutations(node, first, joined, &count))
        return false;
    bool still = true;
    for (size_t i = 0; i < count; i++)
        still &= joined[i] == (int64_t)i;
    if (still)
        return true;
    int64_t *perm = PG_ARENA_ARRAY(&net->session->arena, int64_t, count);
    for (size_t i = 0; i < count; i++)
        perm[i] = joined[i];
    const pg_attr attr = {.name = PG_STR("perm"), .type = PG_ATTR_INTS, .ints = perm, .count = count};
    const pg_str from = net_in(first, 0), old = net_in(node, 0);
    pg_net_rewrite(net, node, "", "Transpose", &from, 1, &attr, 1);
    net_prune(net, &old, 1);
    return false;
}

pg_status pg_net_drop_idle(pg_net *net)
{
    for (size_t i = 0; i < net->nodes.len; i++) {
        pg_net_node *node = net->nodes.items[i];
        if (node->removed || node->function != NULL || node->node.n_outputs == 0)
            continue;
        const bool back = joins_transpositions(net, node);
        if (!back && !pg_net_is(node, "Identity") && !is_idle_dropout(net, node) && !is_idle_cast(net, node))
            continue;
        const pg_str out = net_out(node), old = net_in(node, 0);
        const pg_str in = back ? net_in(net_made_by(net, old, "Transpose"), 0) : old;
        const pg_net_value *value = pg_net_find(net, out);
        if (value == NULL || value->is_output || value->captured || pg_net_find(net, in) == NULL)
            continue;
        pg_net_redirect(net, out, in);
        pg_net_remove(net, node);
        net_prune(net, &old, 1);
    }
    return NULL;
}
