/* What the ONNX standard asks of a model as a whole. Operators and their attributes are the runtime's to
 * judge, node by node. */
#include "check/lint.h"

enum { NEWEST_IR = 14, FIRST_IR_WITH_OPSETS = 3 };

typedef struct spec {
    const pg_model *model;
    pg_lint_report *report;
    bool ok;
} spec;

/* Names visible at a place of a graph. */
typedef struct scope {
    const struct scope *outer;
    pg_map names;
} scope;

PG_PRINTF(2, 3) static void add(spec *check, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pg_status text = pg_err_v(PG_ERR_INVALID, format, args);
    va_end(args);
    pg_lint_add(check->report, PG_LINT_EXCEPTION, PG_LINT_SPEC, pg_str_c(pg_status_message(text)),
                PG_STR_EMPTY, PG_STR_EMPTY);
    pg_status_drop(text);
    check->ok = false;
}

static bool is_visible(const scope *inner, pg_str name)
{
    for (; inner != NULL; inner = inner->outer)
        if (pg_map_has(&inner->names, name))
            return true;
    return false;
}

/* ---- The model ---- */

static void check_head(spec *check)
{
    const pg_model *model = check->model;
    if (model->ir_version == 0)
        add(check, "the model states no IR version");
    else if (model->ir_version > NEWEST_IR)
        add(check, "the model's IR version %lld is newer than %d, the newest known",
            (long long)model->ir_version, NEWEST_IR);
    if (model->n_opsets == 0 && model->ir_version >= FIRST_IR_WITH_OPSETS)
        add(check, "the model imports no opset");
}

/* ---- Tensors ---- */

static void check_weight(spec *check, const pg_weight *weight)
{
    uint64_t bytes;
    if (weight->name.len == 0)
        add(check, "an initializer has no name");
    if (weight->data_type == 0)
        add(check, "the initializer '%" PG_STR_FMT "' has no element type", PG_STR_ARG(weight->name));
    else if (!pg_weight_bytes(weight, &bytes))
        add(check, "the dimensions of the initializer '%" PG_STR_FMT "' are negative or too large",
            PG_STR_ARG(weight->name));
    else if (weight->storage == PG_STORED_RAW && weight->dtype != PG_UNDEFINED && weight->raw.len != bytes)
        add(check,
            "the initializer '%" PG_STR_FMT "' stores %zu bytes, but its type and dimensions take %llu bytes",
            PG_STR_ARG(weight->name), weight->raw.len, (unsigned long long)bytes);
}

/* Shapes of outputs may be left out, those of inputs may not. */
static void check_info(spec *check, const pg_value_info *info, const char *what, bool shaped)
{
    const pg_type *type = &info->type;
    bool is_tensor = type->kind == PG_TYPE_TENSOR || type->kind == PG_TYPE_SPARSE_TENSOR;
    if (info->name.len == 0)
        add(check, "a graph %s has no name", what);
    else if (type->kind == PG_TYPE_NONE)
        add(check, "the graph %s '%" PG_STR_FMT "' has no type", what, PG_STR_ARG(info->name));
    else if (is_tensor && type->data_type == 0)
        add(check, "the graph %s '%" PG_STR_FMT "' has no element type", what, PG_STR_ARG(info->name));
    else if (is_tensor && shaped && !type->has_shape)
        add(check, "the graph %s '%" PG_STR_FMT "' has no shape", what, PG_STR_ARG(info->name));
}

/* ---- Graphs ---- */

static void define(spec *check, scope *own, pg_str name, const char *what)
{
    if (name.len > 0 && !pg_map_put(&own->names, name, NULL))
        add(check, "the tensor '%" PG_STR_FMT "' is made more than once: again as %s", PG_STR_ARG(name),
            what);
}

static void check_graph(spec *check, const pg_graph *graph, const scope *outer);

