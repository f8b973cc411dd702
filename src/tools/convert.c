#include <string.h>

#include "args/args.h"
#include "args/missing.h"
#include "data/tactics.h"
#include "engine/network.h"
#include "log/log.h"
#include "tools/tools.h"

typedef struct own_args {
    const char *output, *to;
    bool pooled_outputs, use_gpu;
    const char *engine_capability, *exclude_tactics;
    pg_arg_list compute_capabilities;
} own_args;

static const pg_option rows[] = {
    {"-o --output", PG_FIELD(own_args, output), .flags = PG_OPTION_PATH,
     .help = "where to write the converted model; with --convert-to the default is the model's name with "
             "'_converted' and the new extension"},
    {"--convert-to", PG_FIELD(own_args, to), .choices = "onnx|trt|onnx-like-trt-network",
     .help = "what to convert to (default: what the extension of --output says)"},
    {"--engine-capability", PG_FIELD(own_args, engine_capability),
     .help = "what the engine is restricted to"},
    {"--exclude-tactics", PG_FIELD(own_args, exclude_tactics), .flags = PG_OPTION_OURS | PG_OPTION_PATH,
     .help = "never choose the tactics of a replay file"},
    {"--pooled-outputs", PG_FIELD(own_args, pooled_outputs), .flags = PG_OPTION_OURS | PG_OPTION_HIDDEN,
     .help = "an option of older documents, without effect"},
    {"--use-gpu", PG_FIELD(own_args, use_gpu), .exclusive = "targets", .flags = PG_OPTION_OURS,
     .help = "build for the GPU of this machine"},
    {"--compute-capabilities", PG_FIELD(own_args, compute_capabilities), .exclusive = "targets",
     .flags = PG_OPTION_OURS, .metavar = "MAJOR.MINOR",
     .help = "compute capabilities to build for, with TensorRT-RTX: 8.6 12.0"},
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
    pg_args_trt trt;
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
    USE(pg_group_trt_library, trt.library),
    USE(pg_group_trt_config, trt.config),
    USE(pg_group_trt_plugins, trt.plugins),
    USE(pg_group_trt_network, trt.network),
    {&pg_group_trt_engine, offsetof(convert_args, trt.engine),
     .without = "--load-runtime --dla-workspace-allocation-strategy --trt-engine"},
    USE(pg_group_trt_parser, trt.parser),
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

static const char *default_output(const convert_args *args, const char *target, pg_arena *arena)
{
    pg_str path = pg_str_c(args->model.path);
    pg_str stem = pg_str_sub(path, 0, path.len - pg_path_extension(path).len);
    return pg_arena_printf(arena, "%" PG_STR_FMT "_converted%s", PG_STR_ARG(stem),
                           strcmp(target, "trt") == 0 ? ".engine" : ".onnx");
}

static pg_status choose_target(const convert_args *args, const char **out)
{
    *out = args->own.to;
    if (*out == NULL && args->own.output == NULL)
        return pg_err(PG_ERR_USAGE, "the following arguments are required: -o/--output");
    if (*out == NULL)
        PG_TRY(target_of_path(args->own.output, out));
    if (strcmp(*out, "trt") == 0 && args->own.output != NULL &&
        pg_str_is(pg_path_extension(pg_str_c(args->own.output)), ".py"))
        return pg_err(PG_ERR_UNSUPPORTED, "writing a network script ('%s') is not available in this version",
                      args->own.output);
    return NULL;
}

/* ---- Options without a use here ---- */

static void warn_always_idle(const convert_args *args, pg_arena *arena)
{
    if (!args->trt.config.int8)
        pg_group_warn_idle(&pg_group_data, &args->data, "inputs are needed to calibrate int8 engines only");
    pg_group_warn_idle(&pg_group_onnxrt, &args->onnxrt, "ONNX Runtime takes no part in this conversion");
    if (args->own.pooled_outputs)
        PG_LOG_WARNING("Option: --pooled-outputs has no effect.");
}

/* What would silently do nothing when the result is an ONNX model. */
static pg_status check_onnx(const convert_args *args, pg_arena *arena)
{
    const char *option = pg_args_trt_set(&args->trt, arena);
    if (option == NULL && args->own.engine_capability != NULL)
        option = "--engine-capability";
    if (option == NULL && (args->own.use_gpu || args->own.compute_capabilities.set))
        option = args->own.use_gpu ? "--use-gpu" : "--compute-capabilities";
    if (option == NULL && args->own.exclude_tactics != NULL)
        option = "--exclude-tactics";
    if (option != NULL)
        return pg_err(PG_ERR_INVALID,
                      "%s: for TensorRT engines, but '%s' will be an ONNX model: name the output "
                      "*.engine, or say --convert-to trt",
                      option, args->own.output != NULL ? args->own.output : "the result");
    if (args->model.input_shapes_text.set)
        PG_LOG_WARNING("Option: --input-shapes/--inputs does nothing here: the model keeps the shapes of its "
                       "inputs.");
    return NULL;
}

/* ---- The work ---- */

static pg_status to_onnx(convert_args *args, pg_model **model)
{
    return pg_args_load_onnx(&args->model, &args->onnx, &args->shapes, true, model);
}

static pg_status exclude_tactics(const convert_args *args, pg_arena *arena, pg_trt_options *out)
{
    if (args->own.exclude_tactics == NULL)
        return NULL;
    pg_tactic_replay *replay = PG_ARENA_NEW(arena, pg_tactic_replay);
    out->exclude_tactics = replay;
    PG_TRY_CTX(pg_tactics_load(args->own.exclude_tactics, arena, replay), "option '--exclude-tactics'");
    return NULL;
}

static pg_status trt_options(const convert_args *args, pg_arena *arena, pg_trt_options *out)
{
    PG_TRY(pg_args_trt_options(&args->trt, &args->model, arena, out));
    out->engine_capability = args->own.engine_capability;
    out->use_gpu = args->own.use_gpu;
    out->compute_capabilities =
        (pg_trt_names){args->own.compute_capabilities.set, args->own.compute_capabilities.items,
                       args->own.compute_capabilities.count};
    pg_args_trt_calibrate(&args->trt, &args->data, arena, out);
    PG_TRY(exclude_tactics(args, arena, out));
    return pg_args_trt_require(&args->trt, arena);
}

/* What the built-in engine has no GPU for. */
static pg_status refuse_gpu_options(const convert_args *args, bool native)
{
    const char *option = args->own.engine_capability != NULL  ? "--engine-capability"
                         : args->own.use_gpu                  ? "--use-gpu"
                         : args->own.compute_capabilities.set ? "--compute-capabilities"
                                                              : NULL;
    if (!native || option == NULL)
        return NULL;
    return pg_err(PG_ERR_UNSUPPORTED, "option '%s' needs TensorRT: the built-in engine cannot follow it",
                  option);
}

static void warn_of_stand_in(const convert_args *args)
{
    if (args->trt.library.choice != PG_TRT_NATIVE)
        PG_LOG_WARNING("No TensorRT was found: the built-in engine stands in for it.");
}

/* With the built-in engine. */
/* A stored engine with other weights. */
static pg_status to_refitted(convert_args *args, const char *path)
{
    pg_engine *engine;
    PG_LOG_INFO("Loading engine from %s", args->model.path);
    PG_TRY(pg_engine_load(args->model.path, &engine));
    pg_status status = pg_args_engine_refit(&args->trt, 0, &engine);
    if (status == NULL) {
        PG_LOG_INFO("Saving engine to %s", path);
        status = pg_engine_save(engine, path);
    }
    pg_engine_unref(engine);
    return status;
}

static pg_status to_plan(convert_args *args, const char *path, pg_arena *arena)
{
    pg_model *model = NULL;
    pg_engine *engine = NULL;
    PG_TRY(refuse_gpu_options(args, true));
    PG_TRY(pg_args_trt_options(&args->trt, &args->model, arena, &args->trt.options));
    PG_TRY(exclude_tactics(args, arena, &args->trt.options));
    warn_of_stand_in(args);
    PG_TRY(to_onnx(args, &model));
    pg_args_build build = {.model = &args->model, .data = &args->data, .trt = &args->trt};
    pg_status status = pg_args_build_engine(&build, model, arena, &engine);
    if (status == NULL) {
        PG_LOG_INFO("Saving engine to %s", path);
        status = pg_engine_save(engine, path);
    }
    pg_engine_unref(engine);
    pg_model_unref(model);
    return status;
}

static pg_status to_engine(convert_args *args, const char *path, pg_arena *arena)
{
    pg_trt_options options;
    pg_model *model = NULL;
    if (args->trt.engine.refit_from != NULL)
        return to_refitted(args, path);
    args->save.path = NULL;
    pg_group_warn_idle(&pg_group_onnx_save, &args->save, "the result is an engine");
    if (pg_args_trt_is_native(&args->trt))
        return to_plan(args, path, arena);
    PG_TRY(trt_options(args, arena, &options));
    PG_TRY(to_onnx(args, &model));
    pg_status status = pg_trt_build_file(model, &options, path);
    pg_model_unref(model);
    return status;
}

/* The network of the built-in engine as a model to look at. */
static pg_status view_of_native(convert_args *args, pg_model *model, pg_arena *arena, pg_model **out)
{
    pg_model *network = NULL;
    warn_of_stand_in(args);
    PG_TRY(pg_args_trt_options(&args->trt, &args->model, arena, &args->trt.options));
    PG_TRY(pg_args_engine_network(&args->trt, model, arena, &network));
    pg_status status = pg_network_as_onnx(network, out);
    pg_model_unref(network);
    return status;
}

static pg_status to_view(convert_args *args, const char *path, pg_arena *arena)
{
    pg_trt_options options;
    pg_model *model = NULL, *view = NULL;
    pg_buf storage = {0};
    bool native = pg_args_trt_is_native(&args->trt);
    PG_TRY(refuse_gpu_options(args, native));
    if (!native)
        PG_TRY(trt_options(args, arena, &options));
    PG_TRY(to_onnx(args, &model));
    pg_status status = native ? view_of_native(args, model, arena, &view)
                              : pg_trt_network_as_onnx(model, &options, &storage, &view);
    pg_model_unref(model);
    args->save.path = path;
    if (status == NULL)
        status = pg_args_save_onnx(&args->save, view);
    pg_model_unref(view);
    pg_buf_deinit(&storage);
    return status;
}

static pg_status to_model(convert_args *args, const char *path, pg_arena *arena)
{
    pg_model *model = NULL;
    args->save.path = path;
    PG_TRY(check_onnx(args, arena));
    PG_TRY(to_onnx(args, &model));
    pg_status status = pg_args_save_onnx(&args->save, model);
    pg_model_unref(model);
    return status;
}

static pg_status run(void *values, pg_arena *arena)
{
    convert_args *args = values;
    const char *target;
    PG_TRY(choose_target(args, &target));
    const char *path = args->own.output != NULL ? args->own.output : default_output(args, target, arena);
    PG_TRY(pg_file_check_writable(path));
    warn_always_idle(args, arena);
    if (strcmp(target, "trt") == 0)
        return to_engine(args, path, arena);
    args->save.path = path;
    pg_args_warn_onnx_save(&args->save);
    return strcmp(target, "onnx") == 0 ? to_model(args, path, arena) : to_view(args, path, arena);
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
        "  polygraphy convert model.onnx -o all.onnx --onnx-outputs '*' --shape-inference\n"
        "\n"
        "It builds engines with TensorRT, TensorRT-RTX or, where there is neither, the built-in engine:\n"
        "\n"
        "  polygraphy convert model.onnx -o model.engine --fp16\n"
        "  polygraphy convert model.onnx -o model.engine --trt-library tensorrt-rtx",
    .examples = "polygraphy convert model.onnx --fp-to-fp16 -o half.onnx\n"
                "polygraphy convert model.onnx --shape-inference --onnx-outputs mark all -o marked.onnx",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(convert_args),
    .run = run,
};
