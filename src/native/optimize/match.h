/* What passes ask about a network: constants behind names, and activations behind nodes. */
#ifndef PG_NATIVE_OPTIMIZE_MATCH_H
#define PG_NATIVE_OPTIMIZE_MATCH_H

#include "native/internal.h"
#include "native/simd/simd.h"

/* A constant of one element and rank 0 or 1, float32 or float64. */
bool net_scalar(const pg_net *net, pg_str name, double *out);
/* The same for a known number, within the precision of float32, or of the half type that the constant had. */
bool net_scalar_is(const pg_net *net, pg_str name, double value);
/* The relative error that a constant has because it is stored in a half type; 0 when it is not. */
double net_precision(const pg_net *net, pg_str name);
/* A constant tensor, float32 or float64; NULL otherwise. */
const pg_tensor *net_floats(const pg_net *net, pg_str name);
/* The same where only type and dims are looked at: large weights then stay in their file. */
const pg_tensor *net_float_weights(const pg_net *net, pg_str name);
double net_get(const pg_tensor *floats, size_t i);

/* Input i of a node; empty when it has none. */
static inline pg_str net_in(const pg_net_node *node, size_t i)
{
    return i < node->node.n_inputs ? node->node.inputs[i] : PG_STR_EMPTY;
}
static inline pg_str net_out(const pg_net_node *node)
{
    return node->node.n_outputs > 0 ? node->node.outputs[0] : PG_STR_EMPTY;
}
/* The node that makes a value (however many read it) when it is `op_type` of ai.onnx; NULL otherwise. */
pg_net_node *net_made_by(const pg_net *net, pg_str name, const char *op_type);
/* The only reader of the node's only output when it is `op_type`; NULL otherwise. */
pg_net_node *net_only_reader(const pg_net *net, const pg_net_node *node, const char *op_type);
/* Of a node with two inputs: the other one when `name` is one of them (but not both); empty otherwise. */
pg_str net_other_input(const pg_net_node *node, pg_str name);
/* A rank that the value certainly reaches, from the operators that make it; 0 when they do not tell. */
size_t net_least_rank(const pg_net *net, pg_str name);
int64_t net_attr_i(const pg_net_node *node, const char *name, int64_t missing);
float net_attr_f(const pg_net_node *node, const char *name, float missing);
/* True for the engine's own operator. */
bool net_is_own(const pg_net_node *node, const char *op_type);

/* What an activation node does to its input 0, whatever operator spells it. */
bool net_activation(const pg_net *net, const pg_net_node *node, pg_act *out);
/* The constant slopes of a PRelu of `x`, which has `rank` dims and `channels` of the type, one per channel; empty
 * for anything else. */
pg_str net_slopes(const pg_net *net, const pg_net_node *node, pg_str x, size_t rank, size_t channels,
                  pg_dtype dtype);
/* Attributes that state an activation, at most PG_ACT_ATTRS; what nn_activation reads. */
enum { PG_ACT_ATTRS = 5 };
size_t net_act_attrs(pg_act act, pg_attr *out);
/* Turns the node into the engine's Act of the value `x`. */
void net_make_act(pg_net *net, pg_net_node *node, pg_str x, pg_act act);
/* The node's attributes but for those of an activation, then those of `act`: rewrites the node under a new
 * operator with new inputs. */
void net_refit(pg_net *net, pg_net_node *node, const char *op_type, const pg_str *inputs, size_t n_inputs,
               pg_act act);

/* Removes the producers of values that nobody reads, starting with these names. Names may be freed by nobody:
 * they live in the model. */
void net_prune(pg_net *net, const pg_str *names, size_t count);

#endif
