/* Engines of the built-in engine: what `--trt` builds where there is no TensorRT.
 *
 * A build turns an ONNX model and a configuration into a model that says by itself what is computed in which
 * type (casts, quantization), checks it on the optimization profiles and keeps what it found. The result is
 * saved as a plan file, which is mapped when it is loaded: weights are used where they lie. */
#ifndef PG_ENGINE_ENGINE_H
#define PG_ENGINE_ENGINE_H

#include "base/file.h"
#include "base/map.h"
#include "engine/border.h"
#include "engine/calibrate.h"
#include "engine/tactics.h"
#include "native/native.h"

/* ---- Optimization profiles ---- */

/* Shapes of one input. */
typedef struct pg_shape_range {
    pg_str input;
    size_t rank;
    const int64_t *min, *opt, *max;
} pg_shape_range;

typedef struct pg_shape_profile {
    const pg_shape_range *items; /* one per input of the model, in model order */
    size_t count;
} pg_shape_profile;

/* ---- Configuration ---- */

typedef enum pg_constraints {
    PG_CONSTRAINTS_NONE,
    PG_CONSTRAINTS_PREFER,
    PG_CONSTRAINTS_OBEY
} pg_constraints;

/* A layer that shall compute in a type: float32, float16, bfloat16, float8e4m3fn or int8. */
typedef struct pg_layer_precision {
    pg_str layer; /* a node's name, or a wildcard */
    pg_dtype dtype;
} pg_layer_precision;

/* What the layers' tactics are chosen among, and by what. */
typedef struct pg_tactic_config {
    unsigned sources; /* bits of pg_tactic_source that may be used; 0 = all. PG_SOURCE_NATIVE always is */
    const pg_tactic_replay *load, *exclude; /* NULL: none. One that is loaded decides for every layer */
    const char *load_path;                  /* for messages */
    const char
        *load_timing_cache; /* NULL: none. A file that is not there is a warning, unless it will be saved */
    const char *save_timing_cache; /* NULL: none */
    bool error_on_timing_cache_miss;
} pg_tactic_config;

/* What `inspect model` tells of an engine's layers. */
typedef enum pg_verbosity { PG_VERBOSITY_DETAILED, PG_VERBOSITY_NAMES, PG_VERBOSITY_NONE } pg_verbosity;

typedef struct pg_build_config {
    const pg_shape_profile *profiles; /* none: one profile of the model's own shapes, open dims 1 */
    size_t n_profiles;
    bool fp16, bf16, fp8, int8; /* not fp8 and int8 */
    bool float_convolutions;    /* int8 leaves convolutions as they are */
    pg_constraints constraints;
    const pg_layer_precision *precisions;
    size_t n_precisions;
    pg_calibrate_options calibration; /* with fp8 and int8 */
    const char *calibration_cache;    /* read when it exists and is not empty, else written; may be NULL */
    pg_feed_source data;              /* inputs to calibrate with */
    void *data_context;
    unsigned level; /* 0 .. 5: see tune.c */
    pg_tactic_config tactics;
    uint64_t workspace;      /* bytes of values held at once; 0 = no limit */
    bool version_compatible; /* the file has plain weights beside packed ones */
    bool portable;           /* the file has plain weights only */
    bool weight_streaming;   /* the file has packed weights, whatever room they take */
    bool refittable;         /* weights can be replaced (pg_engine_refit) */
    bool strip_plan;         /* ... and have to be: the file has none of those */
    const pg_scales *scales; /* with int8: instead of a cache and of calibrating; may be empty or NULL */
    unsigned threads;        /* 0 = all processors */
    const char *onednn;      /* path of libdnnl; NULL = search */
    bool no_onednn;
    const pg_io_border *borders; /* inputs and outputs that are not what the network has */
    size_t n_borders;
    bool direct_io; /* nothing may be rearranged between callers and layers */
    const pg_str *debug_tensors;
    size_t n_debug_tensors;
    pg_verbosity verbosity;
    const pg_str *notes; /* for who inspects the engine: what an option means here */
    size_t n_notes;
    bool debug_unfused; /* every tensor between layers is a debug tensor */
} pg_build_config;

/* The model with the configuration's precisions written into it, a reference; and their names ("float16+int8").
 * `out_scales` (NULL: not wanted) is what int8 was made with; the caller frees it. */
PG_MUST_USE pg_status pg_engine_set_precisions(const pg_model *model, const pg_build_config *config,
                                               pg_arena *arena, pg_model **out, pg_str *out_text,
                                               pg_scales *out_scales);

/* ---- Engines ---- */

/* A layer of the engine: what is left of the nodes after fusion. */
typedef struct pg_engine_layer {
    pg_str name, op; /* op with its domain, unless it is ai.onnx: "Conv", "pg.Gelu" */
    size_t n_inputs, n_outputs;
    const pg_str *inputs, *outputs; /* without weights */
    pg_tactic_id tactic;            /* PG_TACTIC_RULE: by the kernel's own rule */
} pg_engine_layer;

/* For which shapes a session makes room for its tensors before the first run. */
typedef enum pg_reserve { PG_RESERVE_NOTHING, PG_RESERVE_PROFILE, PG_RESERVE_ALL } pg_reserve;

