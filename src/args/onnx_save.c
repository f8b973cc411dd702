#include "args/args.h"
#include "log/log.h"

static const pg_option rows[] = {
    {"--save-onnx", PG_FIELD(pg_args_onnx_save, path), .metavar = "PATH", .flags = PG_OPTION_PATH,
     .help = "save the ONNX model that is run, with the outputs chosen"},
    {"--save-external-data --external-data-path", PG_FIELD(pg_args_onnx_save, external), .metavar = "NAME",
     .flags = PG_OPTION_FIRST_WINS | PG_OPTION_PATH,
     .help =
         "save the weights in a file beside the model, of this name (default: the model's name and '.data')"},
    {"--external-data-size-threshold", PG_FIELD(pg_args_onnx_save, threshold), .syntax = PG_SYNTAX_BYTES,
     .metavar = "BYTES", .default_text = "1024",
     .help = "smaller weights stay in the model file; K, M and G are powers of 1024"},
    {"--no-save-all-tensors-to-one-file", PG_FIELD(pg_args_onnx_save, per_tensor),
     .help = "save each weight in a file of its own"},
};

static pg_status finish(void *values, pg_arena *arena)
{
    pg_args_onnx_save *args = values;
    pg_model_save_options *options = &args->options;
    options->external = args->external.set;
    options->external_name = args->external.text;
    options->per_tensor = args->per_tensor;
    if (args->threshold != NULL) {
        int64_t bytes;
        PG_TRY(pg_value_bytes("--external-data-size-threshold", pg_str_c(args->threshold), &bytes));
        if (bytes < 0)
            return pg_err(PG_ERR_INVALID, "option '--external-data-size-threshold': '%s' is negative",
                          args->threshold);
        options->has_threshold = true;
        options->size_threshold = (uint64_t)bytes;
    }
    return NULL;
}

const pg_group pg_group_onnx_save = {"ONNX Model Saving", rows, PG_COUNT(rows), .finish = finish};

void pg_args_warn_onnx_save(const pg_args_onnx_save *args)
{
    if (args->path == NULL && args->external.set)
        PG_LOG_WARNING("--save-external-data does nothing without a model to save.");
    else if (!args->external.set && (args->threshold != NULL || args->per_tensor))
        PG_LOG_WARNING(
            "--external-data-size-threshold and --no-save-all-tensors-to-one-file do nothing without "
            "--save-external-data.");
}

pg_status pg_args_save_onnx(const pg_args_onnx_save *args, const pg_model *model)
{
    if (args->path == NULL)
        return NULL;
    PG_LOG_INFO("Saving ONNX model to: %s", args->path);
    return pg_model_save(model, args->path, &args->options);
}
