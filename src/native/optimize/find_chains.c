/* Elementwise nodes that follow each other become one Chain, which walks over its data once (ops/chain.c). A chain
 * ends in one node; a node joins when all that read it are in the chain. Shapes and types are not known here: what
 * does not fit at run time, the chain runs node by node. */
#include <stdio.h>

#include "base/buf.h"
#include "native/optimize/match.h"
#include "native/optimize/optimize.h"

enum { MOST_PARTS = 32, MOST_NAME = 200 };

typedef struct group {
    const pg_net_node *root;
    size_t n;
    pg_net_node *nodes[MOST_PARTS];
} group;

static const pg_tensor *constant(const pg_net *net, pg_str name)
{
    const pg_value *value = pg_net_weights(net, name);
    return value != NULL && value->kind == PG_VALUE_TENSOR ? &value->tensor : NULL;
}

static bool is_one_constant(const pg_net *net, pg_str name)
{
    const pg_tensor *tensor = constant(net, name);
    return tensor != NULL && pg_tensor_count(tensor) == 1;
}

/* Integers are divided by their own node, which looks for zeros. */
static bool divides_integers(const pg_net *net, const pg_net_node *node)
{
    if (!pg_net_is(node, "Div") && !pg_net_is(node, "Mod"))
        return false;
    for (size_t i = 0; i < 2; i++) {
        const pg_tensor *tensor = constant(net, net_in(node, i));
        if (tensor != NULL && pg_dtype_is_integer(tensor->dtype))
            return true;
    }
    return false;
}

static bool may_join(const pg_net *net, const pg_net_node *node)
{
    if (node == NULL || node->removed || node->function != NULL || node->n_parts > 0 ||
        node->kernel == NULL || (node->kernel->flags & PG_KERNEL_BY_ELEMENT) == 0 ||
        node->node.n_outputs != 1)
        return false;
    const size_t n = node->node.n_inputs;
    if (pg_net_is(node, "Clip"))
        return (net_in(node, 1).len == 0 || is_one_constant(net, net_in(node, 1))) &&
               (net_in(node, 2).len == 0 || is_one_constant(net, net_in(node, 2)));
    if (pg_net_is(node, "Pow") && (n != 2 || !is_one_constant(net, net_in(node, 1))))
        return false;
    /* Before opset 7 shapes were repeated by other rules. */
    if (n > 1 && node->node.domain.len == 0 && node->opset < 7)
        return false;
    if ((pg_net_is(node, "Max") || pg_net_is(node, "Min") || pg_net_is(node, "Sum")) && n != 2)
        return false;
    for (size_t i = 0; i < n; i++)
        if (node->node.inputs[i].len == 0)
            return false;
    return n > 0 && !divides_integers(net, node);
}

static bool has(const group *g, const pg_net_node *node)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->nodes[i] == node)
            return true;
    return false;
}

static size_t uses_within(const group *g, pg_str name)
{
    size_t uses = 0;
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = 0; k < g->nodes[i]->node.n_inputs; k++)
            uses += pg_str_eq(g->nodes[i]->node.inputs[k], name);
    return uses;
}

/* Whether the node's inputs that would be kept for longer, were it to run where the chain ends, take more memory
 * than its result: more than one input has no reader after that. */
static bool delays_release(const pg_net *net, const group *g, const pg_net_node *node)
{
    size_t dying = 0;
    for (size_t i = 0; i < node->node.n_inputs; i++) {
        const pg_net_value *value = pg_net_find(net, node->node.inputs[i]);
        if (value != NULL && !value->is_const && !value->is_input && !value->is_output && !value->captured &&
            value->last_read <= g->root->position &&
            (i == 0 || !pg_str_eq(node->node.inputs[i], node->node.inputs[0])))
            dying++;
    }
    if (dying < 2)
        return false;
    for (size_t at = node->position + 1; at < g->root->position; at++)
        if (!net->nodes.items[at]->removed && !has(g, net->nodes.items[at]))
            return true;
    return false;
}

static bool join(const pg_net *net, group *g, pg_str name)
{
    const pg_net_value *value = pg_net_find(net, name);
    if (value == NULL || value->producer == NULL || value->is_output || value->captured || g->n == MOST_PARTS)
        return false;
    pg_net_node *node = value->producer;
    if (has(g, node) || !may_join(net, node) || value->n_uses != uses_within(g, name) ||
        delays_release(net, g, node))
        return false;
    g->nodes[g->n++] = node;
    return true;
}

static void grow(const pg_net *net, group *g)
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < g->n; i++)
            for (size_t k = 0; k < g->nodes[i]->node.n_inputs; k++)
                more |= join(net, g, g->nodes[i]->node.inputs[k]);
    }
}

