/* Which layer of an engine computes in what, written into the model: folded scalings, quantization, 16-bit types. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/vec.h"
#include "engine/internal.h"
#include "log/log.h"
#include "surgery/affine.h"
#include "surgery/fp16.h"
#include "surgery/quantize.h"

/* A layer that 8 bits change. */
typedef struct changed_layer {
    pg_str name;
    double noise; /* expected, as a part of its results' power */
} changed_layer;

typedef struct precisions {
    const pg_build_config *config;
    pg_model *model; /* counted; replaced by each step */
    pg_scales scales;
    pg_dtype eight;                /* PG_I8 or PG_F8E4M3FN */
    PG_VEC(changed_layer) changed; /* by the quantization of this build */
    pg_map changed_outputs;        /* of those nodes */
    pg_map dequantized;            /* outputs of DequantizeLinear nodes */
    pg_dtype half;                 /* of the 16-bit step that runs */
    pg_quantize_report quantized;
    pg_fp16_report halved;
} precisions;

/* ---- Which layer computes in what ---- */

/* What the user asks of a layer, NULL without; the last match counts. */
static const pg_layer_precision *row_of(const precisions *b, const pg_node *node)
{
    const pg_layer_precision *found = NULL;
    if (b->config->constraints == PG_CONSTRAINTS_NONE)
        return NULL;
    for (size_t i = 0; i < b->config->n_precisions; i++)
        if (pg_str_wildcard(b->config->precisions[i].layer, node->name))
            found = &b->config->precisions[i];
    return found;
}

/* The type that is asked, PG_UNDEFINED for none. */
static pg_dtype asked_of(const precisions *b, const pg_node *node)
{
    const pg_layer_precision *row = row_of(b, node);
    return row != NULL ? row->dtype : PG_UNDEFINED;
}

/* A layer that does not compute in the type that is asked of it by its name. A wildcard asks only those that can. */
static pg_status unmet(const precisions *b, const pg_node *node, const char *why)
{
    const pg_layer_precision *row = row_of(b, node);
    if (row == NULL || !pg_str_eq(row->layer, node->name))
        return NULL;
    if (b->config->constraints == PG_CONSTRAINTS_OBEY)
        return pg_err(PG_ERR_INVALID,
                      "layer '%" PG_STR_FMT
                      "' cannot compute in %s: %s; take it out of --layer-precisions, or say "
                      "'--precision-constraints prefer'",
                      PG_STR_ARG(node->name), pg_dtype_name(row->dtype), why);
    PG_LOG_WARNING("Layer '%" PG_STR_FMT "' does not compute in %s: %s.", PG_STR_ARG(node->name),
                   pg_dtype_name(row->dtype), why);
    return NULL;
}

/* Whether layers that nothing is asked of may compute in a type. */
static bool allows(const pg_build_config *config, pg_dtype dtype)
{
    return (dtype == PG_F16 && config->fp16) || (dtype == PG_BF16 && config->bf16);
}

/* Whether the type is allowed, or asked of a layer. */
static bool needs(const pg_build_config *config, pg_dtype dtype)
{
    bool asked = false;
    for (size_t i = 0; i < config->n_precisions && config->constraints != PG_CONSTRAINTS_NONE; i++)
        asked = asked || config->precisions[i].dtype == dtype;
    return asked || allows(config, dtype);
}

static pg_status check_precisions(const precisions *b)
{
    const pg_graph *graph = b->model->graph;
    for (size_t i = 0; i < b->config->n_precisions; i++) {
        const pg_layer_precision *row = &b->config->precisions[i];
        bool matched = false;
        for (size_t n = 0; n < graph->n_nodes && !matched; n++)
            matched = pg_str_wildcard(row->layer, graph->nodes[n].name);
        if (!matched)
            return pg_engine_unknown_layer(b->model, row->layer);
        if ((row->dtype == PG_I8 && !b->config->int8) || (row->dtype == PG_F8E4M3FN && !b->config->fp8))
            return pg_err(PG_ERR_INVALID,
                          "layer '%" PG_STR_FMT "' shall compute in %s, which needs scales: add %s",
                          PG_STR_ARG(row->layer), row->dtype == PG_I8 ? "int8" : "fp8",
                          row->dtype == PG_I8 ? "--int8" : "--fp8");
    }
    if (b->config->n_precisions > 0 && b->config->constraints == PG_CONSTRAINTS_NONE)
        PG_LOG_WARNING("The precisions of layers have no effect without '--precision-constraints prefer' or "
                       "'obey'.");
    return NULL;
}

