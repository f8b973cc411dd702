#include "surgery/fp16.h"

#include "base/alloc.h"
#include "surgery/fp16_internal.h"

static pg_status emit_graph(pg_fp16 *pass, const pg_graph *graph, pg_wire_message **out);

/* ---- Attributes ---- */

static pg_wire_message *int_attr(pg_fp16 *pass, const char *name, int64_t value)
{
    pg_wire_message *attr = pg_wire_new(pass->arena, &pg_pb_attr);
    pg_wire_add_str(pass->arena, attr, PG_PB_ATTR_NAME, pg_str_c(name));
    pg_wire_add_int(pass->arena, attr, PG_PB_ATTR_INT, value);
    pg_wire_add_int(pass->arena, attr, PG_PB_ATTR_TYPE, PG_ATTR_INT);
    return attr;
}

static pg_wire_message *tensor_attr(pg_fp16 *pass, const char *name, pg_wire_message *tensor)
{
    pg_wire_message *attr = pg_wire_new(pass->arena, &pg_pb_attr);
    pg_wire_add_str(pass->arena, attr, PG_PB_ATTR_NAME, pg_str_c(name));
    pg_wire_add_message(pass->arena, attr, PG_PB_ATTR_TENSOR, tensor);
    pg_wire_add_int(pass->arena, attr, PG_PB_ATTR_TYPE, PG_ATTR_TENSOR);
    return attr;
}

/* The same attribute with the messages of one field replaced. */
static pg_status with_messages(pg_fp16 *pass, const pg_attr *attr, uint32_t field,
                               pg_wire_message *const *messages, size_t count, pg_wire_message **out)
{
    PG_TRY(pg_wire_edit(pass->arena, (pg_wire_source){0}, attr->wire, out));
    pg_wire_remove(*out, field);
    for (size_t i = 0; i < count; i++)
        pg_wire_add_message(pass->arena, *out, field, messages[i]);
    return NULL;
}

static pg_status graphs_attr(pg_fp16 *pass, const pg_attr *attr, pg_wire_message **out)
{
    bool single = attr->type == PG_ATTR_GRAPH;
    size_t count = single ? 1 : attr->count;
    pg_wire_message **graphs = PG_ARENA_ARRAY(&pass->scratch, pg_wire_message *, count + 1);
    for (size_t i = 0; i < count; i++)
        PG_TRY(emit_graph(pass, single ? attr->graph : attr->graphs[i], &graphs[i]));
    return with_messages(pass, attr, single ? PG_PB_ATTR_GRAPH : PG_PB_ATTR_GRAPHS, graphs, count, out);
}

/* Attributes that name the type of what a node makes. */
static bool states_type(const pg_node *node, const pg_attr *attr)
{
    static const char *const names[] = {"to", "dtype", "output_datatype", "output_dtype"};
    if (attr->type != PG_ATTR_INT || attr->i != PG_F32 || pg_str_is(node->op_type, "BitCast") ||
        pg_fp16_makes_float(node))
        return false;
    for (size_t i = 0; i < PG_COUNT(names); i++)
        if (pg_str_is(attr->name, names[i]))
            return true;
    return false;
}

static pg_status convert_attr(pg_fp16 *pass, const pg_node *node, const pg_attr *attr, pg_wire_message **out)
{
    *out = (pg_wire_message *)attr->wire;
    if ((attr->type == PG_ATTR_GRAPH && attr->graph != NULL) || attr->type == PG_ATTR_GRAPHS)
        return graphs_attr(pass, attr, out);
    if (node->domain.len > 0)
        return NULL;
    if (states_type(node, attr)) {
        *out = int_attr(pass, pg_arena_cstr(pass->arena, attr->name), pass->options.to);
    } else if (attr->type == PG_ATTR_TENSOR && attr->tensor->dtype == PG_F32) {
        pg_wire_message *tensor; /* ConstantOfShape's */
        PG_TRY(pg_fp16_weight(pass, attr->tensor, attr->tensor->name, &tensor));
        *out = tensor_attr(pass, pg_arena_cstr(pass->arena, attr->name), tensor);
    } else if (attr->type == PG_ATTR_TYPE) {
        pg_wire_message *type = pg_fp16_type(pass, attr->types);
        if (type != NULL)
            return with_messages(pass, attr, PG_PB_ATTR_TYPE_PROTO, &type, 1, out);
    }
    return NULL;
}

