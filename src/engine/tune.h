/* Private to engine/: the layers of an engine that is being built, and what is known of their tactics. */
#ifndef PG_ENGINE_TUNE_H
#define PG_ENGINE_TUNE_H

#include "base/map.h"
#include "engine/internal.h"
#include "engine/timing_cache.h"

/* A kind of layer: operator, attributes, types and shapes. Layers that are alike share one. */
typedef struct tune_kind {
    pg_str key;
    unsigned fresh;          /* bits of tactics that were timed in this build */
    uint64_t ns[PG_TACTICS]; /* least time; 0: not known */
} tune_kind;

typedef struct tune_layer {
    const pg_node *node;
    pg_str name;       /* in replays: the node's, with its output's name where that is none of its own */
    tune_kind **kinds; /* per profile; NULL where its optimal shapes did not reach the layer */
    unsigned offers;   /* what all profiles offer, as bits */
    unsigned allowed;  /* of these, by what the user said and the workspace */
    unsigned dropped;  /* did not fit into the workspace */
    bool fixed;        /* by a replay */
    pg_tactic_id by_rule, now, in_session; /* the last as it was told: PG_TACTIC_RULE at first */
    pg_tactic tactic;                      /* for replays; shapes are the optimal ones of the first profile */
} tune_layer;

typedef struct tuner {
    pg_engine *engine;
    const pg_build_config *config;
    pg_session *session;
    pg_arena arena;
    tune_layer *layers;
    size_t n_layers;
    pg_map by_node; /* a pg_node's address as bytes -> tune_layer */
    pg_map kinds;   /* key -> tune_kind */
    pg_map tensors; /* name -> pg_tensor without data, of the present run */
    size_t profile; /* that runs */
    bool *untried;  /* per profile: it does not run with made-up inputs */
    bool fixed;     /* every profile has one shape */
    bool changed;   /* tactics, since the last run; or times were taken */
    pg_timing_cache cache;
    pg_str device;
} tuner;

/* ---- tune_run.c: running with made-up inputs ---- */

/* Which shapes of a profile. */
typedef enum tune_shapes { TUNE_OPTIMAL, TUNE_LARGEST } tune_shapes;

/* Runs a profile; tactics that the workspace has no room for drop out on the way, until one fits or the layer
 * that has none left is an error. A profile that does not run with made-up inputs is noted and no error. */
PG_MUST_USE pg_status tune_run(tuner *t, size_t profile, tune_shapes shapes);
/* The optimal shapes of a profile again, and how long they took in nanoseconds. */
PG_MUST_USE pg_status tune_run_timed(tuner *t, size_t profile, uint64_t *out_ns);
/* From now on the layer uses the tactic. */
PG_MUST_USE pg_status tune_use(tuner *t, tune_layer *layer, pg_tactic_id tactic);
/* Whether the optimal shapes are the largest. */
bool tune_is_fixed(const pg_shape_profile *profile);
/* "winograd, taps" */
void tune_names(unsigned tactics, pg_buf *out);

/* ---- tune_layers.c: what the layers are ---- */

/* Runs every profile's optimal shapes and notes each layer's kind, offers and tensors. */
PG_MUST_USE pg_status tune_see_layers(tuner *t);

/* ---- tune_replay.c: what the user said ---- */

/* Sources, exclusions and replays: fills `allowed`, and fixes what a replay decides. */
PG_MUST_USE pg_status tune_obey(tuner *t);
/* The engine's replay, of the tactics that the last run used. */
void tune_note_replay(tuner *t);

#endif
