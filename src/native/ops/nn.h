/* What the heavy operators (convolution, pooling, products, normalisation) share: sliding windows, fused
 * activations, layouts and element types. */
#ifndef PG_NATIVE_OPS_NN_H
#define PG_NATIVE_OPS_NN_H

#include "native/kernel.h"
#include "native/simd/simd.h"

/* Windows slide over at most this many spatial dims; operators of fewer are padded with ones in front. */
enum { NN_SPATIAL = 3 };

/* A window over spatial dims, always three of them; `n` says how many the operator has. */
typedef struct nn_window {
    size_t n;
    int64_t kernel[NN_SPATIAL], stride[NN_SPATIAL], dilation[NN_SPATIAL];
    int64_t pad_begin[NN_SPATIAL], pad_end[NN_SPATIAL];
    enum { NN_PADS_GIVEN, NN_SAME_UPPER, NN_SAME_LOWER, NN_VALID } auto_pad;
    bool ceil_mode;
} nn_window;

/* Reads strides, dilations, pads, auto_pad, ceil_mode and, when the node states it, kernel_shape; `kernel`
 * has the sizes from the weights, or is NULL when kernel_shape is required. Values are checked: sizes,
 * strides and dilations are at least 1. `n` must be 1, 2 or 3. */
PG_MUST_USE pg_status nn_window_read(const pg_op *op, size_t n, const int64_t *kernel, nn_window *out);
/* Fixes automatic padding for the input's spatial dims (three, with leading ones) and answers the output's.
 */
PG_MUST_USE pg_status nn_window_apply(const pg_op *op, nn_window *window, const int64_t *in, int64_t *out);
/* The spatial dims of an N,C,... tensor as three, with leading ones. */
void nn_spatial(const pg_tensor *tensor, int64_t *out);
/* Dims N, C and the last n of three spatial ones. */
size_t nn_dims(int64_t batch, int64_t channels, size_t n, const int64_t *spatial, int64_t *out);

static inline bool nn_is_empty(size_t rank, const int64_t *dims)
{
    bool empty = false;
    for (size_t i = 0; i < rank; i++)
        empty = empty || dims[i] == 0;
    return empty;
}

/* Input i in this layout; converted in place when it is not, so that others find it converted. */
PG_MUST_USE pg_status nn_layout(pg_op *op, size_t i, pg_layout layout, const pg_tensor **out);
/* Output i of shape dims in channels-last. */
PG_MUST_USE pg_status nn_out_channels_last(pg_op *op, size_t i, pg_dtype dtype, size_t rank,
                                           const int64_t *dims, pg_tensor **out);

/* The elements of input i as float64 or float32: its own bytes or a converted copy in scratch. NULL for an
 * omitted input. Row-major. */
PG_MUST_USE pg_status nn_f64(pg_op *op, size_t i, const double **out);
PG_MUST_USE pg_status nn_f32(pg_op *op, size_t i, const float **out);
/* Output i of a type, to be computed as float64: *values is its bytes when it is float64, else scratch that
 * nn_f64_done converts. Rounds once; integers are cut toward zero. */
typedef struct nn_result {
    pg_tensor *tensor;
    double *values;
} nn_result;
PG_MUST_USE pg_status nn_f64_out(pg_op *op, size_t i, pg_dtype dtype, size_t rank, const int64_t *dims,
                                 nn_result *out);
void nn_f64_done(const nn_result *result);
/* Element types that the floating-point operators take once halves are widened. */
static inline bool nn_is_float(pg_dtype dtype)
{
    return dtype == PG_F32 || dtype == PG_F64;
}
/* Those of 16 bits, which some of them read and write as they are (PG_KERNEL_HALF_0). */
static inline bool nn_is_half(pg_dtype dtype)
{
    return dtype == PG_F16 || dtype == PG_BF16;
}
/* The type of sums over elements of a type, and of constants beside them. */
static inline pg_dtype nn_sum_type(pg_dtype dtype)
{
    return nn_is_half(dtype) ? PG_F32 : dtype;
}
/* A tensor in the type `dtype`: itself, or *room, which then has memory until `run` returns. Between float32 and 16 bits. */
PG_MUST_USE pg_status nn_as(pg_op *op, const pg_tensor *t, pg_dtype dtype, pg_tensor *room,
                            const pg_tensor **out);
static inline size_t nn_float_size(pg_dtype dtype)
{
    return dtype == PG_F64 ? 8 : 4;
}
/* An element of float32 or float64. */
static inline double nn_get(pg_dtype dtype, const void *data, size_t i)
{
    return dtype == PG_F64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}
static inline void nn_put(pg_dtype dtype, void *data, size_t i, double value)
{
    if (dtype == PG_F64)
        ((double *)data)[i] = value;
    else
        ((float *)data)[i] = (float)value;
}
/* Inputs 0 .. count-1 are present and have the type of input 0, which is float32 or float64. */
PG_MUST_USE pg_status nn_need_floats(const pg_op *op, size_t count);

/* Inputs 0 and 1 of a product: of one such type, or input 0 of 16 bits (PG_KERNEL_HALF_0) beside float32. */
PG_MUST_USE pg_status nn_need_product(const pg_op *op);

/* The fused activation of a node: attribute activation, an operator's name, with activation_alpha and
 * activation_beta (or the list activation_params); activation_scale and activation_shift apply to its
 * result. No attribute: none. The slopes of PRelu are an input, which only FusedConv has: its own part. */
PG_MUST_USE pg_status nn_activation(const pg_op *op, pg_act *out);
/* For fused operators whose addend, input i, turns out to have another shape than the result: output 0 =
 * act(surplus output + input i), broadcast. `surplus` counts from the node's own outputs. */
PG_MUST_USE pg_status nn_add_broadcast(pg_op *op, size_t surplus, size_t i, pg_act act);

/* Aligned memory that lives in op->state. NULL when there is none. */
void *nn_alloc(uint64_t bytes);
/* bytes = product of the factors; false on overflow. */
bool nn_product(uint64_t *bytes, size_t n, const uint64_t *factors);

/* True when oneDNN may be used for this session. */
bool nn_use_onednn(const pg_op *op);
/* Whether oneDNN is there for those who choose it: with any number of threads. */
bool nn_may_use_onednn(const pg_op *op);

#endif
