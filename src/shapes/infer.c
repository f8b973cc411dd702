/* Walks graphs in order and applies the rules. */
#include "shapes/internal.h"

#include <stdio.h>
#include <stdlib.h>

static const pg_shape_rule *const tables[] = {
    pg_shape_rules_elementwise, pg_shape_rules_movement, pg_shape_rules_reduce, pg_shape_rules_nn,
    pg_shape_rules_control,     pg_shape_rules_contract, pg_shape_rules_signal, pg_shape_rules_ml,
};

/* Values of one graph; names not found here are looked up outside. */
typedef struct pg_scope {
    struct pg_scope *outer;
    pg_map facts; /* name -> pg_fact */
    pg_shapes *shapes;
    size_t n_opsets;
    const pg_opset *opsets;
    size_t depth;
} pg_scope;

struct pg_shapes {
    const pg_model *model;
    pg_shapes_options options;
    pg_arena arena;
    pg_map rules; /* "operator" or "operator domain" -> pg_shape_rule; one rule covers all versions */
    pg_scope top;
    size_t n_unknown, n_visited; /* nodes, each time a body is inferred */
    char *problem;
    pg_map symbols; /* names of dims that are taken; filled with options.name_dims */
    size_t n_named;
};

const pg_model *pg_infer_model(const pg_infer *c)
{
    return c->scope->shapes->model;
}

enum { DEEPEST = 64, MOST_NODES = 1 << 23 };

static pg_fact *find_fact(const pg_scope *scope, pg_str name)
{
    for (; scope != NULL; scope = scope->outer) {
        pg_fact *fact = pg_map_find(&scope->facts, name);
        if (fact != NULL)
            return fact;
    }
    return NULL;
}

/* Joins what is stated with what is inferred; a stated type wins where both say something different. */
static void put_fact(pg_scope *scope, pg_str name, pg_fact fact)
{
    if (name.len == 0)
        return;
    pg_fact *known = pg_map_find(&scope->facts, name);
    if (known == NULL) {
        known = PG_ARENA_NEW(&scope->shapes->arena, pg_fact);
        pg_map_put(&scope->facts, name, known);
        *known = fact;
        return;
    }
    known->values = fact.values != NULL ? fact.values : known->values;
    known->n_values = fact.values != NULL ? fact.n_values : known->n_values;
    if (known->type.kind == PG_TYPE_NONE ||
        (known->type.kind == PG_TYPE_TENSOR && fact.type.kind == PG_TYPE_TENSOR && !known->type.has_shape &&
         fact.type.has_shape)) {
        pg_dtype elem = known->type.elem;
        known->type = fact.type;
        if (fact.type.elem == PG_UNDEFINED)
            known->type.elem = elem;
    } else if (known->type.has_shape && fact.type.has_shape && known->type.rank == fact.type.rank) {
        pg_dim *dims = PG_ARENA_ARRAY(&scope->shapes->arena, pg_dim, fact.type.rank);
        for (uint32_t d = 0; d < fact.type.rank; d++)
            dims[d] = pg_dim_merge(known->type.dims[d], fact.type.dims[d]);
        known->type.dims = dims;
    }
}

/* A weight's type, and its elements when it is a short list of integers. */
static pg_fact fact_of_weight(pg_shapes *shapes, const pg_weight *weight)
{
    pg_dim *dims = PG_ARENA_ARRAY(&shapes->arena, pg_dim, weight->rank);
    uint64_t count = 1;
    for (uint32_t d = 0; d < weight->rank; d++) {
        dims[d] = pg_dim_of(weight->dims[d]);
        if (weight->dims[d] < 0 || pg_mul_overflow(count, (uint64_t)weight->dims[d], &count))
            count = UINT64_MAX;
    }
    pg_fact fact = {.type = {.kind = PG_TYPE_TENSOR,
                             .elem = weight->dtype,
                             .has_shape = true,
                             .rank = weight->rank,
                             .dims = dims}};
    bool is_float = weight->dtype == PG_F32 && weight->rank == 1 && count <= PG_MOST_FLOATS;
    bool is_int =
        (weight->dtype == PG_I64 || weight->dtype == PG_I32) && weight->rank <= 1 && count <= PG_MOST_VALUES;
    if (!is_float && !is_int)
        return fact;
    pg_tensor tensor;
    pg_status status = pg_weight_load(shapes->model, weight, &tensor);
    if (status != NULL) {
        pg_status_drop(status); /* without its values the weight's type still helps */
        return fact;
    }
    if (is_float) {
        float *floats = PG_ARENA_ARRAY(&shapes->arena, float, count);
        memcpy(floats, tensor.data, count * sizeof *floats);
        fact.floats = floats;
    } else {
        pg_dim *values = PG_ARENA_ARRAY(&shapes->arena, pg_dim, count);
        for (uint64_t i = 0; i < count; i++)
            values[i] = pg_dim_of(pg_tensor_get_i64(&tensor, i));
        fact.values = values;
        fact.n_values = count;
    }
    pg_tensor_deinit(&tensor);
    return fact;
}