/* Operators that make float32 when nothing is said: say it. */
static pg_status add_defaults(pg_fp16 *pass, const pg_node *node, pg_wire_message *out)
{
    static const uint16_t zero;
    pg_tensor tensor;
    int64_t one = 1;
    if (node->domain.len > 0)
        return NULL;
    if (pg_str_is(node->op_type, "SequenceEmpty") && pg_node_attr(node, "dtype") == NULL)
        pg_wire_add_message(pass->arena, out, PG_PB_NODE_ATTR, int_attr(pass, "dtype", pass->options.to));
    if (pg_str_is(node->op_type, "ConstantOfShape") && pg_node_attr(node, "value") == NULL) {
        PG_TRY(pg_tensor_borrow(&tensor, pass->options.to, 1, &one, &zero));
        pg_wire_add_message(pass->arena, out, PG_PB_NODE_ATTR,
                            tensor_attr(pass, "value", pg_build_tensor(pass->arena, "", &tensor)));
    }
    return NULL;
}

/* ---- Nodes ---- */

static void add_cast(pg_fp16 *pass, pg_wire_message *graph, uint32_t field, pg_str from, pg_str to,
                     pg_dtype type)
{
    pg_arena *arena = pass->arena;
    pg_wire_message *node = pg_wire_new(arena, &pg_pb_node);
    pg_wire_add_str(arena, node, PG_PB_NODE_INPUT, from);
    pg_wire_add_str(arena, node, PG_PB_NODE_OUTPUT, to);
    pg_wire_add_str(arena, node, PG_PB_NODE_NAME,
                    pg_str_c(pg_arena_printf(arena, "cast_%" PG_STR_FMT, PG_STR_ARG(to))));
    pg_wire_add_str(arena, node, PG_PB_NODE_OP_TYPE, PG_STR("Cast"));
    pg_wire_add_message(arena, node, PG_PB_NODE_ATTR, int_attr(pass, "to", type));
    pg_wire_add_message(arena, graph, field, node);
    pass->report.casts++;
}

static void add_casts(pg_fp16 *pass, pg_wire_message *graph, uint32_t field, const pg_fp16_value *value)
{
    if (pg_str_eq(value->full, value->half))
        return;
    if (value->stays_full)
        add_cast(pass, graph, field, value->full, value->half, pass->options.to);
    else
        add_cast(pass, graph, field, value->half, value->full, PG_F32);
}

static pg_str made_name(const pg_fp16_value *value)
{
    return value->stays_full ? value->full : value->half;
}

static pg_status emit_names(pg_fp16 *pass, const pg_fp16_scope *scope, const pg_node *node,
                            pg_wire_message *out, bool *out_kept)
{
    pg_wire_remove(out, PG_PB_NODE_INPUT);
    pg_wire_remove(out, PG_PB_NODE_OUTPUT);
    for (size_t i = 0; i < node->n_inputs; i++) {
        const pg_fp16_value *value = pg_fp16_find(scope, node->inputs[i]);
        bool full;
        PG_TRY(pg_fp16_is_full(pass, scope, node, false, i, &full));
        *out_kept = *out_kept || full;
        pg_wire_add_str(pass->arena, out, PG_PB_NODE_INPUT,
                        value == NULL ? node->inputs[i]
                        : full        ? value->full
                                      : value->half);
    }
    for (size_t o = 0; o < node->n_outputs; o++) {
        const pg_fp16_value *value = pg_fp16_find(scope, node->outputs[o]);
        bool full;
        PG_TRY(pg_fp16_is_full(pass, scope, node, true, o, &full));
        *out_kept = *out_kept || full;
        pg_wire_add_str(pass->arena, out, PG_PB_NODE_OUTPUT,
                        value == NULL ? node->outputs[o] : made_name(value));
    }
    return NULL;
}

static pg_status emit_attrs(pg_fp16 *pass, const pg_fp16_scope *scope, const pg_node *node,
                            pg_wire_message *out)
{
    pg_wire_remove(out, PG_PB_NODE_ATTR);
    const pg_fp16_value *made = node->n_outputs > 0 ? pg_fp16_find(scope, node->outputs[0]) : NULL;
    if (pg_fp16_is_float_constant(node) && made != NULL && !made->stays_full) {
        pg_wire_message *tensor;
        PG_TRY(pg_fp16_constant(pass, node, &tensor));
        pg_wire_add_message(pass->arena, out, PG_PB_NODE_ATTR, tensor_attr(pass, "value", tensor));
        return NULL;
    }
    bool stays = pg_fp16_is_float_constant(node);
    for (size_t a = 0; a < node->n_attrs; a++) {
        pg_wire_message *attr = (pg_wire_message *)node->attrs[a].wire;
        if (!stays)
            PG_TRY(convert_attr(pass, node, &node->attrs[a], &attr));
        pg_wire_add_message(pass->arena, out, PG_PB_NODE_ATTR, attr);
    }
    return add_defaults(pass, node, out);
}

