#include "engine/debug.h"

#include "base/alloc.h"
#include "base/map.h"
#include "engine/internal.h"
#include "log/log.h"
#include "onnx/edit.h"
#include "shapes/shapes.h"
#include "surgery/quantize.h"

/* One debug tensor. */
typedef struct tap {
    pg_debug_tensor of;
    pg_value value; /* of the run; NONE: not seen */
} tap;

struct pg_taps {
    const pg_engine *engine;
    pg_session *session;
    pg_native_options options;
    pg_observer observer;
    tap *items;
    size_t count;
    pg_map by_name;      /* items */
    pg_arena arena;      /* names of the outputs of `missing` */
    pg_session *missing; /* computes what no layer makes; NULL while everything is seen */
};

/* ---- Names ---- */

static bool is_tensor(const pg_graph *graph, pg_str name)
{
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (pg_str_eq(graph->inputs[i].name, name))
            return true;
    for (size_t n = 0; n < graph->n_nodes; n++)
        for (size_t i = 0; i < graph->nodes[n].n_outputs; i++)
            if (pg_str_eq(graph->nodes[n].outputs[i], name))
                return true;
    return false;
}

pg_status pg_taps_check(const pg_graph *graph, const pg_str *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_tensor(graph, names[i]))
            return pg_engine_unknown_tensor(graph, names[i], "the network has no tensor");
    return NULL;
}

static bool is_output(const pg_graph *graph, pg_str name)
{
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (pg_str_eq(graph->outputs[i].name, name))
            return true;
    return false;
}

static bool is_layer_output(const pg_session *session, pg_str name)
{
    for (size_t i = 0; i < pg_session_layer_count(session); i++) {
        const pg_node *layer = pg_session_layer(session, i);
        for (size_t k = 0; k < layer->n_outputs; k++)
            if (pg_str_eq(layer->outputs[k], name))
                return true;
    }
    return false;
}

/* The list so far. */
typedef struct choice {
    pg_engine *engine;
    pg_shapes *shapes; /* NULL when they cannot be inferred */
    pg_debug_tensor *items;
    size_t count;
    pg_map seen;
} choice;

/* Outputs of the engine are among the results anyway. */
static void add_tensor(choice *list, pg_str name, bool beside)
{
    const pg_type *type = list->shapes != NULL ? pg_shapes_find(list->shapes, name) : NULL;
    if (is_output(list->engine->model->graph, name) || !pg_map_put(&list->seen, name, NULL))
        return;
    pg_debug_tensor *item = &list->items[list->count++];
    *item = (pg_debug_tensor){.name = pg_arena_str(&list->engine->arena, name), .beside = beside};
    if (type != NULL && type->kind == PG_TYPE_TENSOR)
        item->dtype = type->elem;
}

void pg_taps_choose(pg_engine *engine, const pg_str *names, size_t count, bool unfused)
{
    choice list = {.engine = engine};
    const pg_graph *graph = engine->model->graph;
    size_t most = count, layers = pg_session_layer_count(engine->session);
    bool codes = pg_surgery_is_quantized(graph); /* layers may then hand on codes in place of the tensor */
    for (size_t i = 0; i < layers; i++)
        most += pg_session_layer(engine->session, i)->n_outputs;
    list.items = PG_ARENA_ARRAY(&engine->arena, pg_debug_tensor, most + 1);
    pg_status_drop(pg_shapes_infer(engine->model, NULL, &list.shapes));
    for (size_t i = 0; i < count; i++) {
        bool made = pg_engine_find_input(graph, names[i]) != NULL || is_output(graph, names[i]) ||
                    (!codes && is_layer_output(engine->session, names[i]));
        engine->needs_model = engine->needs_model || !made;
        add_tensor(&list, names[i], true);
    }
    for (size_t i = 0; unfused && i < layers; i++) {
        const pg_node *layer = pg_session_layer(engine->session, i);
        for (size_t k = 0; k < layer->n_outputs; k++)
            if (layer->outputs[k].len > 0 && is_tensor(graph, layer->outputs[k]))
                add_tensor(&list, layer->outputs[k], false);
    }
    pg_shapes_free(list.shapes);
    pg_map_deinit(&list.seen);
    engine->debug_tensors = list.items;
    engine->n_debug_tensors = list.count;
}

/* ---- While the engine runs ---- */

/* A layer may hand on codes, or another type, under the name of a tensor: that is not the tensor. */
static bool is_what_it_says(const tap *item, const pg_value *value)
{
    return value->kind == PG_VALUE_TENSOR &&
           (item->of.dtype == PG_UNDEFINED || item->of.dtype == value->tensor.dtype);
}

