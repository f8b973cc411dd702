#include "args/args.h"
#include "args/missing.h"

#define TF "the TensorFlow runtime"

static const pg_option tftrt_rows[] = {
    MISSING_FLAG("--tftrt --use-tftrt", TF, "use TensorFlow's TensorRT integration"),
    MISSING_INT("--minimum-segment-size", TF, "smallest segment handed to TensorRT"),
    MISSING_FLAG("--dynamic-op", TF, "build engines when they first run"),
};
const pg_group pg_group_tftrt = {"[UNTESTED] TensorFlow-TensorRT Integration", tftrt_rows,
                                 PG_COUNT(tftrt_rows)};

static const pg_option load_rows[] = {
    MISSING_TEXT("--ckpt", TF, "name of the checkpoint, without extension"),
    MISSING_LIST("--tf-outputs", TF, "tensors that shall be outputs"),
    MISSING_PATH("--save-pb", TF, "save the frozen graph"),
    MISSING_PATH("--save-tensorboard", TF, "save a TensorBoard log"),
    MISSING_FLAG("--freeze-graph", TF, "freeze the variables first"),
};
const pg_group pg_group_tf = {"TensorFlow Model Loading", load_rows, PG_COUNT(load_rows)};

static const pg_option session_rows[] = {
    MISSING_FLOAT("--gpu-memory-fraction", TF, "share of the GPU's memory TensorFlow may take"),
    MISSING_FLAG("--allow-growth", TF, "let TensorFlow's memory grow as needed"),
    MISSING_FLAG("--xla", TF, "compile with XLA"),
};
const pg_group pg_group_tf_session = {"TensorFlow Session Configuration", session_rows,
                                      PG_COUNT(session_rows)};

static const pg_option inference_rows[] = {
    MISSING_PATH("--save-timeline", TF, "folder for a trace of each iteration"),
};
const pg_group pg_group_tf_inference = {"TensorFlow Inference", inference_rows, PG_COUNT(inference_rows)};

static const pg_option onnx_rows[] = {
    MISSING_INT("--opset", "the conversion of TensorFlow models", "opset of the converted model"),
};
const pg_group pg_group_tf_onnx = {"TensorFlow-ONNX Model Conversion", onnx_rows, PG_COUNT(onnx_rows)};
