/* Inside the engine: the network that is being optimised, the plan that runs, and the session that owns both.
 *
 * A graph becomes a pg_net (nodes and values by name, constants known), the passes of optimize/ rewrite it,
 * and plan.c turns it into a pg_plan: nodes in order, each with pointers to its inputs and outputs. A plan
 * has exactly one frame of values, since a session runs one inference at a time and graphs do not recurse; so
 * every pointer is resolved once. */
#ifndef PG_NATIVE_INTERNAL_H
#define PG_NATIVE_INTERNAL_H

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "native/kernel.h"
#include "native/native.h"

/* ---- Network ---- */

typedef struct pg_net_node {
    pg_node node; /* a copy: inputs, outputs and attributes may be replaced (arrays in the session's arena) */
    int64_t opset; /* version of the node's domain */
    const pg_kernel *kernel;
    const pg_function *function; /* a call of a model-local function */
    struct pg_net_node **parts;  /* of a Chain: the nodes that it stands for, in order */
    size_t n_parts;
    size_t position; /* in pg_net.nodes */
    pg_dtype half; /* of constants that were widened for it (PG_KERNEL_HALF_VIA_F32); PG_UNDEFINED for none */
    bool removed;
} pg_net_node;

typedef struct pg_net_value {
    pg_str name;
    pg_net_node *producer; /* NULL for inputs and constants */
    size_t n_uses;         /* times it is an input of a node of this graph */
    size_t n_consumed;     /* constants: of these, how many need its elements no more */
    size_t last_read;      /* position of the last node that reads it; set by passes that ask for it */
    pg_net_node *reader;   /* the node that reads it when n_uses is 1, or NULL when that is not known */
    bool is_input, is_output;
    bool captured; /* read by a subgraph of one of this graph's nodes: stays under its name */
    bool is_const;
    pg_value constant; /* when is_const; owned by the net */
    pg_dtype widened;  /* constants: the half type that it had; PG_UNDEFINED for others */
    uint32_t slot;     /* in the frame; set while planning */
} pg_net_value;

/* The attributes given by the caller of a function body; NULL outside functions. */
typedef struct pg_attr_scope {
    const pg_node *call;
    const pg_function *function;
} pg_attr_scope;

typedef struct pg_net {
    pg_session *session;
    struct pg_net *outer; /* whose values are visible here; NULL for the main graph and for functions */
    const pg_attr_scope *attrs;
    size_t n_opsets;
    const pg_opset *opsets;
    PG_VEC(pg_net_node *) nodes; /* in an order that can be executed */
    pg_map values;               /* name -> pg_net_value */
    size_t n_inputs, n_outputs;
    pg_str *inputs, *outputs;
    bool as_written; /* no passes */
    pg_plan *plan;   /* made from this net */
} pg_net;

/* A new value without a producer; the name must be new. */
pg_net_value *pg_net_add_value(pg_net *net, pg_str name);
/* Counts what the node reads, once when it joins the net. */
void pg_net_add_uses(pg_net *net, pg_net_node *node);
/* Finds a value of this net only; NULL when it has none of that name. */
pg_net_value *pg_net_find(const pg_net *net, pg_str name);
/* The producer of `name` in this net when nobody but one node input reads it; NULL otherwise. For fusion. */
pg_net_node *pg_net_only_producer(const pg_net *net, pg_str name);
/* The constant behind a name, in this net or an outer one; NULL when it is not constant. */
const pg_value *pg_net_constant(const pg_net *net, pg_str name);
/* The same for its type and dims only: the elements of a weight in the model's file may lie at any address
 * until they are asked for. */
const pg_value *pg_net_weights(const pg_net *net, pg_str name);
/* The single node input that reads `name`; NULL when there are none or several, or when it is an output or
 * captured. */
pg_net_node *pg_net_only_consumer(const pg_net *net, pg_str name);
bool pg_net_is(const pg_net_node *node, const char *op_type); /* domain ai.onnx */
bool pg_net_is_quantize(const pg_net_node *node);             /* QuantizeLinear, of com.microsoft too */
bool pg_net_is_dequantize(const pg_net_node *node);
/* Takes over the value under a new name. */
pg_net_value *pg_net_add_constant(pg_net *net, pg_str name, pg_value constant);
/* Replaces a node's operator, inputs and attributes; uses and producers are kept in step. Arrays are copied.
 */
