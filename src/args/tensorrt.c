#include "args/args.h"
#include "args/missing.h"
#include "data/tactics.h"

#include <stdlib.h>
#include <string.h>

#define SCRIPT NEEDS_PYTHON

#define FLAG(field, names_, help_)                                  \
    {                                                               \
        names_, PG_FIELD(pg_args_trt_config, field), .help = help_, \
    }
#define PROFILE_ROW(field, names_, help_)                                                               \
    {                                                                                                   \
        names_, PG_FIELD(pg_args_trt_config, field), .help = help_, .metavar = "NAME:SHAPE",            \
                                                     .flags = PG_OPTION_APPEND, .arity = PG_ARITY_SOME, \
    }

/* ---- Rows ---- */

static const pg_option library_rows[] = {
    {"--trt-library", PG_FIELD(pg_args_trt_library, name), .choices = "auto|tensorrt|tensorrt-rtx|native",
     .default_text = "auto", .flags = PG_OPTION_OURS,
     .help = "which TensorRT: auto is TensorRT where there is one, else TensorRT-RTX (only the latter with "
             "POLYGRAPHY_USE_TENSORRT_RTX=1), else the built-in engine, which is native. It is looked for in "
             "POLYGRAPHY_TENSORRT (a library or its "
             "folder), in the Python packages of the active environment and on the loader's path"},
};

static pg_status finish_library(void *values, pg_arena *arena)
{
    pg_args_trt_library *args = values;
    (void)arena;
    args->choice = PG_TRT_AUTO;
    if (args->name != NULL && strcmp(args->name, "native") == 0)
        args->choice = PG_TRT_NATIVE;
    if (args->name != NULL && strcmp(args->name, "tensorrt") == 0)
        args->choice = PG_TRT_TENSORRT;
    if (args->name != NULL && strcmp(args->name, "tensorrt-rtx") == 0)
        args->choice = PG_TRT_RTX;
    return NULL;
}

const pg_group pg_group_trt_library = {"TensorRT Library", library_rows, PG_COUNT(library_rows),
                                       .finish = finish_library};

