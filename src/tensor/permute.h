/* Axes in another order. */
#ifndef PG_TENSOR_PERMUTE_H
#define PG_TENSOR_PERMUTE_H

#include "tensor/tensor.h"

/* Axis i of the result is axis perm[i] of the tensor: the first unused one of the wanted length. False when the
 * lengths are not the same ones. `perm` has room for PG_MAX_RANK. */
bool pg_permutation_find(const pg_tensor *tensor, size_t rank, const int64_t *dims, size_t *perm);
/* A row-major tensor with its elements moved. PG_ERR_UNSUPPORTED for elements of less than a byte. */
PG_MUST_USE pg_status pg_tensor_permute(const pg_tensor *tensor, const size_t *perm, pg_tensor *out);

#endif