static pg_status emit_nodes(pg_fp16 *pass, const pg_fp16_scope *scope, pg_wire_message *graph, uint32_t field)
{
    for (size_t i = 0; i < scope->values.len; i++) {
        const pg_fp16_value *value = scope->values.entries[i].value;
        if (value->producer == NULL)
            add_casts(pass, graph, field, value);
    }
    for (size_t n = 0; n < scope->n_nodes; n++) {
        const pg_node *node = &scope->nodes[n];
        pg_wire_message *out;
        bool kept = false;
        PG_TRY(pg_wire_edit(pass->arena, (pg_wire_source){0}, node->wire, &out));
        PG_TRY(emit_names(pass, scope, node, out, &kept));
        PG_TRY_CTX(emit_attrs(pass, scope, node, out), "in node '%" PG_STR_FMT "'", PG_STR_ARG(node->name));
        pass->report.kept_nodes += kept;
        pg_wire_add_message(pass->arena, graph, field, out);
        for (size_t o = 0; o < node->n_outputs; o++) {
            const pg_fp16_value *value = pg_fp16_find(scope, node->outputs[o]);
            if (value != NULL && value->producer == node)
                add_casts(pass, graph, field, value);
        }
    }
    return NULL;
}

/* ---- Graphs ---- */

static void emit_info(pg_fp16 *pass, pg_wire_message *graph, uint32_t field, const pg_value_info *info,
                      pg_str name)
{
    pg_wire_message *type = pg_fp16_type(pass, &info->type);
    pg_wire_message *value = (pg_wire_message *)info->wire;
    if (type != NULL || !pg_str_eq(name, info->name)) {
        value = pg_wire_new(pass->arena, &pg_pb_value_info);
        pg_wire_add_str(pass->arena, value, PG_PB_VALUE_NAME, name);
        if (type == NULL && info->type.kind != PG_TYPE_NONE)
            type = pg_build_type(pass->arena, &info->type);
        if (type != NULL)
            pg_wire_add_message(pass->arena, value, PG_PB_VALUE_TYPE, type);
        if (info->doc.len > 0)
            pg_wire_add_str(pass->arena, value, PG_PB_VALUE_DOC, info->doc);
    }
    pg_wire_add_message(pass->arena, graph, field, value);
}

static void emit_infos(pg_fp16 *pass, const pg_fp16_scope *scope, pg_wire_message *out)
{
    const pg_graph *graph = scope->graph;
    for (size_t i = 0; i < graph->n_inputs; i++) {
        const pg_value_info *info = &graph->inputs[i];
        if (scope->is_main)
            pg_wire_add_message(pass->arena, out, PG_PB_GRAPH_INPUT, (pg_wire_message *)info->wire);
        else
            emit_info(pass, out, PG_PB_GRAPH_INPUT, info, info->name);
    }
    for (size_t i = 0; i < graph->n_outputs; i++) {
        const pg_value_info *info = &graph->outputs[i];
        const pg_fp16_value *value = pg_fp16_find(scope, info->name);
        if (scope->is_main)
            pg_wire_add_message(pass->arena, out, PG_PB_GRAPH_OUTPUT, (pg_wire_message *)info->wire);
        else
            emit_info(pass, out, PG_PB_GRAPH_OUTPUT, info, value != NULL ? value->half : info->name);
    }
    for (size_t i = 0; i < graph->n_value_infos; i++) {
        const pg_value_info *info = &graph->value_infos[i];
        const pg_fp16_value *value = pg_map_find(&scope->values, info->name);
        if (value != NULL && value->stays_full)
            pg_wire_add_message(pass->arena, out, PG_PB_GRAPH_VALUE_INFO, (pg_wire_message *)info->wire);
        else
            emit_info(pass, out, PG_PB_GRAPH_VALUE_INFO, info, value != NULL ? value->half : info->name);
    }
}

static pg_status emit_weights(pg_fp16 *pass, const pg_fp16_scope *scope, pg_wire_message *out)
{
    const pg_graph *graph = scope->graph;
    for (size_t i = 0; i < graph->n_weights; i++) {
        const pg_weight *weight = &graph->weights[i];
        const pg_fp16_value *value = pg_map_find(&scope->values, weight->name);
        pg_wire_message *tensor = (pg_wire_message *)weight->wire;
        if (weight->dtype == PG_F32 && !value->stays_full)
            PG_TRY_CTX(pg_fp16_weight(pass, weight, value->half, &tensor), "in weight '%" PG_STR_FMT "'",
                       PG_STR_ARG(weight->name));
        pg_wire_add_message(pass->arena, out, PG_PB_GRAPH_WEIGHT, tensor);
    }
    for (size_t i = 0; i < graph->n_sparse_weights; i++)
        if (graph->sparse_weights[i].values.dtype == PG_F32)
            return pg_err(PG_ERR_UNSUPPORTED, "the sparse weight '%" PG_STR_FMT "' cannot be converted",
                          PG_STR_ARG(graph->sparse_weights[i].values.name));
    return NULL;
}

