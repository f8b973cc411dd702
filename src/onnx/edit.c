#include "onnx/edit.h"

#include "base/alloc.h"
#include "log/log.h"
#include "onnx/internal.h"

bool pg_model_is_modified(const pg_model *model)
{
    return model->wire->edited;
}

void pg_model_edit_graph(pg_wire_message *root, pg_wire_message *graph)
{
    for (uint32_t i = 0; i < root->n_fields; i++)
        if (root->fields[i].number == PG_PB_MODEL_GRAPH && root->fields[i].kind == PG_WIRE_BYTES)
            root->fields[i].message = graph;
}

pg_status pg_model_edit(pg_arena *arena, const pg_model *model, pg_wire_message **out_root,
                        pg_wire_message **out_graph)
{
    pg_wire_source source = {0};
    PG_TRY(pg_wire_edit(arena, source, model->wire, out_root));
    PG_TRY(pg_wire_edit(arena, source, model->graph->wire, out_graph));
    pg_model_edit_graph(*out_root, *out_graph);
    return NULL;
}

pg_status pg_model_from_wire(pg_arena *arena, pg_wire_message *root, const pg_model *base, const char *name,
                             pg_model **out)
{
    pg_model *model = pg_model_new();
    *out = NULL;
    model->arena = *arena;
    *arena = (pg_arena){0};
    model->wire = root;
    pg_parser parser = {.arena = &model->arena};
    if (base != NULL) {
        model->base = pg_model_ref((pg_model *)base);
        model->path = base->path != NULL ? pg_strndup(base->path, strlen(base->path)) : NULL;
        model->data_dir = base->data_dir != NULL ? pg_strndup(base->data_dir, strlen(base->data_dir)) : NULL;
        model->ignore_external_data = base->ignore_external_data;
        parser.source = (pg_wire_source){base->wire->span.ptr, base->wire->span.len};
    }
    pg_status status = pg_parse_model(&parser, root, model);
    if (status == NULL && model->graph == NULL)
        status = pg_err(PG_ERR_INVALID, "'%s' is not an ONNX model: it has no graph", name);
    if (status != NULL) {
        pg_model_unref(model);
        return pg_status_context(status, "while reading the ONNX model '%s'", name);
    }
    *out = model;
    return NULL;
}

/* Names of tensors in the main graph and what is known of them. */
typedef struct tensor_names {
    pg_map candidates; /* outputs of nodes other than Constant: what wildcards and mark_all stand for */
    pg_map all;        /* with graph inputs and constants: what may be named */
} tensor_names;

static void free_names(tensor_names *names)
{
    pg_map_deinit(&names->candidates);
    pg_map_deinit(&names->all);
}

static void add_infos(pg_map *map, const pg_value_info *infos, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (infos[i].name.len > 0 && pg_map_has(map, infos[i].name))
            pg_map_put(map, infos[i].name, (void *)&infos[i]);
}

static void collect_names(const pg_graph *graph, tensor_names *out)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const pg_node *node = &graph->nodes[i];
        for (size_t j = 0; j < node->n_outputs; j++) {
            if (node->outputs[j].len == 0)
                continue;
            pg_map_put(&out->all, node->outputs[j], NULL);
            if (!pg_str_is(node->op_type, "Constant"))
                pg_map_put(&out->candidates, node->outputs[j], NULL);
        }
    }
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (graph->inputs[i].name.len > 0)
            pg_map_put(&out->all, graph->inputs[i].name, (void *)&graph->inputs[i]);
    add_infos(&out->all, graph->value_infos, graph->n_value_infos);
    for (size_t i = 0; i < graph->n_outputs; i++) /* an initializer may be one, too */
        pg_map_put(&out->all, graph->outputs[i].name, (void *)&graph->outputs[i]);
}

