#include "surgery/single.h"

#include "base/map.h"
#include "base/vec.h"
#include "onnx/build.h"
#include "onnx/quirks.h"
#include "surgery/internal.h"

/* ---- What a node reads ---- */

typedef struct reads {
    pg_map seen;
    PG_VEC(pg_str) names;
} reads;

/* Names that are defined inside the bodies being walked, innermost last. */
typedef struct scope {
    const struct scope *outer;
    pg_map names;
} scope;

static bool is_inside(const scope *inner, pg_str name)
{
    for (; inner != NULL; inner = inner->outer)
        if (pg_map_has(&inner->names, name))
            return true;
    return false;
}

static void add_read(reads *all, const scope *inner, pg_str name)
{
    if (name.len == 0 || is_inside(inner, name) || !pg_map_put(&all->seen, name, NULL))
        return;
    PG_VEC_PUSH(&all->names, name);
}

static void walk_node(reads *all, const scope *inner, const pg_node *node);

static void walk_body(reads *all, const scope *outer, const pg_graph *body)
{
    scope own = {.outer = outer};
    for (size_t i = 0; i < body->n_inputs; i++)
        pg_map_put(&own.names, body->inputs[i].name, NULL);
    for (size_t i = 0; i < body->n_weights; i++)
        pg_map_put(&own.names, body->weights[i].name, NULL);
    for (size_t i = 0; i < body->n_sparse_weights; i++)
        pg_map_put(&own.names, body->sparse_weights[i].values.name, NULL);
    for (size_t i = 0; i < body->n_nodes; i++)
        for (size_t k = 0; k < body->nodes[i].n_outputs; k++)
            pg_map_put(&own.names, body->nodes[i].outputs[k], NULL);
    for (size_t i = 0; i < body->n_nodes; i++)
        walk_node(all, &own, &body->nodes[i]);
    for (size_t i = 0; i < body->n_outputs; i++)
        add_read(all, &own, body->outputs[i].name);
    pg_map_deinit(&own.names);
}

static void walk_node(reads *all, const scope *inner, const pg_node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        add_read(all, inner, node->inputs[i]);
    for (size_t i = 0; i < node->n_attrs; i++) {
        const pg_attr *attr = &node->attrs[i];
        if (attr->type == PG_ATTR_GRAPH && attr->graph != NULL)
            walk_body(all, inner, attr->graph);
        for (size_t k = 0; attr->type == PG_ATTR_GRAPHS && k < attr->count; k++)
            walk_body(all, inner, attr->graphs[k]);
    }
}

void pg_node_reads(const pg_node *node, pg_arena *arena, pg_str **out, size_t *out_count)
{
    reads all = {0};
    walk_node(&all, NULL, node);
    *out = PG_ARENA_ARRAY(arena, pg_str, all.names.len + 1);
    for (size_t i = 0; i < all.names.len; i++)
        (*out)[i] = all.names.items[i];
    *out_count = all.names.len;
    pg_map_deinit(&all.seen);
    PG_VEC_FREE(&all.names);
}

/* ---- Types of values ---- */

static pg_wire_message *type_of_tensor(pg_arena *arena, const pg_tensor *tensor)
{
    pg_dim dims[PG_MAX_RANK];
    for (uint32_t i = 0; i < tensor->rank; i++)
        dims[i] = (pg_dim){.has_value = true, .value = tensor->dims[i]};
    pg_type type = {.kind = PG_TYPE_TENSOR,
                    .elem = tensor->dtype,
                    .data_type = (int32_t)tensor->dtype,
                    .has_shape = true,
                    .rank = tensor->rank,
                    .dims = dims};
    return pg_build_type(arena, &type);
}

/* Of elements of a sequence or map: their shapes may differ, so only the element type is stated. */
static pg_wire_message *type_of_value(pg_arena *arena, const pg_value *value, bool shaped)
{
    switch (value->kind) {
    case PG_VALUE_TENSOR:
        return shaped ? type_of_tensor(arena, &value->tensor)
                      : pg_build_tensor_type(arena, value->tensor.dtype, NULL);
    case PG_VALUE_SEQUENCE: {
        pg_wire_message *item = value->sequence.count > 0
                                    ? type_of_value(arena, &value->sequence.items[0], false)
                                    : pg_build_tensor_type(arena, value->elem, NULL);
        return item != NULL ? pg_build_sequence_type(arena, item) : NULL;
    }
    case PG_VALUE_MAP: {
        pg_wire_message *item =
            value->map.count > 0 ? type_of_value(arena, &value->map.items[0], false) : NULL;
        return item != NULL ? pg_build_map_type(arena, value->map.keys->dtype, item) : NULL;
    }
    case PG_VALUE_NONE:
        return NULL;
    }
    return NULL;
}