/* ---- 8 bits ---- */

/* Scales are kept as those of int8. */
static float scale_of(void *context, pg_str tensor)
{
    const precisions *b = context;
    const float scale = pg_scales_get(&b->scales, tensor);
    return b->eight == PG_F8E4M3FN ? scale * 127 / 448 : scale;
}

static bool may_be_8bit(void *context, const pg_node *node)
{
    const precisions *b = context;
    const pg_dtype asked = asked_of(b, node);
    if (b->eight == PG_I8 && b->config->float_convolutions && pg_str_is(node->op_type, "Conv"))
        return false;
    return asked == PG_UNDEFINED || asked == b->eight;
}

static void note_chosen(void *context, const pg_node *node, double noise)
{
    precisions *b = context;
    for (size_t i = 0; i < PG_MIN(node->n_inputs, (size_t)2); i++)
        noise += pg_scales_noise(&b->scales, node->inputs[i]);
    PG_VEC_PUSH(&b->changed, ((changed_layer){node->name, noise}));
    pg_map_put(&b->changed_outputs, node->outputs[0], NULL);
}

static int by_noise(const void *left, const void *right)
{
    const double a = ((const changed_layer *)left)->noise, b = ((const changed_layer *)right)->noise;
    return a > b ? -1 : a < b;
}

/* Names the layers that lose most, by what their inputs and weights lose. */
static void log_noise(precisions *b)
{
    enum { SHOWN = 5 };
    if (b->changed.len > 0)
        qsort(b->changed.items, b->changed.len, sizeof *b->changed.items, by_noise);
    for (size_t i = 0; i < PG_MIN(b->changed.len, (size_t)SHOWN); i++)
        if (b->changed.items[i].noise > 0)
            PG_LOG_VERBOSE("Rounding to int8 leaves layer '%" PG_STR_FMT
                           "' an expected signal-to-noise ratio of %.1f dB.",
                           PG_STR_ARG(b->changed.items[i].name), -10 * log10(b->changed.items[i].noise));
}

/* Whether every layer computes in 8 bits, or not, as it was asked to; `quantized` has the outputs of those that do. */
static pg_status check_8bit(const precisions *b, const pg_graph *graph, const pg_map *quantized,
                            const char *why_not, const char *why)
{
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const pg_node *node = &graph->nodes[n];
        const pg_dtype asked = asked_of(b, node);
        const bool is = node->n_outputs > 0 && pg_map_has(quantized, node->outputs[0]);
        if (asked == b->eight && !is)
            PG_TRY(unmet(b, node, why_not));
        if (asked != PG_UNDEFINED && asked != b->eight && is)
            PG_TRY(unmet(b, node, why));
    }
    return NULL;
}

/* Scales from the cache when it holds some, else from data; then the cache is written. */
static pg_status find_scales(precisions *b)
{
    const pg_build_config *config = b->config;
    const char *cache = config->calibration_cache;
    pg_calibrator found = PG_CALIBRATORS;
    if (config->scales != NULL && config->scales->items.len > 0) {
        for (size_t i = 0; i < config->scales->items.len; i++)
            pg_scales_put(&b->scales, config->scales->items.items[i].tensor,
                          config->scales->items.items[i].value);
        return NULL;
    }
    if (cache != NULL && pg_path_exists(cache)) {
        PG_TRY(pg_scales_read(cache, &b->scales, &found));
        if (found != PG_CALIBRATORS && found != config->calibration.calibrator)
            PG_LOG_WARNING("The calibration cache '%s' was made by %s, not %s; it is used as it is.", cache,
                           pg_calibrator_class(found), pg_calibrator_class(config->calibration.calibrator));
        if (b->scales.items.len > 0) {
            PG_LOG_INFO("Using the %zu scales of the calibration cache '%s'.", b->scales.items.len, cache);
            return NULL;
        }
    }
    if (config->data == NULL)
        return pg_err(
            PG_ERR_INVALID,
            "8 bits need scales: give a calibration cache or data to calibrate with, or a model with "
            "QuantizeLinear and DequantizeLinear nodes");
    PG_TRY(pg_calibrate(b->model, &config->calibration, config->data, config->data_context, &b->scales));
    PG_LOG_INFO("Calibrated %zu tensors with %s.", b->scales.items.len,
                pg_calibrator_class(config->calibration.calibrator));
    return cache != NULL ? pg_scales_write(&b->scales, config->calibration.calibrator, cache) : NULL;
}

