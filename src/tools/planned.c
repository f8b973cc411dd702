/* Commands of the peer whose system this version lacks: their options parse and are checked as anywhere, then an
 * error names what is missing. A command leaves this file when its system arrives. */
#include "args/args.h"
#include "args/missing.h"
#include "tools/planned.h"

typedef struct planned_args {
    pg_args_logging logging;
    pg_args_model model;
    pg_args_data data;
    pg_args_onnx_shapes shapes;
    pg_args_onnx onnx;
    pg_args_onnx_save save;
    pg_args_trt trt;
} planned_args;

#define EDIT "model editing"
#define LOOP "the debugging loop"
#define TRT_LOOP "TensorRT and the debugging loop"
#define SHARD "model sharding"

#define OUTPUT_SELECTION \
    "--onnx-outputs --onnx-exclude-outputs --onnx-outputs-by-type --mark-all --exclude-outputs"
#define LOGGING                                            \
    {                                                      \
        &pg_group_logging, offsetof(planned_args, logging) \
    }
#define ONNX_MODEL                                                                        \
    {                                                                                     \
        &pg_group_onnx_model, offsetof(planned_args, model), .without = "--input-shapes", \
                                                             .required = "model_file"     \
    }
#define ANY_MODEL                                                                    \
    {                                                                                \
        &pg_group_model, offsetof(planned_args, model), .without = "--input-shapes", \
                                                        .required = "model_file"     \
    }
#define LOAD                                                                      \
    {                                                                             \
        &pg_group_onnx, offsetof(planned_args, onnx), .without = OUTPUT_SELECTION \
    }
#define SAVE                                                                        \
    {                                                                               \
        &pg_group_onnx_save, offsetof(planned_args, save), .without = "--save-onnx" \
    }
#define SHAPES                                                \
    {                                                         \
        &pg_group_onnx_shapes, offsetof(planned_args, shapes) \
    }
#define DATA                                         \
    {                                                \
        &pg_group_data, offsetof(planned_args, data) \
    }

#define FORCED_SHAPES_ROW(needs)                                                                     \
    {                                                                                                \
        "--force-fallback-shape-inference", .type = PG_ARG_FLAG, .missing = needs,                   \
                                            .exclusive = "shape inference",                          \
                                            .help = "take the shapes of a run of the model instead " \
    }
#define NO_SHAPES_ROW(needs)                                                                           \
    {                                                                                                  \
        "--no-shape-inference", .type = PG_ARG_FLAG, .missing = needs, .exclusive = "shape inference", \
                                .help = "do not infer shapes first"                                    \
    }
#define OUTPUT_ROW(needs, help_)                                                                     \
    {                                                                                                \
        "-o --output", .type = PG_ARG_TEXT, .missing = needs, .flags = PG_OPTION_PATH, .help = help_ \
    }
#define MODEL_SHAPES_ROW(needs)                                                                      \
    {                                                                                                \
        "--model-input-shapes --model-inputs", .type = PG_ARG_LIST, .syntax = PG_SYNTAX_SHAPES,      \
                                               .missing = needs, .metavar = "NAME:SHAPE",            \
                                               .help = "input shapes of a run that finds out shapes" \
    }

#define PLANNED(id, name_, needs, summary_, groups_, ...)       \
    const pg_command id = {.name = name_,                       \
                           .summary = summary_,                 \
                           .missing = needs,                    \
                           .groups = groups_,                   \
                           .n_groups = PG_COUNT(groups_),       \
                           .values_size = sizeof(planned_args), \
                           __VA_ARGS__}

/* ---- surgeon ---- */

static const pg_option extract_rows[] = {
    MODEL_SHAPES_ROW(EDIT),
    FORCED_SHAPES_ROW(EDIT),
    OUTPUT_ROW(EDIT, "where to save the part (default: the model's name and '_extracted')"),
    {"--inputs", .type = PG_ARG_LIST, .arity = PG_ARITY_ANY, .missing = EDIT,
     .metavar = "NAME[:SHAPE[:TYPE]]",
     .help = "inputs of the part; 'auto', or nothing, leaves a shape or a type to be found out"},
    {"--outputs", .type = PG_ARG_LIST, .missing = EDIT, .metavar = "NAME[:TYPE]",
     .help = "outputs of the part"},
};
static const pg_group extract_group = {NULL, extract_rows, PG_COUNT(extract_rows)};
static const pg_group_use extract_groups[] = {LOGGING, ONNX_MODEL,      DATA, SHAPES, LOAD,
                                              SAVE,    {&extract_group}};