static const pg_option config_rows[] = {
    PROFILE_ROW(min, "--trt-min-shapes", "smallest shapes of an optimization profile; once per profile"),
    PROFILE_ROW(opt, "--trt-opt-shapes", "shapes an optimization profile is tuned for; once per profile"),
    PROFILE_ROW(max, "--trt-max-shapes", "largest shapes of an optimization profile; once per profile"),
    FLAG(tf32, "--tf32", "allow TF32"),
    FLAG(fp16, "--fp16",
         "allow float16; where types follow from the model, it is converted to float16 first"),
    FLAG(bf16, "--bf16", "allow bfloat16"),
    FLAG(fp8, "--fp8", "allow 8-bit floats"),
    FLAG(int8, "--int8", "allow 8-bit integers; a model without QuantizeLinear nodes is calibrated"),
    {"--precision-constraints", PG_FIELD(pg_args_trt_config, precision_constraints),
     .choices = "prefer|obey|none", .default_text = "none", .flags = PG_OPTION_NAMED_TOO,
     .help = "how binding the precisions set on layers are; layer:type is --layer-precisions layer:type with "
             "obey"},
    FLAG(sparse_weights, "--sparse-weights", "allow kernels for 2:4 sparse weights"),
    FLAG(version_compatible, "--version-compatible", "build an engine that later versions can run"),
    FLAG(exclude_lean_runtime, "--exclude-lean-runtime",
         "leave the lean runtime out of a version-compatible engine"),
    {"--calibration-cache", PG_FIELD(pg_args_trt_config, calibration_cache), .flags = PG_OPTION_PATH,
     .help = "calibration scales: read if there, else written"},
    {"--calib-base-cls --calibration-base-class", PG_FIELD(pg_args_trt_config, calibrator),
     .metavar = "CLASS",
     .help = "class of the calibrator: IInt8EntropyCalibrator2, IInt8EntropyCalibrator, "
             "IInt8MinMaxCalibrator or IInt8LegacyCalibrator"},
    {"--quantile", PG_FIELD(pg_args_trt_config, quantile),
     .help = "quantile of the legacy calibrator, 0 to 1 (default: 0.5)"},
    {"--regression-cutoff", PG_FIELD(pg_args_trt_config, cutoff),
     .help = "regression cutoff of the legacy calibrator, 0 to 1 (default: 0.5)"},
    {"--load-timing-cache", PG_FIELD(pg_args_trt_config, load_timing_cache), .flags = PG_OPTION_PATH,
     .help = "timings of kernels to start from"},
    FLAG(error_on_timing_cache_miss, "--error-on-timing-cache-miss",
         "fail when a kernel is not in the timing cache"),
    FLAG(disable_compilation_cache, "--disable-compilation-cache", "do not keep compiled kernels"),
    {"--save-tactics --save-tactic-replay", PG_FIELD(pg_args_trt_config, save_tactics),
     .exclusive = "tactics", .help = "save which kernels were chosen", .flags = PG_OPTION_PATH},
    {"--load-tactics --load-tactic-replay", PG_FIELD(pg_args_trt_config, load_tactics),
     .exclusive = "tactics", .help = "choose the kernels of a saved file", .flags = PG_OPTION_PATH},
    {"--tactic-sources", PG_FIELD(pg_args_trt_config, tactic_sources), .arity = PG_ARITY_ANY,
     .help = "libraries kernels may come from"},
    MISSING_PATH("--trt-config-script", SCRIPT, "Python file that makes the builder configuration"),
    MISSING_PATH("--trt-config-postprocess-script --trt-cpps", SCRIPT,
                 "Python file that changes the builder configuration"),
    FLAG(safety, "--trt-safety-restricted", "build for the safety runtime"),
    FLAG(refittable, "--refittable", "let weights be replaced later"),
    FLAG(strip_plan, "--strip-plan", "leave refittable weights out of the engine"),
    FLAG(use_dla, "--use-dla", "run on the deep learning accelerator"),
    FLAG(gpu_fallback, "--allow-gpu-fallback", "run what the accelerator cannot on the GPU"),
    {"--pool-limit --memory-pool-limit", PG_FIELD(pg_args_trt_config, pool_limit), .metavar = "POOL:BYTES",
     .syntax = PG_SYNTAX_NAMED_BYTES, .help = "limits of memory pools: workspace:16M"},
    {"--preview-features", PG_FIELD(pg_args_trt_config, preview_features), .arity = PG_ARITY_ANY,
     .help = "preview features to use; those not named are off"},
    {"--builder-optimization-level", PG_FIELD(pg_args_trt_config, level),
     .help = "how long to search for fast kernels, 0 to 5"},
    {"--hardware-compatibility-level", PG_FIELD(pg_args_trt_config, hardware_compatibility),
     .help = "which other GPUs the engine shall run on"},
    {"--max-aux-streams", PG_FIELD(pg_args_trt_config, aux_streams),
     .help = "streams used beside the caller's"},
    {"--quantization-flags", PG_FIELD(pg_args_trt_config, quantization_flags), .arity = PG_ARITY_ANY,
     .help = "flags of the quantization"},
    {"--profiling-verbosity", PG_FIELD(pg_args_trt_config, profiling_verbosity), .default_text = "detailed",
     .help = "detail of layer information kept in the engine"},
    FLAG(weight_streaming, "--weight-streaming", "let weights be streamed to the GPU"),
    {"--runtime-platform", PG_FIELD(pg_args_trt_config, runtime_platform),
     .help = "system the engine shall run on"},
    FLAG(direct_io, "--direct-io", "no reformatting of inputs and outputs"),
    {"--tiling-optimization-level", PG_FIELD(pg_args_trt_config, tiling_level),
     .help = "how long to search for tilings"},
    {"--workspace", PG_FIELD(pg_args_trt_config, workspace), .metavar = "BYTES", .syntax = PG_SYNTAX_BYTES,
     .flags = PG_OPTION_OURS, .help = "the same as --pool-limit workspace:BYTES"},
    {"--timing-cache", PG_FIELD(pg_args_trt_config, timing_cache), .flags = PG_OPTION_OURS | PG_OPTION_PATH,
     .help = "timings of kernels: read if there, written at the end"},
    {"--trt-config-func-name", .type = PG_ARG_TEXT, .missing = SCRIPT, .flags = PG_OPTION_OURS,
     .help = "function in the configuration script"},
};

