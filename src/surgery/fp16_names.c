#include <stdint.h>
#include <string.h>

#include "surgery/fp16_internal.h"

/* ---- Scopes ---- */

static pg_str address_key(const void *address, pg_arena *arena)
{
    return pg_arena_str(arena, (pg_str){(const char *)&address, sizeof address});
}

pg_fp16_scope *pg_fp16_scope_of(const pg_fp16 *pass, const void *graph)
{
    return pg_map_find(&pass->scopes, (pg_str){(const char *)&graph, sizeof graph});
}

pg_fp16_value *pg_fp16_find(const pg_fp16_scope *scope, pg_str name)
{
    for (; scope != NULL && name.len > 0; scope = scope->outer) {
        pg_fp16_value *value = pg_map_find(&scope->values, name);
        if (value != NULL)
            return value;
    }
    return NULL;
}

int64_t pg_fp16_opset(const pg_fp16_scope *scope, pg_str domain)
{
    for (size_t i = 0; i < scope->n_opsets; i++)
        if (pg_str_eq(scope->opsets[i].domain, domain))
            return scope->opsets[i].version;
    return 1;
}

pg_fp16_place pg_fp16_place_in(const pg_fp16 *pass, const pg_fp16_scope *scope, const pg_node *node,
                               bool output, size_t position)
{
    bool is_function =
        pg_model_find_function(pass->model, node->domain, node->op_type, node->overload) != NULL;
    if (pass->options.keeps != NULL && pass->options.keeps(pass->options.context, node))
        return PG_FP16_BY_TYPE;
    return pg_fp16_place_of(node, pg_fp16_opset(scope, node->domain), is_function, output, position);
}

/* ---- Types ---- */

static pg_dtype constant_type(const pg_node *node)
{
    const pg_attr *attr;
    if ((attr = pg_node_attr(node, "value")) != NULL && attr->type == PG_ATTR_TENSOR)
        return attr->tensor->dtype;
    if ((attr = pg_node_attr(node, "sparse_value")) != NULL && attr->type == PG_ATTR_SPARSE_TENSOR)
        return attr->sparse->values.dtype;
    if (pg_node_attr(node, "value_float") != NULL || pg_node_attr(node, "value_floats") != NULL)
        return PG_F32;
    if (pg_node_attr(node, "value_int") != NULL || pg_node_attr(node, "value_ints") != NULL)
        return PG_I64;
    if (pg_node_attr(node, "value_string") != NULL || pg_node_attr(node, "value_strings") != NULL)
        return PG_STRING;
    return PG_UNDEFINED;
}

static bool is_constant(const pg_node *node)
{
    return node->domain.len == 0 && pg_str_is(node->op_type, "Constant");
}

bool pg_fp16_is_float_constant(const pg_node *node)
{
    return is_constant(node) && constant_type(node) == PG_F32;
}

pg_dtype pg_fp16_type_of(const pg_fp16 *pass, const pg_fp16_scope *scope, pg_str name)
{
    enum { MOST_STEPS = 10000 }; /* a cycle ends here */
    for (int steps = 0; steps < MOST_STEPS; steps++) {
        const pg_fp16_value *value = pg_fp16_find(scope, name);
        if (value == NULL)
            return PG_UNDEFINED;
        if (value->weight != NULL)
            return value->weight->dtype;
        if (value->declared != PG_UNDEFINED)
            return value->declared;
        const pg_node *node = value->producer;
        const pg_type *known = pg_shapes_find(pass->shapes, name);
        if (known != NULL && known->kind == PG_TYPE_TENSOR && known->elem != PG_UNDEFINED &&
            pg_map_find(&pg_fp16_scope_of(pass, pass->model->graph)->values, name) == value)
            return known->elem;
        if (node == NULL || !pg_str_eq(node->outputs[0], name))
            return PG_UNDEFINED;
        if (is_constant(node))
            return constant_type(node);
        pg_dtype found = PG_UNDEFINED;
        int source = pg_fp16_type_source(node, &found);
        if (source < 0 || (size_t)source >= node->n_inputs)
            return found;
        name = node->inputs[source];
    }
    return PG_UNDEFINED;
}

