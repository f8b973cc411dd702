/* GridSample and DeformConv: values between the pixels; computed in float64. */
#include <math.h>

#include "base/alloc.h"
#include "native/ops/nn.h"

/* ---- GridSample ---- */

typedef struct grid_sample {
    enum { SAMPLE_LINEAR, SAMPLE_NEAREST, SAMPLE_CUBIC } mode;
    enum { PAD_ZEROS, PAD_BORDER, PAD_REFLECTION } padding;
    bool align_corners;
    size_t n; /* spatial dims */
    int64_t dims[PG_MAX_RANK];
} grid_sample;

static pg_status read_grid_sample(const pg_op *op, const pg_tensor *x, grid_sample *s)
{
    pg_str mode, padding;
    int64_t align;
    PG_TRY(pg_op_attr_s(op, "mode", "linear", &mode));
    PG_TRY(pg_op_attr_s(op, "padding_mode", "zeros", &padding));
    PG_TRY(pg_op_attr_i(op, "align_corners", 0, &align));
    if (pg_str_is(mode, "nearest"))
        s->mode = SAMPLE_NEAREST;
    else if (pg_str_is(mode, "cubic") || pg_str_is(mode, "bicubic"))
        s->mode = SAMPLE_CUBIC;
    else if (pg_str_is(mode, "linear") || pg_str_is(mode, "bilinear"))
        s->mode = SAMPLE_LINEAR;
    else
        return pg_op_err(op, PG_ERR_INVALID, "mode '%" PG_STR_FMT "' is not known", PG_STR_ARG(mode));
    if (pg_str_is(padding, "zeros"))
        s->padding = PAD_ZEROS;
    else if (pg_str_is(padding, "border"))
        s->padding = PAD_BORDER;
    else if (pg_str_is(padding, "reflection"))
        s->padding = PAD_REFLECTION;
    else
        return pg_op_err(op, PG_ERR_INVALID, "padding_mode '%" PG_STR_FMT "' is not known",
                         PG_STR_ARG(padding));
    s->align_corners = align != 0;
    s->n = x->rank - 2u;
    memcpy(s->dims, x->dims + 2, s->n * sizeof s->dims[0]);
    return NULL;
}

static double reflect(double x, double lo, double hi)
{
    const double range = hi - lo;
    if (range <= 0)
        return lo;
    double d = fmod(fabs(x - lo), 2 * range);
    return lo + (d > range ? 2 * range - d : d);
}

/* The pixel that stands at a whole position of an axis; -1 for padding with zeros. */
static int64_t pixel_at(const grid_sample *s, size_t axis, double position)
{
    const int64_t n = s->dims[axis];
    if (s->padding == PAD_REFLECTION)
        position = s->align_corners ? reflect(position, 0, (double)(n - 1))
                                    : reflect(position, -0.5, (double)n - 0.5);
    else if (s->padding == PAD_ZEROS && !(position >= 0 && position <= (double)(n - 1)))
        return -1;
    position = fmin(fmax(position, 0), (double)(n - 1)); /* NaN becomes 0 */
    return (int64_t)position;
}

typedef struct taps {
    size_t count;
    int64_t pixel[4];
    double weight[4];
} taps;

static void axis_taps(const grid_sample *s, size_t axis, double x, taps *out)
{
    if (s->mode == SAMPLE_NEAREST) {
        *out = (taps){1, {pixel_at(s, axis, nearbyint(x))}, {1}};
        return;
    }
    const double base = floor(x), t = x - base;
    if (s->mode == SAMPLE_LINEAR) {
        *out = (taps){2, {pixel_at(s, axis, base), pixel_at(s, axis, base + 1)}, {1 - t, t}};
        return;
    }
    const double a = -0.75;
    out->count = 4;
    for (int i = 0; i < 4; i++) {
        const double d = fabs(t - (i - 1));
        out->pixel[i] = pixel_at(s, axis, base + i - 1);
        out->weight[i] =
            d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
    }
}

static double interpolate(const grid_sample *s, const taps *axes, size_t axis, const double *image,
                          size_t offset)
{
    if (axis == s->n)
        return image[offset];
    double sum = 0;
    for (size_t i = 0; i < axes[axis].count; i++)
        if (axes[axis].pixel[i] >= 0)
            sum += axes[axis].weight[i] *
                   interpolate(s, axes, axis + 1, image,
                               offset * (size_t)s->dims[axis] + (size_t)axes[axis].pixel[i]);
    return sum;
}

