#include "engine/engine_text.h"

#include "engine/internal.h"
#include "engine/tensor_text.h"
#include "log/log.h"
#include "shapes/shapes.h"

typedef struct printer {
    const pg_engine *engine;
    pg_engine_text_options options;
    pg_shapes *shapes; /* NULL when they cannot be inferred */
    pg_buf *out;
} printer;

/* ---- Tensors ---- */

static const pg_type *type_of(const printer *p, pg_str name)
{
    const pg_value_info *input = pg_engine_find_input(p->engine->model->graph, name);
    if (input != NULL)
        return &input->type;
    return p->shapes != NULL ? pg_shapes_find(p->shapes, name) : NULL;
}

static void put_names(const printer *p, const pg_str *names, size_t count, const char *between)
{
    pg_buf_putc(p->out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            pg_buf_puts(p->out, between);
        pg_engine_tensor_text(names[i], type_of(p, names[i]), NULL, p->out);
    }
    pg_buf_putc(p->out, '}');
}

/* ---- Sections ---- */

/* As callers see them. */
static void put_outer(const printer *p, const char *what, const pg_value_info *infos, size_t count)
{
    pg_buf_printf(p->out, "---- %zu Engine %s(s) ----\n{", count, what);
    for (size_t i = 0; i < count; i++) {
        const pg_io_border *border = pg_border_find(p->engine, infos[i].name);
        bool linear = border == NULL || border->format == PG_IO_LINEAR;
        bool known = infos[i].type.kind != PG_TYPE_NONE;
        pg_buf_puts(p->out, i > 0 ? ",\n " : "");
        pg_engine_tensor_text(infos[i].name, known ? &infos[i].type : type_of(p, infos[i].name),
                              linear ? NULL : pg_io_format_name(border->format), p->out);
    }
    pg_buf_puts(p->out, "}\n\n");
}

static void put_io(const printer *p)
{
    const pg_engine *engine = p->engine;
    pg_buf_printf(p->out, "Name: %" PG_STR_FMT " | Explicit Batch Engine\n\n", PG_STR_ARG(engine->name));
    put_outer(p, "Input", engine->outer_inputs, engine->n_inputs);
    put_outer(p, "Output", engine->outer_outputs, engine->n_outputs);
    pg_buf_printf(p->out, "---- Memory ----\nDevice Memory: %llu bytes\n\n",
                  (unsigned long long)p->engine->peak_bytes);
    if (engine->n_notes > 0)
        pg_buf_puts(p->out, "---- Build Options ----\n");
    for (size_t i = 0; i < engine->n_notes; i++)
        pg_buf_printf(p->out, "%" PG_STR_FMT "%s", PG_STR_ARG(engine->notes[i]),
                      i + 1 < engine->n_notes ? "\n" : "\n\n");
}

static size_t longest_name(const printer *p)
{
    const pg_graph *graph = p->engine->model->graph;
    size_t longest = 0;
    for (size_t i = 0; i < p->engine->profiles[0].count; i++)
        longest = PG_MAX(longest, p->engine->profiles[0].items[i].input.len);
    for (size_t i = 0; i < graph->n_outputs; i++)
        longest = PG_MAX(longest, graph->outputs[i].name.len);
    return longest;
}