pg_status pg_fp16_is_full(const pg_fp16 *pass, const pg_fp16_scope *scope, const pg_node *node, bool output,
                          size_t position, bool *out)
{
    pg_str name = output ? node->outputs[position] : node->inputs[position];
    pg_fp16_place place = pg_fp16_place_in(pass, scope, node, output, position);
    *out = place == PG_FP16_FULL && name.len > 0;
    if (place != PG_FP16_BY_TYPE || name.len == 0)
        return NULL;
    pg_dtype type = pg_fp16_type_of(pass, scope, name);
    if (type == PG_UNDEFINED && output && node->n_inputs > 0 && node->domain.len == 0)
        type = pg_fp16_type_of(pass, scope, node->inputs[0]); /* Range, CumSum: the type of their input */
    if (type == PG_UNDEFINED)
        return pg_err(PG_ERR_UNSUPPORTED,
                      "the type of '%" PG_STR_FMT "', %s of node '%" PG_STR_FMT "' (%" PG_STR_FMT
                      "), is not known, so that it cannot be told whether it has to stay float32: declare it "
                      "in the model's value_info",
                      PG_STR_ARG(name), output ? "an output" : "an input", PG_STR_ARG(node->name),
                      PG_STR_ARG(node->op_type));
    *out = type == PG_F32;
    return NULL;
}

/* ---- What there is ---- */

static pg_fp16_value *add_value(pg_fp16 *pass, pg_fp16_scope *scope, pg_str name)
{
    pg_fp16_value *value = pg_map_find(&scope->values, name);
    if (value == NULL) {
        value = PG_ARENA_NEW(&pass->scratch, pg_fp16_value);
        value->name = name;
        pg_map_put(&scope->values, name, value);
        pg_map_put(&pass->names, name, NULL);
    }
    return value;
}

static void declare(pg_fp16 *pass, pg_fp16_scope *scope, const pg_value_info *infos, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (infos[i].name.len > 0 && infos[i].type.kind == PG_TYPE_TENSOR)
            add_value(pass, scope, infos[i].name)->declared = infos[i].type.elem;
}

static bool holds_float(const pg_type *type)
{
    if (type->kind == PG_TYPE_TENSOR || type->kind == PG_TYPE_SPARSE_TENSOR)
        return type->elem == PG_F32;
    return type->inner != NULL && holds_float(type->inner);
}

/* Inputs and outputs of the model stay as they are, which is possible for tensors. */
static pg_status check_io(const pg_value_info *infos, size_t count, const char *what)
{
    for (size_t i = 0; i < count; i++)
        if (infos[i].type.kind != PG_TYPE_TENSOR && holds_float(&infos[i].type))
            return pg_err(PG_ERR_UNSUPPORTED,
                          "the %s '%" PG_STR_FMT
                          "' is a container of float32 tensors, which cannot be cast as a whole",
                          what, PG_STR_ARG(infos[i].name));
    return NULL;
}

static pg_status collect(pg_fp16 *pass, pg_fp16_scope *scope);

static pg_status collect_subgraph(pg_fp16 *pass, pg_fp16_scope *outer, const pg_node *node,
                                  const pg_graph *graph)
{
    pg_fp16_scope *scope = PG_ARENA_NEW(&pass->scratch, pg_fp16_scope);
    if (pg_fp16_place_in(pass, outer, node, false, 0) == PG_FP16_BY_TYPE && node->domain.len > 0)
        return pg_err(PG_ERR_UNSUPPORTED,
                      "node '%" PG_STR_FMT "' of the domain '%" PG_STR_FMT
                      "' holds a graph, which cannot be converted without knowing the operator",
                      PG_STR_ARG(node->name), PG_STR_ARG(node->domain));
    *scope = (pg_fp16_scope){.outer = outer,
                             .graph = graph,
                             .nodes = graph->nodes,
                             .n_nodes = graph->n_nodes,
                             .opsets = outer->opsets,
                             .n_opsets = outer->n_opsets};
    pg_map_put(&pass->scopes, address_key(graph, &pass->scratch), scope);
    return collect(pass, scope);
}

