#include <string.h>

#include "tools/template/internal.h"
#include "tools/tools.h"

typedef struct network_args {
    pg_args_logging logging;
    pg_args_model model;
    pg_args_onnx onnx;
    const char *output;
} network_args;

static const pg_option output_rows[] = {
    {"-o --output", PG_FIELD(network_args, output), .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .metavar = "FILE", .help = "where to write the script; '-' is the standard output"},
};
static const pg_group output_group = {NULL, output_rows, PG_COUNT(output_rows)};

static const pg_group_use groups[] = {
    {&pg_group_logging, offsetof(network_args, logging)},
    {&pg_group_model, offsetof(network_args, model), .without = "--input-shapes"},
    {&pg_group_tf, .without = "--save-pb --save-tensorboard"},
    {&pg_group_tf_onnx},
    {&pg_group_onnx, offsetof(network_args, onnx)},
    {&pg_group_trt_plugins, .as_words = true},
    {&pg_group_trt_network, .as_words = true},
    {&pg_group_trt_parser, .as_words = true},
    {&output_group, 0},
};

/* Of the groups that are read as words. */
static const char *const of_network[] = {"--trt-outputs",
                                         "--trt-exclude-outputs",
                                         "--trt-outputs-by-type",
                                         "--layer-precisions",
                                         "--decomposable-attentions",
                                         "--tensor-dtypes",
                                         "--all-tensor-dtypes",
                                         "--tensor-formats",
                                         "--all-tensor-formats",
                                         "--trt-network-postprocess-script",
                                         "--strongly-typed",
                                         "--mark-debug",
                                         "--mark-unfused-tensors-as-debug-tensors",
                                         "--plugins",
                                         "--onnx-flags",
                                         "--plugin-instancenorm",
                                         "--enable-uint8-asymmetric-quantization-dla"};

/* ---- The network as the parser leaves it ---- */

static pg_status put_parser_flags(const pg_parse_result *parsed, pg_buf *out)
{
    const pg_option_use *flags = template_find(parsed, "--onnx-flags");
    if (flags != NULL)
        PG_TRY(template_enums(out, flags, "--onnx-flags", "flags", "OnnxParserFlag"));
    pg_python_true(out, "plugin_instancenorm", template_given(parsed, "--plugin-instancenorm"));
    pg_python_true(out, "enable_uint8_asymmetric_quantization_dla",
                   template_given(parsed, "--enable-uint8-asymmetric-quantization-dla"));
    return NULL;
}

static void put_network_flags(const pg_parse_result *parsed, pg_buf *out)
{
    pg_python_true(out, "strongly_typed", template_given(parsed, "--strongly-typed"));
    pg_python_true(out, "mark_unfused_tensors_as_debug_tensors",
                   template_given(parsed, "--mark-unfused-tensors-as-debug-tensors"));
}

static void put_plugins(pg_python *py, const pg_parse_result *parsed, const char *object)
{
    const pg_option_use *use = template_find(parsed, "--plugins");
    if (use == NULL)
        return;
    pg_python_need(py, TEMPLATE_TRT, "LoadPlugins");
    pg_buf_printf(&py->body, "%s = LoadPlugins(plugins=", object);
    pg_python_texts(&py->body, use->words, use->n_words);
    pg_buf_printf(&py->body, ", obj=%s)\n", object);
}

static pg_status write_parsed(pg_python *py, const pg_parse_result *parsed, const network_args *args)
{
    pg_buf call = {0};
    bool by_path = pg_python_model(py, &args->model, &args->onnx, NULL, NULL);
    const char *loader = by_path ? "NetworkFromOnnxPath" : "NetworkFromOnnxBytes";
    put_plugins(py, parsed, "model");
    if (!by_path)
        pg_python_need(py, "polygraphy.backend.onnx", "BytesFromOnnx");
    pg_buf_puts(&call, by_path ? "model" : "BytesFromOnnx(model)");
    pg_status status = put_parser_flags(parsed, &call);
    put_network_flags(parsed, &call);
    pg_python_need(py, TEMPLATE_TRT, loader);
    pg_python_call(py, "network_loader", loader, &call);
    pg_buf_deinit(&call);
    return status;
}

/* Without a model there is only an empty network. */
static pg_status write_empty(pg_python *py, const pg_parse_result *parsed)
{
    pg_buf call = {0};
    for (size_t i = 0; i < PG_COUNT(of_network); i++)
        if (template_given(parsed, of_network[i]) && strcmp(of_network[i], "--strongly-typed") != 0 &&
            strcmp(of_network[i], "--mark-unfused-tensors-as-debug-tensors") != 0)
            return pg_err(PG_ERR_INVALID,
                          "option '%s' needs a model: an empty network has nothing to apply it to",
                          of_network[i]);
    put_network_flags(parsed, &call);
    pg_python_need(py, TEMPLATE_TRT, "CreateNetwork");
    pg_python_call(py, "network_loader", "CreateNetwork", &call);
    pg_buf_deinit(&call);
    return NULL;
}

