#include <string.h>

#include "args/args.h"
#include "data/files.h"
#include "check/unbounded.h"
#include "engine/engine_text.h"
#include "engine/network.h"
#include "log/log.h"
#include "onnx/text.h"
#include "tools/inspect_visual.h"
#include "tools/tools.h"

typedef struct show_args {
    pg_arg_list show;
    const char *mode, *display_as, *tensor_info;
    bool weights, unbounded;
} show_args;

static const pg_option show_rows[] = {
    {"--convert-to --display-as", PG_FIELD(show_args, display_as), .choices = "trt",
     .help = "show the model as TensorRT reads it"},
    {"--show", PG_FIELD(show_args, show), .choices = "layers|attrs|weights",
     .help = "what to show beside inputs, outputs and counts: layers with their inputs and outputs, their "
             "attributes "
             "(with layers), the values of weights"},
    {"--mode", PG_FIELD(show_args, mode), .choices = "basic|full", .flags = PG_OPTION_OURS,
     .help = "full: the same as --show layers attrs weights; basic: inputs, outputs and counts only"},
    {"--show-weights", PG_FIELD(show_args, weights), .flags = PG_OPTION_OURS,
     .help = "the same as --show weights, beside what else is shown"},
    {"--list-unbounded-dds", PG_FIELD(show_args, unbounded),
     .help = "list the sizes that depend on data and have no upper bound; for models with folded constants "
             "and inferred shapes"},
    {"--combine-tensor-info", PG_FIELD(show_args, tensor_info), .flags = PG_OPTION_PATH,
     .help = "add the range of tensors to the layers of an engine, from a file of --save-outputs"},
};
static const pg_group group_show = {NULL, show_rows, PG_COUNT(show_rows)};

typedef struct inspect_args {
    pg_args_logging logging;
    pg_args_model model;
    pg_args_onnx_shapes shapes;
    pg_args_onnx onnx;
    pg_args_trt trt;
    pg_visual_args visual;
    show_args show;
} inspect_args;

static const pg_group_use groups[] = {
    {&pg_group_logging, offsetof(inspect_args, logging)},
    {&pg_group_model, offsetof(inspect_args, model), .without = "--input-shapes", .required = "model_file"},
    {&pg_group_tf, .without = "--tf-outputs --save-pb --save-tensorboard"},
    {&pg_group_onnx_shapes, offsetof(inspect_args, shapes)},
    {&pg_group_onnx, offsetof(inspect_args, onnx),
     .without = "--onnx-outputs --onnx-exclude-outputs --onnx-outputs-by-type --mark-all --exclude-outputs"},
    {&pg_group_trt_library, offsetof(inspect_args, trt.library)},
    {&pg_group_trt_plugins, offsetof(inspect_args, trt.plugins)},
    {&pg_group_trt_network, offsetof(inspect_args, trt.network),
     .without = "--trt-outputs --trt-exclude-outputs --trt-outputs-by-type --trt-network-func-name"},
    {&pg_group_trt_engine, offsetof(inspect_args, trt.engine), .without = "--trt-engine --refit-from"},
    {&pg_group_trt_parser, offsetof(inspect_args, trt.parser)},
    {&pg_group_visual, offsetof(inspect_args, visual)},
    {&group_show, offsetof(inspect_args, show)},
};

static bool shows(const show_args *args, const char *what)
{
    if (args->mode != NULL && strcmp(args->mode, "full") == 0)
        return true;
    for (size_t i = 0; i < args->show.count; i++)
        if (strcmp(args->show.items[i], what) == 0)
            return true;
    return false;
}