static pg_status collect_node(pg_fp16 *pass, pg_fp16_scope *scope, const pg_node *node)
{
    for (size_t o = 0; o < node->n_outputs; o++)
        if (node->outputs[o].len > 0)
            add_value(pass, scope, node->outputs[o])->producer = node;
    for (size_t a = 0; a < node->n_attrs; a++) {
        const pg_attr *attr = &node->attrs[a];
        if (attr->type == PG_ATTR_GRAPH && attr->graph != NULL)
            PG_TRY(collect_subgraph(pass, scope, node, attr->graph));
        for (size_t g = 0; attr->type == PG_ATTR_GRAPHS && g < attr->count; g++)
            PG_TRY(collect_subgraph(pass, scope, node, attr->graphs[g]));
        if (attr->ref.len > 0 && (pg_str_is(attr->name, "to") || pg_str_is(attr->name, "dtype")))
            return pg_err(PG_ERR_UNSUPPORTED,
                          "node '%" PG_STR_FMT "' takes its attribute '%" PG_STR_FMT
                          "' from the call of its function, so that its type cannot be told",
                          PG_STR_ARG(node->name), PG_STR_ARG(attr->name));
    }
    return NULL;
}

static pg_status collect(pg_fp16 *pass, pg_fp16_scope *scope)
{
    const pg_graph *graph = scope->graph;
    if (graph != NULL) {
        declare(pass, scope, graph->inputs, graph->n_inputs);
        declare(pass, scope, graph->outputs, graph->n_outputs);
        declare(pass, scope, graph->value_infos, graph->n_value_infos);
        for (size_t i = 0; i < graph->n_weights; i++)
            add_value(pass, scope, graph->weights[i].name)->weight = &graph->weights[i];
    }
    for (size_t i = 0; i < scope->n_nodes; i++)
        PG_TRY(collect_node(pass, scope, &scope->nodes[i]));
    return NULL;
}

/* ---- Who wants what ---- */

static pg_status mark_node(pg_fp16 *pass, pg_fp16_scope *scope, const pg_node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++) {
        pg_fp16_value *value = pg_fp16_find(scope, node->inputs[i]);
        bool full;
        if (value == NULL)
            continue;
        PG_TRY(pg_fp16_is_full(pass, scope, node, false, i, &full));
        *(full ? &value->wants_full : &value->wants_half) = true;
    }
    for (size_t o = 0; o < node->n_outputs; o++) {
        bool full;
        if (node->outputs[o].len == 0)
            continue;
        PG_TRY(pg_fp16_is_full(pass, scope, node, true, o, &full));
        bool fixed_by_reference = is_constant(node) && node->n_attrs == 1 && node->attrs[0].ref.len > 0;
        if (full || fixed_by_reference)
            pg_fp16_find(scope, node->outputs[o])->stays_full = true;
    }
    return NULL;
}

static pg_status mark_outputs(pg_fp16 *pass, pg_fp16_scope *scope)
{
    const pg_graph *graph = scope->graph;
    for (size_t i = 0; i < graph->n_outputs; i++) {
        pg_fp16_value *value = pg_fp16_find(scope, graph->outputs[i].name);
        if (value == NULL)
            continue;
        if (!scope->is_main)
            value->wants_half = true;
        else if (pg_fp16_type_of(pass, scope, value->name) == PG_F32)
            value->wants_full = value->is_output = true;
        else if (pg_fp16_type_of(pass, scope, value->name) == PG_UNDEFINED &&
                 graph->outputs[i].type.kind == PG_TYPE_NONE)
            return pg_err(PG_ERR_UNSUPPORTED,
                          "the type of the output '%" PG_STR_FMT "' is neither stated nor inferred",
                          PG_STR_ARG(value->name));
    }
    return NULL;
}

