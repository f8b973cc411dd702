/* Nodes that scale and shift the results of products go into the products' weights. */
#include "base/alloc.h"
#include "onnx/build.h"
#include "surgery/affine.h"
#include "surgery/internal.h"

/* One tensor of the main graph. */
typedef struct value {
    const pg_weight *weight;
    pg_tensor loaded; /* of a weight, once it was asked for */
    bool is_loaded;
    bool is_input;
    size_t reads;          /* by nodes, subgraphs and the graph's outputs */
    const pg_node *reader; /* the last node of the main graph */
} value;

/* What a product takes in. */
typedef struct change {
    pg_affine affine;
    pg_str output; /* of the last node taken in; empty when there is none */
} change;

typedef struct pass {
    const pg_model *model;
    const pg_fold_affine_options *options;
    pg_arena *arena; /* of the new model */
    pg_arena scratch;
    pg_map values; /* -> value in `scratch` */
    pg_map gone;   /* outputs of nodes that were taken in */
    pg_wire_message *graph;
    size_t folded, names_made;
} pass;

static value *value_of(const pass *p, pg_str name)
{
    return name.len > 0 ? pg_map_find(&p->values, name) : NULL;
}

static value *add_value(pass *p, pg_str name, const pg_weight *weight)
{
    value *v = PG_ARENA_NEW(&p->scratch, value);
    v->weight = weight;
    pg_map_put(&p->values, name, v);
    return v;
}

static void count_read(void *context, pg_str name)
{
    value *v = value_of(context, name);
    if (v != NULL)
        v->reads++;
}

static void list_values(pass *p)
{
    const pg_graph *graph = p->model->graph;
    for (size_t i = 0; i < graph->n_weights; i++)
        (void)add_value(p, graph->weights[i].name, &graph->weights[i]);
    for (size_t i = 0; i < graph->n_inputs; i++) {
        value *known = value_of(p, graph->inputs[i].name);
        (known != NULL ? known : add_value(p, graph->inputs[i].name, NULL))->is_input = true;
    }
    for (size_t n = 0; n < graph->n_nodes; n++)
        for (size_t i = 0; i < graph->nodes[n].n_outputs; i++)
            (void)add_value(p, graph->nodes[n].outputs[i], pg_surgery_constant(&graph->nodes[n]));
    pg_surgery_each_read(graph, count_read, p);
    for (size_t n = 0; n < graph->n_nodes; n++)
        for (size_t i = 0; i < graph->nodes[n].n_inputs; i++) {
            value *v = value_of(p, graph->nodes[n].inputs[i]);
            if (v != NULL)
                v->reader = &graph->nodes[n];
        }
}

/* Constants that cannot be loaded are none here: whoever computes with them says what is wrong. */
static const pg_tensor *find_constant(void *context, pg_str name)
{
    value *v = value_of(context, name);
    if (v == NULL || v->weight == NULL || (v->weight->dtype != PG_F32 && v->weight->dtype != PG_F64))
        return NULL;
    if (!v->is_loaded) {
        pg_status status = pg_weight_load(((const pass *)context)->model, v->weight, &v->loaded);
        if (status != NULL) {
            pg_status_drop(status);
            return NULL;
        }
        v->is_loaded = true;
    }
    return &v->loaded;
}

/* The node that alone reads a tensor, with one result. */
static const pg_node *only_reader(const pass *p, pg_str name)
{
    const value *v = value_of(p, name);
    return v != NULL && v->reads == 1 && v->reader != NULL && v->reader->n_outputs == 1 ? v->reader : NULL;
}

/* Weights and bias of a product that can be changed. */
static bool read_product(pass *p, const pg_node *node, pg_weight_channels *channels,
                         const pg_tensor **weights, const pg_tensor **bias)
{
    *bias = NULL;
    if (node->n_inputs < 2 || node->n_outputs != 1 || !pg_affine_channels(node, channels))
        return false;
    *weights = find_constant(p, node->inputs[1]);
    if (*weights == NULL || (*weights)->dtype != PG_F32)
        return false;
    const size_t count = pg_affine_count(*channels, *weights);
    if (node->n_inputs > 2 && node->inputs[2].len > 0) {
        *bias = find_constant(p, node->inputs[2]);
        if (*bias == NULL || (*bias)->dtype != PG_F32 || pg_tensor_count(*bias) != count)
            return false;
    }
    return count > 0;
}

/* Everything that a product can take in, one reader after the other. */
static void follow(pass *p, const pg_node *node, size_t rank, size_t channels, change *out)
{
    pg_affine next = {channels, PG_ARENA_ARRAY(&p->scratch, double, channels),
                      PG_ARENA_ARRAY(&p->scratch, double, channels)};
    *out = (change){.affine = {channels, PG_ARENA_ARRAY(&p->scratch, double, channels),
                               PG_ARENA_ARRAY(&p->scratch, double, channels)}};
    for (size_t c = 0; c < channels; c++)
        out->affine.scale[c] = 1;
    for (pg_str result = node->outputs[0];; result = out->output) {
        const pg_node *reader = only_reader(p, result);
        const pg_fold_affine_options *options = p->options;
        if (reader == NULL ||
            (options != NULL && options->wanted != NULL &&
             !options->wanted(options->context, node, reader)) ||
            !pg_affine_read(reader, result, rank, (pg_constants){find_constant, p}, &next))
            return;
        for (size_t c = 0; c < channels; c++) {
            out->affine.scale[c] *= next.scale[c];
            out->affine.shift[c] = out->affine.shift[c] * next.scale[c] + next.shift[c];
        }
        out->output = reader->outputs[0];
        pg_map_put(&p->gone, out->output, NULL);
        p->folded++;
    }
}

/* ---- Making ---- */