static void replace_model(precisions *b, pg_model *changed)
{
    pg_model_unref(b->model);
    b->model = changed;
}

/* Nodes that read what a DequantizeLinear made. */
static void list_quantized(const pg_graph *graph, pg_map *out)
{
    pg_map real = {0};
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const pg_node *node = &graph->nodes[n];
        if (pg_str_is(node->op_type, "DequantizeLinear") && node->n_outputs > 0)
            pg_map_put(&real, node->outputs[0], NULL);
        for (size_t i = 0; i < node->n_inputs; i++)
            if (pg_map_has(&real, node->inputs[i]) && node->n_outputs > 0)
                pg_map_put(out, node->outputs[0], NULL);
    }
    pg_map_deinit(&real);
}

/* A model with its own scales: nothing is calibrated. */
static pg_status keep_own_scales(precisions *b)
{
    const char *why = "the model's own QuantizeLinear and DequantizeLinear nodes say what is quantized";
    pg_map quantized = {0};
    PG_LOG_INFO("The model is quantized already: its own scales are used.");
    list_quantized(b->model->graph, &quantized);
    pg_status status = check_8bit(b, b->model->graph, &quantized, why, why);
    pg_map_deinit(&quantized);
    return status;
}

static pg_status make_8bit(precisions *b)
{
    pg_model *changed;
    const pg_quantize_options options = {
        .context = b, .to = b->eight, .scale_of = scale_of, .wanted = may_be_8bit, .chosen = note_chosen};
    const char *type = b->eight == PG_I8 ? "int8" : "fp8";
    if (pg_surgery_is_quantized(b->model->graph))
        return keep_own_scales(b);
    PG_TRY(find_scales(b));
    PG_TRY(pg_surgery_quantize(b->model, &options, &b->quantized, &changed));
    pg_status status =
        check_8bit(b, b->model->graph, &b->changed_outputs,
                   "it is neither a convolution or product with scales for its inputs nor between such",
                   "it was quantized");
    if (b->eight == PG_I8)
        log_noise(b);
    replace_model(b, changed);
    PG_TRY(status);
    if (b->quantized.nodes == 0 && b->quantized.no_scale > 0)
        return pg_err(PG_ERR_INVALID,
                      "the scales do not fit this model: none of them is for '%" PG_STR_FMT
                      "' or for an input of another convolution or matrix product",
                      PG_STR_ARG(b->quantized.first_bare));
    if (b->quantized.no_scale > 0)
        PG_LOG_WARNING("%zu layers stay in floating point: there is no scale for '%" PG_STR_FMT "'%s.",
                       b->quantized.no_scale, PG_STR_ARG(b->quantized.first_bare),
                       b->quantized.no_scale > 1 ? " and for inputs of others" : "");
    PG_LOG_INFO("%zu layers read %s; %zu weights are stored as %s.", b->quantized.nodes, type,
                b->quantized.weights, type);
    return NULL;
}

/* ---- 16 bits ---- */

/* What is quantized computes in int8 anyway; the rest follows the user's word. */
static bool keeps_float(void *context, const pg_node *node)
{
    const precisions *b = context;
    if (pg_str_is(node->op_type, "QuantizeLinear") || pg_str_is(node->op_type, "DequantizeLinear"))
        return true;
    for (size_t i = 0; i < node->n_inputs; i++)
        if (pg_map_has(&b->dequantized, node->inputs[i]))
            return true;
    pg_dtype asked = asked_of(b, node);
    bool by_default = allows(b->config, b->half) && !(b->half == PG_BF16 && b->config->fp16);
    return by_default ? asked != PG_UNDEFINED && asked != b->half : asked != b->half;
}

