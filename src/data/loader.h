/* The default data loader: random inputs for a model, the peer's bit for bit.
 *
 * Iteration i draws from its own generator, seeded with seed + i and shared by the inputs in model order.
 * Floats are uniform in [low, high), integers in [low, high] with both ends; without a range that is 0.0 to
 * 1.0, for integers 0 or 1. A dimension that neither the model nor the user fixes becomes 1, with a warning.
 * A static 1-D integer input whose length equals the rank of the shape given for it is taken to be a shape
 * tensor: it gets that shape as its values. */
#ifndef PG_DATA_LOADER_H
#define PG_DATA_LOADER_H

#include "runner/runner.h"

/* A shape given by the user: dims, or -1 where one is left open. */
typedef struct pg_input_shape {
    pg_str name; /* may be a wildcard; the last match wins; empty: the model's only input */
    size_t rank;
    const int64_t *dims;
} pg_input_shape;

/* A number as it was written: bounds of integer inputs are cut, those of others are not. */
typedef struct pg_range_bound {
    bool given;
    bool is_integer;
    int64_t integer;
    double real; /* also set for integers */
} pg_range_bound;

typedef struct pg_input_range {
    pg_str name; /* empty: for inputs without a range of their own */
    pg_range_bound low, high;
} pg_input_range;

typedef struct pg_loader_options {
    int64_t seed; /* of iteration 0 */
    const pg_input_shape *shapes;
    size_t n_shapes;
    const pg_input_range *ranges; /* a name twice: the last one */
    size_t n_ranges;
    /* Used where no range applies; bounds that are not given are 0 and 1. */
    pg_range_bound int_low, int_high, float_low, float_high;
} pg_loader_options;

/* seed 1, nothing else set. */
extern const pg_loader_options pg_loader_defaults;

/* Says (info) which shapes the user gave; once, before the first iteration. */
void pg_loader_announce(const pg_loader_options *options);

/* The same for a model's own inputs: which there are, of which type and shape. */
void pg_loader_announce_inputs(pg_io_list inputs);

/* Adds a value for every input to the zeroed `out`. Warnings appear once per process. Errors:
 * PG_ERR_INVALID for a shape that names no input (the message lists them), a range that does not fit the
 * input's type, or a seed outside 0 .. 2^32 - 1; PG_ERR_UNSUPPORTED for inputs that are not tensors or whose
 * type has no random values (strings, bfloat16, float8, 4-bit types, complex numbers). On error `out` is
 * empty. */
PG_MUST_USE pg_status pg_loader_get(const pg_loader_options *options, pg_io_list inputs, uint64_t iteration,
                                    pg_feed *out);

#endif
