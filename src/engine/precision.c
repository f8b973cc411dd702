/* Which layer of an engine computes in what, written into the model: folded scalings, quantization, 16-bit types. */
#include "base/file.h"
#include "engine/internal.h"
#include "log/log.h"
#include "surgery/affine.h"
#include "surgery/fp16.h"
#include "surgery/quantize.h"

typedef struct precisions {
    const pg_build_config *config;
    pg_model *model; /* counted; replaced by each step */
    pg_scales scales;
    pg_map dequantized; /* outputs of DequantizeLinear nodes */
    pg_dtype half;      /* of the 16-bit step that runs */
    pg_quantize_report quantized;
    pg_fp16_report halved;
} precisions;

/* ---- Which layer computes in what ---- */

/* The type that the user asks of a layer, PG_UNDEFINED without one; the last match counts. */
static pg_dtype asked_of(const precisions *b, const pg_node *node)
{
    pg_dtype found = PG_UNDEFINED;
    if (b->config->constraints == PG_CONSTRAINTS_NONE)
        return PG_UNDEFINED;
    for (size_t i = 0; i < b->config->n_precisions; i++)
        if (pg_str_wildcard(b->config->precisions[i].layer, node->name))
            found = b->config->precisions[i].dtype;
    return found;
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
        if (row->dtype == PG_I8 && !b->config->int8)
            return pg_err(PG_ERR_INVALID,
                          "layer '%" PG_STR_FMT "' shall compute in int8, which needs scales: add --int8",
                          PG_STR_ARG(row->layer));
    }
    if (b->config->n_precisions > 0 && b->config->constraints == PG_CONSTRAINTS_NONE)
        PG_LOG_WARNING("The precisions of layers have no effect without '--precision-constraints prefer' or "
                       "'obey'.");
    return NULL;
}

/* ---- int8 ---- */

static float scale_of(void *context, pg_str tensor)
{
    return pg_scales_get(&((const precisions *)context)->scales, tensor);
}

static bool may_be_int8(void *context, const pg_node *node)
{
    const precisions *b = context;
    pg_dtype asked = asked_of(b, node);
    if (b->config->float_convolutions && pg_str_is(node->op_type, "Conv"))
        return false;
    return asked == PG_UNDEFINED || asked == PG_I8;
}

/* Scales from the cache when it holds some, else from data; then the cache is written. */
static pg_status find_scales(precisions *b)
{
    const pg_build_config *config = b->config;
    const char *cache = config->calibration_cache;
    pg_calibrator found = PG_CALIBRATORS;
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
            "int8 needs scales: give a calibration cache or data to calibrate with, or a model with "
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

static pg_status make_int8(precisions *b)
{
    pg_model *changed;
    pg_quantize_options options = {.context = b, .scale_of = scale_of, .wanted = may_be_int8};
    if (pg_surgery_is_quantized(b->model->graph)) {
        PG_LOG_INFO("The model is quantized already: its own scales are used.");
        return NULL;
    }
    PG_TRY(find_scales(b));
    PG_TRY(pg_surgery_quantize(b->model, &options, &b->quantized, &changed));
    replace_model(b, changed);
    if (b->quantized.nodes == 0 && b->quantized.no_scale > 0)
        return pg_err(PG_ERR_INVALID,
                      "the scales do not fit this model: none of them is for '%" PG_STR_FMT
                      "' or for an input of another convolution or matrix product",
                      PG_STR_ARG(b->quantized.first_bare));
    if (b->quantized.no_scale > 0)
        PG_LOG_WARNING("%zu layers stay in floating point: there is no scale for '%" PG_STR_FMT "'%s.",
                       b->quantized.no_scale, PG_STR_ARG(b->quantized.first_bare),
                       b->quantized.no_scale > 1 ? " and for inputs of others" : "");
    PG_LOG_INFO("%zu layers read int8; %zu weights are stored as int8.", b->quantized.nodes,
                b->quantized.weights);
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
    const char *types[4] = {NULL};
    size_t count = 0;
    pg_buf text = {0};
    if (b->config->int8)
        types[count++] = "int8";
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
    enum { FUSING = 2 }; /* level from which on nodes are fused */
    const pg_build_config *config = b->config;
    const bool narrow = config->int8 || needs(config, PG_BF16) || needs(config, PG_F16);
    PG_TRY(check_precisions(b));
    if (narrow && config->level >= FUSING && !pg_surgery_is_quantized(b->model->graph))
        PG_TRY(fold_scalings(b));
    if (config->int8)
        PG_TRY(make_int8(b));
    if (needs(config, PG_BF16))
        PG_TRY(make_half(b, PG_BF16));
    if (needs(config, PG_F16))
        PG_TRY(make_half(b, PG_F16));
    return NULL;
}

pg_status pg_engine_set_precisions(const pg_model *model, const pg_build_config *config, pg_arena *arena,
                                   pg_model **out, pg_str *out_text)
{
    precisions b = {.config = config, .model = pg_model_ref((pg_model *)model)};
    pg_status status = set_all(&b);
    if (status == NULL) {
        *out = pg_model_ref(b.model);
        *out_text = precision_text(&b, arena);
    }
    pg_model_unref(b.model);
    pg_scales_deinit(&b.scales);
    pg_map_deinit(&b.dequantized);
    return status;
}
