#include <stdlib.h>

#include "base/alloc.h"
#include "onnx/internal.h"

/* What a file that does not parse may be instead; NULL when there is no guess. */
static const char *guess_other_format(pg_str bytes)
{
    static const struct {
        const char *start, *what;
    } rows[] = {
        {"version https://git-lfs", "a Git LFS pointer, fetch the file itself with 'git lfs pull'"},
        {"PK\003\004", "a zip archive"},
        {"\177ELF", "a shared library or program"},
        {"\211HDF", "an HDF5 file"},
        {"ftrt", "a TensorRT engine"},
        {"ptrt", "a TensorRT engine"},
        {"{", "JSON"},
        {"<", "HTML or XML"},
    };
    for (size_t i = 0; i < PG_COUNT(rows); i++)
        if (pg_str_starts(bytes, pg_str_c(rows[i].start)))
            return rows[i].what;
    return NULL;
}

static pg_status not_a_model(pg_status status, const char *name, pg_str bytes)
{
    const char *guess = guess_other_format(bytes);
    if (guess != NULL) {
        pg_status_drop(status);
        return pg_err(PG_ERR_INVALID, "'%s' is not an ONNX model: it looks like %s", name, guess);
    }
    return pg_status_context(status, "while reading the ONNX model '%s'", name);
}

static pg_status parse(pg_model *model, const char *name, pg_str bytes)
{
    if (bytes.len == 0)
        return pg_err(PG_ERR_INVALID, "'%s' is not an ONNX model: the file is empty", name);
    pg_wire_message *wire = PG_ARENA_NEW(&model->arena, pg_wire_message);
    wire->type = &pg_pb_model;
    wire->span = bytes;
    model->wire = wire;
    pg_parser parser = {.arena = &model->arena, .source = {bytes.ptr, bytes.len}};
    pg_status status = pg_parse_model(&parser, wire, model);
    if (status != NULL)
        return not_a_model(status, name, bytes);
    if (model->graph == NULL)
        return not_a_model(pg_err(PG_ERR_INVALID, "'%s' is not an ONNX model: it has no graph", name), name,
                           bytes);
    return NULL;
}

pg_model *pg_model_new(void)
{
    pg_model *model = PG_NEW(pg_model);
    atomic_init(&model->refs, 1);
    model->external = pg_external_new();
    return model;
}

static char *copy_text(const char *text)
{
    return text != NULL ? pg_strndup(text, strlen(text)) : NULL;
}

static void set_paths(pg_model *model, const char *path, const pg_model_options *options)
{
    model->path = copy_text(path);
    if (options != NULL && options->external_data_dir != NULL) {
        model->data_dir = copy_text(options->external_data_dir);
        return;
    }
    pg_arena arena = {0};
    model->data_dir = copy_text(pg_path_dirname(&arena, pg_str_c(path)));
    pg_arena_deinit(&arena);
}

pg_status pg_model_load(const char *path, const pg_model_options *options, pg_model **out)
{
    *out = NULL;
    pg_model *model = pg_model_new();
    pg_status status = pg_file_map_open(path, &model->map);
    if (status == NULL) {
        set_paths(model, path, options);
        model->ignore_external_data = options != NULL && options->ignore_external_data;
        status = parse(model, path, (pg_str){(const char *)model->map.data, model->map.size});
    }
    if (status != NULL) {
        pg_model_unref(model);
        return status;
    }
    *out = model;
    return NULL;
}

pg_status pg_model_parse(const void *bytes, uint64_t size, const char *name, pg_model **out)
{
    *out = NULL;
    pg_model *model = pg_model_new();
    pg_status status = parse(model, name, (pg_str){bytes, size});
    if (status != NULL) {
        pg_model_unref(model);
        return status;
    }
    *out = model;
    return NULL;
}

pg_model *pg_model_ref(pg_model *model)
{
    if (model != NULL)
        atomic_fetch_add_explicit(&model->refs, 1, memory_order_relaxed);
    return model;
}

