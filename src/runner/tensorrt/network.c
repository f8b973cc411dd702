/* A model through the library's own ONNX parser. */
#include "runner/tensorrt/internal.h"

#include <stdlib.h>

#include "log/log.h"
#include "onnx/edit.h"
#include "onnx/save.h"

/* ---- Probes ---- */

/* A wrong table would read and write other things than it says: values that are set must come back. This runs
 * in the process that builds, so that even a fault here is only a message. */
static bool probe_threads(pg_trt *trt, trt_object *builder)
{
    int32_t before = TRT_CALL(trt, builder_get_max_threads, builder), after;
    if (before < 1 || !TRT_CALL(trt, builder_set_max_threads, builder, before + 1))
        return false;
    after = TRT_CALL(trt, builder_get_max_threads, builder);
    return TRT_CALL(trt, builder_set_max_threads, builder, before) && after == before + 1;
}

static bool probe_name(pg_trt *trt, trt_object *network)
{
    char before[128] = "";
    const char *name = TRT_CALL(trt, network_get_name, network);
    strncpy(before, name != NULL ? name : "", sizeof before - 1);
    TRT_CALL(trt, network_set_name, network, "probe");
    bool same = strcmp(TRT_CALL(trt, network_get_name, network), "probe") == 0;
    TRT_CALL(trt, network_set_name, network, before);
    return same;
}

static bool probe_input(pg_trt *trt, trt_object *network)
{
    trt_dims dims = {2, {-1, 7}}, read;
    trt_object *input = TRT_CALL(trt, network_add_input, network, "probe", 0, &dims);
    if (input == NULL || strcmp(TRT_CALL(trt, tensor_name, input), "probe") != 0)
        return false;
    read = TRT_CALL(trt, tensor_dims, input);
    bool same = read.rank == 2 && read.d[0] == -1 && read.d[1] == 7 &&
                TRT_CALL(trt, tensor_dtype, input) == 0 && TRT_CALL(trt, tensor_is_input, input) &&
                TRT_CALL(trt, network_n_inputs, network) == 1;
    TRT_CALL(trt, network_remove_tensor, network, input);
    return same && TRT_CALL(trt, network_n_inputs, network) == 0;
}

static pg_status probe(pg_trt_network *self)
{
    pg_trt *trt = self->trt;
    const char *failed = !probe_threads(trt, self->builder) ? "the builder's threads"
                         : !probe_name(trt, self->network)  ? "the network's name"
                         : !probe_input(trt, self->network) ? "a network input"
                                                            : NULL;
    if (failed == NULL)
        return NULL;
    return pg_err(PG_ERR_UNSUPPORTED,
                  "%s %s in '%s' does not answer as its version should (%s): its interface is not the one "
                  "that is known here",
                  trt->product, trt->version, trt->core.path, failed);
}

/* ---- Parsing ---- */

