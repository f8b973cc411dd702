#include "native/internal.h"

#include <stdio.h>

/* ---- Access ---- */

pg_net_value *pg_net_find(const pg_net *net, pg_str name)
{
    return pg_map_find(&net->values, name);
}

static pg_value *find_constant(const pg_net *net, pg_str name)
{
    for (; net != NULL && name.len > 0; net = net->outer) {
        pg_net_value *value = pg_net_find(net, name);
        if (value != NULL)
            return value->is_const ? &value->constant : NULL;
    }
    return NULL;
}

const pg_value *pg_net_weights(const pg_net *net, pg_str name)
{
    return find_constant(net, name);
}

const pg_value *pg_net_constant(const pg_net *net, pg_str name)
{
    pg_value *value = find_constant(net, name);
    if (value == NULL || value->kind != PG_VALUE_TENSOR)
        return value;
    if (pg_tensor_is_hollow(&value->tensor))
        return NULL;
    pg_status status = pg_weight_align(net->session->model, &value->tensor);
    const bool aligned = status == NULL;
    pg_status_drop(status); /* planning tries again, and tells */
    return aligned ? value : NULL;
}

static bool has_one_reader(const pg_net_value *value)
{
    return value != NULL && value->n_uses == 1 && !value->is_output && !value->captured;
}

pg_net_node *pg_net_only_producer(const pg_net *net, pg_str name)
{
    const pg_net_value *value = pg_net_find(net, name);
    return has_one_reader(value) ? value->producer : NULL;
}

static bool reads(const pg_net_node *node, pg_str name)
{
    for (size_t k = 0; k < node->node.n_inputs && !node->removed; k++)
        if (pg_str_eq(node->node.inputs[k], name))
            return true;
    return false;
}

pg_net_node *pg_net_only_consumer(const pg_net *net, pg_str name)
{
    pg_net_value *value = pg_net_find(net, name);
    if (!has_one_reader(value))
        return NULL;
    for (size_t i = 0; i < net->nodes.len && value->reader == NULL; i++)
        if (reads(net->nodes.items[i], name))
            value->reader = net->nodes.items[i];
    return value->reader;
}

bool pg_net_is(const pg_net_node *node, const char *op_type)
{
    return node != NULL && node->node.domain.len == 0 && pg_str_is(node->node.op_type, op_type);
}

static bool is_of_either(const pg_net_node *node, const char *op_type)
{
    return node != NULL && pg_str_is(node->node.op_type, op_type) &&
           (node->node.domain.len == 0 || pg_str_is(node->node.domain, "com.microsoft"));
}

bool pg_net_is_quantize(const pg_net_node *node)
{
    return is_of_either(node, "QuantizeLinear");
}

bool pg_net_is_dequantize(const pg_net_node *node)
{
    return is_of_either(node, "DequantizeLinear");
}

/* ---- Edits ---- */

pg_net_value *pg_net_add_value(pg_net *net, pg_str name)
{
    pg_net_value *value = PG_ARENA_NEW(&net->session->arena, pg_net_value);
    value->name = name;
    pg_map_put(&net->values, name, value);
    return value;
}

pg_net_value *pg_net_add_constant(pg_net *net, pg_str name, pg_value constant)
{
    pg_net_value *value = pg_net_find(net, name);
    if (value == NULL)
        value = pg_net_add_value(net, name);
    value->is_const = true;
    value->producer = NULL;
    value->constant = constant;
    return value;
}

void pg_net_add_uses(pg_net *net, pg_net_node *node)
{
    for (size_t i = 0; i < node->node.n_inputs; i++) {
        pg_net_value *value = pg_net_find(net, node->node.inputs[i]);
        if (value == NULL)
            continue;
        value->n_uses++;
        value->reader = value->n_uses == 1 ? node : NULL;
    }
}

static void drop_uses(pg_net *net, pg_net_node *node)
{
    for (size_t i = 0; i < node->node.n_inputs; i++) {
        pg_net_value *value = pg_net_find(net, node->node.inputs[i]);
        if (value == NULL)
            continue;
        value->n_uses--;
        value->reader = NULL;
    }
}

