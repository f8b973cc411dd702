/* Engines of the built-in engine: what `--trt` builds where there is no TensorRT.
 *
 * A build turns an ONNX model and a configuration into a model that says by itself what is computed in which
 * type (casts, quantization), checks it on the optimization profiles and keeps what it found. The result is
 * saved as a plan file, which is mapped when it is loaded: weights are used where they lie. */
#ifndef PG_ENGINE_ENGINE_H
#define PG_ENGINE_ENGINE_H

#include "engine/calibrate.h"
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

/* A layer that shall compute in a type: float32, float16, bfloat16 or int8. */
typedef struct pg_layer_precision {
    pg_str layer; /* a node's name, or a wildcard */
    pg_dtype dtype;
} pg_layer_precision;

typedef struct pg_build_config {
    const pg_shape_profile *profiles; /* none: one profile of the model's own shapes, open dims 1 */
    size_t n_profiles;
    bool fp16, bf16, int8;
    pg_constraints constraints;
    const pg_layer_precision *precisions;
    size_t n_precisions;
    pg_calibrate_options calibration; /* with int8 */
    const char *calibration_cache;    /* read when it exists and is not empty, else written; may be NULL */
    pg_feed_source data;              /* inputs to calibrate with */
    void *data_context;
    unsigned level;     /* 0 .. 5; below 2 nothing is fused */
    uint64_t workspace; /* bytes of values held at once; 0 = no limit */
    bool version_compatible;
    unsigned threads; /* 0 = all processors */
} pg_build_config;

/* ---- Engines ---- */

/* A layer of the engine: what is left of the nodes after fusion. */
typedef struct pg_engine_layer {
    pg_str name, op; /* op with its domain, unless it is ai.onnx: "Conv", "pg.Gelu" */
    size_t n_inputs, n_outputs;
    const pg_str *inputs, *outputs; /* without weights */
} pg_engine_layer;

typedef struct pg_engine pg_engine;
struct pg_engine {
    pg_model *model;        /* counted; what runs */
    pg_str name, precision; /* "float16+int8" */
    unsigned level;
    bool version_compatible;
    uint64_t workspace, peak_bytes; /* limit of values; most that the largest shapes needed */
    const pg_shape_profile *profiles;
    size_t n_profiles;
    const pg_engine_layer *layers;
    size_t n_layers;
    pg_arena arena;
    int refs;
};

/* Builds; `config` is not kept. Runs the model once per profile on its largest shapes, with data that is 1
 * everywhere, to find what it needs and whether it works at all: an error then names the profile. */
PG_MUST_USE pg_status pg_engine_build(const pg_model *model, const pg_build_config *config, pg_engine **out);
pg_engine *pg_engine_ref(pg_engine *engine);
void pg_engine_unref(pg_engine *engine);
/* How its sessions are made; `asked` may be NULL. The engine's level and workspace are added to what is asked. */
pg_native_options pg_engine_session_options(const pg_engine *engine, const pg_native_options *asked);
/* PG_ERR_INVALID, naming input, shape and the profile's bounds. */
PG_MUST_USE pg_status pg_engine_check_feed(const pg_engine *engine, size_t profile, const pg_feed *feed);

/* ---- Plan files (plan_file.c states the layout) ---- */

PG_MUST_USE pg_status pg_engine_save(const pg_engine *engine, const char *path);
/* Errors name the path and what is wrong: no plan file at all (a TensorRT engine is recognised), another format
 * version, damage, and where. */
PG_MUST_USE pg_status pg_engine_load(const char *path, pg_engine **out);
/* Whether a file begins as a plan file does; false for one that cannot be read. */
bool pg_engine_is_plan(const char *path);

#endif
