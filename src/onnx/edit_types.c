/* Types written into a model: declarations of its outputs and inner tensors. */
#include "base/alloc.h"
#include "onnx/build.h"
#include "onnx/edit.h"

static bool same_dim(const pg_dim *a, const pg_dim *b)
{
    return a->has_value == b->has_value && (!a->has_value || a->value == b->value) &&
           pg_str_eq(a->name, b->name);
}

/* Whether a declaration needs no change. Other kinds of values than tensors are taken as they are stated. */
static bool says_the_same(const pg_type *stated, const pg_type *wanted)
{
    if (stated->kind != wanted->kind || stated->kind != PG_TYPE_TENSOR)
        return stated->kind != PG_TYPE_NONE;
    if (stated->data_type != wanted->data_type || stated->has_shape != wanted->has_shape ||
        stated->rank != wanted->rank)
        return false;
    for (uint32_t i = 0; i < stated->rank; i++)
        if (!same_dim(&stated->dims[i], &wanted->dims[i]))
            return false;
    return true;
}

typedef struct types_edit {
    pg_arena arena;
    pg_wire_message *graph;
    pg_map wanted;   /* name -> pg_type */
    pg_map declared; /* names that need no declaration any more */
} types_edit;

/* The declarations of one field: replaced where more is known. */
static pg_status edit_field(types_edit *edit, uint32_t number, const pg_value_info *infos, size_t count)
{
    size_t next = 0;
    for (uint32_t i = 0; i < edit->graph->n_fields && next < count; i++) {
        pg_wire_field *field = &edit->graph->fields[i];
        if (field->number != number || field->kind != PG_WIRE_BYTES)
            continue;
        const pg_value_info *info = &infos[next++];
        const pg_type *wanted = pg_map_find(&edit->wanted, info->name);
        pg_map_put(&edit->declared, info->name, NULL);
        if (wanted == NULL || says_the_same(&info->type, wanted))
            continue;
        pg_wire_message *message = NULL;
        PG_TRY(pg_wire_edit(&edit->arena, (pg_wire_source){0}, info->wire, &message));
        pg_wire_remove(message, PG_PB_VALUE_TYPE);
        pg_wire_add_message(&edit->arena, message, PG_PB_VALUE_TYPE, pg_build_type(&edit->arena, wanted));
        field->message = message;
        field->span = PG_STR_EMPTY;
    }
    return NULL;
}

static void add_new(types_edit *edit, const pg_value_info *types, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pg_map_has(&edit->declared, types[i].name))
            continue;
        pg_map_put(&edit->declared, types[i].name, NULL);
        pg_wire_message *message = pg_wire_new(&edit->arena, &pg_pb_value_info);
        pg_wire_add_str(&edit->arena, message, PG_PB_VALUE_NAME, pg_arena_str(&edit->arena, types[i].name));
        pg_wire_add_message(&edit->arena, message, PG_PB_VALUE_TYPE,
                            pg_build_type(&edit->arena, &types[i].type));
        pg_wire_add_message(&edit->arena, edit->graph, PG_PB_GRAPH_VALUE_INFO, message);
    }
}

static pg_status edit_graph(types_edit *edit, const pg_graph *graph, const pg_value_info *types, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pg_map_put(&edit->wanted, types[i].name, (void *)&types[i].type);
    for (size_t i = 0; i < graph->n_inputs; i++)
        pg_map_put(&edit->declared, graph->inputs[i].name, NULL);
    for (size_t i = 0; i < graph->n_weights; i++)
        pg_map_put(&edit->declared, graph->weights[i].name, NULL);
    PG_TRY(edit_field(edit, PG_PB_GRAPH_OUTPUT, graph->outputs, graph->n_outputs));
    PG_TRY(edit_field(edit, PG_PB_GRAPH_VALUE_INFO, graph->value_infos, graph->n_value_infos));
    add_new(edit, types, count);
    return NULL;
}

pg_status pg_model_with_types(const pg_model *model, const pg_value_info *types, size_t count, pg_model **out)
{
    types_edit edit = {0};
    pg_wire_message *root = NULL;
    *out = NULL;
    pg_status status = pg_wire_edit(&edit.arena, (pg_wire_source){0}, model->wire, &root);
    if (status == NULL)
        status = pg_wire_edit(&edit.arena, (pg_wire_source){0}, model->graph->wire, &edit.graph);
    if (status == NULL)
        status = edit_graph(&edit, model->graph, types, count);
    pg_map_deinit(&edit.wanted);
    pg_map_deinit(&edit.declared);
    if (status != NULL) {
        pg_arena_deinit(&edit.arena);
        return status;
    }
    for (uint32_t i = 0; i < root->n_fields; i++)
        if (root->fields[i].number == PG_PB_MODEL_GRAPH && root->fields[i].kind == PG_WIRE_BYTES)
            root->fields[i].message = edit.graph;
    return pg_model_from_wire(&edit.arena, root, model, model->path != NULL ? model->path : "model", out);
}