PLANNED(pg_command_surgeon_extract, "extract", EDIT, "Cut a part out of a model.", extract_groups);

static const pg_option sanitize_rows[] = {
    {"--override-input-shapes --override-inputs", .type = PG_ARG_LIST, .syntax = PG_SYNTAX_SHAPES,
     .missing = EDIT, .metavar = "NAME:SHAPE", .help = "shapes to write into the model for its inputs"},
    NO_SHAPES_ROW(EDIT),
    FORCED_SHAPES_ROW(EDIT),
    {"--outputs", .type = PG_ARG_LIST, .missing = EDIT, .help = "tensors that shall be the model's outputs"},
    {"--exclude-outputs", .type = PG_ARG_LIST, .missing = EDIT, .help = "outputs that shall not be outputs"},
    {"--outputs-by-type", .type = PG_ARG_LIST, .missing = EDIT, .metavar = "OP",
     .help = "make the outputs of all nodes of these operators outputs"},
    {"--set-unbounded-dds-upper-bound", .type = PG_ARG_LIST, .missing = EDIT, .metavar = "[NAME:]N",
     .help = "bounds of sizes that depend on data"},
    OUTPUT_ROW(EDIT, "where to save the model (default: the model's name and '_sanitized')"),
    {"--fold-constants", .type = PG_ARG_FLAG, .missing = EDIT,
     .help = "compute what does not depend on the inputs"},
    {"--num-passes --num-const-fold-passes", .type = PG_ARG_INT, .missing = EDIT,
     .help = "how often to fold (default: until nothing changes)"},
    {"--partitioning", .type = PG_ARG_TEXT, .choices = "basic|recursive", .missing = EDIT,
     .help = "fold parts of the model where the whole cannot be folded"},
    {"--no-fold-shapes", .type = PG_ARG_FLAG, .missing = EDIT, .help = "leave Shape nodes alone"},
    {"--no-per-pass-shape-inference", .type = PG_ARG_FLAG, .missing = EDIT,
     .help = "do not infer shapes between passes"},
    {"--fold-size-threshold", .type = PG_ARG_TEXT, .syntax = PG_SYNTAX_BYTES, .missing = EDIT,
     .metavar = "BYTES", .help = "larger tensors are not computed; K, M and G are powers of 1024"},
    {"--cleanup", .type = PG_ARG_FLAG, .missing = EDIT, .help = "drop what no output needs"},
    {"--toposort", .type = PG_ARG_FLAG, .missing = EDIT, .help = "sort the nodes"},
};
static const pg_group sanitize_group = {NULL, sanitize_rows, PG_COUNT(sanitize_rows)};
static const pg_group_use sanitize_groups[] = {
    LOGGING,
    ONNX_MODEL,
    DATA,
    {&pg_group_onnx_shapes, offsetof(planned_args, shapes), .without = "--shape-inference"},
    LOAD,
    SAVE,
    {&sanitize_group}};
PLANNED(pg_command_surgeon_sanitize, "sanitize", EDIT, "Fold constants and clean a model up.",
        sanitize_groups);

static const pg_option insert_rows[] = {
    {"--inputs", .type = PG_ARG_LIST, .missing = EDIT, .flags = PG_OPTION_REQUIRED,
     .help = "inputs of the node"},
    {"--outputs", .type = PG_ARG_LIST, .missing = EDIT, .flags = PG_OPTION_REQUIRED,
     .help = "outputs of the node"},
    {"--op", .type = PG_ARG_TEXT, .missing = EDIT, .flags = PG_OPTION_REQUIRED, .help = "its operator"},
    {"--name", .type = PG_ARG_TEXT, .missing = EDIT, .help = "its name"},
    {"--attrs", .type = PG_ARG_LIST, .missing = EDIT, .metavar = "NAME=VALUE", .help = "its attributes"},
    {"-o --output", .type = PG_ARG_TEXT, .missing = EDIT, .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .help = "where to save the model"},
};
static const pg_group insert_group = {NULL, insert_rows, PG_COUNT(insert_rows)};
static const pg_group_use insert_groups[] = {LOGGING, ONNX_MODEL, SHAPES, LOAD, SAVE, {&insert_group}};
PLANNED(pg_command_surgeon_insert, "insert", EDIT, "Insert a node into a model.", insert_groups);

