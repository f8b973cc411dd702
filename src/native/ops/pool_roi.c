/* MaxUnpool, MaxRoiPool and RoiAlign; computed in float64. */
#include <math.h>

#include "base/alloc.h"
#include "native/ops/pool.h"

pg_status pool_run_max_unpool(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *indices = pg_op_in(op, 1);
    if (x->rank < 3 || x->rank > 2 + NN_SPATIAL)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "an input of rank %d", x->rank);
    if (indices->dtype != PG_I64 || !pg_tensor_same_shape(x, indices))
        return pg_op_err(op, PG_ERR_INVALID, "the indices are not int64 values of the input's shape");
    const size_t n = x->rank - 2u;
    nn_window w;
    int64_t in[NN_SPATIAL], out[NN_SPATIAL], dims[PG_MAX_RANK];
    size_t rank, count;
    PG_TRY(nn_window_read(op, n, NULL, &w));
    nn_spatial(x, in);
    for (size_t i = 0; i < NN_SPATIAL; i++)
        out[i] = (in[i] - 1) * w.stride[i] + w.kernel[i] - w.pad_begin[i] - w.pad_end[i];
    rank = nn_dims(x->dims[0], x->dims[1], n, out, dims);
    const size_t natural = pool_area(out), images = (size_t)(x->dims[0] * x->dims[1]);
    if (pg_op_in(op, 2) != NULL) {
        PG_TRY(pg_op_ints(op, 2, dims, PG_MAX_RANK, &count));
        if (count != rank)
            return pg_op_err(op, PG_ERR_INVALID, "output_shape has %zu values, expected %zu", count, rank);
    }
    const double *values;
    nn_result y;
    PG_TRY(nn_f64(op, 0, &values));
    PG_TRY(nn_f64_out(op, 0, x->dtype, rank, dims, &y));
    const uint64_t total = pg_tensor_count(y.tensor);
    memset(y.values, 0, total * sizeof(double));
    /* Indices count in the output without a stated shape; a larger one keeps each element's coordinates. */
    int64_t stated[NN_SPATIAL] = {1, 1, 1};
    memcpy(stated + NN_SPATIAL - n, dims + 2, n * sizeof dims[0]);
    const int64_t *at = indices->data;
    for (uint64_t i = 0; i < pg_tensor_count(x); i++) {
        if (at[i] < 0 || (uint64_t)at[i] >= (uint64_t)images * natural)
            return pg_op_err(op, PG_ERR_INVALID, "index %lld is out of range", (long long)at[i]);
        const int64_t image = at[i] / (int64_t)natural, p = at[i] % (int64_t)natural;
        const int64_t c = p % out[2], b = p / out[2] % out[1], a = p / out[2] / out[1];
        if (c >= stated[2] || b >= stated[1] || a >= stated[0])
            return pg_op_err(op, PG_ERR_INVALID, "index %lld lies outside the output", (long long)at[i]);
        y.values[((image * stated[0] + a) * stated[1] + b) * stated[2] + c] = values[i];
    }
    nn_f64_done(&y);
    return NULL;
}

/* ---- Regions of interest ---- */

static pg_status check_regions(const pg_op *op, const pg_tensor *x, const pg_tensor *rois, int64_t columns)
{
    if (x->rank != 4 || rois->rank != 2 || rois->dims[1] != columns)
        return pg_op_err(op, PG_ERR_INVALID, "expected an input of rank 4 and regions of %lld numbers",
                         (long long)columns);
    return NULL;
}

static double max_in(const double *image, int64_t width, const int64_t *y, const int64_t *x)
{
    double best = 0;
    bool any = false;
    for (int64_t h = y[0]; h < y[1]; h++)
        for (int64_t w = x[0]; w < x[1]; w++) {
            const double v = image[h * width + w];
            best = !any || v > best ? v : best;
            any = true;
        }
    return best;
}

/* Cell `i` of `n` of a region that begins at `start` and has the size `length`, cut to [0, limit). */
static void roi_cell(int64_t i, int64_t n, double start, double length, int64_t limit, int64_t *out)
{
    const double cell = length / (double)n;
    out[0] = (int64_t)(floor((double)i * cell) + start);
    out[1] = (int64_t)(ceil((double)(i + 1) * cell) + start);
    out[0] = PG_MIN(PG_MAX(out[0], (int64_t)0), limit);
    out[1] = PG_MIN(PG_MAX(out[1], (int64_t)0), limit);
}

