#include "engine/engine.h"

#include "base/alloc.h"
#include "engine/internal.h"
#include "log/log.h"

/* Below this level of --builder-optimization-level nothing is fused. */
enum { FUSING_LEVEL = 1 };

pg_engine *pg_engine_ref(pg_engine *engine)
{
    engine->refs++;
    return engine;
}

void pg_engine_unref(pg_engine *engine)
{
    if (engine == NULL || --engine->refs > 0)
        return;
    pg_model_unref(engine->net);
    pg_model_unref(engine->bare);
    pg_scales_deinit(&engine->scales);
    pg_session_free(engine->session);
    pg_model_unref(engine->model);
    pg_file_map_close(&engine->map);
    pg_map_deinit(&engine->by_output);
    pg_arena_deinit(&engine->arena);
    pg_engine_unref(engine->origin);
    free(engine);
}

static pg_str first_name(const pg_str *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (names[i].len > 0)
            return names[i];
    return PG_STR_EMPTY;
}

/* By the layer's first output, whose name is its own. */
static pg_tactic_id choose(void *context, const pg_node *node)
{
    pg_engine *engine = context;
    for (size_t i = 0; i < engine->n_layers && !engine->indexed; i++)
        pg_map_put(&engine->by_output, first_name(engine->layers[i].outputs, engine->layers[i].n_outputs),
                   (void *)&engine->layers[i]);
    engine->indexed = true;
    const pg_engine_layer *layer =
        pg_map_find(&engine->by_output, first_name(node->outputs, node->n_outputs));
    return layer != NULL ? layer->tactic : PG_TACTIC_RULE;
}

pg_engine *pg_engine_new(void)
{
    pg_engine *engine = PG_NEW(pg_engine);
    engine->refs = 1;
    engine->chooser = (pg_tactic_chooser){engine, choose};
    return engine;
}

/* ---- Sessions ---- */

pg_native_options pg_engine_session_options(const pg_engine *engine, const pg_native_options *asked)
{
    pg_native_options options = {.for_engine = true, .max_bytes = engine->workspace};
    if (asked != NULL) {
        options.no_onednn = asked->no_onednn;
        options.onednn = asked->onednn;
        options.threads = asked->threads;
        options.max_loop_iterations = asked->max_loop_iterations;
        options.max_seconds = asked->max_seconds;
    }
    options.no_optimization = engine->level < FUSING_LEVEL;
    options.forms = engine->lowered ? &engine->forms : NULL;
    options.tactics = &engine->chooser;
    return options;
}

pg_status pg_engine_open(pg_engine *engine, const pg_native_options *asked, pg_session **out)
{
    pg_native_options options = pg_engine_session_options(engine, asked);
    if (engine->unusable != NULL)
        return pg_err(PG_ERR_UNSUPPORTED, "%s", engine->unusable);
    if (engine->session == NULL || engine->lent)
        return pg_session_new(engine->model, &options, out);
    pg_session_limit(engine->session, &options);
    engine->lent = true;
    *out = engine->session;
    return NULL;
}

void pg_engine_close(pg_engine *engine, pg_session *session)
{
    if (session == NULL || session != engine->session) {
        pg_session_free(session);
        return;
    }
    pg_session_observe(session, NULL);
    engine->lent = false;
}

pg_status pg_engine_reserve_room(const pg_engine *engine, pg_session *session, size_t profile)
{
    if (engine->reserve == PG_RESERVE_NOTHING)
        return NULL;
    for (size_t i = 0; i < engine->n_profiles; i++) {
        if (engine->reserve == PG_RESERVE_PROFILE && i != profile)
            continue;
        pg_status status = pg_engine_run_profile(engine->model->graph, session, &engine->profiles[i], true);
        if (pg_status_code(status) == PG_ERR_INTERRUPTED)
            return status;
        if (status != NULL)
            PG_LOG_WARNING("No room could be made for profile %zu: %s.", i, pg_status_message(status));
        pg_status_drop(status);
    }
    PG_LOG_INFO("Room for %llu bytes of tensors was made before the first run.",
                (unsigned long long)pg_session_peak_bytes(session));
    return NULL;
}