/* ---- Names for open dims ---- */

static void take_symbols(pg_shapes *shapes, const pg_value_info *infos, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (uint32_t d = 0; infos[i].type.kind == PG_TYPE_TENSOR && d < infos[i].type.rank; d++)
            if (infos[i].type.dims[d].name.len > 0)
                pg_map_put(&shapes->symbols, infos[i].type.dims[d].name, NULL);
}

static pg_str new_symbol(pg_shapes *shapes)
{
    pg_str name;
    do
        name = pg_str_c(pg_arena_printf(&shapes->arena, "unk__%zu", shapes->n_named++));
    while (pg_map_has(&shapes->symbols, name));
    return name;
}

/* A dim that nothing is known of gets a name, so that what has the same size further on has the same name. */
static void name_dims(pg_shapes *shapes, pg_fact *fact)
{
    if (!shapes->options.name_dims || fact == NULL || fact->type.kind != PG_TYPE_TENSOR ||
        !fact->type.has_shape)
        return;
    pg_dim *dims = PG_ARENA_ARRAY(&shapes->arena, pg_dim, fact->type.rank);
    for (uint32_t d = 0; d < fact->type.rank; d++) {
        dims[d] = fact->type.dims[d];
        if (!dims[d].has_value && dims[d].name.len == 0)
            dims[d].name = new_symbol(shapes);
    }
    fact->type.dims = dims;
}

static int64_t opset_of(const pg_scope *scope, pg_str domain)
{
    for (size_t i = 0; i < scope->n_opsets; i++)
        if (pg_str_eq(scope->opsets[i].domain, domain))
            return scope->opsets[i].version;
    return 1;
}

static pg_status infer_graph(pg_scope *scope, const pg_graph *graph);
static pg_status infer_nodes(pg_scope *scope, const pg_node *nodes, size_t count);

/* A call of a model-local function: its body is inferred with the call's inputs. */
static pg_status infer_call(pg_infer *c, const pg_function *function)
{
    pg_scope scope = {.shapes = c->scope->shapes,
                      .n_opsets = function->n_opsets,
                      .opsets = function->opsets,
                      .depth = c->scope->depth + 1};
    if (scope.depth > DEEPEST)
        return pg_err(PG_ERR_LIMIT, "function calls nest deeper than %d", DEEPEST);
    for (size_t i = 0; i < function->n_inputs && i < c->n_in; i++)
        if (c->in[i] != NULL)
            put_fact(&scope, function->inputs[i], *c->in[i]);
    pg_status status = infer_nodes(&scope, function->nodes, function->n_nodes);
    for (size_t o = 0; o < c->n_out && o < function->n_outputs; o++) {
        const pg_fact *fact = pg_map_find(&scope.facts, function->outputs[o]);
        if (fact != NULL)
            c->out[o] = *fact;
    }
    pg_map_deinit(&scope.facts);
    return status;
}

static const pg_shape_rule *find_rule(const pg_shapes *shapes, const pg_node *node)
{
    char key[128];
    if (node->domain.len == 0)
        return pg_map_find(&shapes->rules, node->op_type);
    int length = snprintf(key, sizeof key, "%" PG_STR_FMT " %" PG_STR_FMT, PG_STR_ARG(node->op_type),
                          PG_STR_ARG(node->domain));
    return length < (int)sizeof key ? pg_map_find(&shapes->rules, pg_str_c(key)) : NULL;
}