static pg_status make_half(precisions *b, pg_dtype to)
{
    pg_model *changed;
    pg_fp16_options options = {.to = to, .keeps = keeps_float, .context = b};
    const pg_graph *graph = b->model->graph;
    b->half = to;
    for (size_t n = 0; n < graph->n_nodes; n++)
        if (pg_str_is(graph->nodes[n].op_type, "DequantizeLinear") && graph->nodes[n].n_outputs > 0)
            pg_map_put(&b->dequantized, graph->nodes[n].outputs[0], NULL);
    for (size_t n = 0; n < graph->n_nodes; n++)
        if (asked_of(b, &graph->nodes[n]) == to && keeps_float(b, &graph->nodes[n]))
            PG_TRY(unmet(b, &graph->nodes[n], "it reads 8-bit codes"));
    PG_TRY(pg_surgery_fp16(b->model, &options, &b->halved, &changed));
    pg_map_deinit(&b->dequantized);
    replace_model(b, changed);
    if (b->halved.clamped + b->halved.raised > 0)
        PG_LOG_WARNING("%llu elements of the weights lie beyond the range of %s and %llu below its smallest "
                       "number; they became the nearest there is.",
                       (unsigned long long)b->halved.clamped, pg_dtype_name(to),
                       (unsigned long long)b->halved.raised);
    return NULL;
}

/* ---- The whole ---- */

static bool folds(void *context, const pg_node *product, const pg_node *reader)
{
    return asked_of(context, product) == asked_of(context, reader);
}

/* Scalings join weights before anything is rounded. */
static pg_status fold_scalings(precisions *b)
{
    pg_model *changed;
    size_t folded;
    const pg_fold_affine_options options = {folds, b};
    PG_TRY(pg_surgery_fold_affine(b->model, &options, &folded, &changed));
    replace_model(b, changed);
    if (folded > 0)
        PG_LOG_VERBOSE("Folded %zu scalings and shifts into the weights of convolutions and products.",
                       folded);
    return NULL;
}

static pg_str precision_text(const precisions *b, pg_arena *arena)
{
    const char *types[5] = {NULL};
    size_t count = 0;
    pg_buf text = {0};
    if (b->config->int8)
        types[count++] = "int8";
    if (b->config->fp8)
        types[count++] = "float8e4m3fn";
    if (needs(b->config, PG_F16))
        types[count++] = "float16";
    if (needs(b->config, PG_BF16))
        types[count++] = "bfloat16";
    if (count == 0)
        types[count++] = "float32";
    for (size_t i = 0; i < count; i++)
        pg_buf_printf(&text, "%s%s", i > 0 ? "+" : "", types[i]);
    pg_str kept = pg_arena_str(arena, pg_buf_str(&text));
    pg_buf_deinit(&text);
    return kept;
}

static pg_status set_all(precisions *b)
{
    enum { FUSING = 1 }; /* level from which on nodes are fused */
    const pg_build_config *config = b->config;
    const bool narrow = config->int8 || config->fp8 || needs(config, PG_BF16) || needs(config, PG_F16);
    PG_TRY(check_precisions(b));
    if (narrow && config->level >= FUSING && !pg_surgery_is_quantized(b->model->graph))
        PG_TRY(fold_scalings(b));
    if (config->int8 || config->fp8)
        PG_TRY(make_8bit(b));
    if (needs(config, PG_BF16))
        PG_TRY(make_half(b, PG_BF16));
    if (needs(config, PG_F16))
        PG_TRY(make_half(b, PG_F16));
    return NULL;
}

pg_status pg_engine_set_precisions(const pg_model *model, const pg_build_config *config, pg_arena *arena,
                                   pg_model **out, pg_str *out_text, pg_scales *out_scales)
{
    precisions b = {.config = config,
                    .model = pg_model_ref((pg_model *)model),
                    .eight = config->fp8 ? PG_F8E4M3FN : PG_I8};
    pg_status status = set_all(&b);
    if (status == NULL) {
        *out = pg_model_ref(b.model);
        *out_text = precision_text(&b, arena);
    }
    if (status == NULL && out_scales != NULL) {
        *out_scales = b.scales;
        b.scales = (pg_scales){0};
    }
    pg_model_unref(b.model);
    pg_scales_deinit(&b.scales);
    pg_map_deinit(&b.dequantized);
    pg_map_deinit(&b.changed_outputs);
    PG_VEC_FREE(&b.changed);
    return status;
}
