/* Option groups shared among commands: one file each. A group's struct holds what the user wrote (the fields
 * that rows name) and, after the group's `finish`, what it means (the fields after the blank line). Memory is
 * the command's arena's. */
#ifndef PG_ARGS_ARGS_H
#define PG_ARGS_ARGS_H

#include "cli/option.h"
#include "cli/values.h"
#include "compare/compare.h"
#include "data/loader.h"
#include "engine/engine.h"
#include "log/log.h"
#include "native/native.h"
#include "onnx/edit.h"
#include "onnx/save.h"
#include "runner/runner.h"
#include "runner/tensorrt/tensorrt.h"

/* ---- Logging ---- */

typedef struct pg_args_logging {
    int verbose, quiet;
    bool extra_verbose;
    pg_arg_list verbosity;
    bool silent;
    pg_arg_list log_format;
    const char *log_file;
} pg_args_logging;
/* The level that the counts of -v and -q ask for; --verbosity comes before it. */
pg_severity pg_args_log_level(const pg_args_logging *args);
/* Its finish sets the logger up, so it is the first group of every command. */
extern const pg_group pg_group_logging;

/* ---- Model ---- */

typedef struct pg_args_model {
    const char *path; /* NULL when the command line names no model */
    const char *type;
    pg_arg_list input_shapes_text;

    bool is_engine; /* else ONNX */
    pg_input_shape *input_shapes;
    size_t n_input_shapes;
} pg_args_model;
/* Its finish decides the kind of the model and refuses every kind but ONNX and TensorRT's engines. */
extern const pg_group pg_group_model;
/* The same without a choice: the model is ONNX, whatever its name ends in. */
extern const pg_group pg_group_onnx_model;

/* ---- ONNX ---- */

typedef struct pg_args_onnx {
    const char *external_data_dir;
    bool ignore_external_data;
    pg_arg_list outputs, exclude_outputs, outputs_by_type;
    bool mark_all;
    pg_arg_list exclude_too; /* --exclude-outputs */
    bool fp16;

    pg_model_options options;
    pg_output_selection selection;
} pg_args_onnx;
extern const pg_group pg_group_onnx;
/* "*", "mark all" as one word or as two. */
bool pg_args_means_all(const pg_arg_list *list);

typedef struct pg_args_onnx_shapes {
    bool infer;
    bool no_onnxruntime; /* ONNX Runtime is never asked for shapes */
} pg_args_onnx_shapes;
extern const pg_group pg_group_onnx_shapes;
/* Replaces the model by one with inferred types when that is asked for. */
PG_MUST_USE pg_status pg_args_infer_shapes(const pg_args_onnx_shapes *args, pg_model **model);

/* Loads the model and changes it as the options say: shapes inferred, outputs selected, float16. `shapes` may
 * be NULL. A line of the log says so when there is something to change, or when `announce` is set. The caller
 * unrefs the model. */
PG_MUST_USE pg_status pg_args_load_onnx(const pg_args_model *model, const pg_args_onnx *onnx,
                                        const pg_args_onnx_shapes *shapes, bool announce, pg_model **out);

typedef struct pg_args_onnx_save {
    const char *path; /* NULL: nothing is saved */
    pg_opt_text external;
    const char *threshold;
    bool per_tensor;

    pg_model_save_options options;
} pg_args_onnx_save;
extern const pg_group pg_group_onnx_save;
/* Says which of the options have nothing to do; once the path is known. */
void pg_args_warn_onnx_save(const pg_args_onnx_save *args);
PG_MUST_USE pg_status pg_args_save_onnx(const pg_args_onnx_save *args, const pg_model *model);

/* ---- Runners ---- */

typedef struct pg_args_runners {
    pg_arg_list names; /* "onnxrt", "native", "onnx", "trt" in the command line's order */
    pg_opt_int threads_text;

    unsigned threads; /* 0 = all processors */
} pg_args_runners;
extern const pg_group pg_group_runners;

typedef struct pg_args_onnxrt {
    pg_arg_list providers_text;
    const char *optimization_level, *library;

    pg_onnxrt_options options;
} pg_args_onnxrt;
extern const pg_group pg_group_onnxrt;

typedef struct pg_args_native {
    bool no_onednn, no_optimization, fp32;
    const char *onednn, *precision, *save_profile;
    pg_opt_text profile;
    pg_opt_int loop_limit;
    pg_opt_float time_limit;

    bool profiles;       /* times are taken */
    size_t profile_rows; /* to print; 0 = none */
    pg_native_options options;
} pg_args_native;
extern const pg_group pg_group_native;

/* What the built-in engine finds out about the model's numbers, beside the runners. */
typedef struct pg_args_ranges {
    pg_arg_list types_text;
    const char *save;

    bool wanted;
    unsigned types; /* bits (1 << pg_watch_type) */
} pg_args_ranges;
extern const pg_group pg_group_ranges;