void pg_net_rewrite(pg_net *net, pg_net_node *node, const char *domain, const char *op_type,
                    const pg_str *inputs, size_t n_inputs, const pg_attr *attrs, size_t n_attrs);
/* Node `node` produces what `last` produced (one output each), and `last` goes. */
void pg_net_absorb(pg_net *net, pg_net_node *node, pg_net_node *last);
void pg_net_remove(pg_net *net, pg_net_node *node);
/* The node reads these names from now on, as many as before; the array lives in the session's arena. */
void pg_net_reread(pg_net *net, pg_net_node *node, pg_str *inputs);
/* Every reader of `name` reads `instead`. Not for outputs and captured values. */
void pg_net_redirect(pg_net *net, pg_str name, pg_str instead);
pg_attr pg_net_attr_i(const char *name, int64_t value);
pg_attr pg_net_attr_f(const char *name, float value);
pg_attr pg_net_attr_s(const char *name, const char *value);
/* A name that no value has: "<base>#<n>". */
pg_str pg_net_fresh_name(pg_net *net, pg_str base);

/* Builds the net of a graph. */
PG_MUST_USE pg_status pg_net_build_graph(pg_session *session, pg_net *outer, const pg_attr_scope *attrs,
                                         size_t n_opsets, const pg_opset *opsets, const pg_graph *graph,
                                         pg_net **out);
PG_MUST_USE pg_status pg_net_build_function(pg_session *session, const pg_attr_scope *attrs, pg_net **out);
/* The net of a Chain's parts: the node's inputs and outputs are its own. */
pg_net *pg_net_build_parts(pg_session *session, const pg_net_node *chain);
/* Visits every name that the graphs in the node's attributes read from outside. */
typedef pg_status (*pg_name_visitor)(void *context, pg_str name);
PG_MUST_USE pg_status pg_net_visit_captured(const pg_net_node *node, pg_name_visitor visit, void *context);
/* Evaluates nodes whose inputs are all constant. */
PG_MUST_USE pg_status pg_net_fold(pg_net *net);
/* The same, but constant integers stay behind their DequantizeLinear nodes. */
PG_MUST_USE pg_status pg_net_fold_but_codes(pg_net *net);
void pg_net_free(pg_net *net);
/* The main graph of an engine's file, which has been through the passes. */
bool pg_net_is_lowered(const pg_net *net);
/* There a node states pg_net_node.half, its tactic and the number of the Chain that it is a part of by these
 * attributes. */
#define PG_HALF_ATTR "pg_half"
#define PG_TACTIC_ATTR "pg_tactic"
#define PG_CHAIN_ATTR "pg_chain"
/* Puts the parts of chains together again. */
void pg_net_regroup_chains(pg_net *net);
/* Runs the passes (optimize/) that the session wants. */
PG_MUST_USE pg_status pg_net_optimize(pg_net *net);

/* ---- Plan ---- */

/* The types that PG_KERNEL_HALF_VIA_F32 widens. */
static inline bool pg_is_half(pg_dtype dtype)
{
    return dtype == PG_F16 || dtype == PG_BF16 || (dtype >= PG_F8E4M3FN && dtype <= PG_F8E5M2FNUZ);
}

typedef struct pg_plan_node {
    const pg_kernel *kernel;
    pg_op op;          /* filled once; `in` and `out` point into frames and constants */
    pg_dtype half;     /* as in pg_net_node */
    bool no_f64;       /* in reference mode: the kernel refused float64 inputs */
    uint32_t *release; /* slots that nobody reads after this node */
    uint32_t n_release;
} pg_plan_node;

typedef struct pg_frame {
    const pg_plan *plan;
    pg_value *values;
    pg_value extra[PG_OP_MAX_INLINE]; /* outputs that the node does not have */
    pg_buffer *scratch[16];
    size_t n_scratch;
    size_t failed; /* the node whose error ended the last run, or SIZE_MAX */
} pg_frame;

