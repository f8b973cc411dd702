/* The order of elements of any real type. */
#ifndef PG_NATIVE_OPS_ORDER_H
#define PG_NATIVE_OPS_ORDER_H

#include "native/kernel.h"

/* keys[i] is an unsigned integer for element data[i * step], ordered as the elements are: both zeros are
 * equal, NaN is above everything. False for types without an order (float16 and narrower floats come as
 * float32); n may be 0 to ask. */
bool pg_order_keys(pg_dtype dtype, const void *data, int64_t step, size_t n, uint64_t *keys);

#endif
