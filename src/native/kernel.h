/* What an operator of the built-in engine is: rows of (operator, versions, functions), and the calls its
 * functions may make.
 *
 * A kernel's `run` reads its inputs, asks for its outputs by shape and fills them:
 *
 *     static pg_status run_relu(pg_op *op)
 *     {
 *         const pg_tensor *x = pg_op_in(op, 0);
 *         pg_tensor *y;
 *         PG_TRY(pg_op_out_like(op, 0, 0, &y));      // x's shape and type; x's own bytes when nobody needs
 * them any more
 *         ...
 *     }
 *
 * Shapes are only known when it runs. Inputs were checked for presence against nothing: a kernel verifies
 * what it relies on (types, ranks, sizes) and answers with pg_op_err, never with a crash or a wrong value.
 * Every kernel with floating-point inputs handles float32 and float64; float16, bfloat16 and the 8-bit floats
 * either natively or by the flag PG_KERNEL_HALF_VIA_F32. Loops over data use pg_parallel_for.
 *
 * Adding an operator: write it in the file of its family under native/ops/, add a row to that file's table.
 */
#ifndef PG_NATIVE_KERNEL_H
#define PG_NATIVE_KERNEL_H

#include "native/tactic.h"
#include "onnx/onnx.h"
#include "tensor/value.h"

typedef struct pg_op pg_op;
typedef struct pg_element pg_element;
typedef struct pg_plan pg_plan;
typedef struct pg_session pg_session;

enum pg_kernel_flags {
    /* float16, bfloat16 and 8-bit float inputs are widened to float32 before `run`, and the float32 outputs
     * whose formal type is theirs are rounded back after it (to the type of the first such input). */
    PG_KERNEL_HALF_VIA_F32 = 1,
    /* `run` takes inputs of any pg_layout; others get row-major inputs only. */
    PG_KERNEL_ANY_LAYOUT = 2,
    /* Evaluated anew on every run even when all inputs are constant (random numbers). */
    PG_KERNEL_VOLATILE = 4,
    /* The elements of a constant float32 input 1, or 2, may lie at any address: the kernel copies them. */
    PG_KERNEL_ANY_ADDRESS_1 = 8,
    PG_KERNEL_ANY_ADDRESS_2 = 16,
    /* Constant input n is asked for in packed form only (ops/packed.h), so its elements may be missing. */
    PG_KERNEL_PACKS_1 = 32,
    PG_KERNEL_PACKS_2 = 64,
    PG_KERNEL_PACKS_3 = 128,
    /* `run` says what it does to each element when op->element is set (native/ops/element.h). */
    PG_KERNEL_BY_ELEMENT = 256,
    /* Beside PG_KERNEL_HALF_VIA_F32: input 0, or 3, comes as it is when it is float16 or bfloat16, and an output may
     * have its type; a float32 output is rounded as ever. */
    PG_KERNEL_HALF_0 = 512,
    PG_KERNEL_HALF_3 = 1024,
};
static inline unsigned pg_kernel_packs(size_t input)
{
    return input >= 1 && input <= 3 ? (unsigned)PG_KERNEL_PACKS_1 << (input - 1) : 0u;
}

typedef struct pg_kernel {
    const char *domain; /* "" for ai.onnx */
    const char *op_type;
    int since, until; /* opset versions of the domain that it implements; until 0 = all later ones */
    PG_MUST_USE pg_status (*run)(pg_op *op);
    /* Optional, once when the session is made: reads attributes, prepacks constant inputs (pg_op_in answers
     * NULL for inputs that are not constant) and may set op->state, which `run` finds again. */
    PG_MUST_USE pg_status (*prepare)(pg_op *op);
    void (*release)(void *state); /* ends what prepare or run put into op->state; NULL = free() */
    unsigned flags;
} pg_kernel;

enum { PG_OP_MAX_INLINE = 8 };

struct pg_op {
    const pg_node *node;
    int64_t opset; /* of the node's domain */
    size_t n_in, n_out;
    pg_value **in; /* NULL for an omitted optional input */
    pg_value *out; /* zeroed; filled by run */
    const uint8_t *in_flags, *out_flags;
    unsigned f32_outputs; /* set by run: bit i keeps output i float32 under PG_KERNEL_HALF_VIA_F32 */
    void *state;
    pg_element *element; /* filled in by kernels with PG_KERNEL_BY_ELEMENT; NULL when they are to run */
    const pg_plan *const *subgraphs; /* plans of the graph attributes, in attribute order */
    size_t n_subgraphs;
    struct pg_frame *frame; /* of the running graph */
    /* In prepare: constant factors are to be packed as bfloat16, for tensors are bfloat16 or the session's option
     * asks for it. */
    bool bf16_factors;
    pg_tactic_id tactic; /* chosen for this layer; PG_TACTIC_RULE: the kernel decides */
    pg_tactic_id used;   /* in the last run */
    unsigned offers;     /* bits of what was possible then */
    uint32_t place;      /* in the main plan, from 1; 0 elsewhere */
    pg_session *session;
};
enum { PG_IN_CONST = 1, PG_IN_LAST_USE = 2, PG_IN_CONSUMED = 4, PG_IN_STORED = 8 };
enum { PG_OUT_WANTED = 1 };