static const pg_option prune_rows[] = {
    OUTPUT_ROW(EDIT, "where to save the model (default: the model's name and '_pruned')"),
    {"--remove-node-types", .type = PG_ARG_LIST, .missing = EDIT, .metavar = "OP", .flags = PG_OPTION_OURS,
     .help = "remove the nodes of these operators instead"},
};
static const pg_group prune_group = {NULL, prune_rows, PG_COUNT(prune_rows)};
static const pg_group_use prune_groups[] = {LOGGING, ONNX_MODEL, LOAD, SAVE, {&prune_group}};
PLANNED(pg_command_surgeon_prune, "prune", EDIT, "Prune weights to the 2:4 pattern.", prune_groups);

static const pg_option strip_rows[] = {
    {"-o --output", .type = PG_ARG_TEXT, .missing = EDIT, .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .help = "where to save the model"},
    {"--exclude-list", .type = PG_ARG_TEXT, .missing = EDIT, .flags = PG_OPTION_PATH,
     .help = "text file of the weights to keep, one name per line"},
};
static const pg_group strip_group = {NULL, strip_rows, PG_COUNT(strip_rows)};
static const pg_group_use strip_groups[] = {LOGGING, ONNX_MODEL, LOAD, SAVE, {&strip_group}};
PLANNED(pg_command_surgeon_weight_strip, "weight-strip", EDIT, "Drop the weights of a model.", strip_groups);

static const pg_group_use reconstruct_groups[] = {
    LOGGING, ONNX_MODEL, LOAD, SAVE, {&strip_group, .without = "--exclude-list"}};
PLANNED(pg_command_surgeon_weight_reconstruct, "weight-reconstruct", EDIT,
        "Fill stripped weights with random values.", reconstruct_groups);

/* ---- debug ---- */

#define ARTIFACT_ROW(default_)                                                                    \
    {                                                                                             \
        "--iter-artifact --intermediate-artifact", .type = PG_ARG_TEXT, .default_text = default_, \
                                                   .missing = LOOP, .flags = PG_OPTION_PATH,      \
                                                   .help = "the file that each round writes anew" \
    }

#define CHECK                     \
    {&pg_group_debug_check},      \
    {                             \
        &pg_group_debug_artifacts \
    }
#define TENSORRT                                                                                      \
    {&pg_group_trt_plugins, offsetof(planned_args, trt.plugins)},                                     \
        {&pg_group_trt_parser, offsetof(planned_args, trt.parser)},                                   \
        {&pg_group_trt_network, offsetof(planned_args, trt.network)},                                 \
    {                                                                                                 \
        &pg_group_trt_engine, offsetof(planned_args, trt.engine),                                     \
            .without = "--load-runtime --dla-workspace-allocation-strategy --trt-engine --refit-from" \
    }

static const pg_option build_rows[] = {ARTIFACT_ROW("polygraphy_debug.engine")};
static const pg_group build_group = {NULL, build_rows, PG_COUNT(build_rows)};
static const pg_group_use build_groups[] = {
    LOGGING,
    {&build_group},
    {&pg_group_trt_config, offsetof(planned_args, trt.config)},
    CHECK,
    {&pg_group_debug_loop, .without = "--load-debug-replay --save-debug-replay"},
    ANY_MODEL,
    SHAPES,
    LOAD,
    DATA,
    TENSORRT};
PLANNED(pg_command_debug_build, "build", TRT_LOOP, "Build an engine again and again.", build_groups,
        .exact_names = true);

