/* Tactic replays: which kernel was chosen for each layer of an engine. data/tactics.h reads their files. */
#ifndef PG_ENGINE_TACTICS_H
#define PG_ENGINE_TACTICS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

/* How one input or output of a layer lies in memory. */
typedef struct pg_tactic_tensor {
    pg_str dtype; /* "DataType.FLOAT" */
    const int64_t *strides;
    size_t n_strides;
    bool has_vectorized_dim, has_components; /* files of old versions state neither */
    int64_t vectorized_dim, components_per_element;
} pg_tactic_tensor;

typedef struct pg_tactic {
    pg_str layer;
    int64_t implementation, tactic; /* the runtime's own numbers */
    const pg_tactic_tensor *inputs, *outputs;
    size_t n_inputs, n_outputs;
} pg_tactic;

typedef struct pg_tactic_replay {
    const pg_tactic *items; /* in file order */
    size_t count;
} pg_tactic_replay;

/* The choice without the layer's name, in the peer's words: "(Implementation: 1, Tactic: -3) | Inputs: ... |
 * Outputs: ...". Equal choices have equal texts. */
void pg_tactic_text(pg_buf *out, const pg_tactic *tactic);

/* Writes a replay as the peer does, byte for byte. */
PG_MUST_USE pg_status pg_tactics_save(const pg_tactic_replay *replay, const char *path);

#endif