static pg_status apply_rule(pg_infer *c, bool *known)
{
    pg_shapes *shapes = c->scope->shapes;
    const pg_node *node = c->node;
    *known = true;
    const pg_function *function =
        pg_model_find_function(shapes->model, node->domain, node->op_type, node->overload);
    if (function != NULL)
        return infer_call(c, function);
    const pg_shape_rule *rule = find_rule(shapes, node);
    if (rule == NULL) {
        *known = false;
        return NULL;
    }
    if (pg_str_is(node->op_type, "Constant") && node->n_attrs == 1 && node->attrs[0].type == PG_ATTR_TENSOR) {
        c->out[0] = fact_of_weight(shapes, node->attrs[0].tensor);
        return NULL;
    }
    return rule->infer(c);
}

static pg_status infer_node(pg_scope *scope, const pg_node *node)
{
    pg_shapes *shapes = scope->shapes;
    pg_infer c = {.node = node,
                  .opset = opset_of(scope, node->domain),
                  .n_in = node->n_inputs,
                  .n_out = node->n_outputs,
                  .in = pg_calloc(node->n_inputs, sizeof *c.in),
                  .out = pg_calloc(node->n_outputs + 4, sizeof *c.out),
                  .arena = &shapes->arena,
                  .scope = scope};
    for (size_t i = 0; i < node->n_inputs; i++)
        c.in[i] = node->inputs[i].len > 0 ? find_fact(scope, node->inputs[i]) : NULL;
    bool known;
    pg_status status = apply_rule(&c, &known);
    if (status == NULL) {
        for (size_t o = 0; o < node->n_outputs; o++)
            if (c.out[o].type.kind != PG_TYPE_NONE && node->outputs[o].len > 0) {
                put_fact(scope, node->outputs[o], c.out[o]);
                name_dims(shapes, pg_map_find(&scope->facts, node->outputs[o]));
            }
        shapes->n_unknown += !known && scope == &shapes->top;
    } else if (!shapes->options.strict) {
        if (shapes->problem == NULL)
            shapes->problem = pg_arena_cstr(&shapes->arena, pg_str_c(pg_status_message(status)));
        pg_status_drop(status);
        status = NULL;
    }
    free(c.in);
    free(c.out);
    return status;
}

static pg_status infer_nodes(pg_scope *scope, const pg_node *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (++scope->shapes->n_visited > MOST_NODES)
            return pg_err(PG_ERR_LIMIT, "functions and nested graphs expand to more than %d nodes",
                          MOST_NODES);
        PG_TRY(infer_node(scope, &nodes[i]));
    }
    return NULL;
}

static pg_status infer_graph(pg_scope *scope, const pg_graph *graph)
{
    for (size_t i = 0; i < graph->n_weights; i++)
        put_fact(scope, graph->weights[i].name, fact_of_weight(scope->shapes, &graph->weights[i]));
    for (size_t i = 0; i < graph->n_value_infos; i++)
        put_fact(scope, graph->value_infos[i].name, (pg_fact){.type = graph->value_infos[i].type});
    for (size_t i = 0; i < graph->n_outputs; i++)
        put_fact(scope, graph->outputs[i].name, (pg_fact){.type = graph->outputs[i].type});
    return infer_nodes(scope, graph->nodes, graph->n_nodes);
}

pg_status pg_infer_subgraph(pg_infer *c, const char *attr, const pg_fact *inputs, size_t n_inputs,
                            pg_fact *outputs, size_t n_outputs, bool *found)
{
    const pg_attr *body = pg_node_attr(c->node, attr);
    *found = body != NULL && body->type == PG_ATTR_GRAPH && body->graph != NULL;
    if (!*found)
        return NULL;
    const pg_graph *graph = body->graph;
    pg_scope scope = {.outer = c->scope,
                      .shapes = c->scope->shapes,
                      .n_opsets = c->scope->n_opsets,
                      .opsets = c->scope->opsets,
                      .depth = c->scope->depth + 1};
    if (scope.depth > DEEPEST)
        return pg_err(PG_ERR_LIMIT, "graphs nest deeper than %d", DEEPEST);
    for (size_t i = 0; i < graph->n_inputs; i++) {
        put_fact(&scope, graph->inputs[i].name, (pg_fact){.type = graph->inputs[i].type});
        if (i < n_inputs && inputs[i].type.kind != PG_TYPE_NONE)
            put_fact(&scope, graph->inputs[i].name, inputs[i]);
    }
    pg_status status = infer_graph(&scope, graph);
    for (size_t o = 0; o < n_outputs && o < graph->n_outputs && status == NULL; o++) {
        const pg_fact *fact = find_fact(&scope, graph->outputs[o].name);
        outputs[o] = fact != NULL ? *fact : (pg_fact){0};
    }
    pg_map_deinit(&scope.facts);
    return status;
}