typedef struct pg_args_trt pg_args_trt; /* below */
/* The runner that one of pg_args_runners' names stands for. The model is kept (counted).
 * "trt" is TensorRT itself, not the built-in engine in its place. `trt` may be NULL: no options were given for it;
 * else it must outlive the runner. */
PG_MUST_USE pg_status pg_args_new_runner(const char *name, const pg_args_runners *runners,
                                         const pg_args_onnxrt *onnxrt, const pg_args_native *native,
                                         const pg_args_trt *trt, pg_model *model, pg_runner **out);

/* ---- Data ---- */

typedef struct pg_args_data {
    pg_opt_int seed, iterations;
    pg_arg_list val_range_text, load_inputs;
    const char *backend_module;
    pg_opt_int int_min, int_max;
    pg_opt_float float_min, float_max;

    pg_loader_options options; /* without the shapes, which are pg_args_model's */
} pg_args_data;
extern const pg_group pg_group_data;
/* The first iteration for a model with these inputs: loaded and made to fit, or random. The caller ends it.
 */
PG_MUST_USE pg_status pg_args_first_feed(const pg_args_data *data, const pg_args_model *model,
                                         pg_io_list inputs, pg_feed *out);

/* ---- Inference and comparison ---- */

typedef struct pg_args_inference {
    pg_opt_int warm_up_text;
    bool subprocess;
    const char *save_inputs, *save_outputs;
    pg_opt_text save_input_blob;

    size_t warm_up;
} pg_args_inference;
extern const pg_group pg_group_inference;

typedef struct pg_args_postprocess {
    pg_arg_list text;

    pg_top_k *top_k;
    size_t n_top_k;
} pg_args_postprocess;
extern const pg_group pg_group_postprocess;

typedef struct pg_args_compare {
    bool no_shape_check, validate, fail_fast, check_average, sequential_runners;
    pg_arg_list functions_text, load_outputs;
    const char *save_accuracy, *save_report;

    pg_compare_function *functions; /* aliases resolved, each once */
    size_t n_functions;
} pg_args_compare;
extern const pg_group pg_group_compare;

typedef struct pg_args_simple {
    pg_arg_list rtol_text, atol_text, stat_text, quantile_text;
    const char *tolerance; /* "auto" or NULL */
    bool infinities_compare_equal, show_heatmaps, show_error_plot;
    const char *save_heatmaps, *save_error_plot;

    pg_output_numbers rtol, atol, quantile;
    pg_output_stat *stats;
    size_t n_stats;
} pg_args_simple;
extern const pg_group pg_group_simple;

typedef struct pg_args_indices {
    pg_arg_list tolerance_text;

    pg_output_numbers tolerance;
} pg_args_indices;
extern const pg_group pg_group_indices;

typedef struct pg_args_threshold {
    pg_arg_list text;

    pg_output_numbers values;
} pg_args_threshold;
/* One per function with a threshold. */
typedef struct pg_args_thresholds {
    pg_args_threshold l2, cosine, psnr, snr, perceptual;
} pg_args_thresholds;
extern const pg_group pg_group_l2, pg_group_cosine, pg_group_psnr, pg_group_snr, pg_group_perceptual;

/* All these groups as one set of options. */
pg_compare_options pg_args_compare_options(const pg_args_compare *compare, const pg_args_simple *simple,
                                           const pg_args_indices *indices,
                                           const pg_args_thresholds *thresholds);
/* Warns about options of functions that were not chosen. */
void pg_args_compare_warn(const pg_args_compare *compare, const pg_args_simple *simple,
                          const pg_args_indices *indices, const pg_args_thresholds *thresholds);
/* Refuses what cannot be judged by its average. */
PG_MUST_USE pg_status pg_args_check_average(const pg_args_compare *compare, const pg_args_simple *simple);

/* ---- Reports ---- */

typedef struct pg_args_reports {
    const char *html, *junit, *sarif, *json; /* paths; NULL = not wanted */
} pg_args_reports;
extern const pg_group pg_group_reports;

/* ---- Scripts ---- */

typedef struct pg_args_script {
    const char *path; /* of the program that does the same as the command; NULL = do it */
} pg_args_script;
extern const pg_group pg_group_script;

/* ---- TensorRT ---- */

typedef struct pg_args_trt_library {
    const char *name;

    pg_trt_choice choice;
} pg_args_trt_library;

typedef struct pg_args_trt_config {
    pg_arg_list min, opt, max;
    bool tf32, fp16, bf16, fp8, int8, sparse_weights, version_compatible, exclude_lean_runtime;
    bool error_on_timing_cache_miss, disable_compilation_cache, safety, refittable, strip_plan, use_dla;
    bool gpu_fallback, weight_streaming, direct_io;
    const char *precision_constraints, *load_timing_cache, *timing_cache, *workspace;
    const char *hardware_compatibility, *profiling_verbosity, *runtime_platform, *tiling_level;
    pg_arg_list tactic_sources, pool_limit, preview_features, quantization_flags;
    pg_opt_int level, aux_streams;
    const char *calibration_cache, *calibrator, *save_tactics, *load_tactics;
    pg_opt_float quantile, cutoff;

    pg_calibrate_options calibration; /* without threads */
    pg_trt_profile *profiles;
    size_t n_profiles;
    pg_trt_pool *pools;
    size_t n_pools;
} pg_args_trt_config;