/* ---- What the model has ---- */

struct pg_cutter {
    const pg_model *model;
    pg_arena arena;
    pg_map declared;        /* name -> pg_value_info */
    pg_map weights;         /* name -> pg_wire_message of a TensorProto */
    const pg_shapes *types; /* may be NULL */
    pg_map sparse;          /* name -> pg_wire_message of a SparseTensorProto */
};

static void add_infos(pg_map *map, const pg_value_info *infos, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!pg_map_has(map, infos[i].name))
            pg_map_put(map, infos[i].name, (void *)&infos[i]);
}

/* The parsed list has the messages' order. */
static void add_sparse(pg_cutter *cutter, const pg_graph *graph)
{
    size_t index = 0;
    pg_wire_cursor cursor = pg_wire_open_message((pg_wire_source){0}, graph->wire);
    for (pg_wire_field field; index < graph->n_sparse_weights && pg_wire_next(&cursor, &field);) {
        if (field.number != PG_PB_GRAPH_SPARSE_WEIGHT)
            continue;
        pg_wire_message *message = PG_ARENA_NEW(&cutter->arena, pg_wire_message);
        *message = pg_wire_sub(&field, &pg_pb_sparse_tensor);
        pg_map_put(&cutter->sparse, graph->sparse_weights[index++].values.name, message);
    }
    pg_status_drop(cursor.status); /* the parser has seen the same bytes */
}

pg_cutter *pg_cutter_new(const pg_model *model)
{
    pg_cutter *cutter = PG_NEW(pg_cutter);
    const pg_graph *graph = model->graph;
    cutter->model = model;
    add_infos(&cutter->declared, graph->outputs, graph->n_outputs);
    add_infos(&cutter->declared, graph->value_infos, graph->n_value_infos);
    add_infos(&cutter->declared, graph->inputs, graph->n_inputs);
    for (size_t i = 0; i < graph->n_weights; i++)
        pg_map_put(&cutter->weights, graph->weights[i].name, (void *)graph->weights[i].wire);
    add_sparse(cutter, graph);
    return cutter;
}

void pg_cutter_set_types(pg_cutter *cutter, const pg_shapes *types)
{
    cutter->types = types;
}

void pg_cutter_free(pg_cutter *cutter)
{
    if (cutter == NULL)
        return;
    pg_map_deinit(&cutter->declared);
    pg_map_deinit(&cutter->weights);
    pg_map_deinit(&cutter->sparse);
    pg_arena_deinit(&cutter->arena);
    free(cutter);
}

const pg_value_info *pg_cutter_declaration(const pg_cutter *cutter, pg_str name)
{
    return pg_map_find(&cutter->declared, name);
}

bool pg_cutter_has_constant(const pg_cutter *cutter, pg_str name)
{
    return pg_map_has(&cutter->weights, name) || pg_map_has(&cutter->sparse, name);
}

/* ---- The new graph ---- */

enum { DEFAULT_IR = 8 }; /* of models that state none */

typedef struct cut {
    const pg_cutter *cutter;
    pg_arena *arena;
    pg_wire_message *graph;
} cut;

static void add_input(const cut *cut_, const pg_single_input *input)
{
    const pg_value_info *declared = pg_cutter_declaration(cut_->cutter, input->name);
    bool optional = declared != NULL && declared->type.kind == PG_TYPE_OPTIONAL;
    pg_wire_message *type = NULL;
    if (input->value != NULL && !optional)
        type = type_of_value(cut_->arena, input->value, true);
    if (type == NULL && input->type != NULL && input->type->kind != PG_TYPE_NONE)
        type = pg_build_type(cut_->arena, input->type);
    if (type == NULL && declared != NULL)
        pg_wire_add_message(cut_->arena, cut_->graph, PG_PB_GRAPH_INPUT, (pg_wire_message *)declared->wire);
    else
        pg_build_value(cut_->arena, cut_->graph, PG_PB_GRAPH_INPUT, pg_arena_cstr(cut_->arena, input->name),
                       type);
}

