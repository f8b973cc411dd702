#include <string.h>

#include "args/args.h"
#include "args/missing.h"
#include "log/log.h"
#include "tools/tools.h"

#define RTX "TensorRT-RTX"

typedef struct own_args {
    const char *output, *to;
    bool pooled_outputs;
} own_args;

static const pg_option rows[] = {
    {"-o --output", PG_FIELD(own_args, output), .flags = PG_OPTION_PATH,
     .help = "where to write the converted model; with --convert-to the default is the model's name with "
             "'_converted' and the new extension"},
    {"--convert-to", PG_FIELD(own_args, to), .choices = "onnx|trt|onnx-like-trt-network",
     .help = "what to convert to (default: what the extension of --output says)"},
    {"--engine-capability", .type = PG_ARG_TEXT, .missing = "TensorRT",
     .help = "what the engine is restricted to"},
    {"--exclude-tactics", .type = PG_ARG_TEXT, .missing = "TensorRT",
     .flags = PG_OPTION_OURS | PG_OPTION_PATH, .help = "never choose the tactics of a replay file"},
    {"--pooled-outputs", PG_FIELD(own_args, pooled_outputs), .flags = PG_OPTION_OURS | PG_OPTION_HIDDEN,
     .help = "an option of older documents, without effect"},
    {"--use-gpu", .type = PG_ARG_FLAG, .missing = RTX, .exclusive = "targets",
     .flags = PG_OPTION_OURS | PG_OPTION_HIDDEN, .help = "build for the GPU of this machine"},
    {"--compute-capabilities", .type = PG_ARG_LIST, .missing = RTX, .exclusive = "targets",
     .flags = PG_OPTION_OURS | PG_OPTION_HIDDEN, .help = "compute capabilities to build for"},
};
static const pg_group group_own = {NULL, rows, PG_COUNT(rows)};

typedef struct convert_args {
    pg_args_logging logging;
    pg_args_model model;
    pg_args_onnx_shapes shapes;
    pg_args_onnx onnx;
    pg_args_onnx_save save;
    pg_args_data data;
    pg_args_onnxrt onnxrt;
    own_args own;
} convert_args;

#define USE(group, member)                     \
    {                                          \
        &group, offsetof(convert_args, member) \
    }

static const pg_group_use groups[] = {
    USE(pg_group_logging, logging),
    {&pg_group_model, offsetof(convert_args, model), .required = "model_file"},
    {&pg_group_tf, .without = "--save-pb --save-tensorboard"},
    {&pg_group_tf_onnx},
    USE(pg_group_onnx_shapes, shapes),
    USE(pg_group_onnx, onnx),
    {&pg_group_onnx_save, offsetof(convert_args, save), .without = "--save-onnx"},
    USE(pg_group_data, data),
    {&pg_group_trt_config},
    {&pg_group_trt_plugins},
    {&pg_group_trt_network},
    {&pg_group_trt_engine, .without = "--load-runtime --dla-workspace-allocation-strategy --trt-engine"},
    {&pg_group_trt_parser},
    {&pg_group_onnxrt, offsetof(convert_args, onnxrt), .without = "--graph-optimization-level --ort-library",
     .ours = "--providers"},
    USE(group_own, own),
};

/* ---- Where to ---- */

static pg_status target_of_path(const char *path, const char **out)
{
    static const struct {
        const char *extension, *target, *type;
    } known[] = {
        {".onnx", "onnx", NULL}, {".engine", "trt", NULL},     {".plan", "trt", NULL},
        {".py", "trt", NULL},    {".hdf5", NULL, "keras"},     {".graphdef", NULL, "frozen"},
        {".uff", NULL, "uff"},   {".prototxt", NULL, "caffe"},
    };
    pg_str extension = pg_path_extension(pg_str_c(path));
    for (size_t i = 0; i < PG_COUNT(known); i++) {
        if (!pg_str_is(extension, known[i].extension))
            continue;
        if (known[i].target == NULL)
            return pg_err(PG_ERR_INVALID, "Cannot convert to model type: %s", known[i].type);
        *out = known[i].target;
        return NULL;
    }
    return pg_err(PG_ERR_INVALID,
                  "Could not automatically determine model type based on output path: %s\nPlease specify the "
                  "desired output format with --convert-to",
                  path);
}

