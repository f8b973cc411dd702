#include "args/args.h"
#include "args/missing.h"

#define TRT "TensorRT"
#define SCRIPT "TensorRT and " NEEDS_PYTHON
#define PROFILE_ROW(names_, help_)                                                           \
    {                                                                                        \
        names_, .type = PG_ARG_LIST, .missing = TRT, .help = help_, .metavar = "NAME:SHAPE", \
                .syntax = PG_SYNTAX_SHAPES, .flags = PG_OPTION_APPEND                        \
    }
#define OURS_ROW(names_, needs_, help_)                                                        \
    {                                                                                          \
        names_, .type = PG_ARG_TEXT, .missing = needs_, .help = help_, .flags = PG_OPTION_OURS \
    }

static const pg_option config_rows[] = {
    PROFILE_ROW("--trt-min-shapes", "smallest shapes of an optimization profile; once per profile"),
    PROFILE_ROW("--trt-opt-shapes", "shapes an optimization profile is tuned for; once per profile"),
    PROFILE_ROW("--trt-max-shapes", "largest shapes of an optimization profile; once per profile"),
    MISSING_FLAG("--tf32", TRT, "allow TF32"),
    MISSING_FLAG("--fp16", TRT, "allow float16"),
    MISSING_FLAG("--bf16", TRT, "allow bfloat16"),
    MISSING_FLAG("--fp8", TRT, "allow 8-bit floats"),
    MISSING_FLAG("--int8", TRT, "allow 8-bit integers, calibrating where needed"),
    {"--precision-constraints", .type = PG_ARG_TEXT, .choices = "prefer|obey|none", .missing = TRT,
     .default_text = "none", .flags = PG_OPTION_NAMED_TOO,
     .help = "how binding the precisions set on layers are; layer:type is --layer-precisions layer:type with "
             "obey"},
    MISSING_FLAG("--sparse-weights", TRT, "allow kernels for 2:4 sparse weights"),
    MISSING_FLAG("--version-compatible", TRT, "build an engine that later versions can run"),
    MISSING_FLAG("--exclude-lean-runtime", TRT, "leave the lean runtime out of a version-compatible engine"),
    MISSING_PATH("--calibration-cache", TRT, "calibration scales: read if there, else written"),
    MISSING_TEXT("--calib-base-cls --calibration-base-class", TRT, "class of the calibrator"),
    MISSING_FLOAT("--quantile", TRT, "quantile of the legacy calibrator"),
    MISSING_FLOAT("--regression-cutoff", TRT, "regression cutoff of the legacy calibrator"),
    MISSING_PATH("--load-timing-cache", TRT, "timings of kernels to start from"),
    MISSING_FLAG("--error-on-timing-cache-miss", TRT, "fail when a kernel is not in the timing cache"),
    MISSING_FLAG("--disable-compilation-cache", TRT, "do not keep compiled kernels"),
    {"--save-tactics --save-tactic-replay", .type = PG_ARG_TEXT, .missing = TRT, .exclusive = "tactics",
     .help = "save which kernels were chosen", .flags = PG_OPTION_PATH},
    {"--load-tactics --load-tactic-replay", .type = PG_ARG_TEXT, .missing = TRT, .exclusive = "tactics",
     .help = "choose the kernels of a saved file", .flags = PG_OPTION_PATH},
    MISSING_ANY("--tactic-sources", TRT, "libraries kernels may come from"),
    MISSING_PATH("--trt-config-script", SCRIPT, "Python file that makes the builder configuration"),
    MISSING_PATH("--trt-config-postprocess-script --trt-cpps", SCRIPT,
                 "Python file that changes the builder configuration"),
    MISSING_FLAG("--trt-safety-restricted", TRT, "build for the safety runtime"),
    MISSING_FLAG("--refittable", TRT, "let weights be replaced later"),
    MISSING_FLAG("--strip-plan", TRT, "leave refittable weights out of the engine"),
    MISSING_FLAG("--use-dla", TRT, "run on the deep learning accelerator"),
    MISSING_FLAG("--allow-gpu-fallback", TRT, "run what the accelerator cannot on the GPU"),
    {"--pool-limit --memory-pool-limit", .type = PG_ARG_LIST, .syntax = PG_SYNTAX_NAMED_BYTES, .missing = TRT,
     .metavar = "POOL:BYTES", .help = "limits of memory pools: workspace:16M"},
    MISSING_ANY("--preview-features", TRT, "preview features to use"),
    MISSING_INT("--builder-optimization-level", TRT, "how long to search for fast kernels, 0 to 5"),
    MISSING_TEXT("--hardware-compatibility-level", TRT, "which other GPUs the engine shall run on"),
    MISSING_INT("--max-aux-streams", TRT, "streams used beside the caller's"),
    MISSING_ANY("--quantization-flags", TRT, "flags of the quantization"),
    MISSING_TEXT("--profiling-verbosity", TRT, "detail of layer information kept in the engine"),
    MISSING_FLAG("--weight-streaming", TRT, "let weights be streamed to the GPU"),
    MISSING_TEXT("--runtime-platform", TRT, "system the engine shall run on"),
    MISSING_FLAG("--direct-io", TRT, "no reformatting of inputs and outputs"),
    MISSING_TEXT("--tiling-optimization-level", TRT, "how long to search for tilings"),
    {"--workspace", .type = PG_ARG_TEXT, .syntax = PG_SYNTAX_BYTES, .missing = TRT, .metavar = "BYTES",
     .flags = PG_OPTION_OURS, .help = "the same as --pool-limit workspace:BYTES"},
    OURS_ROW("--timing-cache", TRT, "timings of kernels: read if there, written at the end"),
    OURS_ROW("--trt-config-func-name", SCRIPT, "function in the configuration script"),
};
const pg_group pg_group_trt_config = {"TensorRT Builder Configuration", config_rows, PG_COUNT(config_rows)};

