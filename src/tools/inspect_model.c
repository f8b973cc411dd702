#include <string.h>

#include "args/args.h"
#include "args/missing.h"
#include "check/unbounded.h"
#include "log/log.h"
#include "onnx/text.h"
#include "tools/inspect_visual.h"
#include "tools/tools.h"

typedef struct show_args {
    pg_arg_list show;
    const char *mode;
    bool weights, unbounded;
} show_args;

static const pg_option show_rows[] = {
    {"--convert-to --display-as", .type = PG_ARG_TEXT, .choices = "trt", .missing = "TensorRT",
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
    MISSING_PATH("--combine-tensor-info", "TensorRT",
                 "add a file's information on tensors to the layers of an engine"),
};
static const pg_group group_show = {NULL, show_rows, PG_COUNT(show_rows)};

typedef struct inspect_args {
    pg_args_logging logging;
    pg_args_model model;
    pg_args_onnx_shapes shapes;
    pg_args_onnx onnx;
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
    {&pg_group_trt_plugins},
    {&pg_group_trt_network,
     .without = "--trt-outputs --trt-exclude-outputs --trt-outputs-by-type --trt-network-func-name"},
    {&pg_group_trt_engine, .without = "--trt-engine"},
    {&pg_group_trt_parser},
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

static pg_status run(void *values, pg_arena *arena)
{
    inspect_args *args = values;
    pg_model_text_options options = {shows(&args->show, "layers"), shows(&args->show, "attrs"),
                                     args->show.weights || shows(&args->show, "weights")};
    pg_model *model = NULL;
    pg_buf text = {0};
    PG_TRY(pg_visual_check(&args->visual));
    if (args->show.mode != NULL && args->show.show.set)
        return pg_err(PG_ERR_INVALID, "--mode and --show say the same thing: give one of them");
    PG_TRY(pg_args_load_onnx(&args->model, &args->onnx, &args->shapes, true, &model));
    if (!args->visual.visual) {
        pg_model_text(model, &options, &text);
        PG_LOG_INFO("==== ONNX Model ====\n%s", pg_buf_cstr(&text));
        if (args->show.unbounded)
            list_unbounded(model, arena);
    }
    pg_status status = pg_visual_show(&args->visual, model);
    pg_buf_deinit(&text);
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
