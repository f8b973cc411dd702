#include <string.h>

#include "args/args.h"
#include "log/log.h"

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
    {"--fp-to-fp16", .type = PG_ARG_FLAG, .missing = "the conversion of models to float16",
     .help = "convert all float tensors to float16"},
};

/* "*", "mark all" as one word or as two. */
static bool means_all(const pg_arg_list *list)
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
    selection->mark_all = args->mark_all || means_all(&args->outputs);
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

pg_status pg_args_load_onnx_shaped(const pg_args_model *model, const pg_args_onnx *onnx,
                                   const pg_args_onnx_shapes *shapes, pg_model **out)
{
    pg_model *loaded = NULL;
    const pg_output_selection *selection = &onnx->selection;
    PG_TRY(pg_model_load(model->path, &onnx->options, &loaded));
    pg_status status = shapes != NULL ? pg_args_infer_shapes(shapes, &loaded) : NULL;
    if (status != NULL) {
        pg_model_unref(loaded);
        return status;
    }
    if (!selection->mark_all && selection->n_names + selection->n_op_types + selection->n_exclude == 0) {
        *out = loaded;
        return NULL;
    }
    pg_arena arena = {0};
    PG_LOG(PG_START, "Loading model: %s", pg_path_absolute(&arena, pg_str_c(model->path)));
    pg_arena_deinit(&arena);
    status = pg_model_select_outputs(loaded, selection, out);
    pg_model_unref(loaded); /* an edited model keeps the one it was made from */
    return pg_status_context(status, "while choosing the outputs of '%s'", model->path);
}
