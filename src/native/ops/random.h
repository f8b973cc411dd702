/* Random numbers for operators: the 32-bit Mersenne Twister as NumPy's RandomState seeds and reads it, so
 * that a node with a seed gives the numbers that np.random gives. */
#ifndef PG_NATIVE_OPS_RANDOM_H
#define PG_NATIVE_OPS_RANDOM_H

#include "native/kernel.h"
#include "tensor/random.h"

typedef struct pg_op_random {
    pg_random stream;
    bool has_spare;
    double spare; /* the second number of a Gaussian pair */
} pg_op_random;

/* Seeded from the node's attribute 'seed' (an integer or a float), or from the clock when it has none. */
PG_MUST_USE pg_status pg_op_random_init(const pg_op *op, pg_op_random *out);
double pg_op_random_uniform(pg_op_random *random); /* in [0, 1) */
double pg_op_random_normal(pg_op_random *random);  /* mean 0, deviation 1 */

#endif
