#include <math.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/internal.h"
#include "log/log.h"
#include "surgery/fp16.h"
#include "surgery/quantize.h"

typedef struct build {
    const pg_build_config *config;
    pg_engine *engine;
    pg_model *model; /* counted; replaced by each step */
    pg_scales scales;
    pg_map dequantized; /* outputs of DequantizeLinear nodes */
    pg_dtype half;      /* of the 16-bit step that runs */
    pg_quantize_report quantized;
    pg_fp16_report halved;
} build;

/* ---- Which layer computes in what ---- */

/* The type that the user asks of a layer, PG_UNDEFINED without one; the last match counts. */
static pg_dtype asked_of(const build *b, const pg_node *node)
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

static pg_status check_precisions(const build *b)
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
    return pg_scales_get(&((const build *)context)->scales, tensor);
}

static bool may_be_int8(void *context, const pg_node *node)
{
    pg_dtype asked = asked_of(context, node);
    return asked == PG_UNDEFINED || asked == PG_I8;
}

/* Scales from the cache when it holds some, else from data; then the cache is written. */
static pg_status find_scales(build *b)
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

static void replace_model(build *b, pg_model *changed)
{
    pg_model_unref(b->model);
    b->model = changed;
}

static pg_status make_int8(build *b)
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
    const build *b = context;
    if (pg_str_is(node->op_type, "QuantizeLinear") || pg_str_is(node->op_type, "DequantizeLinear"))
        return true;
    for (size_t i = 0; i < node->n_inputs; i++)
        if (pg_map_has(&b->dequantized, node->inputs[i]))
            return true;
    pg_dtype asked = asked_of(b, node);
    bool by_default = allows(b->config, b->half) && !(b->half == PG_BF16 && b->config->fp16);
    return by_default ? asked != PG_UNDEFINED && asked != b->half : asked != b->half;
}

static pg_status make_half(build *b, pg_dtype to)
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

/* ---- Trying the result ---- */

static pg_status ones(const pg_value_info *info, pg_str input, size_t rank, const int64_t *dims,
                      pg_feed *feed)
{
    pg_tensor tensor;
    PG_TRY(pg_tensor_alloc(&tensor, info->type.elem, rank, dims));
    memset(tensor.data, 0, pg_tensor_bytes(&tensor));
    if (info->type.elem == PG_F32)
        for (uint64_t i = 0; i < pg_tensor_count(&tensor); i++)
            ((float *)tensor.data)[i] = 1;
    pg_feed_add(feed, input, pg_value_of_tensor(tensor));
    return NULL;
}

static pg_status run_profile(build *b, pg_session *session, const pg_shape_profile *profile, bool largest)
{
    pg_feed feed = {0}, outputs = {0};
    pg_status status = NULL;
    for (size_t i = 0; i < profile->count && status == NULL; i++) {
        const pg_shape_range *range = &profile->items[i];
        status = ones(pg_engine_find_input(b->model->graph, range->input), range->input, range->rank,
                      largest ? range->max : range->opt, &feed);
    }
    if (status == NULL)
        status = pg_session_run(session, &feed, &outputs);
    pg_feed_deinit(&outputs);
    pg_feed_deinit(&feed);
    return status;
}

static bool is_one_shape(const pg_shape_profile *profile)
{
    bool same = true;
    for (size_t i = 0; i < profile->count; i++)
        same = same && memcmp(profile->items[i].opt, profile->items[i].max,
                              profile->items[i].rank * sizeof *profile->items[i].opt) == 0;
    return same;
}

/* The optimal shapes, for which weights are packed; then the largest. */
static pg_status try_profile(build *b, pg_session *session, const pg_shape_profile *profile)
{
    PG_TRY(run_profile(b, session, profile, false));
    return is_one_shape(profile) ? NULL : run_profile(b, session, profile, true);
}

static bool is_fatal(pg_status status)
{
    pg_code code = pg_status_code(status);
    return code == PG_ERR_LIMIT || code == PG_ERR_NO_MEMORY || code == PG_ERR_UNSUPPORTED ||
           code == PG_ERR_INTERRUPTED;
}

/* Runs every profile's shapes; the session stays with the engine. Values that the model does not take (a stand-in for an index or a shape
 * may be out of range) are no reason to refuse the engine. */
static pg_status try_profiles(build *b)
{
    pg_engine *engine = b->engine;
    pg_native_options options =
        pg_engine_session_options(engine, &(pg_native_options){.threads = b->config->threads});
    PG_TRY(pg_session_new(engine->model, &options, &engine->session));
    pg_session *session = engine->session;
    pg_status status = NULL;
    for (size_t i = 0; i < engine->n_profiles && status == NULL; i++) {
        status = try_profile(b, session, &engine->profiles[i]);
        if (status != NULL && !is_fatal(status)) {
            PG_LOG_WARNING("Profile %zu could not be tried with made-up inputs (%s); give its shapes with "
                           "--input-shapes or --trt-max-shapes.",
                           i, pg_status_message(status));
            pg_status_drop(status);
            status = NULL;
        }
        status = pg_status_context(status, "with the largest shapes of profile %zu", i);
    }
    engine->peak_bytes = pg_session_peak_bytes(session);
    pg_engine_read_layers(engine, session);
    return status;
}

/* ---- The whole ---- */

static pg_str precision_text(const build *b)
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
    pg_str kept = pg_arena_str(&b->engine->arena, pg_buf_str(&text));
    pg_buf_deinit(&text);
    return kept;
}

static pg_status build_all(build *b)
{
    const pg_build_config *config = b->config;
    PG_TRY(pg_engine_take_profiles(b->engine, b->model->graph, config->profiles, config->n_profiles));
    PG_TRY(check_precisions(b));
    if (config->int8)
        PG_TRY(make_int8(b));
    if (needs(config, PG_BF16))
        PG_TRY(make_half(b, PG_BF16));
    if (needs(config, PG_F16))
        PG_TRY(make_half(b, PG_F16));
    b->engine->model = pg_model_ref(b->model);
    b->engine->name = pg_arena_str(&b->engine->arena, b->model->graph->name);
    b->engine->precision = precision_text(b);
    PG_TRY(try_profiles(b));
    if (!config->portable)
        pg_engine_lower(b->engine);
    return NULL;
}

pg_status pg_engine_build(const pg_model *model, const pg_build_config *config, pg_engine **out)
{
    pg_engine *engine = PG_NEW(pg_engine);
    engine->refs = 1;
    engine->level = config->level;
    engine->workspace = config->workspace;
    engine->version_compatible = config->version_compatible;
    build b = {.config = config, .engine = engine, .model = pg_model_ref((pg_model *)model)};
    pg_status status = build_all(&b);
    pg_model_unref(b.model);
    pg_scales_deinit(&b.scales);
    pg_map_deinit(&b.dequantized);
    if (status != NULL) {
        pg_engine_unref(engine);
        return pg_status_context(status, "while building the engine");
    }
    *out = engine;
    return NULL;
}
