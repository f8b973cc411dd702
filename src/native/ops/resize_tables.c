#include <math.h>

#include "base/alloc.h"
#include "native/ops/resize.h"

double resize_position(const resize_options *o, size_t axis, int64_t x)
{
    const double scale = o->scale[axis], at = (double)x;
    const double in = (double)o->in[axis], out = scale * in; /* the size before it was rounded */
    const double begin = o->roi_begin[axis], end = o->roi_end[axis];
    switch (o->transform) {
    case RESIZE_HALF_PIXEL:
        return (at + 0.5) / scale - 0.5;
    case RESIZE_HALF_PIXEL_SYMMETRIC:
        return in / 2 * (1 - (double)o->out[axis] / out) + (at + 0.5) / scale - 0.5;
    case RESIZE_PYTORCH_HALF_PIXEL:
        return o->out[axis] > 1 ? (at + 0.5) / scale - 0.5 : 0;
    case RESIZE_ALIGN_CORNERS:
        return o->out[axis] > 1 ? at * (in - 1) / (out - 1) : 0;
    case RESIZE_TF_HALF_PIXEL_FOR_NN:
        return (at + 0.5) / scale;
    case RESIZE_TF_CROP_AND_RESIZE:
        return o->out[axis] > 1
                   ? begin * (in - 1) + at * (end - begin) * (in - 1) / (double)(o->out[axis] - 1)
                   : 0.5 * (begin + end) * (in - 1);
    default:
        return at / scale;
    }
}

static double nearest(resize_round round_mode, double x)
{
    switch (round_mode) {
    case ROUND_FLOOR:
        return floor(x);
    case ROUND_CEIL:
        return ceil(x);
    case ROUND_PREFER_CEIL:
        return floor(x + 0.5);
    default:
        return ceil(x - 0.5);
    }
}

/* How far the filter reaches, in input positions. */
static double support(const resize_options *o, size_t axis)
{
    const double reach = o->mode == RESIZE_CUBIC ? 2 : 1;
    return o->antialias && o->scale[axis] < 1 ? reach / o->scale[axis] : reach;
}

size_t resize_width(const resize_options *o, size_t axis)
{
    return o->mode == RESIZE_NEAREST ? 1 : (size_t)(2 * ceil(support(o, axis))) + 1;
}

static double filter(const resize_options *o, double x)
{
    x = fabs(x);
    if (o->mode == RESIZE_LINEAR)
        return x < 1 ? 1 - x : 0;
    const double a = o->cubic_a;
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static int64_t inside(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static void fill_one(const resize_options *o, size_t axis, double x, int64_t *index, double *weight,
                     size_t width)
{
    const int64_t n = o->in[axis];
    const double squeeze = o->antialias && o->scale[axis] < 1 ? o->scale[axis] : 1;
    const int64_t first = (int64_t)floor(x) - (int64_t)ceil(support(o, axis)) + 1;
    double sum = 0;
    for (size_t t = 0; t < width; t++) {
        const int64_t i = first + (int64_t)t;
        weight[t] = filter(o, ((double)i - x) * squeeze);
        if (o->exclude_outside && (i < 0 || i >= n))
            weight[t] = 0;
        index[t] = inside(i, n);
        sum += weight[t];
    }
    if ((o->exclude_outside || squeeze < 1) && sum != 0)
        for (size_t t = 0; t < width; t++)
            weight[t] /= sum;
}

void resize_fill(const resize_options *o, size_t axis, resize_table *table)
{
    const int64_t n = o->in[axis];
    for (int64_t j = 0; j < o->out[axis]; j++) {
        const double x = resize_position(o, axis, j), bounded = fmin(fmax(x, -1e15), 1e15);
        int64_t *index = table->index + (size_t)j * table->width;
        double *weight = table->weight + (size_t)j * table->width;
        if (o->mode == RESIZE_NEAREST) {
            index[0] = inside((int64_t)nearest(o->round, bounded), n);
            weight[0] = 1;
        } else {
            fill_one(o, axis, bounded, index, weight, table->width);
        }
        if (table->outside != NULL)
            table->outside[j] = x < 0 || x > (double)(n - 1);
    }
}