/* A tensor inside of an engine that is told after its outputs. */
typedef struct pg_debug_tensor {
    pg_str name;
    pg_dtype dtype; /* that the network states; PG_UNDEFINED: not known */
    bool beside;    /* computed beside the engine when no layer makes it */
} pg_debug_tensor;

/* Inputs, outputs and profiles are those of the network; what callers see is the `outer_` half, by the borders. */
typedef struct pg_engine pg_engine;
struct pg_engine {
    pg_model *model; /* counted; what runs, or is made into what runs */
    bool lowered;    /* the model is a network after all passes, whose packed weights are `forms` */
    pg_forms forms;
    pg_file_map map;     /* of the file that it was loaded from */
    pg_session *session; /* that the build tried, for the first who asks; NULL when loaded */
    bool lent;           /* somebody has it */
    /* To be refitted; NULL and empty otherwise. */
    const pg_build_config *recipe; /* types and constraints */
    pg_model *bare;                /* what it was built from, without the elements of its weights */
    pg_scales scales;
    bool stripped;            /* its file has nothing else */
    struct pg_engine *origin; /* that it was refitted from, counted: texts lie there */
    const char *unusable;     /* why no session can be made; NULL */
    pg_str layout;            /* of packed weights in the file; empty without */
    pg_model
        *net; /* of a build: the network after all passes, for its file; NULL: that has plain weights only */
    pg_str name, precision; /* "float16+int8" */
    unsigned level;
    bool version_compatible, weight_streaming;
    pg_reserve reserve;
    uint64_t workspace, peak_bytes; /* limit of values; most that the largest shapes needed */
    const pg_shape_profile *profiles;
    size_t n_profiles;
    const pg_engine_layer *layers;
    size_t n_layers;
    pg_tactic_replay replay;   /* what every layer used, after a build; of a loaded engine empty */
    pg_tactic_chooser chooser; /* of its sessions */
    pg_map by_output; /* a layer's first output -> pg_engine_layer; made when it is first asked for */
    bool indexed;
    const pg_io_border *borders;
    size_t n_borders;
    const pg_value_info *outer_inputs, *outer_outputs;
    size_t n_inputs, n_outputs;
    const pg_shape_profile *outer_profiles;
    pg_verbosity verbosity;
    const pg_str *notes;
    size_t n_notes;
    const pg_debug_tensor *debug_tensors;
    size_t n_debug_tensors;
    bool needs_model; /* the file must hold the ONNX model: a debug tensor is computed from it */
    pg_arena arena;
    int refs;
};

/* Builds; `config` is not kept. Runs the model once per profile on its largest shapes, with data that is 1
 * everywhere, to find what it needs and whether it works at all: an error then names the profile. */
PG_MUST_USE pg_status pg_engine_build(const pg_model *model, const pg_build_config *config, pg_engine **out);
pg_engine *pg_engine_ref(pg_engine *engine);
void pg_engine_unref(pg_engine *engine);
/* A session that runs the engine; of `asked`, which may be NULL, it takes the limits. Its own types and passes are the
 * engine's. Give it back before the engine goes. PG_ERR_UNSUPPORTED when the engine's file is for another processor. */
PG_MUST_USE pg_status pg_engine_open(pg_engine *engine, const pg_native_options *asked, pg_session **out);
void pg_engine_close(pg_engine *engine, pg_session *session);
/* Room for the largest shapes, as engine->reserve says, by running them; `profile` is the one in use. */
PG_MUST_USE pg_status pg_engine_reserve_room(const pg_engine *engine, pg_session *session, size_t profile);
/* Sessions keep at most `budget` bytes of packed weights in memory (or the largest one, when that is more). Of a loaded
 * engine; PG_ERR_INVALID when it was built without weight streaming. */
PG_MUST_USE pg_status pg_engine_stream(pg_engine *engine, uint64_t budget);
/* An engine with the weights of `model`, which has all of its names, types and shapes; else the error names the first that
 * differs. Built again from what the engine keeps. */
PG_MUST_USE pg_status pg_engine_refit(const pg_engine *engine, const pg_model *model, unsigned threads,
                                      pg_engine **out);
uint64_t pg_engine_packed_bytes(const pg_engine *engine); /* of a loaded engine */
/* PG_ERR_INVALID, naming input, shape and the profile's bounds. */
PG_MUST_USE pg_status pg_engine_check_feed(const pg_engine *engine, size_t profile, const pg_feed *feed);

/* ---- Plan files (plan_format.h states the layout) ---- */

/* A built engine. */
PG_MUST_USE pg_status pg_engine_save(const pg_engine *engine, const char *path);
/* Errors name the path and what is wrong: no plan file at all (a TensorRT engine is recognised), another format
 * version, damage, and where. */
PG_MUST_USE pg_status pg_engine_load(const char *path, pg_engine **out);
/* Compares the checksums that are otherwise compared when weights are first used. */
PG_MUST_USE pg_status pg_engine_check(pg_engine *engine);
/* Whether a file begins as a plan file does; false for one that cannot be read. */
bool pg_engine_is_plan(const char *path);

#endif
