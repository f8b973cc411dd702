/* TensorRT and TensorRT-RTX through their own libraries: engines built, inspected and run.
 *
 * What builds or reads a network happens in a child process, because a fault in the library would otherwise
 * end this one. What runs an engine happens here and needs an NVIDIA driver. */
#ifndef PG_RUNNER_TENSORRT_TENSORRT_H
#define PG_RUNNER_TENSORRT_TENSORRT_H

#include "engine/engine.h"
#include "engine/tactics.h"
#include "runner/runner.h"

/* ---- Which library ---- */

typedef enum pg_trt_choice {
    PG_TRT_AUTO, /* TensorRT, else TensorRT-RTX; only the latter with POLYGRAPHY_USE_TENSORRT_RTX=1 */
    PG_TRT_TENSORRT,
    PG_TRT_RTX,
    PG_TRT_NATIVE, /* none: the built-in engine builds and runs (engine/engine.h) */
} pg_trt_choice;

/* Whether a library can be found, without loading it: the file named in POLYGRAPHY_TENSORRT, the Python
 * packages of the active environment, the loader's path. PG_ERR_UNAVAILABLE says what to install. */
PG_MUST_USE pg_status pg_trt_find(pg_trt_choice choice);

typedef struct pg_trt_found {
    const char *product, *version, *path; /* live as long as the process */
    bool has_parser;
} pg_trt_found;
/* Loads the library and tells what it is. One per process: a second choice that finds another library is
 * PG_ERR_UNSUPPORTED. */
PG_MUST_USE pg_status pg_trt_describe(pg_trt_choice choice, pg_trt_found *out);

/* ---- What to build ---- */

/* A text by the name of a tensor, layer or pool; an empty name stands for all. */
typedef struct pg_trt_pair {
    pg_str name, value;
} pg_trt_pair;
typedef struct pg_trt_pairs {
    const pg_trt_pair *items;
    size_t count;
} pg_trt_pairs;

typedef struct pg_trt_pool {
    pg_str name;
    uint64_t bytes;
} pg_trt_pool;

typedef struct pg_trt_names {
    bool set; /* an empty list may mean something */
    const char *const *items;
    size_t count;
} pg_trt_names;

typedef struct pg_trt_shape {
    pg_str name; /* may be a wildcard; empty: the only input */
    size_t rank;
    const int64_t *dims;
} pg_trt_shape;
typedef struct pg_trt_shapes {
    const pg_trt_shape *items;
    size_t count;
} pg_trt_shapes;
/* Shapes of one optimization profile. */
typedef struct pg_trt_profile {
    pg_trt_shapes min, opt, max;
} pg_trt_profile;

/* Inputs to calibrate int8 with. */
typedef struct pg_trt_feeds {
    void *context;
    /* Before the first feed: the inputs there are, in the shapes that are wanted. */
    pg_status (*open)(void *context, pg_io_list inputs);
    pg_feed_source next;
    void (*close)(void *context);
} pg_trt_feeds;

/* Every text is as the user wrote it and checked against the library that is found: what that does not have
 * is an error that names option, library and version. */
typedef struct pg_trt_options {
    pg_trt_choice library;
    /* Network */
    pg_trt_names plugins, parser_flags;
    bool plugin_instance_norm, uint8_dla;
    pg_trt_names outputs, exclude_outputs, outputs_by_type;
    bool mark_all, strongly_typed, decomposable_attentions;
    pg_trt_pairs layer_precisions, tensor_dtypes, tensor_formats;
    const char *all_tensor_dtypes;
    pg_trt_names all_tensor_formats;
    pg_trt_names debug_tensors;
    bool debug_unfused;
    /* Builder configuration */
    const pg_trt_profile *profiles;
    size_t n_profiles;
    pg_trt_shapes input_shapes; /* what profiles leave open */
    const char *const *flags;   /* options that are builder flags: "--tf32", ... */
    size_t n_flags;
    const char *precision_constraints;
    const pg_trt_pool *pools;
    size_t n_pools;
    pg_trt_names tactic_sources, preview_features, quantization_flags;
    const char *engine_capability, *hardware_compatibility, *profiling_verbosity, *runtime_platform,
        *tiling_level;
    bool has_level, has_aux_streams, use_dla;
    int64_t level, aux_streams;
    bool use_gpu;
    pg_trt_names compute_capabilities; /* "8.6" */
    const char *load_timing_cache, *save_timing_cache;
    pg_calibrate_options calibration;
    const char *calibration_cache; /* read when it is there and not empty, else written */
    pg_trt_feeds feeds;            /* zeroed: no data */
    const char *save_tactics;
    const pg_tactic_replay *load_tactics, *exclude_tactics; /* NULL: none */
    /* Engine and inference */
    const char *save_engine, *load_runtime;
    const pg_model *refit_from; /* where an engine file without weights takes them from; may be NULL */
    bool has_profile;
    int64_t profile;
    const char *allocation; /* "static", "profile", "runtime" */
    bool has_streaming_budget, streaming_percent;
    double streaming_budget; /* bytes or percent; -1: the library's choice, -2: all weights on the device */
    size_t profile_rows;     /* layers in the table of times at the end; 0: none is taken */
} pg_trt_options;

/* --layer-precisions and --precision-constraints for a builder that rewrites the model. */
PG_MUST_USE pg_status pg_trt_fill_precisions(const pg_trt_options *options, pg_arena *arena,
                                             pg_build_config *out);

/* Builds an engine from a model and writes it, as one file or not at all. */
PG_MUST_USE pg_status pg_trt_build_file(pg_model *model, const pg_trt_options *options, const char *path);

/* The network that the library's parser makes of a model, in the peer's format. */
typedef struct pg_trt_text_options {
    bool layers, attrs, weights;
    const pg_run_results *seen; /* engines: values of tensors, whose range is added; may be NULL */
} pg_trt_text_options;
PG_MUST_USE pg_status pg_trt_network_text(pg_model *model, const pg_trt_options *options,
                                          const pg_trt_text_options *show, pg_buf *out);
/* A model whose nodes are the network's layers: to look at, not to run. Its bytes are in `storage`, which must
 * outlive it. */
PG_MUST_USE pg_status pg_trt_network_as_onnx(pg_model *model, const pg_trt_options *options, pg_buf *storage,
                                             pg_model **out);

/* ---- Engines; these need a driver ---- */

PG_MUST_USE pg_status pg_trt_engine_text(const char *path, const pg_trt_options *options,
                                         const pg_trt_text_options *show, pg_buf *out);
/* Runs an engine: built from `model` when activated, or read from the file `engine`. One of them is NULL. The
 * options and what they point to must outlive the runner. */
pg_runner *pg_runner_trt_new(pg_model *model, const char *engine, const pg_trt_options *options);

#endif