void pg_net_rewrite(pg_net *net, pg_net_node *node, const char *domain, const char *op_type,
                    const pg_str *inputs, size_t n_inputs, const pg_attr *attrs, size_t n_attrs)
{
    pg_arena *arena = &net->session->arena;
    pg_str *new_inputs = PG_ARENA_ARRAY(arena, pg_str, n_inputs);
    pg_attr *new_attrs = PG_ARENA_ARRAY(arena, pg_attr, n_attrs);
    for (size_t i = 0; i < n_inputs; i++)
        new_inputs[i] = inputs[i];
    for (size_t i = 0; i < n_attrs; i++)
        new_attrs[i] = attrs[i];
    drop_uses(net, node);
    node->node.domain = pg_str_c(domain);
    node->node.op_type = pg_str_c(op_type);
    node->node.inputs = new_inputs;
    node->node.n_inputs = n_inputs;
    node->node.attrs = new_attrs;
    node->node.n_attrs = n_attrs;
    if (domain[0] != '\0')
        node->opset = 1;
    node->kernel = pg_kernel_find(node->node.domain, node->node.op_type, node->opset);
    PG_ASSERT(node->kernel != NULL);
    pg_net_add_uses(net, node);
}

void pg_net_remove(pg_net *net, pg_net_node *node)
{
    drop_uses(net, node);
    for (size_t i = 0; i < node->node.n_outputs; i++) {
        pg_net_value *value = pg_net_find(net, node->node.outputs[i]);
        if (value != NULL && value->producer == node)
            value->producer = NULL;
    }
    node->removed = true;
}

void pg_net_absorb(pg_net *net, pg_net_node *node, pg_net_node *last)
{
    pg_str *outputs = PG_ARENA_ARRAY(&net->session->arena, pg_str, 1);
    outputs[0] = last->node.outputs[0];
    pg_net_remove(net, last);
    pg_net_value *old = pg_net_find(net, node->node.outputs[0]);
    if (old != NULL)
        old->producer = NULL;
    node->node.outputs = outputs;
    node->node.n_outputs = 1;
    pg_net_find(net, outputs[0])->producer = node;
    /* The node now stands where `last` stood: everything it reads is known there. */
    size_t from = node->position, to = last->position;
    net->nodes.items[from] = last;
    net->nodes.items[to] = node;
    last->position = from;
    node->position = to;
}

void pg_net_reread(pg_net *net, pg_net_node *node, pg_str *inputs)
{
    drop_uses(net, node);
    node->node.inputs = inputs;
    pg_net_add_uses(net, node);
}

void pg_net_redirect(pg_net *net, pg_str name, pg_str instead)
{
    for (size_t i = 0; i < net->nodes.len; i++) {
        pg_net_node *node = net->nodes.items[i];
        if (!reads(node, name))
            continue;
        pg_str *inputs = PG_ARENA_ARRAY(&net->session->arena, pg_str, node->node.n_inputs);
        for (size_t k = 0; k < node->node.n_inputs; k++)
            inputs[k] = pg_str_eq(node->node.inputs[k], name) ? instead : node->node.inputs[k];
        pg_net_reread(net, node, inputs);
    }
}

pg_attr pg_net_attr_i(const char *name, int64_t value)
{
    return (pg_attr){.name = pg_str_c(name), .type = PG_ATTR_INT, .i = value};
}

pg_attr pg_net_attr_f(const char *name, float value)
{
    return (pg_attr){.name = pg_str_c(name), .type = PG_ATTR_FLOAT, .f = value};
}

pg_attr pg_net_attr_s(const char *name, const char *value)
{
    return (pg_attr){.name = pg_str_c(name), .type = PG_ATTR_STRING, .s = pg_str_c(value)};
}

pg_str pg_net_fresh_name(pg_net *net, pg_str base)
{
    return pg_str_c(pg_arena_printf(&net->session->arena, "%" PG_STR_FMT "#%zu", PG_STR_ARG(base),
                                    ++net->session->names_made));
}

void pg_net_free(pg_net *net)
{
    if (net == NULL)
        return;
    for (size_t i = 0; i < net->values.len; i++)
        pg_value_deinit(&((pg_net_value *)net->values.entries[i].value)->constant);
    pg_map_deinit(&net->values);
    PG_VEC_FREE(&net->nodes);
    free(net);
}