static void list_unbounded(const pg_model *model, pg_arena *arena)
{
    pg_unbounded *items;
    size_t count;
    pg_buf text = {0};
    pg_unbounded_sizes(model, arena, &items, &count);
    pg_unbounded_text(items, count, &text);
    PG_LOG_INFO("Found tensors with unbounded DDS: %s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

static bool wants_picture(const inspect_args *args)
{
    const pg_visual_args *visual = &args->visual;
    return visual->visual || visual->page != NULL || visual->dot != NULL || visual->svg != NULL;
}

static pg_status show_engine(const inspect_args *args, const pg_trt_options *options,
                             const pg_trt_text_options *show)
{
    pg_buf text = {0};
    pg_run_results seen = {0};
    pg_trt_text_options all = *show;
    if (args->show.tensor_info != NULL)
        PG_TRY_CTX(pg_results_load(args->show.tensor_info, &seen), "option '--combine-tensor-info'");
    all.seen = &seen;
    pg_status status = pg_trt_engine_text(args->model.path, options, &all, &text);
    if (status == NULL)
        PG_LOG_INFO("==== TensorRT Engine ====\n%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    pg_run_results_deinit(&seen);
    return status;
}

/* One that the built-in engine built. */
static pg_status show_plan(const inspect_args *args, const pg_trt_text_options *show)
{
    pg_engine *engine;
    pg_buf text = {0};
    PG_LOG_INFO("Loading engine from %s", args->model.path);
    PG_TRY(pg_engine_load(args->model.path, &engine));
    pg_status status = pg_engine_check(engine);
    if (status != NULL) {
        pg_engine_unref(engine);
        return status;
    }
    pg_engine_text(engine, &(pg_engine_text_options){show->layers, show->attrs, show->weights}, &text);
    PG_LOG_INFO("==== TensorRT Engine ====\n%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
    pg_engine_unref(engine);
    return NULL;
}

static pg_status show_network(const inspect_args *args, pg_model *model, const pg_trt_options *options,
                              const pg_trt_text_options *show)
{
    pg_buf text = {0};
    pg_status status = NULL;
    if (!args->visual.visual)
        status = pg_trt_network_text(model, options, show, &text);
    if (status == NULL && !args->visual.visual)
        PG_LOG_INFO("==== TensorRT Network ====\n%s", pg_buf_cstr(&text));
    pg_buf_clear(&text);
    if (status == NULL && wants_picture(args)) {
        pg_model *view = NULL;
        status = pg_trt_network_as_onnx(model, options, &text, &view);
        if (status == NULL)
            status = pg_visual_show(&args->visual, view);
        pg_model_unref(view);
    }
    pg_buf_deinit(&text);
    return status;
}

/* The network that the built-in engine builds from. */
static pg_status show_native_network(const inspect_args *args, pg_model *model,
                                     const pg_trt_text_options *show, pg_arena *arena)
{
    pg_model *network = NULL, *view = NULL;
    if (args->trt.library.choice != PG_TRT_NATIVE)
        PG_LOG_WARNING("No TensorRT was found: the built-in engine stands in for it.");
    PG_TRY(pg_args_engine_network(&args->trt, model, arena, &network));
    if (!args->visual.visual) {
        pg_buf text = {0};
        pg_network_text(
            network,
            &(pg_network_show){show->layers, show->attrs, show->weights, args->trt.network.strongly_typed},
            &text);
        PG_LOG_INFO("==== TensorRT Network ====\n%s", pg_buf_cstr(&text));
        pg_buf_deinit(&text);
    }
    pg_status status = NULL;
    if (wants_picture(args)) {
        status = pg_network_as_onnx(network, &view);
        if (status == NULL)
            status = pg_visual_show(&args->visual, view);
    }
    pg_model_unref(view);
    pg_model_unref(network);
    return status;
}

static pg_status show_onnx(const inspect_args *args, pg_model *model, const pg_model_text_options *options,
                           pg_arena *arena)
{
    if (!args->visual.visual) {
        pg_buf text = {0};
        pg_model_text(model, options, &text);
        PG_LOG_INFO("==== ONNX Model ====\n%s", pg_buf_cstr(&text));
        pg_buf_deinit(&text);
        if (args->show.unbounded)
            list_unbounded(model, arena);
    }
    return pg_visual_show(&args->visual, model);
}

static pg_status check(const inspect_args *args, pg_arena *arena)
{
    PG_TRY(pg_visual_check(&args->visual));
    if (args->show.mode != NULL && args->show.show.set)
        return pg_err(PG_ERR_INVALID, "--mode and --show say the same thing: give one of them");
    const char *option = pg_args_trt_set(&args->trt, arena);
    if (option != NULL && args->show.display_as == NULL && !args->model.is_engine)
        return pg_err(PG_ERR_INVALID, "%s: for networks and engines of TensorRT, so add --display-as trt",
                      option);
    if (args->show.tensor_info != NULL &&
        (!args->model.is_engine || pg_engine_is_plan(args->model.path) || !shows(&args->show, "layers")))
        return pg_err(
            PG_ERR_INVALID,
            "option '--combine-tensor-info': only for layers of an engine of TensorRT: show one with "
            "--show layers");
    if (args->model.is_engine && wants_picture(args))
        return pg_err(PG_ERR_UNSUPPORTED, "an engine cannot be shown as a picture: show the model it "
                                          "was built from, with --display-as trt");
    return NULL;
}

static pg_status run(void *values, pg_arena *arena)
{
    inspect_args *args = values;
    pg_model_text_options options = {shows(&args->show, "layers"), shows(&args->show, "attrs"),
                                     args->show.weights || shows(&args->show, "weights")};
    pg_trt_text_options show = {options.layers, options.attrs, options.weights};
    pg_trt_options trt;
    pg_model *model = NULL;
    bool network = args->show.display_as != NULL, native = network && pg_args_trt_is_native(&args->trt);
    PG_TRY(check(args, arena));
    PG_TRY(pg_args_trt_options(&args->trt, &args->model, arena, &trt));
    args->trt.options = trt;
    if (args->model.is_engine && pg_engine_is_plan(args->model.path))
        return show_plan(args, &show);
    if (args->model.is_engine || (network && !native))
        PG_TRY_CTX(pg_args_trt_require(&args->trt, arena), "to read '%s'", args->model.path);
    if (args->model.is_engine)
        return show_engine(args, &trt, &show);
    PG_TRY(pg_args_load_onnx(&args->model, &args->onnx, &args->shapes, true, &model));
    pg_status status = native    ? show_native_network(args, model, &show, arena)
                       : network ? show_network(args, model, &trt, &show)
                                 : show_onnx(args, model, &options, arena);
    pg_model_unref(model);
    return status;
}

const pg_command pg_command_inspect_model = {
    .name = "model",
    .summary = "Print the structure of a model.",
    .examples =
        "polygraphy inspect model model.onnx --show layers attrs weights\n"
        "polygraphy inspect model model.onnx --shape-inference --save-visual model.html --svg model.svg",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(inspect_args),
    .run = run,
};