static const pg_option plugin_rows[] = {
    MISSING_LIST("--plugins", TRT, "plugin libraries to load"),
};
const pg_group pg_group_trt_plugins = {"TensorRT Plugin Loading", plugin_rows, PG_COUNT(plugin_rows)};

static const pg_option parser_rows[] = {
    MISSING_LIST("--onnx-flags", TRT, "flags of TensorRT's ONNX parser"),
    MISSING_FLAG("--plugin-instancenorm", TRT, "use the plugin for instance normalization"),
    {"--enable-uint8-asymmetric-quantization-dla", .type = PG_ARG_FLAG, .missing = TRT,
     .deprecated = "--onnx-flags ENABLE_UINT8_AND_ASYMMETRIC_QUANTIZATION_DLA",
     .help = "uint8 quantization on the accelerator"},
};
const pg_group pg_group_trt_parser = {"ONNX-TRT Parser Flags", parser_rows, PG_COUNT(parser_rows)};

static const pg_option network_rows[] = {
    MISSING_LIST("--trt-outputs", TRT, "tensors of the network that shall be outputs"),
    MISSING_LIST("--trt-exclude-outputs", TRT, "outputs of the network that shall not be outputs"),
    MISSING_LIST("--trt-outputs-by-type", TRT, "outputs of layers of these types"),
    {"--layer-precisions", .type = PG_ARG_LIST, .syntax = PG_SYNTAX_NAMED, .missing = TRT,
     .metavar = "NAME:TYPE", .help = "precisions of layers: name:float16"},
    MISSING_FLAG("--decomposable-attentions", TRT, "attention layers may be decomposed"),
    {"--tensor-dtypes --tensor-datatypes", .type = PG_ARG_LIST, .syntax = PG_SYNTAX_NAMED, .missing = TRT,
     .metavar = "NAME:TYPE", .help = "types of inputs and outputs: name:float16"},
    MISSING_TEXT("--all-tensor-dtypes --all-tensor-datatypes", TRT, "one type for all inputs and outputs"),
    {"--tensor-formats", .type = PG_ARG_LIST, .syntax = PG_SYNTAX_NAMED, .missing = TRT,
     .metavar = "NAME:FORMATS", .help = "formats of inputs and outputs: name:[linear,chw4]"},
    MISSING_LIST("--all-tensor-formats", TRT, "formats of all inputs and outputs"),
    MISSING_LIST("--trt-network-postprocess-script --trt-npps", SCRIPT,
                 "Python files that change the network"),
    MISSING_FLAG("--strongly-typed", TRT, "types follow from the inputs and are never changed"),
    MISSING_LIST("--mark-debug", TRT, "tensors to watch"),
    MISSING_FLAG("--mark-unfused-tensors-as-debug-tensors", TRT, "watch every tensor that is not fused away"),
    OURS_ROW("--trt-network-func-name", SCRIPT, "function in the network script"),
};
const pg_group pg_group_trt_network = {"TensorRT Network Loading", network_rows, PG_COUNT(network_rows)};

static const pg_option save_rows[] = {
    MISSING_PATH("--save-engine", TRT, "save the engine"),
};
const pg_group pg_group_trt_save_engine = {"TensorRT Engine Saving", save_rows, PG_COUNT(save_rows)};

static const pg_option engine_rows[] = {
    MISSING_PATH("--save-timing-cache", TRT, "save the timings of kernels"),
    MISSING_PATH("--load-runtime", TRT, "runtime library for engines without one"),
    MISSING_TEXT("--dla-workspace-allocation-strategy", TRT, "how the accelerator's memory is allocated"),
    OURS_ROW("--trt-engine", TRT, "also run a saved engine"),
};
const pg_group pg_group_trt_engine = {"TensorRT Engine", engine_rows, PG_COUNT(engine_rows)};

static const pg_option inference_rows[] = {
    MISSING_INT("--optimization-profile", TRT, "index of the profile to run with"),
    {"--allocation-strategy", .type = PG_ARG_TEXT, .choices = "static|profile|runtime", .missing = TRT,
     .help = "how memory of activations is allocated: for all profiles, for one, or for the current shapes"},
    {"--weight-streaming-budget", .type = PG_ARG_TEXT, .syntax = PG_SYNTAX_SHARE, .missing = TRT,
     .metavar = "BYTES", .help = "memory for streamed weights: 1G, or 50% of them"},
};
const pg_group pg_group_trt_inference = {"TensorRT Inference", inference_rows, PG_COUNT(inference_rows)};
