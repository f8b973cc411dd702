/* What a build makes of the configuration's inputs, outputs and debug tensors, and --direct-io. */
#include "base/alloc.h"
#include "engine/debug.h"
#include "engine/internal.h"

/* ---- Borders and debug tensors ---- */

static const pg_value_info *find_output(const pg_graph *graph, pg_str name)
{
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (pg_str_eq(graph->outputs[i].name, name))
            return &graph->outputs[i];
    return NULL;
}

static pg_status take_border(pg_engine *engine, const pg_graph *graph, const pg_io_border *from,
                             pg_io_border *out)
{
    const pg_value_info *input = pg_engine_find_input(graph, from->name);
    const pg_value_info *info = input != NULL ? input : find_output(graph, from->name);
    if (info == NULL)
        return pg_engine_unknown_tensor(graph, from->name, "the network has no input or output");
    PG_TRY(pg_border_check(info, input != NULL, from));
    *out = *from;
    out->name = pg_arena_str(&engine->arena, from->name);
    return NULL;
}

pg_status pg_engine_take_io(pg_engine *engine, const pg_graph *graph, const pg_build_config *config)
{
    pg_io_border *borders = PG_ARENA_ARRAY(&engine->arena, pg_io_border, config->n_borders + 1);
    for (size_t i = 0; i < config->n_borders; i++)
        PG_TRY(take_border(engine, graph, &config->borders[i], &borders[i]));
    pg_str *notes = PG_ARENA_ARRAY(&engine->arena, pg_str, config->n_notes + 1);
    for (size_t i = 0; i < config->n_notes; i++)
        notes[i] = pg_arena_str(&engine->arena, config->notes[i]);
    engine->notes = notes;
    engine->n_notes = config->n_notes;
    engine->verbosity = config->verbosity;
    engine->borders = borders;
    engine->n_borders = config->n_borders;
    return pg_taps_check(graph, config->debug_tensors, config->n_debug_tensors);
}

/* ---- Direct inputs and outputs ---- */

typedef struct direct {
    const pg_engine *engine;
    const pg_graph *network; /* what the engine was built from */
    pg_str tensor, layer;    /* the first input that was rearranged, and for whom; empty: none */
} direct;

static bool is_channels_last(const pg_engine *engine, pg_str name)
{
    const pg_io_border *border = pg_border_find(engine, name);
    return border != NULL && border->format != PG_IO_LINEAR;
}

/* After a layer ran, an input that it could not read as it was fed lies otherwise. */
static pg_status see(void *context, const pg_node *node, const pg_value *const *inputs,
                     const pg_value *outputs, double seconds)
{
    direct *self = context;
    (void)outputs;
    (void)seconds;
    for (size_t i = 0; i < node->n_inputs && self->tensor.len == 0; i++) {
        if (inputs[i] == NULL || inputs[i]->kind != PG_VALUE_TENSOR ||
            pg_engine_find_input(self->engine->model->graph, node->inputs[i]) == NULL)
            continue;
        const pg_tensor *tensor = &inputs[i]->tensor;
        pg_layout fed = is_channels_last(self->engine, node->inputs[i]) ? PG_CHANNELS_LAST : PG_ROW_MAJOR;
        if (tensor->layout != fed && !pg_tensor_layouts_agree(tensor)) {
            self->tensor = node->inputs[i];
            self->layer = node->name;
        }
    }
    return NULL;
}

static pg_status would_change(const char *what, pg_str name, const char *how, const char *advice)
{
    return pg_err(PG_ERR_UNSUPPORTED, "option '--direct-io': %s '%" PG_STR_FMT "' would be %s; %s", what,
                  PG_STR_ARG(name), how, advice);
}