static int by_position(const void *a, const void *b)
{
    const pg_net_node *x = *(pg_net_node *const *)a, *y = *(pg_net_node *const *)b;
    return x->position < y->position ? -1 : x->position > y->position;
}

/* "scale + shift + relu": the parts by name, or by what they make; a long list is cut in the middle. */
static pg_str chain_name(pg_net *net, const group *g)
{
    pg_buf text = {0};
    for (size_t i = 0; i < g->n; i++) {
        const pg_node *part = &g->nodes[i]->node;
        const pg_str name = part->name.len > 0 ? part->name : part->outputs[0];
        if (i > 0 && i + 1 < g->n && text.len + name.len > MOST_NAME) {
            pg_buf_printf(&text, " + ... (%zu more)", g->n - 1 - i);
            i = g->n - 2;
            continue;
        }
        pg_buf_printf(&text, "%s%" PG_STR_FMT, i > 0 ? " + " : "", PG_STR_ARG(name));
    }
    const pg_str name = pg_arena_str(&net->session->arena, (pg_str){text.ptr, text.len});
    pg_buf_deinit(&text);
    return name;
}

/* What the chain reads from outside, each name once. */
static size_t outer_inputs(const group *g, pg_str *out)
{
    size_t count = 0;
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = 0; k < g->nodes[i]->node.n_inputs; k++) {
            const pg_str name = g->nodes[i]->node.inputs[k];
            bool known = name.len == 0;
            for (size_t p = 0; p < g->n && !known; p++)
                known = pg_str_eq(net_out(g->nodes[p]), name);
            for (size_t p = 0; p < count && !known; p++)
                known = pg_str_eq(out[p], name);
            if (!known)
                out[count++] = name;
        }
    return count;
}

static void make_chain(pg_net *net, group *g)
{
    pg_arena *arena = &net->session->arena;
    pg_str inputs[MOST_PARTS * 3];
    qsort(g->nodes, g->n, sizeof *g->nodes, by_position);
    const size_t n_inputs = outer_inputs(g, inputs);
    pg_net_node **parts = PG_ARENA_ARRAY(arena, pg_net_node *, g->n), *root = g->nodes[g->n - 1];
    for (size_t i = 0; i < g->n; i++) {
        parts[i] = PG_ARENA_NEW(arena, pg_net_node);
        *parts[i] = *g->nodes[i];
    }
    root->node.name = chain_name(net, g);
    pg_net_rewrite(net, root, "pg", "Chain", inputs, n_inputs, NULL, 0);
    root->parts = parts;
    root->n_parts = g->n;
    root->half = PG_UNDEFINED;
    for (size_t i = 0; i + 1 < g->n; i++)
        pg_net_remove(net, g->nodes[i]);
}

static void note_readers(const pg_net *net)
{
    for (size_t i = 0; i < net->nodes.len; i++) {
        const pg_net_node *node = net->nodes.items[i];
        for (size_t k = 0; k < node->node.n_inputs && !node->removed; k++) {
            pg_net_value *value = pg_net_find(net, node->node.inputs[k]);
            if (value != NULL)
                value->last_read = i;
        }
    }
}

/* Nothing outside reads what the parts before the last one make. */
static bool is_closed(const pg_net *net, const group *g)
{
    for (size_t i = 0; i < g->n; i++) {
        const pg_str name = net_out(g->nodes[i]);
        const pg_net_value *value = pg_net_find(net, name);
        if (!may_join(net, g->nodes[i]) || value == NULL)
            return false;
        if (i + 1 < g->n && (value->is_output || value->captured || value->n_uses != uses_within(g, name)))
            return false;
    }
    return g->n > 1;
}

void pg_net_regroup_chains(pg_net *net)
{
    for (size_t i = 0, next; i < net->nodes.len; i = next) {
        const int64_t number = net_attr_i(net->nodes.items[i], PG_CHAIN_ATTR, 0);
        group g = {0};
        for (next = i; next < net->nodes.len && g.n < MOST_PARTS && number != 0 &&
                       net_attr_i(net->nodes.items[next], PG_CHAIN_ATTR, 0) == number;
             next++)
            g.nodes[g.n++] = net->nodes.items[next];
        next = PG_MAX(next, i + 1);
        if (g.n == 0)
            continue;
        g.root = g.nodes[g.n - 1];
        if (is_closed(net, &g))
            make_chain(net, &g);
    }
}

pg_status pg_net_find_chains(pg_net *net)
{
    note_readers(net);
    for (size_t i = net->nodes.len; i-- > 0;) {
        pg_net_node *node = net->nodes.items[i];
        if (!may_join(net, node))
            continue;
        group g = {.root = node, .n = 1, .nodes = {node}};
        grow(net, &g);
        if (g.n > 1)
            make_chain(net, &g);
    }
    return NULL;
}
