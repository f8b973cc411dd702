#include <string.h>

#include "args/args.h"
#include "log/log.h"
#include "surgery/fp16.h"

static const pg_option rows[] = {
    {"--external-data-dir --load-external-data --ext", PG_FIELD(pg_args_onnx, external_data_dir),
     .metavar = "DIR", .flags = PG_OPTION_PATH,
     .help = "folder of the weights that lie outside the model file (default: the model's own folder)"},
    {"--ignore-external-data", PG_FIELD(pg_args_onnx, ignore_external_data),
     .help = "load the structure only, without the weights that lie outside the model file"},
    {"--onnx-outputs", PG_FIELD(pg_args_onnx, outputs), .metavar = "NAME",
     .help = "tensors that shall be the model's outputs, instead of its own; names may be wildcards, '*' is "
             "every tensor"},
    {"--onnx-exclude-outputs", PG_FIELD(pg_args_onnx, exclude_outputs), .metavar = "NAME",
     .help = "outputs that shall not be outputs"},
    {"--onnx-outputs-by-type", PG_FIELD(pg_args_onnx, outputs_by_type), .metavar = "OP",
     .help = "make the outputs of all nodes of these operators the model's outputs"},
    {"--mark-all", PG_FIELD(pg_args_onnx, mark_all), .help = "make every tensor an output, for all runners",
     .flags = PG_OPTION_OURS},
    {"--exclude-outputs", PG_FIELD(pg_args_onnx, exclude_too), .metavar = "NAME",
     .help = "outputs that shall not be outputs, for all runners", .flags = PG_OPTION_OURS},
    {"--fp-to-fp16", PG_FIELD(pg_args_onnx, fp16),
     .help = "convert the float32 tensors of the model to float16, except its inputs and outputs"},
};

bool pg_args_means_all(const pg_arg_list *list)
{
    if (list->count == 1)
        return strcmp(list->items[0], "*") == 0 || strcmp(list->items[0], "mark all") == 0;
    return list->count == 2 && strcmp(list->items[0], "mark") == 0 && strcmp(list->items[1], "all") == 0;
}

static pg_status finish(void *values, pg_arena *arena)
{
    pg_args_onnx *args = values;
    pg_output_selection *selection = &args->selection;
    args->options = (pg_model_options){args->external_data_dir, args->ignore_external_data};
    selection->mark_all = args->mark_all || pg_args_means_all(&args->outputs);
    if (!selection->mark_all) {
        selection->names = args->outputs.items;
        selection->n_names = args->outputs.count;
    }
    selection->op_types = args->outputs_by_type.items;
    selection->n_op_types = args->outputs_by_type.count;
    size_t n_exclude = args->exclude_outputs.count + args->exclude_too.count;
    const char **exclude = PG_ARENA_ARRAY(arena, const char *, n_exclude + 1);
    for (size_t i = 0; i < n_exclude; i++)
        exclude[i] = i < args->exclude_outputs.count
                         ? args->exclude_outputs.items[i]
                         : args->exclude_too.items[i - args->exclude_outputs.count];
    selection->exclude = exclude;
    selection->n_exclude = n_exclude;
    return NULL;
}

const pg_group pg_group_onnx = {"ONNX Model Loading", rows, PG_COUNT(rows), .finish = finish};

/* ---- Loading ---- */

static bool selects(const pg_output_selection *selection)
{
    return selection->mark_all || selection->n_names + selection->n_op_types + selection->n_exclude > 0;
}

/* Puts a changed model in the place of the one it was made from, which it keeps alive itself. */
static pg_status replace(pg_model **model, pg_status status, pg_model *changed)
{
    if (status == NULL) {
        pg_model_unref(*model);
        *model = changed;
    }
    return status;
}

static pg_status to_fp16(pg_model **model)
{
    pg_model *changed = NULL;
    pg_fp16_report report;
    PG_LOG_INFO("Converting float tensors to float16");
    pg_status status = pg_surgery_fp16(*model, NULL, &report, &changed);
    if (status == NULL)
        PG_LOG_VERBOSE(
            "Converted %zu weights and constants; %zu casts were added, %zu nodes stay in float32.",
            report.weights, report.casts, report.kept_nodes);
    if (report.clamped > 0)
        PG_LOG_WARNING("%llu weight element(s) lie beyond the range of float16 and became +-65504.",
                       (unsigned long long)report.clamped);
    if (report.raised > 0)
        PG_LOG_WARNING("%llu weight element(s) would vanish in float16 and became its smallest number.",
                       (unsigned long long)report.raised);
    return replace(model, status, changed);
}

static pg_status change(const pg_args_model *args, const pg_args_onnx *onnx,
                        const pg_args_onnx_shapes *shapes, pg_model **model)
{
    if (shapes != NULL)
        PG_TRY_CTX(pg_args_infer_shapes(shapes, model), "while inferring the shapes of '%s'", args->path);
    if (selects(&onnx->selection)) {
        pg_model *changed = NULL;
        pg_status status = pg_model_select_outputs(*model, &onnx->selection, &changed);
        PG_TRY_CTX(replace(model, status, changed), "while choosing the outputs of '%s'", args->path);
    }
    if (onnx->fp16)
        PG_TRY_CTX(to_fp16(model), "in '%s'", args->path);
    return NULL;
}

pg_status pg_args_load_onnx(const pg_args_model *model, const pg_args_onnx *onnx,
                            const pg_args_onnx_shapes *shapes, bool announce, pg_model **out)
{
    if (model->is_engine)
        return pg_err(PG_ERR_INVALID,
                      "'%s' is an engine, but an ONNX model is needed here: an engine "
                      "is run with 'run --trt' and shown by 'inspect model'",
                      model->path);
    bool changes = selects(&onnx->selection) || onnx->fp16 || (shapes != NULL && shapes->infer);
    if (announce || changes) {
        pg_arena arena = {0};
        PG_LOG_INFO("Loading model: %s", pg_path_absolute(&arena, pg_str_c(model->path)));
        pg_arena_deinit(&arena);
    }
    PG_TRY(pg_model_load(model->path, &onnx->options, out));
    pg_status status = change(model, onnx, shapes, out);
    if (status != NULL) {
        pg_model_unref(*out);
        *out = NULL;
    }
    return status;
}