static const pg_option plugin_rows[] = {
    {"--plugins", PG_FIELD(pg_args_trt_plugins, plugins), .help = "plugin libraries to load"},
};
const pg_group pg_group_trt_plugins = {"TensorRT Plugin Loading", plugin_rows, PG_COUNT(plugin_rows)};

static const pg_option parser_rows[] = {
    {"--onnx-flags", PG_FIELD(pg_args_trt_parser, flags), .help = "flags of TensorRT's ONNX parser"},
    {"--plugin-instancenorm", PG_FIELD(pg_args_trt_parser, plugin_instance_norm),
     .help = "use the plugin for instance normalization"},
    {"--enable-uint8-asymmetric-quantization-dla", PG_FIELD(pg_args_trt_parser, uint8_dla),
     .deprecated = "--onnx-flags ENABLE_UINT8_AND_ASYMMETRIC_QUANTIZATION_DLA",
     .help = "uint8 quantization on the accelerator"},
};
const pg_group pg_group_trt_parser = {"ONNX-TRT Parser Flags", parser_rows, PG_COUNT(parser_rows)};

#define NETWORK(field) PG_FIELD(pg_args_trt_network, field)
static const pg_option network_rows[] = {
    {"--trt-outputs", NETWORK(outputs), .help = "tensors of the network that shall be outputs"},
    {"--trt-exclude-outputs", NETWORK(exclude_outputs),
     .help = "outputs of the network that shall not be outputs"},
    {"--trt-outputs-by-type", NETWORK(outputs_by_type), .help = "outputs of layers of these types"},
    {"--layer-precisions", NETWORK(layer_precisions), .syntax = PG_SYNTAX_NAMED, .metavar = "NAME:TYPE",
     .help = "precisions of layers: name:float16"},
    {"--decomposable-attentions", NETWORK(decomposable), .help = "attention layers may be decomposed"},
    {"--tensor-dtypes --tensor-datatypes", NETWORK(tensor_dtypes), .syntax = PG_SYNTAX_NAMED,
     .metavar = "NAME:TYPE", .help = "types of inputs and outputs: name:float16"},
    {"--all-tensor-dtypes --all-tensor-datatypes", NETWORK(all_tensor_dtypes),
     .help = "one type for all inputs and outputs"},
    {"--tensor-formats", NETWORK(tensor_formats), .syntax = PG_SYNTAX_NAMED, .metavar = "NAME:FORMATS",
     .help = "formats of inputs and outputs: name:[linear,chw4]"},
    {"--all-tensor-formats", NETWORK(all_tensor_formats), .help = "formats of all inputs and outputs"},
    MISSING_LIST("--trt-network-postprocess-script --trt-npps", SCRIPT,
                 "Python files that change the network"),
    {"--strongly-typed", NETWORK(strongly_typed),
     .help = "types follow from the inputs and are never changed; always so in TensorRT 11 and TensorRT-RTX"},
    {"--mark-debug", NETWORK(mark_debug), .help = "tensors to watch"},
    {"--mark-unfused-tensors-as-debug-tensors", NETWORK(mark_unfused),
     .help = "watch every tensor that is not fused away"},
    {"--trt-network-func-name", .type = PG_ARG_TEXT, .missing = SCRIPT, .flags = PG_OPTION_OURS,
     .help = "function in the network script"},
};
const pg_group pg_group_trt_network = {"TensorRT Network Loading", network_rows, PG_COUNT(network_rows)};

static const pg_option save_rows[] = {
    {"--save-engine", PG_FIELD(pg_args_trt_save, engine), .flags = PG_OPTION_PATH, .help = "save the engine"},
};
const pg_group pg_group_trt_save_engine = {"TensorRT Engine Saving", save_rows, PG_COUNT(save_rows)};