static bool add_constant(const cut *cut_, pg_str name)
{
    pg_wire_message *dense = pg_map_find(&cut_->cutter->weights, name);
    pg_wire_message *sparse = pg_map_find(&cut_->cutter->sparse, name);
    if (dense != NULL)
        pg_wire_add_message(cut_->arena, cut_->graph, PG_PB_GRAPH_WEIGHT, dense);
    else if (sparse != NULL)
        pg_wire_add_message(cut_->arena, cut_->graph, PG_PB_GRAPH_SPARSE_WEIGHT, sparse);
    return dense != NULL || sparse != NULL;
}

static void add_reads(const cut *cut_, const pg_node *node, const pg_single_input *inputs, size_t n_inputs)
{
    pg_str *names;
    size_t count;
    pg_node_reads(node, cut_->arena, &names, &count);
    for (size_t i = 0; i < count; i++) {
        if (add_constant(cut_, names[i]))
            continue;
        for (size_t k = 0; k < n_inputs; k++)
            if (pg_str_eq(inputs[k].name, names[i])) {
                add_input(cut_, &inputs[k]);
                break;
            }
    }
}

static void add_output(const cut *cut_, pg_str name)
{
    const pg_value_info *declared = pg_cutter_declaration(cut_->cutter, name);
    const pg_type *type = cut_->cutter->types != NULL ? pg_shapes_find(cut_->cutter->types, name) : NULL;
    if (declared != NULL)
        pg_wire_add_message(cut_->arena, cut_->graph, PG_PB_GRAPH_OUTPUT, (pg_wire_message *)declared->wire);
    else
        pg_build_value(cut_->arena, cut_->graph, PG_PB_GRAPH_OUTPUT, pg_arena_cstr(cut_->arena, name),
                       type != NULL && type->kind != PG_TYPE_NONE ? pg_build_type(cut_->arena, type) : NULL);
}

static void add_outputs(const cut *cut_, const pg_node *node)
{
    for (size_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i].len > 0)
            add_output(cut_, node->outputs[i]);
}

static void name_outputs(const cut *cut_, const pg_node *node, pg_wire_message *copy)
{
    pg_wire_remove(copy, PG_PB_NODE_OUTPUT);
    for (size_t i = 0; i < node->n_outputs; i++) {
        pg_str name = node->outputs[i];
        if (name.len == 0)
            name = pg_str_c(pg_arena_printf(cut_->arena, "polygraphy_omitted_output_%zu", i));
        pg_wire_add_str(cut_->arena, copy, PG_PB_NODE_OUTPUT, name);
    }
}

static pg_status add_node(const cut *cut_, const pg_node *node, pg_str name)
{
    pg_wire_message *copy = (pg_wire_message *)node->wire;
    bool renames = !pg_str_eq(node->name, name), completes = pg_node_crashes_onnxruntime(node);
    if (renames || completes)
        PG_TRY(pg_wire_edit(cut_->arena, (pg_wire_source){0}, node->wire, &copy));
    if (renames) {
        pg_wire_remove(copy, PG_PB_NODE_NAME);
        pg_wire_add_str(cut_->arena, copy, PG_PB_NODE_NAME, pg_arena_str(cut_->arena, name));
    }
    if (completes)
        name_outputs(cut_, node, copy);
    pg_wire_add_message(cut_->arena, cut_->graph, PG_PB_GRAPH_NODE, copy);
    return NULL;
}