/* Types: a border of another type, or a cast that the build put behind an input or before an output. */
static pg_status check_types(const direct *self, const pg_session *session)
{
    static const char cast[] = "cast", advice[] = "give it the type that the layers compute with";
    const pg_engine *engine = self->engine;
    for (size_t i = 0; i < engine->n_borders; i++) {
        const pg_io_border *border = &engine->borders[i];
        const pg_value_info *input = pg_engine_find_input(self->network, border->name);
        const pg_value_info *info = input != NULL ? input : find_output(self->network, border->name);
        if (border->dtype != PG_UNDEFINED && info != NULL && info->type.elem != border->dtype)
            return would_change(input != NULL ? "input" : "output", border->name, cast, advice);
    }
    pg_map own = {0};
    const pg_node *found = NULL;
    for (size_t n = 0; n < self->network->n_nodes; n++)
        pg_map_put(&own, self->network->nodes[n].name, NULL);
    bool at_input = false;
    for (size_t i = 0; i < pg_session_layer_count(session) && found == NULL; i++) {
        const pg_node *node = pg_session_layer(session, i);
        bool casts = pg_str_is(node->op_type, "Cast") || pg_str_is(node->op_type, "QuantizeLinear") ||
                     pg_str_is(node->op_type, "DequantizeLinear");
        if (!casts || pg_map_has(&own, node->name) || node->n_inputs == 0 || node->n_outputs == 0)
            continue;
        at_input = pg_engine_find_input(engine->model->graph, node->inputs[0]) != NULL;
        if (at_input || find_output(engine->model->graph, node->outputs[0]) != NULL)
            found = node;
    }
    pg_map_deinit(&own);
    if (found == NULL)
        return NULL;
    return would_change(at_input ? "input" : "output", at_input ? found->inputs[0] : found->outputs[0], cast,
                        "convert the model itself (convert --fp-to-fp16), so that its types are the layers'");
}

static pg_status check_layouts(direct *self, pg_session *session)
{
    const pg_engine *engine = self->engine;
    const pg_graph *graph = engine->model->graph;
    if (self->tensor.len > 0) {
        char how[200];
        snprintf(how, sizeof how, "rearranged for layer '%.*s'", (int)PG_MIN(self->layer.len, (size_t)100),
                 self->layer.ptr);
        return would_change("input", self->tensor, how,
                            is_channels_last(engine, self->tensor)
                                ? "give it the format linear (--tensor-formats)"
                                : "give it the format hwc (--tensor-formats)");
    }
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (pg_session_rearranged(session, i))
            return would_change("output", graph->outputs[i].name, "rearranged",
                                is_channels_last(engine, graph->outputs[i].name)
                                    ? "give it the format linear (--tensor-formats)"
                                    : "give it the format hwc (--tensor-formats)");
    return NULL;
}

static pg_status run_once(direct *self, pg_session *session)
{
    const pg_engine *engine = self->engine;
    pg_feed feed = {0}, outputs = {0};
    pg_status status = pg_engine_fill_ones(engine->model->graph, &engine->profiles[0], true, &feed);
    for (size_t i = 0; i < feed.count; i++) /* the same everywhere, so they may lie in any order */
        if (is_channels_last(engine, pg_str_c(feed.items[i].name)))
            feed.items[i].value.tensor.layout = PG_CHANNELS_LAST;
    if (status == NULL)
        status = pg_session_run(session, &feed, &outputs);
    pg_feed_deinit(&outputs);
    pg_feed_deinit(&feed);
    return status;
}

static pg_status check_direct(const pg_engine *engine, const pg_graph *network)
{
    direct self = {.engine = engine, .network = network};
    pg_observer observer = {&self, see};
    pg_session_tap(engine->session, &observer);
    pg_status status = check_types(&self, engine->session);
    if (status == NULL)
        status = pg_status_context(run_once(&self, engine->session), "while checking --direct-io");
    if (status == NULL)
        status = check_layouts(&self, engine->session);
    pg_session_tap(engine->session, NULL);
    return status;
}

pg_status pg_engine_finish_io(pg_engine *engine, const pg_graph *network, const pg_build_config *config)
{
    PG_TRY_CTX(pg_taps_check(engine->model->graph, config->debug_tensors, config->n_debug_tensors),
               "after the precisions were set");
    pg_taps_choose(engine, config->debug_tensors, config->n_debug_tensors, config->debug_unfused);
    pg_border_open(engine);
    pg_border_prepare(engine, engine->session);
    return config->direct_io ? check_direct(engine, network) : NULL;
}