static void put_profiles(const printer *p)
{
    enum { GAP = 17 };
    const pg_graph *graph = p->engine->model->graph;
    size_t inputs = p->engine->profiles[0].count, width = longest_name(p) + GAP;
    pg_buf_printf(p->out, "---- %zu Profile(s) (%zu Tensor(s) Each) ----\n", p->engine->n_profiles,
                  inputs + graph->n_outputs);
    for (size_t n = 0; n < p->engine->n_profiles; n++) {
        pg_buf_printf(p->out, "- Profile: %zu\n", n);
        for (size_t i = 0; i < inputs; i++) {
            const pg_shape_range *range = &p->engine->profiles[n].items[i];
            pg_buf_printf(p->out, "    Tensor: %" PG_STR_FMT "%*s, Index: %zu | Shapes: min=",
                          PG_STR_ARG(range->input), (int)(width - range->input.len), "(Input)", i);
            pg_engine_dims_text(range->rank, range->min, p->out);
            pg_buf_puts(p->out, ", opt=");
            pg_engine_dims_text(range->rank, range->opt, p->out);
            pg_buf_puts(p->out, ", max=");
            pg_engine_dims_text(range->rank, range->max, p->out);
            pg_buf_putc(p->out, '\n');
        }
        for (size_t i = 0; i < graph->n_outputs; i++) {
            pg_buf_printf(p->out, "    Tensor: %" PG_STR_FMT "%*s, Index: %zu | Shape: ",
                          PG_STR_ARG(graph->outputs[i].name), (int)(width - graph->outputs[i].name.len),
                          "(Output)", inputs + i);
            pg_engine_shape_text(&graph->outputs[i].type, p->out);
            pg_buf_putc(p->out, '\n');
        }
        pg_buf_putc(p->out, '\n');
    }
}

static void put_layer(const printer *p, size_t index)
{
    const pg_engine_layer *layer = &p->engine->layers[index];
    pg_buf_printf(p->out, "Layer %-4zu | %" PG_STR_FMT " [Op: %" PG_STR_FMT "]\n    ", index,
                  PG_STR_ARG(layer->name), PG_STR_ARG(layer->op));
    put_names(p, layer->inputs, layer->n_inputs, ",\n     ");
    pg_buf_puts(p->out, layer->n_inputs > 0 ? "\n     -> " : " -> ");
    put_names(p, layer->outputs, layer->n_outputs, ",\n         ");
    pg_buf_putc(p->out, '\n');
    if (p->options.attrs)
        pg_buf_printf(p->out, "    ---- Attributes ----\n    Origin = %" PG_STR_FMT "\n    Tactic = %s\n",
                      PG_STR_ARG(layer->op), pg_tactic_name(layer->tactic));
    pg_buf_putc(p->out, '\n');
}

/* With less detail a layer is its name, as the peer shows one of which TensorRT tells no more. */
static void put_layer_name(const printer *p, size_t index)
{
    pg_buf_printf(p->out, "Layer %-4zu | %" PG_STR_FMT " [Op: Unknown]\n    {} -> {}\n\n", index,
                  PG_STR_ARG(p->engine->layers[index].name));
}

static void put_layers(const printer *p)
{
    const pg_verbosity verbosity = p->engine->verbosity;
    if (verbosity != PG_VERBOSITY_DETAILED)
        PG_LOG_WARNING("The engine was built with --profiling-verbosity %s: %s.",
                       verbosity == PG_VERBOSITY_NAMES ? "layer_names_only" : "none",
                       verbosity == PG_VERBOSITY_NAMES ? "layers are shown by their names alone"
                                                       : "its layers are not shown");
    for (size_t i = 0; verbosity != PG_VERBOSITY_NONE && i < p->engine->n_layers; i++)
        if (verbosity == PG_VERBOSITY_DETAILED)
            put_layer(p, i);
        else
            put_layer_name(p, i);
}

void pg_engine_text(const pg_engine *engine, const pg_engine_text_options *options, pg_buf *out)
{
    printer p = {.engine = engine, .options = *options, .out = out};
    pg_status_drop(pg_shapes_infer(engine->model, NULL, &p.shapes));
    put_io(&p);
    put_profiles(&p);
    pg_buf_printf(out, "---- %zu Layer(s) ----\n", engine->n_layers);
    if (options->layers)
        put_layers(&p);
    while (out->len > 0 && out->ptr[out->len - 1] == '\n')
        out->ptr[--out->len] = '\0';
    pg_shapes_free(p.shapes);
}