/* Input as a tensor; NULL when it is omitted, beyond the node's inputs, not a tensor, or (in prepare) not
 * constant. */
static inline const pg_tensor *pg_op_in(const pg_op *op, size_t i)
{
    return i < op->n_in && op->in[i] != NULL && op->in[i]->kind == PG_VALUE_TENSOR ? &op->in[i]->tensor
                                                                                   : NULL;
}
static inline const pg_value *pg_op_in_value(const pg_op *op, size_t i)
{
    return i < op->n_in ? op->in[i] : NULL;
}
/* Present tensors 0 .. count-1, or an error that names the first missing one. */
PG_MUST_USE pg_status pg_op_need(const pg_op *op, size_t count);
static inline bool pg_op_in_const(const pg_op *op, size_t i)
{
    return i < op->n_in && op->in[i] != NULL && (op->in_flags[i] & PG_IN_CONST) != 0;
}
/* False: nobody reads output i (asking for it is still fine). */
static inline bool pg_op_out_wanted(const pg_op *op, size_t i)
{
    return i < op->n_out && (op->out_flags[i] & PG_OUT_WANTED) != 0;
}

/* In run, before memory is asked for: what this layer could use and what it is about to use. */
static inline void pg_op_offer(pg_op *op, unsigned offers, pg_tactic_id used)
{
    op->offers = offers;
    op->used = used;
}

/* New output tensor, not initialised; the pointer is valid until `run` returns. For outputs beyond the node's
 * own a scratch tensor is handed out, so optional outputs need no special case. */
PG_MUST_USE pg_status pg_op_out(pg_op *op, size_t i, pg_dtype dtype, size_t rank, const int64_t *dims,
                                pg_tensor **out);
/* Output i with shape, type and layout of input j; takes over j's bytes when this was their last use. */
PG_MUST_USE pg_status pg_op_out_like(pg_op *op, size_t i, size_t j, pg_tensor **out);
/* As pg_op_out, but takes over the bytes of input j when this was their last use and sizes agree (same
 * layout, same bytes). Only for kernels that read element k before they write element k. */
PG_MUST_USE pg_status pg_op_out_reuse(pg_op *op, size_t i, size_t j, pg_dtype dtype, size_t rank,
                                      const int64_t *dims, pg_tensor **out);
/* Output i is input j's bytes under new dims (same count). */
PG_MUST_USE pg_status pg_op_out_view(pg_op *op, size_t i, size_t j, size_t rank, const int64_t *dims);
/* Output i is any value; takes it over. */
void pg_op_out_value(pg_op *op, size_t i, pg_value value);
/* Memory until `run` returns, 64-byte aligned, not initialised; PG_ERR_NO_MEMORY. */
PG_MUST_USE pg_status pg_op_scratch(pg_op *op, uint64_t bytes, void **out);

/* In prepare: op->state holds all that the kernel needs of constant input i; from now on `run` looks at its
 * type and dims only. Once all its readers say so, its elements are given back. */
void pg_op_consume(pg_op *op, size_t i);

/* True when constant input i is read from the model's file, where it can be read again later. */
bool pg_op_in_file(const pg_op *op, size_t i);
/* Such an input will hardly be read again: it leaves this process's memory. Nothing for other inputs. */
void pg_op_forget(const pg_op *op, size_t i);
/* Constant input i gets elements at an aligned address. */
PG_MUST_USE pg_status pg_op_align(const pg_op *op, size_t i);
/* True for a constant whose elements an engine's file has in packed form only. */
static inline bool pg_tensor_is_hollow(const pg_tensor *tensor)
{
    return tensor->data == NULL && tensor->buffer == NULL && pg_tensor_bytes(tensor) > 0;
}
/* Memory that all nodes share, each until another one asks; the size is noted with pg_op_room_size before,
 * in prepare, so that it is made once. NULL when there is none. */
void pg_op_room_size(const pg_op *op, uint64_t bytes);
void *pg_op_room(const pg_op *op, uint64_t bytes);
void pg_op_room_free(const pg_op *op);

/* Attributes by name, with the default for a missing one. A wrong attribute type is an error of pg_op_err. */
PG_MUST_USE pg_status pg_op_attr_i(const pg_op *op, const char *name, int64_t missing, int64_t *out);
PG_MUST_USE pg_status pg_op_attr_f(const pg_op *op, const char *name, float missing, float *out);
PG_MUST_USE pg_status pg_op_attr_s(const pg_op *op, const char *name, const char *missing, pg_str *out);
/* *out NULL and *count 0 when missing. */
PG_MUST_USE pg_status pg_op_attr_is(const pg_op *op, const char *name, const int64_t **out, size_t *count);
PG_MUST_USE pg_status pg_op_attr_fs(const pg_op *op, const char *name, const float **out, size_t *count);
/* Normalises a negative axis; an error outside [-rank, rank). */
PG_MUST_USE pg_status pg_op_axis(const pg_op *op, int64_t axis, size_t rank, size_t *out);
/* A 1-D or rank-0 integer tensor (int32 or int64) as int64 values, at most `most`; for axes, shapes, starts.
 */