static const pg_option engine_rows[] = {
    {"--save-timing-cache", PG_FIELD(pg_args_trt_engine, save_timing_cache), .flags = PG_OPTION_PATH,
     .help = "save the timings of kernels"},
    {"--load-runtime", PG_FIELD(pg_args_trt_engine, load_runtime), .flags = PG_OPTION_PATH,
     .help = "runtime library for engines without one"},
    MISSING_TEXT("--dla-workspace-allocation-strategy", "TensorRT 11.3",
                 "how the accelerator's memory is allocated"),
    {"--trt-engine", PG_FIELD(pg_args_trt_engine, engine), .flags = PG_OPTION_OURS | PG_OPTION_PATH,
     .help = "also run a saved engine"},
    {"--refit-from", PG_FIELD(pg_args_trt_engine, refit_from), .metavar = "MODEL.onnx",
     .flags = PG_OPTION_OURS | PG_OPTION_PATH,
     .help = "put the weights of a model into a refittable or stripped engine of the built-in engine"},
};
const pg_group pg_group_trt_engine = {"TensorRT Engine", engine_rows, PG_COUNT(engine_rows)};

static const pg_option inference_rows[] = {
    {"--optimization-profile", PG_FIELD(pg_args_trt_inference, profile),
     .help = "index of the profile to run with"},
    {"--allocation-strategy", PG_FIELD(pg_args_trt_inference, allocation),
     .choices = "static|profile|runtime",
     .help = "how memory of activations is allocated: for all profiles, for one, or for the current shapes"},
    {"--weight-streaming-budget", PG_FIELD(pg_args_trt_inference, budget_text), .metavar = "BYTES",
     .syntax = PG_SYNTAX_SHARE,
     .help = "memory for streamed weights: 1G, or 50% of them; -1 lets the library choose, -2 keeps all on "
             "the device"},
};

/* ---- Meaning ---- */

static pg_status parse_profiles(pg_args_trt_config *args, pg_arena *arena);

static pg_status parse_pools(pg_args_trt_config *args, pg_arena *arena)
{
    pg_name_value *values;
    size_t count;
    int64_t bytes;
    PG_TRY(pg_values_by_name("--pool-limit", &args->pool_limit, arena, &values, &count));
    args->pools = PG_ARENA_ARRAY(arena, pg_trt_pool, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (values[i].name.len == 0)
            return pg_err(PG_ERR_INVALID,
                          "option '--pool-limit': '%" PG_STR_FMT "' names no pool: write "
                          "workspace:%" PG_STR_FMT,
                          PG_STR_ARG(values[i].value), PG_STR_ARG(values[i].value));
        PG_TRY(pg_value_bytes("--pool-limit", values[i].value, &bytes));
        args->pools[args->n_pools++] = (pg_trt_pool){values[i].name, (uint64_t)bytes};
    }
    if (args->workspace == NULL)
        return NULL;
    PG_TRY(pg_value_bytes("--workspace", pg_str_c(args->workspace), &bytes));
    args->pools[args->n_pools++] = (pg_trt_pool){PG_STR("workspace"), (uint64_t)bytes};
    return NULL;
}

static pg_status share(const char *option, const pg_opt_float *text, double *out)
{
    *out = text->set ? text->value : 0.5;
    if (!(*out >= 0 && *out <= 1))
        return pg_err(PG_ERR_INVALID, "option '%s': %g is not between 0 and 1", option, *out);
    return NULL;
}

static pg_status parse_calibration(pg_args_trt_config *args)
{
    if (args->calibrator != NULL)
        PG_TRY_CTX(pg_calibrator_parse(pg_str_c(args->calibrator), &args->calibration.calibrator),
                   "option '--calib-base-cls'");
    PG_TRY(share("--quantile", &args->quantile, &args->calibration.quantile));
    return share("--regression-cutoff", &args->cutoff, &args->calibration.regression_cutoff);
}

static pg_status finish_config(void *values, pg_arena *arena)
{
    pg_args_trt_config *args = values;
    PG_TRY(parse_calibration(args));
    if (args->exclude_lean_runtime && !args->version_compatible)
        return pg_err(PG_ERR_INVALID, "option '--exclude-lean-runtime' needs --version-compatible");
    if (args->level.set && (args->level.value < 0 || args->level.value > 5))
        return pg_err(PG_ERR_INVALID, "option '--builder-optimization-level': %lld is not between 0 and 5",
                      (long long)args->level.value);
    if (args->aux_streams.set && (args->aux_streams.value < 0 || args->aux_streams.value > 1024))
        return pg_err(PG_ERR_INVALID, "option '--max-aux-streams': %lld is not between 0 and 1024",
                      (long long)args->aux_streams.value);
    PG_TRY(parse_pools(args, arena));
    return parse_profiles(args, arena);
}
const pg_group pg_group_trt_config = {"TensorRT Builder Configuration", config_rows, PG_COUNT(config_rows),
                                      .finish = finish_config};