/* ---- Steps after it, in the order in which they are taken ---- */

static void put_step(pg_python *py, const char *loader, const char *arguments)
{
    pg_python_need(py, TEMPLATE_TRT, loader);
    pg_buf_printf(&py->body, "network_loader = %s(network_loader%s)\n", loader, arguments);
}

static void write_postprocessing(pg_python *py, const pg_parse_result *parsed)
{
    const pg_option_use *use = template_find(parsed, "--trt-network-postprocess-script");
    for (size_t i = 0; use != NULL && i < use->n_words; i++) {
        pg_buf arguments = {0};
        pg_str path, function;
        pg_value_script(pg_str_c(use->words[i]), &path, &function);
        if (function.len == 0)
            function = PG_STR("postprocess");
        pg_buf_puts(&arguments, ", func=");
        template_invoke(py, &arguments, use->words[i], "postprocess");
        pg_buf_puts(&arguments, ", name=");
        pg_python_text(&arguments, pg_str_c(pg_arena_printf(py->arena, "%" PG_STR_FMT ":%" PG_STR_FMT,
                                                            PG_STR_ARG(path), PG_STR_ARG(function))));
        put_step(py, "PostprocessNetwork", pg_buf_cstr(&arguments));
        pg_buf_deinit(&arguments);
    }
}

static bool means_all(const pg_option_use *use)
{
    return (use->n_words == 1 &&
            (strcmp(use->words[0], "*") == 0 || strcmp(use->words[0], "mark all") == 0)) ||
           (use->n_words == 2 && strcmp(use->words[0], "mark") == 0 && strcmp(use->words[1], "all") == 0);
}

static void write_outputs(pg_python *py, const pg_parse_result *parsed)
{
    const pg_option_use *outputs = template_find(parsed, "--trt-outputs");
    const pg_option_use *excluded = template_find(parsed, "--trt-exclude-outputs");
    const pg_option_use *types = template_find(parsed, "--trt-outputs-by-type");
    pg_buf arguments = {0};
    if (outputs != NULL && means_all(outputs)) {
        pg_python_need(py, "polygraphy", "constants");
        pg_buf_puts(&arguments, ", outputs=constants.MARK_ALL");
    } else if (outputs != NULL) {
        pg_buf_puts(&arguments, ", outputs=");
        pg_python_texts(&arguments, outputs->words, outputs->n_words);
    }
    if (excluded != NULL) {
        pg_buf_puts(&arguments, ", exclude_outputs=");
        pg_python_texts(&arguments, excluded->words, excluded->n_words);
    }
    if (types != NULL) {
        pg_buf_puts(&arguments, ", mark_layer_types=");
        pg_python_texts(&arguments, types->words, types->n_words);
    }
    if (arguments.len > 0)
        put_step(py, "ModifyNetworkOutputs", pg_buf_cstr(&arguments));
    pg_buf_deinit(&arguments);
}

/* {"name": trt.float16, ...}, or with `class_name` {"name": [trt.TensorFormat.LINEAR], ...} */
static pg_status put_by_name(pg_python *py, pg_buf *out, const char *option, const pg_option_use *use,
                             const char *class_name)
{
    pg_buf_putc(out, '{');
    for (size_t i = 0; i < use->n_words; i++) {
        pg_name_value part = pg_value_split(pg_str_c(use->words[i]));
        pg_buf_puts(out, i > 0 ? ", " : "");
        pg_python_text(out, part.name);
        pg_buf_puts(out, class_name != NULL ? ": [" : ": ");
        pg_scalar value = pg_value_scalar(part.value, py->arena);
        bool list = value.kind == PG_SCALAR_LIST;
        for (size_t k = 0; k < (list ? value.count : 1); k++) {
            pg_buf_puts(out, k > 0 ? ", " : "");
            PG_TRY(
                template_enum(out, option, class_name, list ? value.items[k].text : pg_str_trim(part.value)));
        }
        pg_buf_puts(out, class_name != NULL ? "]" : "");
    }
    pg_buf_putc(out, '}');
    return NULL;
}

static pg_status write_named(pg_python *py, const pg_parse_result *parsed, const char *option,
                             const char *loader, const char *keyword, const char *class_name)
{
    const pg_option_use *use = template_find(parsed, option);
    pg_buf arguments = {0};
    if (use == NULL)
        return NULL;
    pg_buf_printf(&arguments, ", %s=", keyword);
    pg_status status = put_by_name(py, &arguments, option, use, class_name);
    if (status == NULL)
        put_step(py, loader, pg_buf_cstr(&arguments));
    pg_buf_deinit(&arguments);
    return status;
}