static pg_status unknown_name(const tensor_names *names, pg_str name)
{
    enum { MOST_NAMES = 100 };
    pg_buf text = {0};
    const pg_map *all = &names->all;
    size_t close = PG_MIN(name.len / 3, (size_t)2);
    for (size_t i = 0; i < all->len && close > 0; i++)
        if (pg_str_distance(all->entries[i].key, name, close) <= close)
            pg_buf_printf(&text, "%s '%" PG_STR_FMT "'", text.len > 0 ? "," : "; did you mean",
                          PG_STR_ARG(all->entries[i].key));
    pg_buf_puts(&text, "; the model has:");
    for (size_t i = 0; i < all->len && i < MOST_NAMES; i++)
        pg_buf_printf(&text, "%s '%" PG_STR_FMT "'", i > 0 ? "," : "", PG_STR_ARG(all->entries[i].key));
    if (all->len > MOST_NAMES)
        pg_buf_printf(&text, " and %zu more", all->len - MOST_NAMES);
    pg_status status = pg_err(PG_ERR_NOT_FOUND, "the output '%" PG_STR_FMT "' was not found in the model%s",
                              PG_STR_ARG(name), pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    return status;
}

static bool has_wildcard(pg_str name)
{
    return pg_str_find(name, '*') != SIZE_MAX || pg_str_find(name, '?') != SIZE_MAX ||
           pg_str_find(name, '[') != SIZE_MAX || pg_str_find(name, ']') != SIZE_MAX;
}

/* Adds the tensors that names and wildcards stand for. A tensor whose own name holds a wildcard character is
 * found by it as well. */
static pg_status expand(const tensor_names *names, const char *const *patterns, size_t count, pg_map *out)
{
    for (size_t i = 0; i < count; i++) {
        pg_str pattern = pg_str_c(patterns[i]);
        size_t matches = 0;
        if (pg_map_has(&names->all, pattern)) {
            pg_map_put(out, pattern, NULL);
            continue;
        }
        if (!has_wildcard(pattern))
            return unknown_name(names, pattern);
        for (size_t j = 0; j < names->candidates.len; j++) {
            if (!pg_str_wildcard(pattern, names->candidates.entries[j].key))
                continue;
            pg_map_put(out, names->candidates.entries[j].key, NULL);
            matches++;
        }
        if (matches == 0)
            PG_LOG_WARNING("No tensors matched wildcard pattern: '%s'", patterns[i]);
    }
    return NULL;
}

static pg_status nothing_selected(void)
{
    return pg_err(PG_ERR_INVALID, "no outputs were selected, check the names and wildcards");
}

static pg_status select_by_name(const pg_output_selection *selection, const tensor_names *names, pg_map *out)
{
    if (!selection->mark_all && selection->n_names == 0)
        return NULL;
    pg_map_deinit(out);
    *out = (pg_map){0};
    if (selection->mark_all)
        for (size_t i = 0; i < names->candidates.len; i++)
            pg_map_put(out, names->candidates.entries[i].key, NULL);
    else
        PG_TRY(expand(names, selection->names, selection->n_names, out));
    return out->len > 0 ? NULL : nothing_selected();
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Says which operator types there are instead. */
static void log_unknown_type(const pg_graph *graph, const char *type)
{
    pg_map types = {0};
    pg_buf text = {0};
    pg_arena arena = {0};
    for (size_t i = 0; i < graph->n_nodes; i++)
        pg_map_put(&types, graph->nodes[i].op_type, NULL);
    const char **names = PG_ARENA_ARRAY(&arena, const char *, types.len + 1);
    for (size_t i = 0; i < types.len; i++)
        names[i] = pg_arena_cstr(&arena, types.entries[i].key);
    qsort(names, types.len, sizeof *names, compare_names);
    for (size_t i = 0; i < types.len; i++)
        pg_buf_printf(&text, "%s'%s'", i > 0 ? ", " : "", names[i]);
    PG_LOG_ERROR("No ONNX nodes of op type '%s' were found in the model. Available op types: [%s]", type,
                 pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    pg_arena_deinit(&arena);
    pg_map_deinit(&types);
}

static void select_by_type(const pg_graph *graph, const pg_output_selection *selection, pg_map *out)
{
    pg_map found = {0};
    for (size_t i = 0; i < selection->n_op_types; i++) {
        bool known = false;
        for (size_t j = 0; j < graph->n_nodes; j++) {
            const pg_node *node = &graph->nodes[j];
            if (!pg_str_eq_nocase(node->op_type, pg_str_c(selection->op_types[i])))
                continue;
            known = true;
            for (size_t k = 0; k < node->n_outputs; k++)
                if (node->outputs[k].len > 0)
                    pg_map_put(&found, node->outputs[k], NULL);
        }
        if (!known)
            log_unknown_type(graph, selection->op_types[i]);
    }
    if (found.len == 0) {
        pg_map_deinit(&found);
        return;
    }
    pg_map_deinit(out);
    *out = found;
}

static pg_status exclude(const pg_output_selection *selection, const tensor_names *names, pg_map *list)
{
    pg_map removed = {0}, kept = {0};
    pg_status status = expand(names, selection->exclude, selection->n_exclude, &removed);
    for (size_t i = 0; i < list->len; i++)
        if (!pg_map_has(&removed, list->entries[i].key))
            pg_map_put(&kept, list->entries[i].key, NULL);
    pg_map_deinit(&removed);
    pg_map_deinit(list);
    *list = kept;
    if (status == NULL && kept.len == 0)
        status = nothing_selected();
    return status;
}

static pg_status choose(const pg_graph *graph, const pg_output_selection *selection,
                        const tensor_names *names, pg_map *out)
{
    for (size_t i = 0; i < graph->n_outputs; i++)
        pg_map_put(out, graph->outputs[i].name, NULL);
    PG_TRY(select_by_name(selection, names, out));
    select_by_type(graph, selection, out);
    return selection->n_exclude > 0 ? exclude(selection, names, out) : NULL;
}

/* The old declaration of a tensor where there is one, else one with nothing but the name. */
static void add_output(pg_arena *arena, pg_wire_message *graph, pg_str name, const pg_value_info *info)
{
    pg_wire_message *message;
    if (info != NULL) {
        message = (pg_wire_message *)info->wire;
    } else {
        message = pg_wire_new(arena, &pg_pb_value_info);
        pg_wire_add_str(arena, message, PG_PB_VALUE_NAME, name);
    }
    pg_wire_add_message(arena, graph, PG_PB_GRAPH_OUTPUT, message);
}

static pg_status with_outputs(const pg_model *model, const pg_map *outputs, const tensor_names *names,
                              pg_model **out)
{
    pg_arena arena = {0};
    pg_wire_message *root = NULL, *graph = NULL;
    pg_wire_source source = {0};
    pg_status status = pg_wire_edit(&arena, source, model->wire, &root);
    if (status == NULL)
        status = pg_wire_edit(&arena, source, model->graph->wire, &graph);
    if (status != NULL) {
        pg_arena_deinit(&arena);
        return status;
    }
    for (uint32_t i = 0; i < root->n_fields; i++)
        if (root->fields[i].number == PG_PB_MODEL_GRAPH && root->fields[i].kind == PG_WIRE_BYTES)
            root->fields[i].message = graph;
    pg_wire_remove(graph, PG_PB_GRAPH_OUTPUT);
    for (size_t i = 0; i < outputs->len; i++)
        add_output(&arena, graph, outputs->entries[i].key, pg_map_find(&names->all, outputs->entries[i].key));
    return pg_model_from_wire(&arena, root, model, model->path != NULL ? model->path : "model", out);
}

pg_status pg_model_select_outputs(const pg_model *model, const pg_output_selection *selection, pg_model **out)
{
    *out = NULL;
    if (selection->n_names == 0 && !selection->mark_all && selection->n_op_types == 0 &&
        selection->n_exclude == 0) {
        *out = pg_model_ref((pg_model *)model);
        return NULL;
    }
    tensor_names names = {0};
    pg_map outputs = {0};
    collect_names(model->graph, &names);
    pg_status status = choose(model->graph, selection, &names, &outputs);
    if (status == NULL)
        status = with_outputs(model, &outputs, &names, out);
    pg_map_deinit(&outputs);
    free_names(&names);
    return status;
}