static pg_status mark(pg_fp16 *pass, pg_fp16_scope *scope)
{
    const pg_graph *graph = scope->graph;
    for (size_t i = 0; scope->is_main && i < graph->n_inputs; i++)
        if (graph->inputs[i].type.kind == PG_TYPE_TENSOR && graph->inputs[i].type.elem == PG_F32)
            add_value(pass, scope, graph->inputs[i].name)->stays_full = true;
    for (size_t i = 0; i < scope->n_nodes; i++)
        PG_TRY(mark_node(pass, scope, &scope->nodes[i]));
    return graph != NULL ? mark_outputs(pass, scope) : NULL;
}

/* ---- Names ---- */

static pg_str fresh(pg_fp16 *pass, pg_str name, const char *suffix)
{
    for (int i = 0;; i++) {
        const char *text =
            i == 0 ? pg_arena_printf(pass->arena, "%" PG_STR_FMT "%s", PG_STR_ARG(name), suffix)
                   : pg_arena_printf(pass->arena, "%" PG_STR_FMT "%s_%d", PG_STR_ARG(name), suffix, i);
        if (!pg_map_has(&pass->names, pg_str_c(text))) {
            pg_map_put(&pass->names, pg_str_c(text), NULL);
            return pg_str_c(text);
        }
    }
}

/* A constant that only float32 readers have stays as it is. */
static bool may_stay(const pg_fp16_value *value)
{
    return value->weight != NULL ? value->weight->dtype == PG_F32
                                 : value->producer != NULL && pg_fp16_is_float_constant(value->producer);
}

static void name_value(pg_fp16 *pass, pg_fp16_value *value)
{
    if (may_stay(value) && value->wants_full && !value->wants_half)
        value->stays_full = true;
    value->full = value->half = value->name;
    if (value->stays_full) {
        if (value->wants_half)
            value->half = fresh(pass, value->name, "_fp16");
    } else if (value->is_output) {
        value->half = fresh(pass, value->name, "_fp16");
    } else if (value->wants_full) {
        value->full = fresh(pass, value->name, "_fp32");
    }
}

static pg_status add_functions(pg_fp16 *pass)
{
    for (size_t i = 0; i < pass->model->n_functions; i++) {
        const pg_function *function = &pass->model->functions[i];
        pg_fp16_scope *scope = PG_ARENA_NEW(&pass->scratch, pg_fp16_scope);
        *scope = (pg_fp16_scope){.nodes = function->nodes,
                                 .n_nodes = function->n_nodes,
                                 .opsets = function->opsets,
                                 .n_opsets = function->n_opsets};
        for (size_t k = 0; k < function->n_inputs; k++)
            add_value(pass, scope, function->inputs[k]);
        pg_map_put(&pass->scopes, address_key(function, &pass->scratch), scope);
        PG_TRY(collect(pass, scope));
        /* The outputs of a call are float16, and their names are the function's. */
        for (size_t k = 0; k < function->n_outputs; k++)
            add_value(pass, scope, function->outputs[k])->wants_half = true;
    }
    return NULL;
}

pg_status pg_fp16_name_all(pg_fp16 *pass)
{
    const pg_model *model = pass->model;
    pg_fp16_scope *main_scope = PG_ARENA_NEW(&pass->scratch, pg_fp16_scope);
    *main_scope = (pg_fp16_scope){.graph = model->graph,
                                  .nodes = model->graph->nodes,
                                  .n_nodes = model->graph->n_nodes,
                                  .opsets = model->opsets,
                                  .n_opsets = model->n_opsets,
                                  .is_main = true};
    PG_TRY(check_io(model->graph->inputs, model->graph->n_inputs, "input"));
    PG_TRY(check_io(model->graph->outputs, model->graph->n_outputs, "output"));
    pg_map_put(&pass->scopes, address_key(model->graph, &pass->scratch), main_scope);
    PG_TRY(collect(pass, main_scope));
    PG_TRY(add_functions(pass));
    for (size_t s = 0; s < pass->scopes.len; s++)
        PG_TRY(mark(pass, pass->scopes.entries[s].value));
    for (size_t s = 0; s < pass->scopes.len; s++) {
        pg_fp16_scope *scope = pass->scopes.entries[s].value;
        for (size_t i = 0; i < scope->values.len; i++)
            name_value(pass, scope->values.entries[i].value);
    }
    return NULL;
}
