/* Small groups of systems that this version lacks. */
#include "args/args.h"
#include "args/missing.h"

#define SHAPES "writing inferred shapes into the model"

static const pg_option shape_rows[] = {
    MISSING_FLAG("--shape-inference --do-shape-inference", SHAPES, "infer the shapes of the model first"),
    MISSING_FLAG("--no-onnxruntime-shape-inference", SHAPES, "do not infer shapes with ONNX Runtime"),
};
const pg_group pg_group_onnx_shapes = {"ONNX Shape Inference", shape_rows, PG_COUNT(shape_rows)};

#define THRESHOLD_GROUP(id, function, names, help)                                                     \
    static const pg_option id##_rows[] = {MISSING_LIST(names, "the '" function "' comparison", help)}; \
    const pg_group pg_group_##id = {"Comparison Function: `" function "`", id##_rows, PG_COUNT(id##_rows)}

THRESHOLD_GROUP(l2, "l2", "--l2-threshold --l2-tolerance", "largest L2 norm of the difference");
THRESHOLD_GROUP(cosine, "cosine_similarity", "--cosine-similarity-threshold", "smallest cosine similarity");
THRESHOLD_GROUP(psnr, "psnr", "--psnr-threshold --psnr-tolerance", "smallest peak signal-to-noise ratio");
THRESHOLD_GROUP(snr, "snr", "--snr-threshold --snr-tolerance", "smallest signal-to-noise ratio");
THRESHOLD_GROUP(perceptual, "perceptual_metrics", "--lpips-threshold --lpips-tolerance",
                "largest perceptual distance");

static const pg_option script_rows[] = {
    MISSING_PATH("--gen --gen-script", "script generation",
                 "write a Python script that does the same, and exit"),
};
const pg_group pg_group_script = {"Script", script_rows, PG_COUNT(script_rows)};