typedef struct pg_args_trt_plugins {
    pg_arg_list plugins;
} pg_args_trt_plugins;

typedef struct pg_args_trt_parser {
    pg_arg_list flags;
    bool plugin_instance_norm, uint8_dla;
} pg_args_trt_parser;

typedef struct pg_args_trt_network {
    pg_arg_list outputs, exclude_outputs, outputs_by_type, layer_precisions, tensor_dtypes, tensor_formats;
    pg_arg_list all_tensor_formats, mark_debug;
    const char *all_tensor_dtypes;
    bool strongly_typed, mark_unfused, decomposable;
} pg_args_trt_network;

typedef struct pg_args_trt_save {
    const char *engine;
} pg_args_trt_save;

typedef struct pg_args_trt_engine {
    const char *save_timing_cache, *load_runtime, *engine, *refit_from;
} pg_args_trt_engine;

typedef struct pg_args_trt_inference {
    pg_opt_int profile;
    const char *allocation, *budget_text;

    bool percent;
    double budget;
} pg_args_trt_inference;

/* What the groups below fill, for commands that have them; a group that a command lacks stays zeroed. */
struct pg_args_trt {
    pg_args_trt_library library;
    pg_args_trt_config config;
    pg_args_trt_plugins plugins;
    pg_args_trt_parser parser;
    pg_args_trt_network network;
    pg_args_trt_save save;
    pg_args_trt_engine engine;
    pg_args_trt_inference inference;

    pg_trt_options options;  /* filled by the command with pg_args_trt_options */
    const char *engine_file; /* what --trt runs instead of a model; NULL: the model */
};
extern const pg_group pg_group_trt_library, pg_group_trt_config, pg_group_trt_plugins, pg_group_trt_parser;
extern const pg_group pg_group_trt_network, pg_group_trt_save_engine, pg_group_trt_engine;
extern const pg_group pg_group_trt_inference;
/* All of them together, in the arena. */
PG_MUST_USE pg_status pg_args_trt_options(const pg_args_trt *args, const pg_args_model *model,
                                          pg_arena *arena, pg_trt_options *out);
/* The options that only TensorRT can follow and that were given, "--fp16 --trt-outputs"; NULL when there is none. */
const char *pg_args_trt_set(const pg_args_trt *args, pg_arena *arena);
/* Whether the built-in engine does the work: asked for, or no library was found and none was named. */
bool pg_args_trt_is_native(const pg_args_trt *args);
/* What --int8 calibrates with; the groups and the arena must outlive it. */
void pg_args_trt_calibrate(const pg_args_trt *args, const pg_args_data *data, pg_arena *arena,
                           pg_trt_options *out);
/* PG_ERR_UNAVAILABLE, naming those options, where no library can be found. */
PG_MUST_USE pg_status pg_args_trt_require(const pg_args_trt *args, pg_arena *arena);

/* Builds an engine of the built-in engine. An option that it cannot follow is an error that names it. */
typedef struct pg_args_build {
    const pg_args_model *model;
    const pg_args_data *data; /* what int8 is calibrated with, and where open shapes come from */
    const pg_args_trt *trt;   /* with its options filled */
    unsigned threads;
    const char *onednn; /* path of libdnnl; NULL = search */
    bool no_onednn;
} pg_args_build;
/* The network that the built-in engine builds from: the model with the outputs that the options choose. An option
 * that it cannot follow is an error that names it. */
PG_MUST_USE pg_status pg_args_engine_network(const pg_args_trt *trt, pg_model *model, pg_arena *arena,
                                             pg_model **out);
/* Replaces a loaded engine by one with the weights of --refit-from; nothing without that. */
PG_MUST_USE pg_status pg_args_engine_refit(const pg_args_trt *trt, unsigned threads, pg_engine **engine);
/* How sessions of an engine, built or loaded, use memory: --allocation-strategy and --weight-streaming-budget. */
PG_MUST_USE pg_status pg_args_engine_use(const pg_args_trt *trt, pg_engine *engine);
/* Whether a budget for weights is asked for: then the engine has to be loaded from a file. */
bool pg_args_engine_streams(const pg_args_trt *trt);
PG_MUST_USE pg_status pg_args_build_engine(const pg_args_build *args, pg_model *model, pg_arena *arena,
                                           pg_engine **out);

/* ---- Systems that this version lacks ---- */

/* Groups whose every row is an error that names what is missing; they have no values. */
extern const pg_group pg_group_tf, pg_group_tftrt, pg_group_tf_session, pg_group_tf_inference,
    pg_group_tf_onnx;
extern const pg_group pg_group_debug_check, pg_group_debug_artifacts, pg_group_debug_loop;
extern const pg_group pg_group_shard;

#endif