pg_status pg_cutter_single(const pg_cutter *cutter, const pg_node *node, pg_str name,
                           const pg_single_input *inputs, size_t n_inputs, pg_model **out)
{
    pg_arena arena = {0};
    pg_wire_message *root;
    cut cut_ = {.cutter = cutter, .arena = &arena};
    pg_status status = pg_wire_edit(&arena, (pg_wire_source){0}, cutter->model->wire, &root);
    if (status == NULL) {
        cut_.graph = pg_build_graph(&arena, pg_arena_cstr(&arena, name));
        status = add_node(&cut_, node, name);
    }
    if (status != NULL) {
        pg_arena_deinit(&arena);
        return status;
    }
    add_reads(&cut_, node, inputs, n_inputs);
    add_outputs(&cut_, node);
    pg_model_edit_graph(root, cut_.graph);
    if (cutter->model->ir_version == 0)
        pg_wire_add_int(&arena, root, PG_PB_MODEL_IR_VERSION, DEFAULT_IR);
    return pg_surgery_finish(&arena, root, cutter->model, out);
}

/* ---- Ranges ---- */

typedef struct range {
    pg_map made;    /* by the nodes of the range */
    pg_map read;    /* by them */
    pg_map outside; /* read by other nodes, or outputs of the graph */
    PG_VEC(pg_str) inputs;
} range;

static void collect_reads(range *range_, const pg_node *node, bool is_inside)
{
    pg_arena arena = {0};
    pg_str *names;
    size_t count;
    pg_node_reads(node, &arena, &names, &count);
    for (size_t i = 0; i < count; i++) {
        if (!is_inside)
            pg_map_put(&range_->outside, names[i], NULL);
        else if (pg_map_put(&range_->read, names[i], NULL) && !pg_map_has(&range_->made, names[i]))
            PG_VEC_PUSH(&range_->inputs, names[i]);
    }
    pg_arena_deinit(&arena);
}

static void collect(range *range_, const pg_graph *graph, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        for (size_t k = 0; k < graph->nodes[i].n_outputs; k++)
            pg_map_put(&range_->made, graph->nodes[i].outputs[k], NULL);
    for (size_t i = 0; i < graph->n_nodes; i++)
        collect_reads(range_, &graph->nodes[i], i >= begin && i < end);
    for (size_t i = 0; i < graph->n_outputs; i++)
        pg_map_put(&range_->outside, graph->outputs[i].name, NULL);
}

/* Outputs, and declarations of what stays inside. */
static void add_made(const cut *cut_, const range *range_)
{
    for (size_t i = 0; i < range_->made.len; i++) {
        pg_str name = range_->made.entries[i].key;
        const pg_value_info *declared = pg_cutter_declaration(cut_->cutter, name);
        if (name.len == 0)
            continue;
        if (pg_map_has(&range_->outside, name) || !pg_map_has(&range_->read, name))
            add_output(cut_, name);
        else if (declared != NULL)
            pg_wire_add_message(cut_->arena, cut_->graph, PG_PB_GRAPH_VALUE_INFO,
                                (pg_wire_message *)declared->wire);
    }
}

static void fill_range(const cut *cut_, size_t begin, size_t end)
{
    const pg_graph *graph = cut_->cutter->model->graph;
    range range_ = {0};
    collect(&range_, graph, begin, end);
    for (size_t i = begin; i < end; i++)
        pg_wire_add_message(cut_->arena, cut_->graph, PG_PB_GRAPH_NODE,
                            (pg_wire_message *)graph->nodes[i].wire);
    for (size_t i = 0; i < range_.inputs.len; i++)
        if (!add_constant(cut_, range_.inputs.items[i]))
            add_input(cut_, &(pg_single_input){.name = range_.inputs.items[i]});
    add_made(cut_, &range_);
    pg_map_deinit(&range_.made);
    pg_map_deinit(&range_.read);
    pg_map_deinit(&range_.outside);
    PG_VEC_FREE(&range_.inputs);
}

pg_status pg_cutter_range(const pg_cutter *cutter, size_t begin, size_t end, pg_model **out)
{
    pg_arena arena = {0};
    pg_wire_message *root;
    cut cut_ = {.cutter = cutter, .arena = &arena};
    pg_status status = pg_wire_edit(&arena, (pg_wire_source){0}, cutter->model->wire, &root);
    if (status != NULL) {
        pg_arena_deinit(&arena);
        return status;
    }
    cut_.graph = pg_build_graph(&arena, pg_arena_cstr(&arena, cutter->model->graph->name));
    fill_range(&cut_, begin, end);
    pg_model_edit_graph(root, cut_.graph);
    return pg_surgery_finish(&arena, root, cutter->model, out);
}