static pg_status finish_inference(void *values, pg_arena *arena)
{
    pg_args_trt_inference *args = values;
    pg_str text = pg_str_c(args->budget_text);
    int64_t bytes;
    (void)arena;
    if (args->profile.set && args->profile.value < 0)
        return pg_err(PG_ERR_INVALID, "option '--optimization-profile': %lld is not a profile",
                      (long long)args->profile.value);
    if (args->budget_text == NULL)
        return NULL;
    args->percent = pg_str_ends(text, PG_STR("%"));
    if (args->percent) {
        if (!pg_str_to_f64(pg_str_sub(text, 0, text.len - 1), &args->budget) || args->budget < 0 ||
            args->budget > 100)
            return pg_err(PG_ERR_INVALID,
                          "option '--weight-streaming-budget': '%s' is not between 0%% and 100%%",
                          args->budget_text);
        return NULL;
    }
    if (pg_str_is(text, "-1") || pg_str_is(text, "-2")) {
        args->budget = pg_str_is(text, "-1") ? -1 : -2;
        return NULL;
    }
    PG_TRY(pg_value_bytes("--weight-streaming-budget", text, &bytes));
    args->budget = (double)bytes;
    return NULL;
}
const pg_group pg_group_trt_inference = {"TensorRT Inference", inference_rows, PG_COUNT(inference_rows),
                                         .finish = finish_inference};

/* ---- Profiles ---- */

static pg_status parse_shapes(const char *option, const pg_arg_list *words, pg_arena *arena,
                              pg_trt_shapes *out)
{
    pg_name_shape *shapes;
    size_t count;
    PG_TRY(pg_values_shapes(option, words, arena, &shapes, &count));
    pg_trt_shape *items = PG_ARENA_ARRAY(arena, pg_trt_shape, count + 1);
    for (size_t i = 0; i < count; i++)
        items[i] = (pg_trt_shape){shapes[i].name, shapes[i].rank, shapes[i].dims};
    *out = (pg_trt_shapes){items, count};
    return NULL;
}

/* Each use of an option is for one profile. */
static pg_status parse_profiles(pg_args_trt_config *args, pg_arena *arena)
{
    const pg_arg_list *lists[] = {&args->min, &args->opt, &args->max};
    static const char *const options[] = {"--trt-min-shapes", "--trt-opt-shapes", "--trt-max-shapes"};
    for (size_t k = 0; k < PG_COUNT(lists); k++)
        args->n_profiles = PG_MAX(args->n_profiles, lists[k]->n_uses);
    args->profiles = PG_ARENA_ARRAY(arena, pg_trt_profile, args->n_profiles + 1);
    for (size_t k = 0; k < PG_COUNT(lists); k++)
        for (size_t p = 0; p < lists[k]->n_uses; p++) {
            pg_trt_profile *profile = &args->profiles[p];
            pg_arg_list words = pg_arg_list_use(lists[k], p);
            PG_TRY(parse_shapes(options[k], &words, arena,
                                k == 0   ? &profile->min
                                : k == 1 ? &profile->opt
                                         : &profile->max));
        }
    return NULL;
}

/* ---- All groups together ---- */

static pg_trt_names names_of(const pg_arg_list *list)
{
    return (pg_trt_names){list->set, list->items, list->count};
}

static pg_status pairs_of(const char *option, const pg_arg_list *list, pg_arena *arena, pg_trt_pairs *out)
{
    pg_name_value *values;
    size_t count;
    PG_TRY(pg_values_by_name(option, list, arena, &values, &count));
    pg_trt_pair *items = PG_ARENA_ARRAY(arena, pg_trt_pair, count + 1);
    for (size_t i = 0; i < count; i++)
        items[i] = (pg_trt_pair){values[i].name, values[i].value};
    *out = (pg_trt_pairs){items, count};
    return NULL;
}

