#include "args/args.h"
#include "log/log.h"
#include "shapes/shapes.h"

static const pg_option rows[] = {
    {"--shape-inference --do-shape-inference", PG_FIELD(pg_args_onnx_shapes, infer),
     .exclusive = "shape inference",
     .help = "infer the types and shapes of all tensors first and write them into the model"},
    {"--no-onnxruntime-shape-inference", PG_FIELD(pg_args_onnx_shapes, no_onnxruntime),
     .help = "do not infer shapes with ONNX Runtime; this program never does, so it changes nothing"},
};

const pg_group pg_group_onnx_shapes = {"ONNX Shape Inference", rows, PG_COUNT(rows)};

pg_status pg_args_infer_shapes(const pg_args_onnx_shapes *args, pg_model **model)
{
    pg_model *inferred;
    if (!args->infer)
        return NULL;
    PG_LOG_VERBOSE("Starting shape inference");
    PG_TRY_CTX(pg_model_infer_types(*model, NULL, &inferred), "while inferring shapes");
    pg_model_unref(*model); /* an edited model keeps the one it was made from */
    *model = inferred;
    PG_LOG_VERBOSE("Shape inference completed successfully");
    return NULL;
}
