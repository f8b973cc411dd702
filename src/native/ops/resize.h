/* Resampling along axes: what Resize and Upsample share.
 *
 * Per axis a table says which input positions make each output position, and with what weights; values are
 * then computed one axis after the other, since all modes are separable. */
#ifndef PG_NATIVE_OPS_RESIZE_H
#define PG_NATIVE_OPS_RESIZE_H

#include "native/ops/nn.h"

typedef enum resize_mode { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC } resize_mode;
typedef enum resize_round { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, ROUND_FLOOR, ROUND_CEIL } resize_round;
typedef enum resize_transform {
    RESIZE_HALF_PIXEL,
    RESIZE_HALF_PIXEL_SYMMETRIC,
    RESIZE_PYTORCH_HALF_PIXEL,
    RESIZE_ALIGN_CORNERS,
    RESIZE_ASYMMETRIC,
    RESIZE_TF_HALF_PIXEL_FOR_NN,
    RESIZE_TF_CROP_AND_RESIZE
} resize_transform;

typedef struct resize_options {
    resize_mode mode;
    resize_round round;
    resize_transform transform;
    bool antialias, exclude_outside;
    double cubic_a, extrapolation;
    size_t rank;
    int64_t in[PG_MAX_RANK], out[PG_MAX_RANK];
    double scale[PG_MAX_RANK], roi_begin[PG_MAX_RANK], roi_end[PG_MAX_RANK];
} resize_options;

/* Position in the input of output position x along an axis. */
double resize_position(const resize_options *options, size_t axis, int64_t x);

/* Taps of one axis: output j reads index[j * width + t] with weight[j * width + t]. */
typedef struct resize_table {
    size_t width;
    int64_t *index;
    double *weight;
    bool *outside; /* extrapolated; NULL when that cannot be */
} resize_table;
/* The most taps an output position has along the axis. */
size_t resize_width(const resize_options *options, size_t axis);
void resize_fill(const resize_options *options, size_t axis, resize_table *table);

#endif