/* From [-1, 1] to pixels; positions outside are moved in for border and reflection. */
static double unnormalize(const grid_sample *s, size_t axis, double g)
{
    const double n = (double)s->dims[axis];
    double x = s->align_corners ? (g + 1) / 2 * (n - 1) : ((g + 1) * n - 1) / 2;
    if (s->padding == PAD_BORDER)
        x = fmin(fmax(x, 0), n - 1);
    else if (s->padding == PAD_REFLECTION)
        x = s->align_corners ? reflect(x, 0, n - 1) : reflect(x, -0.5, n - 0.5);
    return fmin(fmax(x, -1e15), 1e15);
}

static pg_status run_grid_sample(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *grid = pg_op_in(op, 1);
    grid_sample s;
    if (x->rank < 3 || grid->rank != x->rank || grid->dims[grid->rank - 1] != x->rank - 2 ||
        grid->dims[0] != x->dims[0])
        return pg_op_err(op, PG_ERR_INVALID, "the grid does not fit the input");
    PG_TRY(read_grid_sample(op, x, &s));
    int64_t dims[PG_MAX_RANK];
    size_t area_in = 1, area_out = 1;
    dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    for (size_t i = 0; i < s.n; i++) {
        dims[2 + i] = grid->dims[1 + i];
        area_in *= (size_t)x->dims[2 + i];
        area_out *= (size_t)dims[2 + i];
    }
    if (area_in == 0 && area_out > 0)
        return pg_op_err(op, PG_ERR_INVALID, "the input has no pixels");
    const double *values, *where;
    nn_result y;
    PG_TRY(nn_f64(op, 0, &values));
    PG_TRY(nn_f64(op, 1, &where));
    PG_TRY(nn_f64_out(op, 0, x->dtype, x->rank, dims, &y));
    const size_t channels = (size_t)dims[1];
    for (size_t b = 0; b < (size_t)dims[0]; b++)
        for (size_t p = 0; p < area_out; p++) {
            taps axes[PG_MAX_RANK];
            const double *g = where + (b * area_out + p) * s.n;
            for (size_t i = 0; i < s.n; i++) /* the grid's last coordinate is the first axis */
                axis_taps(&s, i, unnormalize(&s, i, g[s.n - 1 - i]), &axes[i]);
            for (size_t c = 0; c < channels; c++)
                y.values[(b * channels + c) * area_out + p] =
                    interpolate(&s, axes, 0, values + (b * channels + c) * area_in, 0);
        }
    nn_f64_done(&y);
    return NULL;
}

/* ---- DeformConv ---- */

typedef struct deform {
    nn_window window;
    int64_t in[NN_SPATIAL], out[NN_SPATIAL], groups, offset_groups;
    size_t taps, area_in, area_out, channels, channels_out;
    const double *x, *w, *offset, *bias, *mask;
} deform;

/* Linear interpolation at fractional pixels; zero outside. */
static double between(const deform *d, const double *image, const double *at)
{
    double sum = 0;
    for (int corner = 0; corner < 8; corner++) {
        double weight = 1;
        int64_t offset = 0;
        for (size_t i = 0; i < NN_SPATIAL && weight != 0; i++) {
            const double base = floor(at[i]), t = at[i] - base;
            const bool upper = (corner >> i & 1) != 0;
            const double p = base + (upper ? 1 : 0);
            weight *= upper ? t : 1 - t;
            if (!(p >= 0 && p < (double)d->in[i]))
                weight = 0;
            offset = offset * d->in[i] + (weight != 0 ? (int64_t)p : 0);
        }
        if (weight != 0)
            sum += weight * image[offset];
    }
    return sum;
}

/* The input of channel c under kernel position t of result p. */
static double deformed(const deform *d, size_t b, size_t c, size_t t, size_t p)
{
    const nn_window *w = &d->window;
    const size_t group = c / (d->channels / (size_t)d->offset_groups), n = w->n;
    const size_t block = (b * (size_t)d->offset_groups + group) * d->taps + t;
    size_t tap[NN_SPATIAL], pixel[NN_SPATIAL], rest_t = t, rest_p = p;
    double at[NN_SPATIAL];
    for (size_t i = NN_SPATIAL; i-- > 0;) {
        tap[i] = rest_t % (size_t)w->kernel[i];
        rest_t /= (size_t)w->kernel[i];
        pixel[i] = rest_p % (size_t)d->out[i];
        rest_p /= (size_t)d->out[i];
    }
    for (size_t i = 0; i < NN_SPATIAL; i++) {
        at[i] =
            (double)((int64_t)pixel[i] * w->stride[i] - w->pad_begin[i] + (int64_t)tap[i] * w->dilation[i]);
        if (i >= NN_SPATIAL - n)
            at[i] += d->offset[(block * n + i - (NN_SPATIAL - n)) * d->area_out + p];
    }
    const double value = between(d, d->x + (b * d->channels + c) * d->area_in, at);
    return d->mask != NULL ? value * d->mask[block * d->area_out + p] : value;
}