static void put_input(pg_shapes *shapes, const pg_value_info *input)
{
    pg_fact fact = {.type = input->type};
    for (size_t i = 0; i < shapes->options.n_overrides; i++) {
        const pg_shape_override *given = &shapes->options.overrides[i];
        if (!pg_str_eq(given->name, input->name) || input->type.kind != PG_TYPE_TENSOR)
            continue;
        pg_dim *dims = PG_ARENA_ARRAY(&shapes->arena, pg_dim, given->rank);
        for (size_t d = 0; d < given->rank; d++) {
            bool stated = input->type.has_shape && input->type.rank == given->rank;
            dims[d] = given->dims[d] >= 0 ? pg_dim_of(given->dims[d])
                      : stated            ? input->type.dims[d]
                                          : (pg_dim){0};
        }
        fact.type.has_shape = true;
        fact.type.rank = (uint32_t)given->rank;
        fact.type.dims = dims;
    }
    put_fact(&shapes->top, input->name, fact);
}

pg_status pg_shapes_infer(const pg_model *model, const pg_shapes_options *options, pg_shapes **out)
{
    pg_shapes *shapes = PG_NEW(pg_shapes);
    shapes->model = model;
    if (options != NULL)
        shapes->options = *options;
    for (size_t t = 0; t < PG_COUNT(tables); t++)
        for (const pg_shape_rule *rule = tables[t]; rule->op_type != NULL; rule++)
            pg_map_put(&shapes->rules,
                       pg_str_c(rule->domain == NULL
                                    ? rule->op_type
                                    : pg_arena_printf(&shapes->arena, "%s %s", rule->op_type, rule->domain)),
                       (void *)rule);
    shapes->top = (pg_scope){.shapes = shapes, .n_opsets = model->n_opsets, .opsets = model->opsets};
    take_symbols(shapes, model->graph->inputs, model->graph->n_inputs);
    take_symbols(shapes, model->graph->outputs, model->graph->n_outputs);
    take_symbols(shapes, model->graph->value_infos, model->graph->n_value_infos);
    for (size_t i = 0; i < model->graph->n_inputs; i++)
        put_input(shapes, &model->graph->inputs[i]);
    pg_status status = infer_graph(&shapes->top, model->graph);
    if (status != NULL) {
        pg_shapes_free(shapes);
        return status;
    }
    *out = shapes;
    return NULL;
}

void pg_shapes_free(pg_shapes *shapes)
{
    if (shapes == NULL)
        return;
    pg_map_deinit(&shapes->top.facts);
    pg_map_deinit(&shapes->rules);
    pg_map_deinit(&shapes->symbols);
    pg_arena_deinit(&shapes->arena);
    free(shapes);
}

const pg_type *pg_shapes_find(const pg_shapes *shapes, pg_str name)
{
    const pg_fact *fact = pg_map_find(&shapes->top.facts, name);
    return fact != NULL && fact->type.kind != PG_TYPE_NONE ? &fact->type : NULL;
}

size_t pg_shapes_count(const pg_shapes *shapes)
{
    return shapes->top.facts.len;
}

pg_str pg_shapes_name(const pg_shapes *shapes, size_t i)
{
    return shapes->top.facts.entries[i].key;
}

size_t pg_shapes_unknown_nodes(const pg_shapes *shapes)
{
    return shapes->n_unknown;
}

const char *pg_shapes_first_problem(const pg_shapes *shapes)
{
    return shapes->problem;
}
