#include <string.h>

#include "args/args.h"
#include "args/missing.h"
#include "log/log.h"

#define MODEL_TYPES "frozen|keras|ckpt|onnx|engine|uff|trt-network-script|caffe"

#define PATH_ROW                                                                                          \
    {                                                                                                     \
        "model_file", PG_FIELD(pg_args_model, path), .arity = PG_ARITY_OPTIONAL,                          \
                                                     .help = "path of the model", .flags = PG_OPTION_PATH \
    }
#define SHAPES_ROW                                                                                        \
    {                                                                                                     \
        "--input-shapes --inputs", PG_FIELD(pg_args_model, input_shapes_text),                            \
            .metavar = "NAME:SHAPE",                                                                      \
            .help =                                                                                       \
                "shapes of the inputs that are generated, for inputs whose shape the model leaves open: " \
                "--input-shapes image:[1,3,224,224] mask:[10]; names may be wildcards"                    \
    }

static const pg_option rows[] = {
    PATH_ROW,
    {"--model-type", PG_FIELD(pg_args_model, type), .choices = MODEL_TYPES,
     .help = "the kind of the model, where its extension does not tell: a TensorFlow frozen graph, Keras "
             "model or "
             "checkpoint, an ONNX model, a TensorRT engine or network script, a UFF or Caffe file"},
    SHAPES_ROW,
};

static const pg_option onnx_rows[] = {PATH_ROW, SHAPES_ROW};

typedef struct kind_row {
    const char *type, *extension, *needs;
} kind_row;

static const kind_row kinds[] = {
    {"onnx", ".onnx", NULL},
    {"engine", ".engine", NULL},
    {"engine", ".plan", NULL},
    {"trt-network-script", ".py", "TensorRT and " NEEDS_PYTHON},
    {"keras", ".hdf5", "the TensorFlow runtime"},
    {"frozen", ".graphdef", "the TensorFlow runtime"},
    {"ckpt", NULL, "the TensorFlow runtime"},
    {"uff", ".uff", "TensorRT's UFF parser"},
    {"caffe", ".prototxt", "TensorRT's Caffe parser"},
};

/* The extension of the path, or of the script in "script.py:function". */
static pg_str extension_of(const char *path)
{
    pg_str script, function, extension;
    pg_value_script(pg_str_c(path), &script, &function);
    extension = pg_path_extension(script);
    return function.len > 0 && pg_str_is(extension, ".py") ? extension : pg_path_extension(pg_str_c(path));
}

static const kind_row *kind_of(const pg_args_model *args)
{
    pg_str extension = extension_of(args->path);
    const char *type = args->type;
    if (type == NULL && pg_path_is_dir(args->path))
        type = "ckpt";
    for (size_t i = 0; i < PG_COUNT(kinds); i++)
        if (type != NULL ? strcmp(kinds[i].type, type) == 0
                         : kinds[i].extension != NULL && pg_str_is(extension, kinds[i].extension))
            return &kinds[i];
    return NULL;
}

static pg_status parse_shapes(pg_args_model *args, pg_arena *arena)
{
    pg_name_shape *shapes;
    PG_TRY(
        pg_values_shapes("--input-shapes", &args->input_shapes_text, arena, &shapes, &args->n_input_shapes));
    args->input_shapes = PG_ARENA_ARRAY(arena, pg_input_shape, args->n_input_shapes + 1);
    for (size_t i = 0; i < args->n_input_shapes; i++)
        args->input_shapes[i] = (pg_input_shape){shapes[i].name, shapes[i].rank, shapes[i].dims};
    return NULL;
}

static void warn_missing(const pg_args_model *args)
{
    if (args->path != NULL && !pg_path_exists(args->path))
        PG_LOG_WARNING("Model path does not exist: %s", args->path);
}

static pg_status finish(void *values, pg_arena *arena)
{
    pg_args_model *args = values;
    PG_TRY(parse_shapes(args, arena));
    if (args->path == NULL)
        return NULL;
    const kind_row *kind = kind_of(args);
    if (kind == NULL)
        return pg_err(PG_ERR_INVALID,
                      "cannot tell the kind of the model '%s' from its name: state it with --model-type",
                      args->path);
    if (kind->needs != NULL)
        return pg_err(PG_ERR_UNSUPPORTED,
                      "models of type '%s' are not available in this version: '%s' needs %s", kind->type,
                      args->path, kind->needs);
    args->is_engine = strcmp(kind->type, "engine") == 0;
    warn_missing(args);
    return NULL;
}

const pg_group pg_group_model = {"Model", rows, PG_COUNT(rows), .finish = finish};

static pg_status finish_onnx(void *values, pg_arena *arena)
{
    pg_args_model *args = values;
    PG_TRY(parse_shapes(args, arena));
    warn_missing(args);
    return NULL;
}

const pg_group pg_group_onnx_model = {"Model", onnx_rows, PG_COUNT(onnx_rows), .finish = finish_onnx};