static pg_status write_for_all(pg_python *py, const pg_parse_result *parsed)
{
    const char *dtype = template_word(parsed, "--all-tensor-dtypes");
    const pg_option_use *formats = template_find(parsed, "--all-tensor-formats");
    pg_buf arguments = {0};
    pg_status status = NULL;
    if (dtype != NULL) {
        pg_buf_puts(&arguments, ", tensor_datatypes=");
        PG_TRY_GOTO(status, template_enum(&arguments, "--all-tensor-dtypes", NULL, pg_str_c(dtype)));
        put_step(py, "SetTensorDatatypes", pg_buf_cstr(&arguments));
    }
    pg_buf_clear(&arguments);
    if (formats != NULL) {
        PG_TRY_GOTO(status, template_enums(&arguments, formats, "--all-tensor-formats", "tensor_formats",
                                           "TensorFormat"));
        put_step(py, "SetTensorFormats", pg_buf_cstr(&arguments));
    }
done:
    pg_buf_deinit(&arguments);
    return status;
}

static void write_debug(pg_python *py, const pg_parse_result *parsed)
{
    const pg_option_use *use = template_find(parsed, "--mark-debug");
    pg_buf arguments = {0};
    if (use == NULL)
        return;
    pg_buf_puts(&arguments, ", mark_debug=");
    pg_python_texts(&arguments, use->words, use->n_words);
    put_step(py, "MarkDebug", pg_buf_cstr(&arguments));
    pg_buf_deinit(&arguments);
}

static pg_status check_pairs(const pg_parse_result *parsed)
{
    static const char *const pairs[][2] = {{"--tensor-dtypes", "--all-tensor-dtypes"},
                                           {"--tensor-formats", "--all-tensor-formats"}};
    for (size_t i = 0; i < PG_COUNT(pairs); i++)
        if (template_given(parsed, pairs[i][0]) && template_given(parsed, pairs[i][1]))
            return pg_err(PG_ERR_INVALID, "option '%s' and '%s' say the same thing twice: give one of them",
                          pairs[i][0], pairs[i][1]);
    return NULL;
}

static pg_status write_steps(pg_python *py, const pg_parse_result *parsed)
{
    PG_TRY(check_pairs(parsed));
    write_postprocessing(py, parsed);
    write_outputs(py, parsed);
    PG_TRY(write_named(py, parsed, "--layer-precisions", "SetLayerPrecisions", "layer_precisions", NULL));
    if (template_given(parsed, "--decomposable-attentions"))
        put_step(py, "SetDecomposableAttentions", "");
    PG_TRY(write_named(py, parsed, "--tensor-dtypes", "SetTensorDatatypes", "tensor_datatypes", NULL));
    PG_TRY(write_named(py, parsed, "--tensor-formats", "SetTensorFormats", "tensor_formats", "TensorFormat"));
    PG_TRY(write_for_all(py, parsed));
    write_debug(py, parsed);
    return NULL;
}

/* ---- The script ---- */

static pg_status write_body(pg_python *py, const pg_parse_result *parsed, const network_args *args)
{
    PG_TRY(template_check_model(&args->model));
    pg_python_need(py, "polygraphy", "func");
    pg_python_need(py, "polygraphy", "mod");
    if (args->model.path == NULL)
        return write_empty(py, parsed);
    PG_TRY(write_parsed(py, parsed, args));
    return write_steps(py, parsed);
}

static pg_status write(void *values, const pg_parse_result *parsed, pg_arena *arena)
{
    const network_args *args = values;
    pg_python py = {.arena = arena, .indent = ""};
    pg_buf text = {0};
    pg_status status = write_body(&py, parsed, args);
    if (status == NULL) {
        pg_python_head(&py, "A TensorRT network, begun by this command:", &text);
        pg_buf_puts(&text, "\ntrt = mod.lazy_import(\"tensorrt>=8.5\")\n\n");
        pg_buf_add_str(&text, pg_buf_str(&py.body));
        pg_buf_printf(&text,
                      "\n\n@func.extend(network_loader)\n"
                      "def load_network(builder, network%s):\n"
                      "    # %s `network`, a trt.INetworkDefinition, here; it is handed on by itself.\n"
                      "    pass\n",
                      args->model.path != NULL ? ", parser" : "",
                      args->model.path != NULL ? "Change" : "Fill");
        status = pg_python_write(args->output, &text, true);
    }
    pg_buf_deinit(&text);
    pg_python_deinit(&py);
    return status;
}

const pg_command pg_command_template_trt_network = {
    .name = "trt-network",
    .summary = "Write a TensorRT network script.",
    .description = "The script's function load_network begins with an empty network, or with that of an ONNX "
                   "model as the options say.",
    .examples = "polygraphy template trt-network model.onnx --onnx-outputs mark all -o network.py\n"
                "polygraphy template trt-network -o network.py",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(network_args),
    .write = write,
};