void pg_model_unref(pg_model *model)
{
    if (model == NULL || atomic_fetch_sub_explicit(&model->refs, 1, memory_order_acq_rel) != 1)
        return;
    pg_external_free(model->external);
    pg_file_map_close(&model->map);
    pg_arena_deinit(&model->arena);
    free(model->path);
    free(model->data_dir);
    pg_model_unref((pg_model *)model->base);
    free(model);
}

int64_t pg_model_opset(const pg_model *model, pg_str domain)
{
    if (pg_str_is(domain, "ai.onnx"))
        domain = PG_STR_EMPTY;
    for (size_t i = 0; i < model->n_opsets; i++)
        if (pg_str_eq(model->opsets[i].domain, domain))
            return model->opsets[i].version;
    return 0;
}

const pg_function *pg_model_find_function(const pg_model *model, pg_str domain, pg_str name, pg_str overload)
{
    for (size_t i = 0; i < model->n_functions; i++) {
        const pg_function *function = &model->functions[i];
        if (pg_str_eq(function->name, name) && pg_str_eq(function->domain, domain) &&
            pg_str_eq(function->overload, overload))
            return function;
    }
    return NULL;
}

const pg_attr *pg_node_attr(const pg_node *node, const char *name)
{
    for (size_t i = 0; i < node->n_attrs; i++)
        if (pg_str_is(node->attrs[i].name, name))
            return &node->attrs[i];
    return NULL;
}

/* Walk */

typedef struct weight_walk {
    const pg_model *model;
    pg_weight_visit visit;
    void *context;
} weight_walk;

static pg_status visit_graph(const weight_walk *walk, const pg_graph *graph);

static pg_status visit_sparse(const weight_walk *walk, const pg_sparse_weight *sparse, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        PG_TRY(walk->visit(walk->context, walk->model, &sparse[i].values));
        PG_TRY(walk->visit(walk->context, walk->model, &sparse[i].indices));
    }
    return NULL;
}

static pg_status visit_weights(const weight_walk *walk, const pg_weight *weights, size_t count)
{
    for (size_t i = 0; i < count; i++)
        PG_TRY(walk->visit(walk->context, walk->model, &weights[i]));
    return NULL;
}

static pg_status visit_attr(const weight_walk *walk, const pg_attr *attr)
{
    switch (attr->type) {
    case PG_ATTR_TENSOR:
    case PG_ATTR_TENSORS:
        return visit_weights(walk, attr->tensor, attr->count);
    case PG_ATTR_SPARSE_TENSOR:
    case PG_ATTR_SPARSE_TENSORS:
        return visit_sparse(walk, attr->sparse, attr->count);
    case PG_ATTR_GRAPH:
        return attr->graph != NULL ? visit_graph(walk, attr->graph) : NULL;
    case PG_ATTR_GRAPHS:
        for (size_t i = 0; i < attr->count; i++)
            PG_TRY(visit_graph(walk, attr->graphs[i]));
        return NULL;
    default:
        return NULL;
    }
}

static pg_status visit_nodes(const weight_walk *walk, const pg_node *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < nodes[i].n_attrs; j++)
            PG_TRY(visit_attr(walk, &nodes[i].attrs[j]));
    return NULL;
}

static pg_status visit_graph(const weight_walk *walk, const pg_graph *graph)
{
    PG_TRY(visit_weights(walk, graph->weights, graph->n_weights));
    PG_TRY(visit_sparse(walk, graph->sparse_weights, graph->n_sparse_weights));
    return visit_nodes(walk, graph->nodes, graph->n_nodes);
}

pg_status pg_model_each_weight(const pg_model *model, pg_weight_visit visit, void *context)
{
    weight_walk walk = {model, visit, context};
    PG_TRY(visit_graph(&walk, model->graph));
    for (size_t i = 0; i < model->n_functions; i++) {
        const pg_function *function = &model->functions[i];
        for (size_t j = 0; j < function->n_attr_defaults; j++)
            PG_TRY(visit_attr(&walk, &function->attr_defaults[j]));
        PG_TRY(visit_nodes(&walk, function->nodes, function->n_nodes));
    }
    return NULL;
}