/* ---- Layers ---- */

static size_t keep_names(pg_engine *engine, const pg_map *tensors, const pg_str *names, size_t count,
                         const pg_str **out)
{
    pg_str *kept = PG_ARENA_ARRAY(&engine->arena, pg_str, count + 1);
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (names[i].len > 0 && pg_map_has(tensors, names[i]))
            kept[n++] = pg_arena_str(&engine->arena, names[i]);
    *out = kept;
    return n;
}

/* What flows between layers: inputs that are fed, and what layers make. */
static void find_tensors(const pg_graph *graph, const pg_session *session, pg_map *out)
{
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (!pg_graph_has_weight(graph, graph->inputs[i].name))
            pg_map_put(out, graph->inputs[i].name, NULL);
    for (size_t i = 0; i < pg_session_layer_count(session); i++) {
        const pg_node *node = pg_session_layer(session, i);
        for (size_t k = 0; k < node->n_outputs; k++)
            pg_map_put(out, node->outputs[k], NULL);
    }
}

void pg_engine_read_layers(pg_engine *engine, const pg_session *session)
{
    size_t count = pg_session_layer_count(session);
    pg_engine_layer *layers = PG_ARENA_ARRAY(&engine->arena, pg_engine_layer, count + 1);
    pg_map tensors = {0};
    find_tensors(engine->model->graph, session, &tensors);
    for (size_t i = 0; i < count; i++) {
        const pg_node *node = pg_session_layer(session, i);
        const char *op =
            pg_arena_printf(&engine->arena, "%" PG_STR_FMT "%s%" PG_STR_FMT, PG_STR_ARG(node->domain),
                            node->domain.len > 0 ? "." : "", PG_STR_ARG(node->op_type));
        layers[i] = (pg_engine_layer){.name = pg_arena_str(&engine->arena, node->name), .op = pg_str_c(op)};
        layers[i].n_inputs = keep_names(engine, &tensors, node->inputs, node->n_inputs, &layers[i].inputs);
        layers[i].n_outputs =
            keep_names(engine, &tensors, node->outputs, node->n_outputs, &layers[i].outputs);
    }
    pg_map_deinit(&tensors);
    engine->layers = layers;
    engine->n_layers = count;
}

/* The nearest name so far, and how far it is. */
typedef struct nearest {
    pg_str wanted, name;
    size_t distance;
} nearest;

static nearest search_for(pg_str wanted)
{
    enum { FAR = 8 };
    return (nearest){.wanted = wanted, .distance = FAR};
}

static void look_at(nearest *search, pg_str name)
{
    size_t distance = pg_str_distance(name, search->wanted, search->distance);
    if (name.len > 0 && distance < search->distance) {
        search->distance = distance;
        search->name = name;
    }
}

static pg_status not_found(const nearest *search, const char *what, const char *listed)
{
    if (search->name.len > 0)
        return pg_err(PG_ERR_NOT_FOUND, "%s '%" PG_STR_FMT "'; did you mean '%" PG_STR_FMT "'?", what,
                      PG_STR_ARG(search->wanted), PG_STR_ARG(search->name));
    return pg_err(PG_ERR_NOT_FOUND, "%s '%" PG_STR_FMT "'; '%s' lists them", what, PG_STR_ARG(search->wanted),
                  listed);
}

pg_status pg_engine_unknown_layer(const pg_model *model, pg_str name)
{
    nearest search = search_for(name);
    for (size_t n = 0; n < model->graph->n_nodes; n++)
        look_at(&search, model->graph->nodes[n].name);
    return not_found(&search, "no layer is called", "polygraphy inspect model --show layers");
}

pg_status pg_engine_unknown_tensor(const pg_graph *graph, pg_str name, const char *what)
{
    nearest search = search_for(name);
    for (size_t i = 0; i < graph->n_inputs; i++)
        look_at(&search, graph->inputs[i].name);
    for (size_t n = 0; n < graph->n_nodes; n++)
        for (size_t i = 0; i < graph->nodes[n].n_outputs; i++)
            look_at(&search, graph->nodes[n].outputs[i]);
    return not_found(&search, what, "polygraphy inspect model --display-as trt --show layers");
}