static const char *default_output(const convert_args *args, pg_arena *arena)
{
    pg_str path = pg_str_c(args->model.path);
    pg_str stem = pg_str_sub(path, 0, path.len - pg_path_extension(path).len);
    return pg_arena_printf(arena, "%" PG_STR_FMT "_converted.onnx", PG_STR_ARG(stem));
}

static pg_status choose_target(const convert_args *args, const char **out)
{
    *out = args->own.to;
    if (*out == NULL && args->own.output == NULL)
        return pg_err(PG_ERR_USAGE, "the following arguments are required: -o/--output");
    if (*out == NULL)
        PG_TRY(target_of_path(args->own.output, out));
    if (strcmp(*out, "onnx") != 0)
        return pg_err(PG_ERR_UNSUPPORTED,
                      "converting to %s is not available in this version: it needs TensorRT",
                      strcmp(*out, "trt") == 0 ? "a TensorRT engine" : "a view of a TensorRT network");
    return NULL;
}

/* ---- Options without a use here ---- */

static void warn_idle(const pg_group *group, const void *values, const char *reason, pg_arena *arena)
{
    for (size_t i = 0; i < group->n_options; i++) {
        pg_bound_option bound = {.row = &group->options[i]};
        if (bound.row->missing == NULL && pg_option_is_set(bound.row, values)) {
            pg_str rest = pg_str_c(bound.row->names);
            while (bound.n_names < PG_COUNT(bound.names) &&
                   pg_str_split(&rest, ' ', &bound.names[bound.n_names]))
                bound.n_names++;
            PG_LOG_WARNING("Option: %s does nothing here: %s.", pg_option_label(&bound, arena), reason);
        }
    }
}

static void warn_all_idle(const convert_args *args, pg_arena *arena)
{
    warn_idle(&pg_group_data, &args->data, "inputs are needed to calibrate TensorRT engines only", arena);
    warn_idle(&pg_group_onnxrt, &args->onnxrt, "ONNX Runtime takes no part in this conversion", arena);
    if (args->model.input_shapes_text.set)
        PG_LOG_WARNING("Option: --input-shapes/--inputs does nothing here: the model keeps the shapes of its "
                       "inputs.");
    if (args->own.pooled_outputs)
        PG_LOG_WARNING("Option: --pooled-outputs has no effect.");
}

static pg_status run(void *values, pg_arena *arena)
{
    convert_args *args = values;
    pg_model *model = NULL;
    const char *target;
    PG_TRY(choose_target(args, &target));
    args->save.path = args->own.output != NULL ? args->own.output : default_output(args, arena);
    PG_TRY(pg_file_check_writable(args->save.path));
    pg_args_warn_onnx_save(&args->save);
    warn_all_idle(args, arena);
    PG_TRY(pg_args_load_onnx(&args->model, &args->onnx, &args->shapes, true, &model));
    pg_status status = pg_args_save_onnx(&args->save, model);
    pg_model_unref(model);
    return status;
}

const pg_command pg_command_convert = {
    .name = "convert",
    .summary = "Convert a model to another format.",
    .description =
        "From ONNX to ONNX it writes what the options make of the model: other outputs, inferred shapes, "
        "weights in a file beside it, float16. For example:\n"
        "\n"
        "  polygraphy convert model.onnx -o half.onnx --fp-to-fp16\n"
        "  polygraphy convert model.onnx -o small.onnx --save-external-data weights.bin\n"
        "  polygraphy convert model.onnx -o all.onnx --onnx-outputs '*' --shape-inference",
    .examples = "polygraphy convert model.onnx --fp-to-fp16 -o half.onnx\n"
                "polygraphy convert model.onnx --shape-inference --onnx-outputs mark all -o marked.onnx",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(convert_args),
    .run = run,
};