static pg_str fresh(pass *p, pg_str base)
{
    const char *name;
    do
        name = pg_arena_printf(p->arena, "%" PG_STR_FMT "_folded%zu", PG_STR_ARG(base), p->names_made++);
    while (pg_map_has(&p->values, pg_str_c(name)));
    (void)add_value(p, pg_str_c(name), NULL);
    return pg_str_c(name);
}

static void add_weight(pass *p, pg_str name, const pg_tensor *tensor)
{
    pg_build_weight(p->arena, p->graph, pg_build_tensor(p->arena, pg_arena_cstr(p->arena, name), tensor));
}

static pg_status add_weights(pass *p, const pg_tensor *from, pg_weight_channels channels, const change *what,
                             pg_str name)
{
    pg_tensor weights;
    PG_TRY(pg_tensor_copy(&weights, from));
    pg_affine_scale(&what->affine, channels, &weights);
    add_weight(p, name, &weights);
    pg_tensor_deinit(&weights);
    return NULL;
}

static pg_status add_bias(pass *p, const pg_tensor *old, const change *what, pg_str name)
{
    pg_tensor bias;
    PG_TRY(pg_tensor_alloc(&bias, PG_F32, 1, (int64_t[]){(int64_t)what->affine.channels}));
    for (size_t c = 0; c < what->affine.channels; c++)
        ((float *)bias.data)[c] = (float)pg_affine_bias(&what->affine, old, c);
    add_weight(p, name, &bias);
    pg_tensor_deinit(&bias);
    return NULL;
}

static void release(pass *p, pg_str name)
{
    value *v = value_of(p, name);
    if (v != NULL)
        v->reads--;
}

/* The node as it is, or with all that follows it taken in. */
static pg_status change_node(pass *p, const pg_node *node, pg_wire_message **out_wire)
{
    pg_wire_message *out = (pg_wire_message *)node->wire;
    pg_weight_channels channels;
    const pg_tensor *weights = NULL, *bias = NULL;
    change what = {0};
    if (read_product(p, node, &channels, &weights, &bias))
        follow(p, node, weights->rank, pg_affine_count(channels, weights), &what);
    if (what.output.len > 0) {
        const pg_str w = fresh(p, node->inputs[1]), b = fresh(p, what.output);
        PG_TRY(add_weights(p, weights, channels, &what, w));
        PG_TRY(add_bias(p, bias, &what, b));
        for (size_t i = 1; i < node->n_inputs; i++)
            release(p, node->inputs[i]);
        PG_TRY(pg_wire_edit(p->arena, (pg_wire_source){0}, node->wire, &out));
        pg_wire_remove(out, PG_PB_NODE_INPUT);
        pg_wire_remove(out, PG_PB_NODE_OUTPUT);
        pg_wire_add_str(p->arena, out, PG_PB_NODE_INPUT, node->inputs[0]);
        pg_wire_add_str(p->arena, out, PG_PB_NODE_INPUT, w);
        pg_wire_add_str(p->arena, out, PG_PB_NODE_INPUT, b);
        pg_wire_add_str(p->arena, out, PG_PB_NODE_OUTPUT, what.output);
    }
    *out_wire = out;
    return NULL;
}

/* Weights that were read before, and are no longer, go. */
static void emit_weights(pass *p)
{
    const pg_graph *graph = p->model->graph;
    for (size_t i = 0; i < graph->n_weights; i++) {
        const value *v = value_of(p, graph->weights[i].name);
        if (v->is_input || v->reads > 0)
            pg_wire_add_message(p->arena, p->graph, PG_PB_GRAPH_WEIGHT,
                                (pg_wire_message *)graph->weights[i].wire);
    }
}

static pg_status rewrite(pass *p, pg_wire_message **out_root)
{
    const pg_graph *graph = p->model->graph;
    list_values(p);
    PG_TRY(pg_model_edit(p->arena, p->model, out_root, &p->graph));
    pg_wire_remove(p->graph, PG_PB_GRAPH_NODE);
    pg_wire_remove(p->graph, PG_PB_GRAPH_WEIGHT);
    pg_wire_message **wires = PG_ARENA_ARRAY(&p->scratch, pg_wire_message *, graph->n_nodes + 1);
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const pg_node *node = &graph->nodes[n];
        if (node->n_outputs != 1 || !pg_map_has(&p->gone, node->outputs[0]))
            PG_TRY(change_node(p, node, &wires[n]));
        for (size_t i = 0; wires[n] == NULL && i < node->n_inputs; i++)
            release(p, node->inputs[i]);
    }
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const bool constant = pg_surgery_constant(&graph->nodes[n]) != NULL;
        if (wires[n] != NULL && !(constant && value_of(p, graph->nodes[n].outputs[0])->reads == 0))
            pg_wire_add_message(p->arena, p->graph, PG_PB_GRAPH_NODE, wires[n]);
    }
    emit_weights(p);
    return NULL;
}

pg_status pg_surgery_fold_affine(const pg_model *model, const pg_fold_affine_options *options, size_t *folded,
                                 pg_model **out)
{
    pg_arena arena = {0};
    pass p = {.model = model, .options = options, .arena = &arena};
    pg_wire_message *root = NULL;
    pg_status status = rewrite(&p, &root);
    for (size_t i = 0; i < p.values.len; i++)
        if (((value *)p.values.entries[i].value)->is_loaded)
            pg_tensor_deinit(&((value *)p.values.entries[i].value)->loaded);
    pg_map_deinit(&p.values);
    pg_map_deinit(&p.gone);
    pg_arena_deinit(&p.scratch);
    if (folded != NULL)
        *folded = p.folded;
    if (status == NULL)
        return pg_surgery_finish(&arena, root, model, out);
    pg_arena_deinit(&arena);
    return pg_status_context(status, "while folding scalings into weights");
}