static void check_bodies(spec *check, const pg_node *node, const scope *own)
{
    for (size_t i = 0; i < node->n_attrs; i++) {
        const pg_attr *attr = &node->attrs[i];
        if (attr->type == PG_ATTR_GRAPH && attr->graph != NULL)
            check_graph(check, attr->graph, own);
        for (size_t k = 0; attr->type == PG_ATTR_GRAPHS && k < attr->count; k++)
            check_graph(check, attr->graphs[k], own);
    }
}

static void check_nodes(spec *check, const pg_node *nodes, size_t count, scope *own)
{
    for (size_t i = 0; i < count; i++) {
        const pg_node *node = &nodes[i];
        for (size_t k = 0; k < node->n_inputs; k++)
            if (node->inputs[k].len > 0 && !is_visible(own, node->inputs[k]))
                add(check,
                    "node %zu ('%" PG_STR_FMT "', %" PG_STR_FMT ") reads the tensor '%" PG_STR_FMT
                    "', which nothing before it makes",
                    i, PG_STR_ARG(node->name), PG_STR_ARG(node->op_type), PG_STR_ARG(node->inputs[k]));
        check_bodies(check, node, own);
        for (size_t k = 0; k < node->n_outputs; k++)
            define(check, own, node->outputs[k], "the output of a node");
    }
}

static void check_graph(spec *check, const pg_graph *graph, const scope *outer)
{
    scope own = {.outer = outer};
    if (graph->name.len == 0)
        add(check, "a graph has no name");
    for (size_t i = 0; i < graph->n_inputs; i++) {
        if (outer == NULL)
            check_info(check, &graph->inputs[i], "input", true);
        define(check, &own, graph->inputs[i].name, "a graph input");
    }
    pg_map weights = {0};
    for (size_t i = 0; i < graph->n_weights; i++) {
        check_weight(check, &graph->weights[i]);
        if (!pg_map_put(&weights, graph->weights[i].name, NULL))
            add(check, "there are two initializers '%" PG_STR_FMT "'", PG_STR_ARG(graph->weights[i].name));
        pg_map_put(&own.names, graph->weights[i].name, NULL); /* may be an input as well: its default */
    }
    for (size_t i = 0; i < graph->n_sparse_weights; i++)
        pg_map_put(&own.names, graph->sparse_weights[i].values.name, NULL);
    check_nodes(check, graph->nodes, graph->n_nodes, &own);
    for (size_t i = 0; i < graph->n_outputs; i++) {
        if (outer == NULL)
            check_info(check, &graph->outputs[i], "output", false);
        if (graph->outputs[i].name.len > 0 && !is_visible(&own, graph->outputs[i].name))
            add(check, "nothing makes the graph output '%" PG_STR_FMT "'",
                PG_STR_ARG(graph->outputs[i].name));
    }
    pg_map_deinit(&weights);
    pg_map_deinit(&own.names);
}

static void check_function(spec *check, const pg_function *function)
{
    scope own = {0};
    for (size_t i = 0; i < function->n_inputs; i++)
        define(check, &own, function->inputs[i], "an input of a function");
    check_nodes(check, function->nodes, function->n_nodes, &own);
    for (size_t i = 0; i < function->n_outputs; i++)
        if (!is_visible(&own, function->outputs[i]))
            add(check, "nothing makes the output '%" PG_STR_FMT "' of the function '%" PG_STR_FMT "'",
                PG_STR_ARG(function->outputs[i]), PG_STR_ARG(function->name));
    pg_map_deinit(&own.names);
}

bool pg_lint_spec(const pg_model *model, pg_lint_report *report)
{
    spec check = {model, report, true};
    check_head(&check);
    check_graph(&check, model->graph, NULL);
    for (size_t i = 0; i < model->n_functions; i++)
        check_function(&check, &model->functions[i]);
    pg_status external = model->ignore_external_data ? NULL : pg_model_check_external(model);
    if (external != NULL)
        add(&check, "%s", pg_status_message(external));
    pg_status_drop(external);
    return check.ok;
}