static void deform_image(const deform *d, size_t b, double *columns, double *y)
{
    const size_t per_group = d->channels / (size_t)d->groups, out_group = d->channels_out / (size_t)d->groups;
    for (size_t p = 0; p < d->area_out; p++) {
        for (size_t c = 0; c < d->channels; c++)
            for (size_t t = 0; t < d->taps; t++)
                columns[c * d->taps + t] = deformed(d, b, c, t, p);
        for (size_t o = 0; o < d->channels_out; o++) {
            double sum = d->bias != NULL ? d->bias[o] : 0;
            const size_t k = per_group * d->taps;
            const double *x = columns + o / out_group * k;
            for (size_t i = 0; i < k; i++)
                sum += d->w[o * k + i] * x[i];
            y[(b * d->channels_out + o) * d->area_out + p] = sum;
        }
    }
}

static pg_status check_deform(const pg_op *op, const deform *d, size_t images)
{
    const pg_tensor *w = pg_op_in(op, 1), *offset = pg_op_in(op, 2), *bias = pg_op_in(op, 3),
                    *mask = pg_op_in(op, 4);
    const uint64_t blocks = (uint64_t)images * (uint64_t)d->offset_groups * d->taps * d->area_out;
    if (d->groups < 1 || d->offset_groups < 1 || d->channels % (size_t)d->groups != 0 ||
        d->channels_out % (size_t)d->groups != 0 || d->channels % (size_t)d->offset_groups != 0 ||
        (size_t)w->dims[1] != d->channels / (size_t)d->groups)
        return pg_op_err(op, PG_ERR_INVALID, "the groups do not fit the channels");
    if (pg_tensor_count(offset) != blocks * d->window.n || (mask != NULL && pg_tensor_count(mask) != blocks))
        return pg_op_err(op, PG_ERR_INVALID, "the offsets or the mask do not fit the output");
    if (bias != NULL && pg_tensor_count(bias) != d->channels_out)
        return pg_op_err(op, PG_ERR_INVALID, "the bias does not have %zu elements", d->channels_out);
    return NULL;
}

static pg_status run_deform_conv(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 3));
    const pg_tensor *x = pg_op_in(op, 0), *w = pg_op_in(op, 1);
    if (x->rank < 3 || x->rank != w->rank || x->rank > 2 + NN_SPATIAL)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "an input of rank %d with weights of rank %d", x->rank,
                         w->rank);
    deform d = {.channels = (size_t)x->dims[1], .channels_out = (size_t)w->dims[0]};
    int64_t kernel[NN_SPATIAL], dims[2 + NN_SPATIAL];
    const size_t n = x->rank - 2u;
    nn_spatial(w, kernel);
    PG_TRY(nn_window_read(op, n, kernel + NN_SPATIAL - n, &d.window));
    nn_spatial(x, d.in);
    PG_TRY(nn_window_apply(op, &d.window, d.in, d.out));
    PG_TRY(pg_op_attr_i(op, "group", 1, &d.groups));
    PG_TRY(pg_op_attr_i(op, "offset_group", 1, &d.offset_groups));
    d.taps = (size_t)(kernel[0] * kernel[1] * kernel[2]);
    d.area_in = (size_t)(d.in[0] * d.in[1] * d.in[2]);
    d.area_out = (size_t)(d.out[0] * d.out[1] * d.out[2]);
    PG_TRY(check_deform(op, &d, (size_t)x->dims[0]));
    const double **const targets[] = {&d.x, &d.w, &d.offset, &d.bias, &d.mask};
    for (size_t i = 0; i < PG_COUNT(targets); i++)
        PG_TRY(nn_f64(op, i, targets[i]));
    nn_result y;
    void *columns;
    PG_TRY(pg_op_scratch(op, (uint64_t)d.channels * d.taps * sizeof(double) + 8, &columns));
    const size_t rank = nn_dims(x->dims[0], w->dims[0], n, d.out, dims);
    PG_TRY(nn_f64_out(op, 0, x->dtype, rank, dims, &y));
    for (size_t b = 0; b < (size_t)x->dims[0]; b++)
        deform_image(&d, b, columns, y.values);
    nn_f64_done(&y);
    return NULL;
}

const pg_kernel pg_kernels_sample[] = {
    {"", "GridSample", 16, 0, run_grid_sample, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {"", "DeformConv", 19, 0, run_deform_conv, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {0},
};
