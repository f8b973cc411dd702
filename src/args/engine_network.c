/* The network of an engine of the built-in engine: its outputs, and how it is shown. */
#include <string.h>

#include "args/engine.h"
#include "base/alloc.h"
#include "base/vec.h"
#include "engine/layer_types.h"
#include "log/log.h"

typedef PG_VEC(const char *) name_list;

/* The outputs of the nodes that a layer type stands for. */
static pg_status add_outputs_of_type(const pg_graph *graph, const char *word, pg_arena *arena, name_list *out)
{
    size_t count, before = out->len;
    const char *const *names = pg_layer_type_names(&count), *type = NULL;
    for (size_t i = 0; i < count; i++)
        if (pg_str_eq_nocase(pg_str_c(word), pg_str_c(names[i])))
            type = names[i];
    if (type == NULL)
        return pg_value_not_one_of("--trt-outputs-by-type", pg_str_c(word), names, count);
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const pg_node *node = &graph->nodes[n];
        const pg_layer_type *row = pg_layer_type_of(node);
        for (size_t i = 0; row != NULL && strcmp(row->type, type) == 0 && i < node->n_outputs; i++)
            if (node->outputs[i].len > 0)
                PG_VEC_PUSH(out, pg_arena_cstr(arena, node->outputs[i]));
    }
    if (out->len == before)
        PG_LOG_WARNING("Option: --trt-outputs-by-type: the network has no layer of type '%s'.", type);
    return NULL;
}

static pg_status choose_outputs(const pg_trt_options *options, const pg_graph *graph, pg_arena *arena,
                                name_list *names)
{
    for (size_t i = 0; i < options->outputs.count; i++)
        PG_VEC_PUSH(names, options->outputs.items[i]);
    for (size_t i = 0; i < options->outputs_by_type.count; i++)
        PG_TRY(add_outputs_of_type(graph, options->outputs_by_type.items[i], arena, names));
    return NULL;
}

pg_status pg_args_engine_network(const pg_args_trt *trt, pg_model *model, pg_arena *arena, pg_model **out)
{
    const pg_trt_options *options = &trt->options;
    name_list names = {0};
    PG_TRY(pg_args_engine_refuse(trt, arena));
    pg_status status = options->mark_all ? NULL : choose_outputs(options, model->graph, arena, &names);
    if (status == NULL) {
        pg_output_selection selection = {.mark_all = options->mark_all,
                                         .names = names.items,
                                         .n_names = names.len,
                                         .exclude = options->exclude_outputs.items,
                                         .n_exclude = options->exclude_outputs.count};
        status = pg_model_select_outputs(model, &selection, out);
    }
    PG_VEC_FREE(&names);
    return pg_status_context(status, "while choosing the outputs of '%s'",
                             model->path != NULL ? model->path : "the model");
}