static pg_status see(void *context, const pg_node *node, const pg_value *const *inputs,
                     const pg_value *outputs, double seconds)
{
    pg_taps *self = context;
    (void)inputs;
    (void)seconds;
    for (size_t i = 0; i < node->n_outputs; i++) {
        tap *item = pg_map_find(&self->by_name, node->outputs[i]);
        if (item == NULL || !is_what_it_says(item, &outputs[i]))
            continue;
        pg_value_deinit(&item->value);
        item->value = (pg_value){0};
        PG_TRY(pg_session_keep(self->session, &outputs[i], &item->value));
    }
    return NULL;
}

pg_taps *pg_taps_new(const pg_engine *engine, pg_session *session, const pg_native_options *asked)
{
    pg_taps *self = PG_NEW(pg_taps);
    self->engine = engine;
    self->session = session;
    self->options = pg_engine_session_options(engine, asked);
    self->options.max_bytes = 0; /* what runs beside the engine is none of its workspace */
    self->count = engine->n_debug_tensors;
    self->items = pg_calloc(self->count + 1, sizeof *self->items);
    for (size_t i = 0; i < self->count; i++) {
        self->items[i].of = engine->debug_tensors[i];
        pg_map_put(&self->by_name, self->items[i].of.name, &self->items[i]);
    }
    self->observer = (pg_observer){self, see};
    pg_session_tap(session, &self->observer);
    return self;
}

void pg_taps_free(pg_taps *self)
{
    if (self == NULL)
        return;
    pg_session_tap(self->session, NULL);
    for (size_t i = 0; i < self->count; i++)
        pg_value_deinit(&self->items[i].value);
    pg_map_deinit(&self->by_name);
    pg_session_free(self->missing);
    pg_arena_deinit(&self->arena);
    free(self->items);
    free(self);
}

/* ---- What was fused away ---- */

static pg_status open_missing(pg_taps *self)
{
    pg_model *model = NULL;
    pg_buf list = {0};
    const char **names = PG_ARENA_ARRAY(&self->arena, const char *, self->count);
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++)
        if (self->items[i].of.beside && self->items[i].value.kind == PG_VALUE_NONE) {
            pg_buf_printf(&list, "%s'%" PG_STR_FMT "'", count > 0 ? ", " : "",
                          PG_STR_ARG(self->items[i].of.name));
            names[count++] = pg_arena_cstr(&self->arena, self->items[i].of.name);
        }
    PG_LOG_INFO("Debug tensors that no layer makes are computed beside the engine: %s", pg_buf_cstr(&list));
    if (self->engine->lowered) {
        pg_buf_deinit(&list);
        return pg_err(PG_ERR_UNSUPPORTED,
                      "the engine's file does not hold the model that they are computed from");
    }
    pg_output_selection selection = {.names = names, .n_names = count};
    pg_status status = pg_model_select_outputs(self->engine->model, &selection, &model);
    if (status == NULL)
        status = pg_session_new(model, &self->options, &self->missing);
    pg_model_unref(model);
    pg_buf_deinit(&list);
    return status;
}

static pg_status compute_missing(pg_taps *self, const pg_feed *inner)
{
    pg_feed found = {0};
    if (self->missing == NULL)
        PG_TRY(open_missing(self));
    pg_status status = pg_session_run(self->missing, inner, &found);
    for (size_t i = 0; i < found.count; i++) {
        tap *item = pg_map_find(&self->by_name, pg_str_c(found.items[i].name));
        if (item != NULL && item->value.kind == PG_VALUE_NONE)
            item->value = pg_value_share(&found.items[i].value);
    }
    pg_feed_deinit(&found);
    return status;
}

pg_status pg_taps_collect(pg_taps *self, const pg_feed *inner, pg_feed *out)
{
    bool lacks = false;
    for (size_t i = 0; i < self->count; i++) {
        tap *item = &self->items[i];
        const pg_value *fed = pg_feed_find(inner, item->of.name);
        if (item->value.kind == PG_VALUE_NONE && fed != NULL)
            PG_TRY(pg_session_keep(self->session, fed, &item->value));
        lacks = lacks || (item->of.beside && item->value.kind == PG_VALUE_NONE);
    }
    if (lacks)
        PG_TRY_CTX(compute_missing(self, inner), "while computing debug tensors");
    for (size_t i = 0; i < self->count; i++) {
        tap *item = &self->items[i];
        if (item->value.kind != PG_VALUE_NONE)
            pg_feed_add(out, item->of.name, item->value);
        item->value = (pg_value){0};
    }
    return NULL;
}
