/* Small groups of systems that this version lacks. */
#include "args/args.h"
#include "args/missing.h"

#define SHAPES "writing inferred shapes into the model"

static const pg_option shape_rows[] = {
    MISSING_FLAG("--shape-inference --do-shape-inference", SHAPES, "infer the shapes of the model first"),
    MISSING_FLAG("--no-onnxruntime-shape-inference", SHAPES, "do not infer shapes with ONNX Runtime"),
};
const pg_group pg_group_onnx_shapes = {"ONNX Shape Inference", shape_rows, PG_COUNT(shape_rows)};

static const pg_option script_rows[] = {
    MISSING_PATH("--gen --gen-script", "script generation",
                 "write a Python script that does the same, and exit"),
};
const pg_group pg_group_script = {"Script", script_rows, PG_COUNT(script_rows)};