struct pg_plan {
    pg_str name;
    size_t n_nodes, n_slots, n_inputs, n_outputs;
    pg_plan_node *nodes;
    uint32_t *inputs;   /* slots */
    pg_value **outputs; /* where each output is found after a run */
    pg_str *output_names, *input_names;
    pg_net *net; /* kept: constants live in it */
    pg_frame frame;
};

/* Takes over the net. *out is set even when building fails: the owner frees it. */
PG_MUST_USE pg_status pg_plan_build(pg_session *session, pg_net *net, pg_plan **out);
void pg_plan_free(pg_plan *plan);
/* Inputs are in their slots; on success outputs can be read, then pg_plan_clear. On error the frame is clear.
 */
PG_MUST_USE pg_status pg_plan_run(const pg_plan *plan);
void pg_plan_clear(const pg_plan *plan);
/* Gives back scratch memory and surplus outputs of the node that just ran. */
void pg_frame_end_node(pg_frame *frame);
/* Prepares a node, again after its state was released. */
PG_MUST_USE pg_status pg_plan_prepare_node(pg_plan_node *node);
void pg_plan_release_state(pg_plan_node *node);
/* One kernel call with the conversions that its flags ask for. */
PG_MUST_USE pg_status pg_plan_run_node(pg_plan_node *node);

/* ---- Session ---- */

/* A form that a node has packed, for engines. */
typedef struct pg_made_form {
    pg_form form;
    unsigned inputs; /* bit i: of input i */
} pg_made_form;

typedef struct pg_pool pg_pool;

/* How an output leaves. */
typedef struct pg_output_layout {
    bool channels_last, rearranged;
} pg_output_layout;

struct pg_session {
    pg_model *model;
    pg_native_options options;
    pg_arena arena;
    pg_pool *pool;
    pg_plan *plan;
    const pg_observer *observer; /* NULL: nobody watches */
    const pg_observer *tap;      /* the second one */
    pg_output_layout *layouts;   /* one per output */
    size_t call_depth;           /* of functions, while building */
    size_t call_nodes;           /* in all their bodies so far */
    void *room;                  /* of pg_op_room */
    uint64_t room_bytes, room_wanted;
    size_t names_made;
    PG_VEC(pg_made_form) made; /* with options.for_engine */
    bool frozen;               /* nodes use the forms they have */
    uint64_t end_ns;           /* of pg_clock_ns: when the current run has lasted max_seconds; 0 = no limit */
};

/* Asked before each node and each iteration: PG_ERR_INTERRUPTED after Ctrl-C, PG_ERR_LIMIT when the time is up. */
PG_MUST_USE pg_status pg_session_go_on(const pg_session *session);

/* Buffers that come back for reuse: freed memory is kept by size class until the pool goes. Buffers may
 * outlive the session. */
pg_pool *pg_pool_new(uint64_t limit); /* bytes in use at most; 0 = no limit */
void pg_pool_unref(pg_pool *pool);
pg_buffer *pg_pool_alloc(pg_pool *pool,
                         uint64_t size);    /* NULL when there is no memory, or the limit is reached */
uint64_t pg_pool_peak(const pg_pool *pool); /* bytes in use at most */
void pg_pool_forget_peak(pg_pool *pool);

/* Row-major copy of a channels-last tensor, and back. */
PG_MUST_USE pg_status pg_layout_convert(pg_session *session, pg_tensor *tensor, pg_layout layout);
/* A tensor in another type, as pg_tensor_cast has it; between float32 and 16 bits in the session's memory. */
PG_MUST_USE pg_status pg_session_cast(pg_session *session, const pg_tensor *in, pg_dtype to, pg_tensor *out);
/* The elements alone, between float32 and 16 bits, into a tensor of as many. */
void pg_halves_convert(const pg_tensor *from, const pg_tensor *to);
/* Memory for a tensor from the session's pool. */
PG_MUST_USE pg_status pg_session_tensor(pg_session *session, pg_tensor *out, pg_dtype dtype, size_t rank,
                                        const int64_t *dims);

/* Kernels of the engine's own operators (domain "pg"). */
extern const pg_kernel pg_kernels_internal[];

#endif