static const pg_option precision_rows[] = {
    ARTIFACT_ROW("polygraphy_debug.engine"),
    {"--precision-constraints", .type = PG_ARG_TEXT, .choices = "prefer|obey|none", .default_text = "obey",
     .missing = "TensorRT", .flags = PG_OPTION_NAMED_TOO,
     .help = "how binding the precisions set on layers are"},
    {"--mode", .type = PG_ARG_TEXT, .choices = "bisect|linear", .default_text = "bisect", .missing = LOOP,
     .help = "how the search moves"},
    {"--dir --direction", .type = PG_ARG_TEXT, .choices = "forward|reverse", .default_text = "forward",
     .missing = LOOP, .help = "which end of the layers is raised first"},
    {"-p --precision", .type = PG_ARG_TEXT, .choices = "float32|float16", .default_text = "float32",
     .missing = LOOP, .help = "what layers are raised to"},
    {"--golden-outputs", .type = PG_ARG_TEXT, .missing = LOOP, .flags = PG_OPTION_OURS | PG_OPTION_PATH,
     .help = "judge each round by comparing with these saved outputs, instead of --check"},
    {"--save-layer-outputs", .type = PG_ARG_TEXT, .missing = LOOP, .flags = PG_OPTION_OURS | PG_OPTION_PATH,
     .help = "save the outputs of all layers"},
    {"--mark-all", .type = PG_ARG_FLAG, .missing = LOOP, .flags = PG_OPTION_OURS,
     .help = "make every tensor an output"},
};
static const pg_group precision_group = {NULL, precision_rows, PG_COUNT(precision_rows)};
static const pg_group_use precision_groups[] = {
    LOGGING,
    CHECK,
    {&pg_group_debug_loop, .without = "--until"},
    ANY_MODEL,
    SHAPES,
    LOAD,
    DATA,
    {&pg_group_trt_config, offsetof(planned_args, trt.config), .without = "--precision-constraints"},
    TENSORRT,
    {&precision_group}};
PLANNED(pg_command_debug_precision, "precision", TRT_LOOP, "Find the layers that need a higher precision.",
        precision_groups, .exact_names = true);

static const pg_option reduce_rows[] = {
    ARTIFACT_ROW("polygraphy_debug.onnx"),
    MODEL_SHAPES_ROW(LOOP),
    OUTPUT_ROW(LOOP, "where to save the smallest model that fails"),
    NO_SHAPES_ROW(LOOP),
    FORCED_SHAPES_ROW(LOOP),
    {"--min-good --minimal-good", .type = PG_ARG_TEXT, .missing = LOOP, .flags = PG_OPTION_PATH,
     .help = "also save a model near it that passes"},
    {"--no-reduce-inputs", .type = PG_ARG_FLAG, .missing = LOOP, .exclusive = "reduce",
     .help = "move the outputs only"},
    {"--no-reduce-outputs", .type = PG_ARG_FLAG, .missing = LOOP, .exclusive = "reduce",
     .help = "move the inputs only"},
    {"--mode", .type = PG_ARG_TEXT, .choices = "bisect|linear", .default_text = "bisect", .missing = LOOP,
     .help = "how the search moves"},
};
static const pg_group reduce_group = {NULL, reduce_rows, PG_COUNT(reduce_rows)};
static const pg_group_use reduce_groups[] = {
    LOGGING,
    CHECK,
    {&pg_group_debug_loop, .without = "--until"},
    ONNX_MODEL,
    SAVE,
    {&pg_group_onnx_shapes, offsetof(planned_args, shapes), .without = "--shape-inference"},
    LOAD,
    DATA,
    {&reduce_group}};
PLANNED(pg_command_debug_reduce, "reduce", LOOP, "Find the smallest model that fails.", reduce_groups,
        .exact_names = true);

static const pg_group_use repeat_groups[] = {
    LOGGING, CHECK, {&pg_group_debug_loop, .without = "--no-remove-intermediate"}};
PLANNED(pg_command_debug_repeat, "repeat", LOOP, "Repeat a command and sort its artifacts.", repeat_groups,
        .exact_names = true);

/* ---- multi-device ---- */

static const pg_option shard_rows[] = {
    {"-o --output", .type = PG_ARG_TEXT, .missing = SHARD, .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .help = "where to save the model"},
    {"-s --hint", .type = PG_ARG_TEXT, .missing = SHARD, .exclusive = "hints", .flags = PG_OPTION_PATH,
     .help = "file of sharding hints"},
    {"--one-shot", .type = PG_ARG_FLAG, .missing = SHARD, .exclusive = "hints",
     .help = "find the hints by the options above"},
};
static const pg_group shard_group = {NULL, shard_rows, PG_COUNT(shard_rows)};
static const pg_group_use shard_groups[] = {LOGGING, ONNX_MODEL,        SHAPES,        LOAD,
                                            SAVE,    {&pg_group_shard}, {&shard_group}};
