/* Transposed convolution (ConvTranspose, and the engine's fused form with an activation). */
#ifndef PG_NATIVE_OPS_CONV_TRANSPOSE_H
#define PG_NATIVE_OPS_CONV_TRANSPOSE_H

#include "native/kernel.h"

PG_MUST_USE pg_status conv_transpose_prepare(pg_op *op);
PG_MUST_USE pg_status conv_transpose_run(pg_op *op);
void conv_transpose_release(void *state);

#endif