static pg_status emit_graph(pg_fp16 *pass, const pg_graph *graph, pg_wire_message **out)
{
    static const uint32_t replaced[] = {PG_PB_GRAPH_NODE, PG_PB_GRAPH_WEIGHT, PG_PB_GRAPH_INPUT,
                                        PG_PB_GRAPH_OUTPUT, PG_PB_GRAPH_VALUE_INFO};
    const pg_fp16_scope *scope = pg_fp16_scope_of(pass, graph);
    PG_TRY(pg_wire_edit(pass->arena, (pg_wire_source){0}, graph->wire, out));
    for (size_t i = 0; i < PG_COUNT(replaced); i++)
        pg_wire_remove(*out, replaced[i]);
    emit_infos(pass, scope, *out);
    PG_TRY(emit_weights(pass, scope, *out));
    return emit_nodes(pass, scope, *out, PG_PB_GRAPH_NODE);
}

static pg_status emit_function(pg_fp16 *pass, const pg_function *function, pg_wire_message **out)
{
    const pg_fp16_scope *scope = pg_fp16_scope_of(pass, function);
    PG_TRY(pg_wire_edit(pass->arena, (pg_wire_source){0}, function->wire, out));
    pg_wire_remove(*out, PG_PB_FUNCTION_NODE);
    pg_wire_remove(*out, PG_PB_FUNCTION_OUTPUT);
    pg_wire_remove(*out, PG_PB_FUNCTION_VALUE_INFO);
    for (size_t i = 0; i < function->n_outputs; i++)
        pg_wire_add_str(pass->arena, *out, PG_PB_FUNCTION_OUTPUT,
                        pg_fp16_find(scope, function->outputs[i])->half);
    return emit_nodes(pass, scope, *out, PG_PB_FUNCTION_NODE);
}

/* ---- The model ---- */

static pg_status emit_model(pg_fp16 *pass, pg_wire_message **out_root)
{
    pg_wire_message *graph, *root;
    PG_TRY(pg_wire_edit(pass->arena, (pg_wire_source){0}, pass->model->wire, &root));
    PG_TRY(emit_graph(pass, pass->model->graph, &graph));
    pg_model_edit_graph(root, graph);
    pg_wire_remove(root, PG_PB_MODEL_FUNCTION);
    for (size_t i = 0; i < pass->model->n_functions; i++) {
        pg_wire_message *function;
        PG_TRY_CTX(emit_function(pass, &pass->model->functions[i], &function),
                   "in function '%" PG_STR_FMT "'", PG_STR_ARG(pass->model->functions[i].name));
        pg_wire_add_message(pass->arena, root, PG_PB_MODEL_FUNCTION, function);
    }
    *out_root = root;
    return NULL;
}

static void pass_deinit(pg_fp16 *pass)
{
    for (size_t i = 0; i < pass->scopes.len; i++)
        pg_map_deinit(&((pg_fp16_scope *)pass->scopes.entries[i].value)->values);
    pg_map_deinit(&pass->scopes);
    pg_map_deinit(&pass->names);
    pg_shapes_free(pass->shapes);
    pg_arena_deinit(&pass->scratch);
}

pg_status pg_surgery_fp16(const pg_model *model, const pg_fp16_options *options, pg_fp16_report *report,
                          pg_model **out)
{
    static const pg_fp16_options everywhere = {.to = PG_F16};
    pg_arena arena = {0};
    pg_fp16 pass = {.model = model, .options = options != NULL ? *options : everywhere, .arena = &arena};
    pg_wire_message *root = NULL;
    enum { OLDEST_OPSET = 6 }; /* before it, Cast names its type by a text */
    if (pg_model_opset(model, PG_STR_EMPTY) < OLDEST_OPSET)
        return pg_err(PG_ERR_UNSUPPORTED, "models of an opset below %d cannot be converted to %s",
                      OLDEST_OPSET, pg_dtype_name(pass.options.to));
    pg_status status = pg_shapes_infer(model, NULL, &pass.shapes);
    if (status == NULL)
        status = pg_fp16_name_all(&pass);
    if (status == NULL)
        status = emit_model(&pass, &root);
    if (report != NULL)
        *report = pass.report;
    pass_deinit(&pass);
    if (status == NULL)
        return pg_surgery_finish(&arena, root, model, out);
    pg_arena_deinit(&arena);
    return pg_status_context(status, "while converting to %s", pg_dtype_name(pass.options.to));
}
