/* The built-in engine: executes an ONNX model on the CPU. */
#ifndef PG_NATIVE_NATIVE_H
#define PG_NATIVE_NATIVE_H

#include "native/forms.h"
#include "native/tactic.h"
#include "onnx/onnx.h"
#include "tensor/value.h"

/* Chooses the tactics of a session's layers while it is made; nodes of subgraphs and functions go by rule. */
typedef struct pg_tactic_chooser {
    void *context;
    pg_tactic_id (*choose)(void *context, const pg_node *node);
} pg_tactic_chooser;

struct pg_native_options {
    unsigned threads;             /* 0 = pg_cpu_count() */
    bool no_onednn;               /* portable kernels only */
    bool no_optimization;         /* every node runs as written: no fusion, no layouts */
    const char *onednn;           /* path of libdnnl; NULL = search */
    uint64_t max_loop_iterations; /* of one Loop; 0 = the default of 2^31 */
    double max_seconds;           /* of one inference, looked at before each node; 0 = no limit */
    uint64_t max_bytes;           /* of values held at once, without weights; 0 = no limit */
    bool bfloat16;                /* products with constant float32 factors round both factors to bfloat16 */
    bool float64;                 /* reference mode: every float32 and half tensor is computed in float64 */
    const pg_tactic_chooser *tactics; /* NULL: each kernel goes by its rule */
    bool tuning;     /* weights stay, so that tactics can be changed between runs (pg_session_choose) */
    bool for_engine; /* many runs are to come: every weight is packed when it is first needed, and stays */
    /* The model is what pg_session_lower made of another session, and these are its forms; NULL otherwise. They outlive
     * the session. */
    const pg_forms *forms;
};
typedef struct pg_native_options pg_native_options;

typedef struct pg_session pg_session;

/* Sees every node right after it ran: its inputs (NULL where omitted), its outputs and the time it took. An
 * error ends the run. Nodes of subgraphs are seen each time they run. Inputs may already be overwritten by a
 * kernel that works in place, except with pg_native_options.no_optimization. */
typedef struct pg_observer {
    void *context;
    PG_MUST_USE pg_status (*node)(void *context, const pg_node *node, const pg_value *const *inputs,
                                  const pg_value *outputs, double seconds);
} pg_observer;

/* Checks and plans the model: every operator must have a kernel (the error names the first that has none,
 * with node, domain and version), tensors must be defined, the graph must have no cycle. The model is kept
 * (counted). `options` may be NULL. */
PG_MUST_USE pg_status pg_session_new(pg_model *model, const pg_native_options *options, pg_session **out);
void pg_session_free(pg_session *session);
/* Runs once. `feed` has a value for each graph input without an initializer (extra names are an error);
 * outputs are appended to `out` in graph order. Errors name node and operator. Not thread-safe per session.
 */
PG_MUST_USE pg_status pg_session_run(pg_session *session, const pg_feed *feed, pg_feed *out);
/* NULL ends observing. The observer must outlive its use. */
void pg_session_observe(pg_session *session, const pg_observer *observer);
/* A second observer, beside the first: for who wants values while another one takes times. NULL ends it. */
void pg_session_tap(pg_session *session, const pg_observer *observer);
/* What an observer saw, as a value that stands alone: row-major, and not borrowed from the model. */
PG_MUST_USE pg_status pg_session_keep(pg_session *session, const pg_value *value, pg_value *out);
/* An output of at least three dimensions shall leave channels-last (its `layout` says so), not row-major. */
void pg_session_want_channels_last(pg_session *session, size_t output);
/* Whether the last run had to rearrange an output's elements. */
bool pg_session_rearranged(const pg_session *session, size_t output);
/* The nodes that run, in order, after the engine's own changes to the main graph; views that live as long as the
 * session. */
size_t pg_session_layer_count(const pg_session *session);
const pg_node *pg_session_layer(const pg_session *session, size_t i);
/* Of a layer: the tactics it offered in the last run, as bits (none for a layer with one way), and the one used. */
unsigned pg_session_offers(const pg_session *session, size_t layer);
pg_tactic_id pg_session_tactic(const pg_session *session, size_t layer);
/* From the next run on the layer uses this tactic. For sessions made with the option `tuning`. */
PG_MUST_USE pg_status pg_session_choose(pg_session *session, size_t layer, pg_tactic_id tactic);
/* The layer whose error ended the last run; SIZE_MAX when there was none or it was no layer's. */
size_t pg_session_failed_layer(const pg_session *session);
/* Threads and limits of `options`, from the next run on. */
void pg_session_limit(pg_session *session, const pg_native_options *options);
/* With for_engine: from now on nodes use the forms of their weights that they have, and choose no others. */
void pg_session_freeze(pg_session *session);
/* The forms that it has packed; views that live as long as the session. The caller frees the array. */
size_t pg_session_forms(const pg_session *session, pg_form **out);
/* The main graph as it runs, after all passes: what pg_session_new makes the same plan of, given the forms. Weights whose
 * forms have bytes are external, at the location PG_PACKED_LOCATION, and have no elements. PG_ERR_UNSUPPORTED when a
 * constant cannot be written down. The session outlives the result. */
#define PG_PACKED_LOCATION "packed"
PG_MUST_USE pg_status pg_session_lower(const pg_session *session, pg_model **out);
/* Most bytes of values held at once so far, or since the peak was forgotten; without weights. */
uint64_t pg_session_peak_bytes(const pg_session *session);
void pg_session_forget_peak(pg_session *session);

#endif
