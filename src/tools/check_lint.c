/* `polygraphy check lint`: the faulty nodes of a model. */
#include "args/args.h"
#include "base/file.h"
#include "check/lint.h"
#include "log/log.h"
#include "tools/tools.h"

typedef struct lint_own_args {
    const char *output;
    bool native;
} lint_own_args;

static const pg_option own_rows[] = {
    {"-o --output", PG_FIELD(lint_own_args, output), .flags = PG_OPTION_PATH, .metavar = "PATH",
     .help = "save the report as JSON"},
    {"--native", PG_FIELD(lint_own_args, native), .flags = PG_OPTION_OURS,
     .help = "run the nodes with the built-in engine, also where ONNX Runtime is found"},
};
static const pg_group group_own = {NULL, own_rows, PG_COUNT(own_rows)};

typedef struct lint_args {
    pg_args_logging logging;
    pg_args_model model;
    pg_args_onnx onnx;
    pg_args_data data;
    pg_args_onnxrt onnxrt;
    lint_own_args own;
} lint_args;

static const pg_group_use groups[] = {
    {&pg_group_logging, offsetof(lint_args, logging)},
    {&pg_group_onnx_model, offsetof(lint_args, model), .required = "model_file"},
    {&pg_group_onnx, offsetof(lint_args, onnx),
     .without = "--onnx-outputs --onnx-exclude-outputs --onnx-outputs-by-type --mark-all --exclude-outputs"},
    {&pg_group_data, offsetof(lint_args, data)},
    {&pg_group_onnxrt, offsetof(lint_args, onnxrt)},
    {&group_own, offsetof(lint_args, own)},
};

/* ---- Engines ---- */

/* A node alone is not worth threads. */
static pg_runner *make_onnxrt(void *context, pg_model *model, bool single_node)
{
    pg_onnxrt_options options = ((const lint_args *)context)->onnxrt.options;
    options.threads = single_node ? 1 : 0;
    return pg_runner_onnxrt_new(model, &options);
}

static pg_runner *make_native(void *context, pg_model *model, bool single_node)
{
    (void)context;
    return pg_runner_native_new(model, &(pg_native_options){.threads = single_node ? 1 : 0});
}

static pg_status choose_engine(lint_args *args, pg_lint_engine *out)
{
    pg_onnxrt_found found;
    *out = (pg_lint_engine){PG_LINT_NATIVE, args, make_native, NULL};
    if (args->own.native)
        return NULL;
    pg_status status = pg_onnxrt_find(args->onnxrt.library, &found);
    bool was_named = args->onnxrt.library != NULL || args->onnxrt.providers_text.set;
    if (status != NULL && (was_named || pg_status_code(status) != PG_ERR_UNAVAILABLE))
        return status;
    if (status == NULL)
        *out = (pg_lint_engine){PG_LINT_ONNXRUNTIME, args, make_onnxrt, NULL};
    else
        PG_LOG_WARNING("The built-in engine runs the nodes: %s", pg_status_message(status));
    pg_status_drop(status);
    return NULL;
}

/* ---- Loading ---- */

/* What cannot be read as a model is a finding, too: *out is then NULL, and *out_invalid says why unless the
 * file is empty. */
static pg_status load(const lint_args *args, pg_lint_report *report, pg_arena *arena, pg_model **out,
                      char **out_invalid)
{
    uint64_t size = 1;
    pg_status status = pg_args_load_onnx(&args->model, &args->onnx, NULL, true, out);
    if (pg_status_code(status) != PG_ERR_INVALID || args->onnx.fp16 || pg_path_is_dir(args->model.path))
        return status;
    *out = NULL;
    pg_status_drop(pg_file_size(args->model.path, &size));
    if (size > 0)
        *out_invalid = pg_arena_printf(arena, "%s", pg_status_message(status));
    pg_lint_add(report, PG_LINT_EXCEPTION, PG_LINT_LOADER,
                size > 0 ? pg_str_c(*out_invalid) : PG_STR("Empty ONNX model given"), PG_STR_EMPTY,
                PG_STR_EMPTY);
    pg_status_drop(status);
    return NULL;
}

/* ---- Inputs ---- */

static bool is_meant(const pg_input_shape *shape, pg_io_list inputs, pg_str name)
{
    return shape->name.len == 0 ? inputs.count == 1 : pg_str_wildcard(shape->name, name);
}