PG_MUST_USE pg_status pg_op_ints(const pg_op *op, size_t i, int64_t *out, size_t most, size_t *count);

/* "Conv 'name': message"; the message starts in lower case. */
PG_MUST_USE PG_NEVER_OK PG_PRINTF(3, 4) pg_status
    pg_op_err(const pg_op *op, pg_code code, const char *format, ...);
/* "input 1 has type X, which this operator does not take". */
PG_MUST_USE PG_NEVER_OK pg_status pg_op_bad_type(const pg_op *op, size_t i);

/* Runs a subgraph: `inputs` are moved in, `outputs` (of the graph's count) are moved out. Outer values are
 * visible to it. */
PG_MUST_USE pg_status pg_op_run_subgraph(pg_op *op, size_t subgraph, pg_value *inputs, size_t n_inputs,
                                         pg_value *outputs, size_t n_outputs);
size_t pg_plan_inputs(const pg_plan *plan);
size_t pg_plan_outputs(const pg_plan *plan);

/* NumPy broadcasting of two shapes; the error names both. */
PG_MUST_USE pg_status pg_op_broadcast(const pg_op *op, const pg_tensor *a, const pg_tensor *b,
                                      size_t *out_rank, int64_t *out_dims);

/* The kernel for an operator at an opset version, or NULL. `domain` "" is ai.onnx. */
const pg_kernel *pg_kernel_find(pg_str domain, pg_str op_type, int64_t opset);

/* Every table, in the order of registry.c; for lists of what the engine knows. */
const pg_kernel *const *pg_kernel_families(size_t *count);

/* Tables of the families (native/ops/), each ended by a row with op_type NULL; listed once in registry.c. */
extern const pg_kernel pg_kernels_unary[];
extern const pg_kernel pg_kernels_random[];
extern const pg_kernel pg_kernels_binary[];
extern const pg_kernel pg_kernels_elementwise[];
extern const pg_kernel pg_kernels_reduce[];
extern const pg_kernel pg_kernels_softmax[];
extern const pg_kernel pg_kernels_loss[];
extern const pg_kernel pg_kernels_select[];
extern const pg_kernel pg_kernels_shape[];
extern const pg_kernel pg_kernels_rearrange[];
extern const pg_kernel pg_kernels_pad[];
extern const pg_kernel pg_kernels_index[];
extern const pg_kernel pg_kernels_image[];
extern const pg_kernel pg_kernels_gather[];
extern const pg_kernel pg_kernels_control[];
extern const pg_kernel pg_kernels_sequence[];
extern const pg_kernel pg_kernels_matmul[];
extern const pg_kernel pg_kernels_conv[];
extern const pg_kernel pg_kernels_pool[];
extern const pg_kernel pg_kernels_norm[];
extern const pg_kernel pg_kernels_rnn[];
extern const pg_kernel pg_kernels_resize[];
extern const pg_kernel pg_kernels_quant[];
extern const pg_kernel pg_kernels_quant_conv[];
extern const pg_kernel pg_kernels_quant_matmul[];
extern const pg_kernel pg_kernels_quant_codes[];
extern const pg_kernel pg_kernels_ms_quant[];
extern const pg_kernel pg_kernels_cast[];
extern const pg_kernel pg_kernels_act[];
extern const pg_kernel pg_kernels_chain[];
extern const pg_kernel pg_kernels_attention[];
extern const pg_kernel pg_kernels_attention_found[];
extern const pg_kernel pg_kernels_einsum[];
extern const pg_kernel pg_kernels_sample[];
extern const pg_kernel pg_kernels_signal[];
extern const pg_kernel pg_kernels_detect[];
extern const pg_kernel pg_kernels_stateful[];
/* com.microsoft. */
extern const pg_kernel pg_kernels_contrib_quant[];
extern const pg_kernel pg_kernels_text[];
extern const pg_kernel pg_kernels_tfidf[];
extern const pg_kernel pg_kernels_ml_features[];
extern const pg_kernel pg_kernels_ml_encode[];
extern const pg_kernel pg_kernels_ml_maps[];
extern const pg_kernel pg_kernels_ml_linear[];
extern const pg_kernel pg_kernels_ml_trees[];
extern const pg_kernel pg_kernels_ml_svm[];
extern const pg_kernel pg_kernels_training[];
extern const pg_kernel pg_kernels_flex_attention[];
extern const pg_kernel pg_kernels_ms_basic[];
extern const pg_kernel pg_kernels_ms_norm[];
extern const pg_kernel pg_kernels_ms_matmul[];
extern const pg_kernel pg_kernels_ms_attention[];
extern const pg_kernel pg_kernels_image_decoder[];

#endif