/* Builder flags by the name of their option. */
static void flags_of(const pg_args_trt_config *args, pg_arena *arena, pg_trt_options *out)
{
    const struct {
        bool set;
        const char *option;
    } flags[] = {
        {args->tf32, "--tf32"},
        {args->fp16, "--fp16"},
        {args->bf16, "--bf16"},
        {args->fp8, "--fp8"},
        {args->int8, "--int8"},
        {args->sparse_weights, "--sparse-weights"},
        {args->version_compatible, "--version-compatible"},
        {args->exclude_lean_runtime, "--exclude-lean-runtime"},
        {args->error_on_timing_cache_miss, "--error-on-timing-cache-miss"},
        {args->disable_compilation_cache, "--disable-compilation-cache"},
        {args->safety, "--trt-safety-restricted"},
        {args->refittable, "--refittable"},
        {args->strip_plan, "--strip-plan"},
        {args->gpu_fallback, "--allow-gpu-fallback"},
        {args->weight_streaming, "--weight-streaming"},
        {args->direct_io, "--direct-io"},
    };
    const char **set = PG_ARENA_ARRAY(arena, const char *, PG_COUNT(flags));
    for (size_t i = 0; i < PG_COUNT(flags); i++)
        if (flags[i].set)
            set[out->n_flags++] = flags[i].option;
    out->flags = set;
}

static void use_config(const pg_args_trt_config *args, pg_arena *arena, pg_trt_options *out)
{
    flags_of(args, arena, out);
    out->profiles = args->profiles;
    out->n_profiles = args->n_profiles;
    out->precision_constraints = args->precision_constraints;
    out->pools = args->pools;
    out->n_pools = args->n_pools;
    out->tactic_sources = names_of(&args->tactic_sources);
    out->preview_features = names_of(&args->preview_features);
    out->quantization_flags = names_of(&args->quantization_flags);
    out->hardware_compatibility = args->hardware_compatibility;
    out->profiling_verbosity = args->profiling_verbosity;
    out->runtime_platform = args->runtime_platform;
    out->tiling_level = args->tiling_level;
    out->has_level = args->level.set;
    out->level = args->level.value;
    out->has_aux_streams = args->aux_streams.set;
    out->aux_streams = args->aux_streams.value;
    out->use_dla = args->use_dla;
    out->load_timing_cache = args->load_timing_cache;
    out->save_tactics = args->save_tactics;
}

static pg_status load_tactics(const char *path, pg_arena *arena, const pg_tactic_replay **out)
{
    pg_tactic_replay *replay = PG_ARENA_ARRAY(arena, pg_tactic_replay, 1);
    *out = replay;
    return pg_tactics_load(path, arena, replay);
}

/* "--precision-constraints layer:type": a precision for the layer, which the builder obeys. */
static void use_named_constraint(pg_arena *arena, pg_trt_options *out)
{
    pg_name_value part = pg_value_split(pg_str_c(out->precision_constraints));
    size_t count = out->layer_precisions.count;
    pg_trt_pair *items = PG_ARENA_ARRAY(arena, pg_trt_pair, count + 1);
    for (size_t i = 0; i < count; i++)
        items[i] = out->layer_precisions.items[i];
    items[count] = (pg_trt_pair){part.name, part.value};
    out->layer_precisions = (pg_trt_pairs){items, count + 1};
    out->precision_constraints = "obey";
}

static pg_status use_network(const pg_args_trt_network *args, pg_arena *arena, pg_trt_options *out)
{
    out->outputs = names_of(&args->outputs);
    out->mark_all = pg_args_means_all(&args->outputs);
    out->exclude_outputs = names_of(&args->exclude_outputs);
    out->outputs_by_type = names_of(&args->outputs_by_type);
    out->strongly_typed = args->strongly_typed;
    out->all_tensor_dtypes = args->all_tensor_dtypes;
    out->all_tensor_formats = names_of(&args->all_tensor_formats);
    out->debug_tensors = names_of(&args->mark_debug);
    out->debug_unfused = args->mark_unfused;
    out->decomposable_attentions = args->decomposable;
    PG_TRY(pairs_of("--layer-precisions", &args->layer_precisions, arena, &out->layer_precisions));
    if (out->precision_constraints != NULL && strchr(out->precision_constraints, ':') != NULL)
        use_named_constraint(arena, out);
    PG_TRY(pairs_of("--tensor-dtypes", &args->tensor_dtypes, arena, &out->tensor_dtypes));
    return pairs_of("--tensor-formats", &args->tensor_formats, arena, &out->tensor_formats);
}