/* Shapes of the command line replace the model's. */
static pg_io_list override_shapes(const lint_args *args, pg_io_list inputs, pg_arena *arena)
{
    pg_io *items = PG_ARENA_ARRAY(arena, pg_io, inputs.count + 1);
    for (size_t i = 0; i < inputs.count; i++) {
        items[i] = inputs.items[i];
        for (size_t k = 0; k < args->model.n_input_shapes; k++) {
            const pg_input_shape *shape = &args->model.input_shapes[k];
            if (!is_meant(shape, inputs, items[i].name))
                continue;
            pg_dim *dims = PG_ARENA_ARRAY(arena, pg_dim, shape->rank + 1);
            for (size_t d = 0; d < shape->rank; d++)
                dims[d] = (pg_dim){.has_value = shape->dims[d] >= 0, .value = shape->dims[d]};
            items[i].type.has_shape = true;
            items[i].type.rank = (uint32_t)shape->rank;
            items[i].type.dims = dims;
        }
    }
    return (pg_io_list){items, inputs.count};
}

typedef struct input_source {
    const lint_args *args;
    pg_io_list inputs;
    pg_arena *arena;
} input_source;

/* The peer hands its loader the inputs of the model as the user's, which decides about shape tensors. */
static void state_shapes(const input_source *source, pg_args_model *out)
{
    pg_input_shape *shapes = PG_ARENA_ARRAY(source->arena, pg_input_shape, source->inputs.count + 1);
    size_t count = 0;
    for (size_t i = 0; i < source->inputs.count; i++) {
        const pg_io *input = &source->inputs.items[i];
        int64_t *dims = PG_ARENA_ARRAY(source->arena, int64_t, input->type.rank + 1);
        bool fixed = input->type.has_shape;
        for (uint32_t d = 0; fixed && d < input->type.rank; d++) {
            fixed = input->type.dims[d].has_value && input->type.dims[d].value >= 0;
            dims[d] = input->type.dims[d].value;
        }
        if (fixed)
            shapes[count++] = (pg_input_shape){input->name, input->type.rank, dims};
    }
    out->input_shapes = shapes;
    out->n_input_shapes = count;
}

static pg_status make_inputs(void *context, pg_feed *out)
{
    const input_source *source = context;
    pg_args_model model = source->args->model;
    if (!source->args->data.load_inputs.set)
        pg_loader_announce_inputs(source->inputs);
    state_shapes(source, &model);
    return pg_args_first_feed(&source->args->data, &model, source->inputs, out);
}

/* ---- The command ---- */

static pg_status check(lint_args *args, pg_model *model, pg_lint_report *report, pg_arena *arena)
{
    input_source source = {args, override_shapes(args, pg_lint_inputs(model, arena), arena), arena};
    pg_lint_options options = {.context = &source, .inputs = make_inputs};
    PG_TRY(choose_engine(args, &options.engine));
    if (!PG_LOG_ENABLED(PG_VERBOSE)) /* each node is a session of its own */
        pg_log_set_severity(PG_STR("runner"), PG_WARNING);
    return pg_lint(model, &options, report);
}

static pg_status lint(lint_args *args, pg_lint_report *report, pg_arena *arena)
{
    pg_model *model = NULL;
    pg_status status = NULL;
    char *invalid = NULL;
    PG_TRY(load(args, report, arena, &model, &invalid));
    if (model != NULL && model->graph->n_nodes == 0)
        pg_lint_add(report, PG_LINT_WARNING, PG_LINT_LOADER, PG_STR("ONNX model has no nodes"), PG_STR_EMPTY,
                    PG_STR_EMPTY);
    else if (model != NULL)
        status = check(args, model, report, arena);
    if (status == NULL && args->own.output != NULL)
        status = pg_lint_save(report, args->own.output);
    if (invalid != NULL)
        PG_LOG_ERROR("Invalid ONNX model given: %s", invalid);
    pg_model_unref(model);
    return status;
}

static pg_status run(void *values, pg_arena *arena)
{
    lint_args *args = values;
    pg_lint_report report = {0};
    if (args->own.output != NULL)
        PG_TRY_CTX(pg_file_check_writable(args->own.output), "option '--output'");
    pg_status status = lint(args, &report, arena);
    if (status == NULL && report.failed)
        status = pg_err(PG_ERR_FAILED, "the model has faulty nodes");
    pg_lint_deinit(&report);
    return status;
}

const pg_command pg_command_check_lint = {
    .name = "lint",
    .summary = "Find faulty nodes of a model.",
    .description =
        "Runs the model; where that fails, runs each node as a model of its own on what the nodes before it "
        "made, so that each error is told with its node. Nodes behind a faulty one are left out. Inputs and "
        "nodes that no output needs are warnings.\n\n"
        "ONNX Runtime does the work where it is found, else the built-in engine.",
    .examples = "polygraphy check lint model.onnx -o report.json\n"
                "polygraphy check lint model.onnx --native --input-shapes image:[1,3,224,224]",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(lint_args),
    .run = run,
    .brackets = true,
};