pg_status pool_run_max_roi(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *rois = pg_op_in(op, 1);
    const int64_t *pooled;
    size_t n_pooled;
    float scale;
    PG_TRY(check_regions(op, x, rois, 5));
    PG_TRY(pg_op_attr_is(op, "pooled_shape", &pooled, &n_pooled));
    PG_TRY(pg_op_attr_f(op, "spatial_scale", 1, &scale));
    if (n_pooled != 2 || pooled[0] < 1 || pooled[1] < 1)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'pooled_shape' is not two sizes");
    const double *image, *region;
    nn_result y;
    PG_TRY(nn_f64(op, 0, &image));
    PG_TRY(nn_f64(op, 1, &region));
    PG_TRY(nn_f64_out(op, 0, x->dtype, 4, (int64_t[]){rois->dims[0], x->dims[1], pooled[0], pooled[1]}, &y));
    double *out = y.values;
    const int64_t height = x->dims[2], width = x->dims[3];
    for (int64_t r = 0; r < rois->dims[0]; r++, region += 5) {
        if (!(region[0] >= 0 && region[0] < (double)x->dims[0]))
            return pg_op_err(op, PG_ERR_INVALID, "region %lld names image %g", (long long)r, region[0]);
        double corner[4];
        for (int i = 0; i < 4; i++)
            corner[i] = round(fmin(fmax(region[1 + i] * (double)scale, -1e9), 1e9));
        const double w = fmax(corner[2] - corner[0] + 1, 1), h = fmax(corner[3] - corner[1] + 1, 1);
        for (int64_t c = 0; c < x->dims[1]; c++) {
            const double *plane = image + ((int64_t)region[0] * x->dims[1] + c) * height * width;
            for (int64_t i = 0; i < pooled[0]; i++)
                for (int64_t j = 0; j < pooled[1]; j++) {
                    int64_t ys[2], xs[2];
                    roi_cell(i, pooled[0], corner[1], h, height, ys);
                    roi_cell(j, pooled[1], corner[0], w, width, xs);
                    *out++ = max_in(plane, width, ys, xs);
                }
        }
    }
    nn_f64_done(&y);
    return NULL;
}

enum { MOST_SAMPLES = 256 }; /* of an output pixel along an axis, when the model states their number */

typedef struct roi_align {
    int64_t height, width, out_h, out_w, ratio;
    double scale, shift;
    bool maximum;
} roi_align;

/* A bilinear sample as four products; false outside the image. */
static bool sample(const roi_align *r, const double *plane, double y, double x, double *out)
{
    const int64_t h = r->height, w = r->width;
    if (y < -1 || y > (double)h || x < -1 || x > (double)w)
        return false;
    y = fmax(y, 0);
    x = fmax(x, 0);
    int64_t y0 = (int64_t)y, x0 = (int64_t)x, y1 = y0 + 1, x1 = x0 + 1;
    if (y0 >= h - 1) {
        y0 = y1 = h - 1;
        y = (double)y0;
    }
    if (x0 >= w - 1) {
        x0 = x1 = w - 1;
        x = (double)x0;
    }
    const double ly = y - (double)y0, lx = x - (double)x0;
    out[0] = (1 - ly) * (1 - lx) * plane[y0 * w + x0];
    out[1] = (1 - ly) * lx * plane[y0 * w + x1];
    out[2] = ly * (1 - lx) * plane[y1 * w + x0];
    out[3] = ly * lx * plane[y1 * w + x1];
    return true;
}

/* The samples of a cell along one axis: `count` of them, of which [begin, end) may meet the image. A region may
 * be far larger than the image, so the others are not visited. */
typedef struct samples {
    double count, step;
    int64_t begin, end;
} samples;

static samples samples_along(const roi_align *r, double first, double cell, int64_t size)
{
    samples s = {.count = r->ratio > 0 ? (double)r->ratio : fmin(fmax(ceil(cell), 0), 1e15)};
    s.step = cell / PG_MAX(s.count, 1.0);
    s.end = (int64_t)s.count;
    if (r->ratio == 0 && s.step > 0) {
        s.begin = (int64_t)fmin(fmax(floor((-1 - first) / s.step) - 1, 0), s.count);
        s.end = (int64_t)fmin(fmax(ceil(((double)size - first) / s.step) + 1, (double)s.begin), s.count);
    }
    return s;
}

static double align_cell(const roi_align *r, const double *plane, double y, double x, double cell_h,
                         double cell_w)
{
    const samples down = samples_along(r, y, cell_h, r->height),
                  across = samples_along(r, x, cell_w, r->width);
    double sum = 0, best = -INFINITY;
    for (int64_t i = down.begin; i < down.end; i++)
        for (int64_t j = across.begin; j < across.end; j++) {
            double v[4] = {0, 0, 0, 0};
            sample(r, plane, y + ((double)i + 0.5) * down.step, x + ((double)j + 0.5) * across.step, v);
            best = fmax(best, fmax(fmax(v[0], v[1]), fmax(v[2], v[3])));
            sum += v[0] + v[1] + v[2] + v[3];
        }
    if (!r->maximum)
        return sum / PG_MAX(down.count * across.count, 1.0);
    const double visited = (double)(down.end - down.begin) * (double)(across.end - across.begin);
    return visited == down.count * across.count && visited > 0 ? best : fmax(best, 0);
}