PLANNED(pg_command_multi_device_shard, "shard", SHARD, "Shard a model over several devices.", shard_groups);

/* ---- template, plugin ---- */

static const pg_option hints_rows[] = {
    {"-o --output", .type = PG_ARG_TEXT, .missing = SHARD, .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .help = "where to write the hints"},
};
static const pg_group hints_group = {NULL, hints_rows, PG_COUNT(hints_rows)};
static const pg_group_use hints_groups[] = {LOGGING, ONNX_MODEL, LOAD, {&pg_group_shard}, {&hints_group}};
PLANNED(pg_command_template_shard_hints, "shard-hints", SHARD, "Write sharding hints.", hints_groups);

#define TUNE "the search for the fastest plugins"

static const pg_option tune_model_rows[] = {
    {"model", .type = PG_ARG_TEXT, .missing = TUNE, .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .help = "path of the ONNX model"},
    {"-o --output", .type = PG_ARG_TEXT, .missing = TUNE, .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .help = "where to save the model"},
};
static const pg_group tune_model_group = {NULL, tune_model_rows, PG_COUNT(tune_model_rows)};

static const pg_option tune_plugin_rows[] = {
    {"--plugin-dir", .type = PG_ARG_TEXT, .missing = TUNE, .flags = PG_OPTION_PATH | PG_OPTION_REQUIRED,
     .metavar = "DIR", .help = "folder of the plugins' patterns"},
    {"--python-plugins", .type = PG_ARG_LIST, .missing = TUNE, .flags = PG_OPTION_PATH,
     .help = "Python files that register plugins"},
    {"--plugin-libraries", .type = PG_ARG_LIST, .missing = TUNE, .flags = PG_OPTION_PATH,
     .help = "plugin libraries to load"},
    {"--include", .type = PG_ARG_LIST, .missing = TUNE, .exclusive = "plugins", .help = "only these plugins"},
    {"--exclude", .type = PG_ARG_LIST, .missing = TUNE, .exclusive = "plugins",
     .help = "all but these plugins"},
};
static const pg_group tune_plugin_group = {"Plugin Configuration", tune_plugin_rows,
                                           PG_COUNT(tune_plugin_rows)};

static const pg_option tune_rows[] = {
    {"--report", .type = PG_ARG_TEXT, .missing = TUNE, .flags = PG_OPTION_PATH,
     .help = "where to write what was tried"},
    {"--autotune-mode", .type = PG_ARG_TEXT, .choices = "greedy|exhaustive", .default_text = "greedy",
     .missing = TUNE, .help = "one replacement after the other, or every combination"},
    {"--max-combinations", .type = PG_ARG_INT, .default_text = "1000", .missing = TUNE,
     .help = "combinations to try at most"},
    {"--threshold", .type = PG_ARG_FLOAT, .default_text = "0.1", .missing = TUNE,
     .help = "gain of time, as a share, from which a replacement is kept"},
    {"--no-timing-cache", .type = PG_ARG_FLAG, .missing = TUNE, .help = "time every kernel anew"},
    {"--timing-cache", .type = PG_ARG_TEXT, .missing = TUNE, .flags = PG_OPTION_PATH,
     .help = "timings of kernels: read if there, written at the end"},
    {"--save-config-yaml", .type = PG_ARG_MAYBE, .missing = TUNE, .implied = "config.yaml",
     .flags = PG_OPTION_PATH, .help = "save which replacements were chosen"},
    {"--load-config-yaml", .type = PG_ARG_TEXT, .missing = TUNE, .flags = PG_OPTION_PATH,
     .help = "replacements to start from"},
    {"--skip-autotuning", .type = PG_ARG_FLAG, .missing = TUNE,
     .help = "replace as the file says, without a search"},
};
static const pg_group tune_group = {"AutoTuner Configuration", tune_rows, PG_COUNT(tune_rows)};
static const pg_group_use tune_groups[] = {
    LOGGING,
    {&pg_group_onnx_save, offsetof(planned_args, save), .without = "--save-onnx"},
    {&tune_model_group},
    {&tune_plugin_group},
    {&tune_group},
};
PLANNED(pg_command_plugin_autotune, "autotune", TUNE, "Choose plugins by build time.", tune_groups);
