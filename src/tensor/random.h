/* The random stream of numpy.random.RandomState, bit for bit: MT19937 seeded by an integer, and the legacy
 * ways to make numbers of its 32-bit draws. The same seed and the same calls give the same arrays as there.
 */
#ifndef PG_TENSOR_RANDOM_H
#define PG_TENSOR_RANDOM_H

#include <stdint.h>

#include "tensor/tensor.h"

typedef struct pg_random {
    uint32_t state[624];
    unsigned next; /* of `state` to hand out; 624 = make new ones first */
} pg_random;

void pg_random_seed(pg_random *random, uint32_t seed);
uint32_t pg_random_u32(pg_random *random);
/* In [0, 1): 53 bits of two draws. */
double pg_random_f64(pg_random *random);

/* Fills a tensor of type PG_F16, PG_F32 or PG_F64 with random_sample() * scale + shift, computed in double
 * and then rounded. */
void pg_random_fill_float(pg_random *random, double scale, double shift, pg_tensor *tensor);
/* Fills a tensor of an integer type of 8 to 64 bits or of bool with randint(low, high + 1): both bounds are
 * included. For PG_U64 the bounds are the bits of unsigned values. low <= high, both inside the type's range.
 * Equal bounds draw nothing. */
void pg_random_fill_int(pg_random *random, int64_t low, int64_t high, pg_tensor *tensor);

#endif