pg_status pg_args_trt_options(const pg_args_trt *args, const pg_args_model *model, pg_arena *arena,
                              pg_trt_options *out)
{
    *out = (pg_trt_options){.library = args->library.choice};
    out->plugins = names_of(&args->plugins.plugins);
    out->parser_flags = names_of(&args->parser.flags);
    out->plugin_instance_norm = args->parser.plugin_instance_norm;
    out->uint8_dla = args->parser.uint8_dla;
    use_config(&args->config, arena, out);
    if (args->config.load_tactics != NULL && !pg_args_trt_is_native(args))
        PG_TRY_CTX(load_tactics(args->config.load_tactics, arena, &out->load_tactics),
                   "option '--load-tactics'");
    out->save_engine = args->save.engine;
    out->save_timing_cache = args->engine.save_timing_cache;
    if (args->config.timing_cache != NULL &&
        (out->load_timing_cache != NULL || out->save_timing_cache != NULL))
        return pg_err(PG_ERR_INVALID,
                      "option '--timing-cache' reads and writes one file: it goes with neither "
                      "--load-timing-cache nor --save-timing-cache");
    if (args->config.timing_cache != NULL)
        out->load_timing_cache = out->save_timing_cache = args->config.timing_cache;
    out->load_runtime = args->engine.load_runtime;
    out->has_profile = args->inference.profile.set;
    out->profile = args->inference.profile.value;
    out->allocation = args->inference.allocation;
    out->has_streaming_budget = args->inference.budget_text != NULL;
    out->streaming_percent = args->inference.percent;
    out->streaming_budget = args->inference.budget;
    PG_TRY(parse_shapes("--input-shapes", &model->input_shapes_text, arena, &out->input_shapes));
    return use_network(&args->network, arena, out);
}

/* Adds the options of a group that were given. */
static void add_set(const pg_group *group, const void *values, pg_buf *out)
{
    for (size_t i = 0; i < group->n_options; i++) {
        const pg_option *row = &group->options[i];
        pg_str rest = pg_str_c(row->names), name;
        if (row->missing == NULL && pg_option_is_set(row, values) && pg_str_split(&rest, ' ', &name))
            pg_buf_printf(out, "%s%" PG_STR_FMT, out->len > 0 ? " " : "", PG_STR_ARG(name));
    }
}

const char *pg_args_trt_set(const pg_args_trt *args, pg_arena *arena)
{
    const struct {
        const pg_group *group;
        const void *values;
    } groups[] = {
        {&pg_group_trt_config, &args->config},       {&pg_group_trt_plugins, &args->plugins},
        {&pg_group_trt_parser, &args->parser},       {&pg_group_trt_network, &args->network},
        {&pg_group_trt_save_engine, &args->save},    {&pg_group_trt_engine, &args->engine},
        {&pg_group_trt_inference, &args->inference},
    };
    pg_buf text = {0};
    for (size_t i = 0; i < PG_COUNT(groups); i++)
        add_set(groups[i].group, groups[i].values, &text);
    const char *found = text.len > 0 ? pg_arena_cstr(arena, pg_buf_str(&text)) : NULL;
    pg_buf_deinit(&text);
    return found;
}

bool pg_args_trt_is_native(const pg_args_trt *args)
{
    const char *rtx = getenv("POLYGRAPHY_USE_TENSORRT_RTX"), *named = getenv("POLYGRAPHY_TENSORRT");
    if (args->library.choice != PG_TRT_AUTO || (named != NULL && named[0] != '\0') ||
        (rtx != NULL && rtx[0] != '\0' && strcmp(rtx, "0") != 0))
        return args->library.choice == PG_TRT_NATIVE;
    pg_status status = pg_trt_find(PG_TRT_AUTO);
    bool found = status == NULL;
    pg_status_drop(status);
    return !found;
}

pg_status pg_args_trt_require(const pg_args_trt *args, pg_arena *arena)
{
    const char *set = pg_args_trt_set(args, arena);
    pg_status status = pg_trt_find(args->library.choice);
    return set != NULL ? pg_status_context(status, "needed for %s", set) : status;
}