static void align_region(const roi_align *r, const double *box, const double *planes, int64_t channels,
                         double *out)
{
    const double x0 = box[0] * r->scale - r->shift, y0 = box[1] * r->scale - r->shift;
    double w = box[2] * r->scale - r->shift - x0, h = box[3] * r->scale - r->shift - y0;
    if (r->shift == 0) { /* regions of no size are one pixel then */
        w = fmax(w, 1);
        h = fmax(h, 1);
    }
    const double cell_h = h / (double)r->out_h, cell_w = w / (double)r->out_w;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < r->out_h; i++)
            for (int64_t j = 0; j < r->out_w; j++)
                *out++ = align_cell(r, planes + c * r->height * r->width, y0 + (double)i * cell_h,
                                    x0 + (double)j * cell_w, cell_h, cell_w);
}

static pg_status read_roi_align(const pg_op *op, const pg_tensor *x, roi_align *r)
{
    pg_str mode, transform;
    float scale;
    PG_TRY(pg_op_attr_s(op, "mode", "avg", &mode));
    PG_TRY(pg_op_attr_s(op, "coordinate_transformation_mode",
                        op->opset >= 16 ? "half_pixel" : "output_half_pixel", &transform));
    PG_TRY(pg_op_attr_i(op, "output_height", 1, &r->out_h));
    PG_TRY(pg_op_attr_i(op, "output_width", 1, &r->out_w));
    PG_TRY(pg_op_attr_i(op, "sampling_ratio", 0, &r->ratio));
    PG_TRY(pg_op_attr_f(op, "spatial_scale", 1, &scale));
    if (!pg_str_is(mode, "avg") && !pg_str_is(mode, "max"))
        return pg_op_err(op, PG_ERR_INVALID, "mode '%" PG_STR_FMT "' is not known", PG_STR_ARG(mode));
    if (r->out_h < 1 || r->out_w < 1)
        return pg_op_err(op, PG_ERR_INVALID,
                         "attributes 'output_height' and 'output_width' are %lld and %lld; 1 is the least",
                         (long long)r->out_h, (long long)r->out_w);
    if (r->ratio < 0 || r->ratio > MOST_SAMPLES)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'sampling_ratio' is %lld; 0 to %d are supported",
                         (long long)r->ratio, MOST_SAMPLES);
    r->maximum = pg_str_is(mode, "max");
    r->shift = pg_str_is(transform, "half_pixel") ? 0.5 : 0;
    r->scale = (double)scale;
    r->height = x->dims[2];
    r->width = x->dims[3];
    return NULL;
}

pg_status pool_run_roi_align(pg_op *op)
{
    PG_TRY(pg_op_need(op, 3));
    const pg_tensor *x = pg_op_in(op, 0), *rois = pg_op_in(op, 1), *batch = pg_op_in(op, 2);
    roi_align r;
    PG_TRY(check_regions(op, x, rois, 4));
    PG_TRY(read_roi_align(op, x, &r));
    if (batch->dtype != PG_I64 || pg_tensor_count(batch) != (uint64_t)rois->dims[0])
        return pg_op_err(op, PG_ERR_INVALID, "the third input is not one int64 per region");
    if (r.height == 0 || r.width == 0)
        return pg_op_err(op, PG_ERR_INVALID, "the input has no pixels");
    const double *image, *region;
    nn_result y;
    PG_TRY(nn_f64(op, 0, &image));
    PG_TRY(nn_f64(op, 1, &region));
    PG_TRY(nn_f64_out(op, 0, x->dtype, 4, (int64_t[]){rois->dims[0], x->dims[1], r.out_h, r.out_w}, &y));
    for (int64_t i = 0; i < rois->dims[0]; i++) {
        const int64_t b = ((const int64_t *)batch->data)[i];
        if (b < 0 || b >= x->dims[0])
            return pg_op_err(op, PG_ERR_INVALID, "region %lld names image %lld", (long long)i, (long long)b);
        align_region(&r, region + i * 4, image + b * x->dims[1] * r.height * r.width, x->dims[1],
                     y.values + i * x->dims[1] * r.out_h * r.out_w);
    }
    nn_f64_done(&y);
    return NULL;
}
