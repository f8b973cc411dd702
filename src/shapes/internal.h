/* What a rule of one operator sees and says. */
#ifndef PG_SHAPES_INTERNAL_H
#define PG_SHAPES_INTERNAL_H

#include "base/alloc.h"
#include "base/map.h"
#include "shapes/shapes.h"

enum { PG_MOST_VALUES = 256, PG_MOST_FLOATS = 16 }; /* longest lists whose elements are followed */

/* What is known of one value. A zeroed fact: nothing. */
typedef struct pg_fact {
    pg_type type;
    const pg_dim *values; /* elements of an integer tensor of rank 0 or 1; an element without value and name
                             is unknown */
    size_t n_values;      /* meaningful when values is not NULL */
    const float *floats;  /* elements of a short float32 list (scales), all known; their number is the type's
                             only dim */
} pg_fact;

typedef struct pg_infer pg_infer;
struct pg_infer {
    const pg_node *node;
    int64_t opset;
    size_t n_in, n_out;
    const pg_fact **in; /* NULL when omitted */
    pg_fact *out;
    pg_arena *arena;
    struct pg_scope *scope; /* for nested graphs */
};

/* Of an operator, for all its versions: a rule asks for the opset where versions differ. */
typedef struct pg_shape_rule {
    const char *op_type;
    PG_MUST_USE pg_status (*infer)(pg_infer *c);
    const char *domain; /* NULL: ai.onnx */
} pg_shape_rule;

/* Tables, each ended by a row with op_type NULL; listed in infer.c. */
extern const pg_shape_rule pg_shape_rules_elementwise[];
extern const pg_shape_rule pg_shape_rules_movement[];
extern const pg_shape_rule pg_shape_rules_reduce[];
extern const pg_shape_rule pg_shape_rules_nn[];
extern const pg_shape_rule pg_shape_rules_control[];
extern const pg_shape_rule pg_shape_rules_contract[];
extern const pg_shape_rule pg_shape_rules_signal[];
extern const pg_shape_rule pg_shape_rules_ml[];

/* ---- Reading ---- */

static inline const pg_fact *pg_in(const pg_infer *c, size_t i)
{
    return i < c->n_in ? c->in[i] : NULL;
}
bool pg_has_shape(const pg_fact *fact);
const pg_model *pg_infer_model(const pg_infer *c);
/* True when the fact is a tensor of known rank; *out_rank and *out_dims are set. */
bool pg_get_shape(const pg_fact *fact, uint32_t *out_rank, const pg_dim **out_dims);
/* Number of elements of input i, a list of integers that becomes dimensions or axes; false when it is not known. */
bool pg_get_length(const pg_infer *c, size_t i, uint32_t *out);
/* Integer values of input i when all of them are known numbers. */
bool pg_get_ints(const pg_infer *c, size_t i, int64_t *out, size_t most, size_t *out_count);
int64_t pg_int_attr(const pg_infer *c, const char *name, int64_t missing);
/* False when missing. */
bool pg_ints_attr(const pg_infer *c, const char *name, const int64_t **out, size_t *out_count);
pg_str pg_str_attr(const pg_infer *c, const char *name, const char *missing);
PG_MUST_USE pg_status pg_norm_axis(const pg_infer *c, int64_t axis, uint32_t rank, uint32_t *out);
PG_PRINTF(2, 3) PG_MUST_USE pg_status pg_infer_err(const pg_infer *c, const char *format, ...);

/* ---- Dimensions ---- */

static inline pg_dim pg_dim_of(int64_t value)
{
    return (pg_dim){.has_value = true, .value = value};
}
static inline bool pg_dim_is(pg_dim dim, int64_t value)
{
    return dim.has_value && dim.value == value;
}
static inline bool pg_dim_known(pg_dim dim)
{
    return dim.has_value && dim.value >= 0;
}
bool pg_dim_same(pg_dim a, pg_dim b); /* surely equal: same number or same symbol */
/* What is known of a dimension that both describe; contradicting numbers keep `a`. */
pg_dim pg_dim_merge(pg_dim a, pg_dim b);

/* ---- Writing ---- */

pg_dim *pg_new_dims(pg_infer *c, uint32_t rank); /* zeroed: unknown */
/* Output o is a tensor; ignored when the node has no output o. dims are taken over. */
void pg_set_tensor(pg_infer *c, size_t o, pg_dtype elem, uint32_t rank, const pg_dim *dims);
void pg_set_elem(pg_infer *c, size_t o, pg_dtype elem); /* of unknown shape */
void pg_set_like(pg_infer *c, size_t o, size_t i);      /* type and shape of input i */
void pg_set_values(pg_infer *c, size_t o, const pg_dim *values, size_t count);
static inline pg_dtype pg_elem(const pg_infer *c, size_t i)
{
    return pg_in(c, i) != NULL ? pg_in(c, i)->type.elem : PG_UNDEFINED;
}
/* NumPy broadcasting of the inputs [first, last). False when a rank is unknown. */
PG_MUST_USE pg_status pg_infer_broadcast(pg_infer *c, size_t first, size_t last, bool *known,
                                         uint32_t *out_rank, pg_dim **out_dims);

/* Facts of the outputs of graph attribute `attr`, given facts for its inputs; false when the node has no such
 * graph. */
PG_MUST_USE pg_status pg_infer_subgraph(pg_infer *c, const char *attr, const pg_fact *inputs, size_t n_inputs,
                                        pg_fact *outputs, size_t n_outputs, bool *found);

#endif
