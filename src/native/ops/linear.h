/* Small helpers of the operators around matrix products. */
#ifndef PG_NATIVE_OPS_LINEAR_H
#define PG_NATIVE_OPS_LINEAR_H

#include "native/kernel.h"

/* to[c][r] = from[r][c]; float32 or float64. */
void linear_transpose(pg_dtype dtype, const void *from, size_t rows, size_t cols, void *to);

#endif