static pg_status parser_failed(pg_trt_network *self)
{
    pg_trt *trt = self->trt;
    pg_buf text = {0}, own = {0};
    int count = TRT_CALL(trt, parser_n_errors, self->parser);
    for (int i = 0; i < count; i++) {
        const trt_object *error = TRT_CALL(trt, parser_error, self->parser, i);
        const char *name = TRT_CALL(trt, error_node_name, error);
        const char *op = TRT_CALL(trt, error_operator, error);
        pg_buf_printf(&text, "\nnode %d '%s' (%s): %s", TRT_CALL(trt, error_node, error),
                      name != NULL ? name : "", op != NULL ? op : "?", TRT_CALL(trt, error_text, error));
    }
    if (count == 0 && pg_trt_errors_take(&trt->errors, &own))
        pg_buf_printf(&text, " %s", pg_buf_cstr(&own));
    pg_status status =
        pg_err(PG_ERR_INVALID, "%s %s cannot parse '%s':%s", trt->product, trt->version,
               self->model->path != NULL ? self->model->path : "the model", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    pg_buf_deinit(&own);
    pg_trt_errors_take(&trt->errors, &own);
    pg_buf_deinit(&own);
    return status;
}

static pg_status set_parser_flag(pg_trt_network *self, const char *option, const char *name, bool on)
{
    int flag;
    PG_TRY(pg_trt_option_enum(self->trt, option, TRT_ONNX_PARSER_FLAG, pg_str_c(name), &flag));
    if (on)
        TRT_CALL(self->trt, parser_set_flag, self->parser, flag);
    else
        TRT_CALL(self->trt, parser_clear_flag, self->parser, flag);
    if (TRT_CALL(self->trt, parser_get_flag, self->parser, flag) != on)
        return pg_trt_failed(self->trt, "change a flag of its parser");
    return NULL;
}

static pg_status set_parser_flags(pg_trt_network *self, const pg_trt_options *options)
{
    for (size_t i = 0; i < options->parser_flags.count; i++)
        PG_TRY(set_parser_flag(self, "--onnx-flags", options->parser_flags.items[i], true));
    if (options->uint8_dla)
        PG_TRY(set_parser_flag(self, "--enable-uint8-asymmetric-quantization-dla",
                               "ENABLE_UINT8_AND_ASYMMETRIC_QUANTIZATION_DLA", true));
    if (options->plugin_instance_norm)
        PG_TRY(set_parser_flag(self, "--plugin-instancenorm", "NATIVE_INSTANCENORM", false));
    return NULL;
}

/* The file itself where it is what the model is: the library maps weights that lie outside it. */
static pg_status parse(pg_trt_network *self)
{
    pg_trt *trt = self->trt;
    pg_model *model = self->model;
    bool parsed;
    if (model->path != NULL && !pg_model_is_modified(model)) {
        pg_arena arena = {0};
        char *path = pg_path_absolute(&arena, pg_str_c(model->path));
        parsed = TRT_CALL(trt, parser_parse_file, self->parser, path, TRT_SEVERITY_WARNING);
        pg_arena_deinit(&arena);
    } else {
        pg_str bytes;
        PG_TRY(pg_model_serialize(model, &self->bytes, &bytes));
        parsed = TRT_CALL(trt, parser_parse, self->parser, bytes.ptr, bytes.len, model->path);
    }
    return parsed ? NULL : parser_failed(self);
}

static pg_status load_plugins(pg_trt_network *self, const pg_trt_options *options)
{
    pg_trt *trt = self->trt;
    for (size_t i = 0; i < options->plugins.count; i++) {
        const char *path = options->plugins.items[i];
        PG_LOG_INFO("Loading plugin library: %s", path);
        trt_object *registry = trt->plugin_registry != NULL ? trt->plugin_registry() : NULL;
        if (registry == NULL)
            return pg_trt_lacks(trt, "--plugins", "plugin registry");
        if (TRT_CALL(trt, registry_load_library, registry, path) != NULL)
            continue;
        /* A library that registers its plugins by itself is loaded for its effect. */
        pg_dylib library;
        PG_TRY_CTX(pg_dylib_open(&library, path), "option '--plugins'");
        free(library.path);
    }
    return NULL;
}

/* ---- Types and formats ---- */

static pg_status dtype_of(const char *option, pg_str text, int *out)
{
    static const char *const short_names[][2] = {
        {"fp32", "float32"}, {"fp16", "float16"}, {"bf16", "bfloat16"}, {"fp8", "float8_e4m3fn"}};
    pg_dtype dtype = pg_dtype_parse(text);
    for (size_t i = 0; i < PG_COUNT(short_names); i++)
        if (pg_str_eq_nocase(text, pg_str_c(short_names[i][0])))
            dtype = pg_dtype_parse(pg_str_c(short_names[i][1]));
    for (*out = 0; pg_trt_dtype(*out) != PG_UNDEFINED; ++*out)
        if (pg_trt_dtype(*out) == dtype)
            return NULL;
    return pg_err(PG_ERR_INVALID, "option '%s': '%" PG_STR_FMT "' is no type that TensorRT has", option,
                  PG_STR_ARG(text));
}

static pg_status set_dtype(pg_trt_network *self, const char *option, trt_object *tensor, pg_str text)
{
    int dtype;
    if (!TRT_HAS(self->trt, tensor_set_dtype))
        return pg_trt_lacks(self->trt, option,
                            "way to change the type of a tensor: its networks are strongly typed, so change "
                            "the types in the model");
    PG_TRY(dtype_of(option, text, &dtype));
    TRT_CALL(self->trt, tensor_set_dtype, tensor, dtype);
    return NULL;
}

static pg_status set_formats(pg_trt_network *self, const char *option, trt_object *tensor, pg_str text)
{
    uint32_t formats = 0;
    if (text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
        text = pg_str_sub(text, 1, text.len - 1);
    for (pg_str name; pg_str_split(&text, ',', &name);) {
        int format;
        PG_TRY(pg_trt_option_enum(self->trt, option, TRT_TENSOR_FORMAT, pg_str_trim(name), &format));
        formats |= 1u << format;
    }
    TRT_CALL(self->trt, tensor_set_formats, tensor, formats);
    return NULL;
}

typedef pg_status (*io_fn)(pg_trt_network *self, const char *option, trt_object *tensor, pg_str text);

static pg_status for_all_io(pg_trt_network *self, const char *option, pg_str text, io_fn fn)
{
    pg_trt *trt = self->trt;
    for (int32_t i = 0; i < TRT_CALL(trt, network_n_inputs, self->network); i++)
        PG_TRY(fn(self, option, TRT_CALL(trt, network_input, self->network, i), text));
    for (int32_t i = 0; i < TRT_CALL(trt, network_n_outputs, self->network); i++)
        PG_TRY(fn(self, option, TRT_CALL(trt, network_output, self->network, i), text));
    return NULL;
}

static pg_status for_pairs(pg_trt_network *self, const char *option, const pg_trt_pairs *pairs, io_fn fn)
{
    for (size_t i = 0; i < pairs->count; i++) {
        trt_object *tensor;
        if (pairs->items[i].name.len == 0) {
            PG_TRY(for_all_io(self, option, pairs->items[i].value, fn));
            continue;
        }
        PG_TRY(pg_trt_get_tensor(self, option, pairs->items[i].name, &tensor));
        PG_TRY(fn(self, option, tensor, pairs->items[i].value));
    }
    return NULL;
}

static pg_status set_layer_precisions(pg_trt_network *self, const pg_trt_pairs *pairs)
{
    pg_trt *trt = self->trt;
    for (size_t p = 0; p < pairs->count; p++) {
        int dtype;
        bool found = false;
        PG_TRY(dtype_of("--layer-precisions", pairs->items[p].value, &dtype));
        for (int32_t i = 0; i < TRT_CALL(trt, network_n_layers, self->network); i++) {
            trt_object *layer = TRT_CALL(trt, network_layer, self->network, i);
            if (!pg_str_is(pairs->items[p].name, TRT_CALL(trt, layer_name, layer)))
                continue;
            TRT_CALL(trt, layer_set_precision, layer, dtype);
            found = true;
        }
        if (!found)
            return pg_err(PG_ERR_NOT_FOUND,
                          "option '--layer-precisions': the network has no layer '%" PG_STR_FMT
                          "': 'inspect model --display-as trt --show layers' lists them",
                          PG_STR_ARG(pairs->items[p].name));
    }
    return NULL;
}

/* An attention is behind its first layer. */
static pg_status make_attentions_decomposable(pg_trt_network *self)
{
    pg_trt *trt = self->trt;
    int type = trt_enum_value(trt->family, TRT_LAYER_TYPE, PG_STR("ATTENTION_INPUT")), found = 0;
    for (int32_t i = 0; i < TRT_CALL(trt, network_n_layers, self->network); i++) {
        trt_object *layer = TRT_CALL(trt, network_layer, self->network, i);
        if (TRT_CALL(trt, layer_type, layer) != type)
            continue;
        trt_object *attention = TRT_CALL(trt, boundary_attention, layer);
        found++;
        if (attention == NULL || !TRT_CALL(trt, attention_set_decomposable, attention, true) ||
            !TRT_CALL(trt, attention_get_decomposable, attention))
            return pg_trt_failed(trt, "let an attention be decomposed");
    }
    if (found == 0)
        PG_LOG_WARNING(
            "Option: --decomposable-attentions does nothing: the network has no attention layers.");
    else
        PG_LOG_INFO("%d attention(s) may be decomposed.", found);
    return NULL;
}

static pg_status mark_debug_tensors(pg_trt_network *self, const pg_trt_options *options)
{
    for (size_t i = 0; i < options->debug_tensors.count; i++) {
        trt_object *tensor;
        PG_TRY(pg_trt_get_tensor(self, "--mark-debug", pg_str_c(options->debug_tensors.items[i]), &tensor));
        if (!TRT_CALL(self->trt, network_mark_debug, self->network, tensor))
            return pg_trt_failed(self->trt, "mark a tensor for --mark-debug");
    }
    if (options->debug_unfused && !TRT_CALL(self->trt, network_mark_unfused_debug, self->network))
        return pg_trt_failed(self->trt, "mark tensors for --mark-unfused-tensors-as-debug-tensors");
    return NULL;
}

static pg_status refine(pg_trt_network *self, const pg_trt_options *options)
{
    PG_TRY(pg_trt_choose_outputs(self, options));
    PG_TRY(for_pairs(self, "--tensor-dtypes", &options->tensor_dtypes, set_dtype));
    PG_TRY(for_pairs(self, "--tensor-formats", &options->tensor_formats, set_formats));
    if (options->all_tensor_dtypes != NULL)
        PG_TRY(for_all_io(self, "--all-tensor-dtypes", pg_str_c(options->all_tensor_dtypes), set_dtype));
    if (options->all_tensor_formats.count > 0) {
        pg_buf list = {0};
        for (size_t i = 0; i < options->all_tensor_formats.count; i++)
            pg_buf_printf(&list, "%s%s", i > 0 ? "," : "", options->all_tensor_formats.items[i]);
        pg_status status = for_all_io(self, "--all-tensor-formats", pg_buf_str(&list), set_formats);
        pg_buf_deinit(&list);
        PG_TRY(status);
    }
    if (!pg_trt_is_strongly_typed(self->trt) && !options->strongly_typed) /* else they are in the model */
        PG_TRY(set_layer_precisions(self, &options->layer_precisions));
    if (options->decomposable_attentions)
        PG_TRY(make_attentions_decomposable(self));
    return mark_debug_tensors(self, options);
}

/* ---- Life cycle ---- */

/* Where types are not the model's by themselves, a strongly typed network is asked for by a flag. */
static uint32_t creation_flags(const pg_trt *trt, const pg_trt_options *options)
{
    int flag = trt_enum_value(trt->family, TRT_NETWORK_DEFINITION_CREATION_FLAG, PG_STR("STRONGLY_TYPED"));
    return pg_trt_is_strongly_typed(trt) || options->strongly_typed ? 1u << flag : 0;
}

pg_status pg_trt_network_init(pg_trt_network *self, pg_model *model, const pg_trt_options *options)
{
    pg_trt *trt;
    *self = (pg_trt_network){.model = pg_model_ref(model)};
    PG_TRY(pg_trt_get(options->library, &trt));
    self->trt = trt;
    if (trt->create_builder == NULL)
        return pg_err(PG_ERR_UNAVAILABLE, "'%s' can run engines, but not build them", trt->core.path);
    PG_TRY(load_plugins(self, options));
    self->builder = trt->create_builder(&trt->logger, trt->number);
    if (self->builder == NULL)
        return pg_trt_failed(trt, "create a builder");
    TRT_CALL(trt, builder_set_error_recorder, self->builder, &trt->errors);
    self->network = TRT_CALL(trt, builder_create_network, self->builder, creation_flags(trt, options));
    if (self->network == NULL)
        return pg_trt_failed(trt, "create a network");
    PG_TRY(probe(self));
    self->parser = trt->create_parser(self->network, &trt->logger, trt->number);
    if (self->parser == NULL)
        return pg_trt_failed(trt, "create a parser");
    PG_TRY(set_parser_flags(self, options));
    PG_TRY(pg_trt_retype(self, options));
    PG_TRY(parse(self));
    return refine(self, options);
}

void pg_trt_network_deinit(pg_trt_network *self)
{
    if (self->parser != NULL)
        TRT_CALL(self->trt, parser_delete, self->parser);
    trt_delete(self->timing_cache);
    pg_trt_calibrator_deinit(&self->calibrator);
    pg_trt_selector_deinit(&self->selector);
    trt_delete(self->network);
    trt_delete(self->builder);
    pg_buf_deinit(&self->bytes);
    pg_arena_deinit(&self->arena);
    pg_model_unref(self->model);
    *self = (pg_trt_network){0};
}
