/* Resize and Upsample. */
#include "native/ops/resize.h"

#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "tensor/dtype_convert.h"

/* ---- Attributes and sizes ---- */

static pg_status choose(const pg_op *op, const char *attr, const char *missing, const char *const *names,
                        size_t n, int *out)
{
    pg_str value;
    PG_TRY(pg_op_attr_s(op, attr, missing, &value));
    for (size_t i = 0; i < n; i++)
        if (pg_str_is(value, names[i])) {
            *out = (int)i;
            return NULL;
        }
    return pg_op_err(op, PG_ERR_INVALID, "attribute '%s' is '%" PG_STR_FMT "'", attr, PG_STR_ARG(value));
}

static pg_status read_attributes(const pg_op *op, bool upsample, resize_options *o)
{
    static const char *const modes[] = {"nearest", "linear", "cubic", "bilinear"};
    static const char *const rounds[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    static const char *const transforms[] = {
        "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
        "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"};
    const bool old = upsample || op->opset < 11;
    int mode, round_mode, transform;
    int64_t flag;
    float a, outside;
    PG_TRY(choose(op, "mode", "nearest", modes, PG_COUNT(modes), &mode));
    PG_TRY(choose(op, "nearest_mode", old ? "floor" : "round_prefer_floor", rounds, PG_COUNT(rounds),
                  &round_mode));
    PG_TRY(choose(op, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel", transforms,
                  PG_COUNT(transforms), &transform));
    o->mode = mode == 3 ? RESIZE_LINEAR : (resize_mode)mode;
    o->round = (resize_round)round_mode;
    o->transform = (resize_transform)transform;
    PG_TRY(pg_op_attr_i(op, "antialias", 0, &flag));
    o->antialias = flag != 0;
    PG_TRY(pg_op_attr_i(op, "exclude_outside", 0, &flag));
    o->exclude_outside = flag != 0;
    PG_TRY(pg_op_attr_f(op, "cubic_coeff_a", -0.75f, &a));
    PG_TRY(pg_op_attr_f(op, "extrapolation_value", 0, &outside));
    o->cubic_a = (double)a;
    o->extrapolation = (double)outside;
    return NULL;
}

/* The axes that scales, sizes and roi speak of. */
static pg_status read_axes(const pg_op *op, size_t rank, size_t *axes, size_t *n)
{
    const int64_t *values;
    PG_TRY(pg_op_attr_is(op, "axes", &values, n));
    if (values == NULL) {
        *n = rank;
        for (size_t i = 0; i < rank; i++)
            axes[i] = i;
        return NULL;
    }
    if (*n > rank)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'axes' has %zu values for a rank of %zu", *n, rank);
    for (size_t i = 0; i < *n; i++)
        PG_TRY(pg_op_axis(op, values[i], rank, &axes[i]));
    return NULL;
}

static pg_status set_scale(const pg_op *op, resize_options *o, size_t axis, double scale)
{
    const double size = floor((double)o->in[axis] * scale);
    if (!(scale > 0) || !(size <= 2147483647.0))
        return pg_op_err(op, PG_ERR_INVALID, "scale %g of axis %zu is out of range", scale, axis);
    o->scale[axis] = scale;
    o->out[axis] = (int64_t)size;
    return NULL;
}

static pg_status apply_scales(const pg_op *op, resize_options *o, const float *scales, size_t count,
                              const size_t *axes, size_t n)
{
    if (count != n)
        return pg_op_err(op, PG_ERR_INVALID, "%zu scales for %zu axes", count, n);
    for (size_t i = 0; i < n; i++)
        PG_TRY(set_scale(op, o, axes[i], (double)scales[i]));
    return NULL;
}

static pg_status apply_sizes(const pg_op *op, resize_options *o, const int64_t *sizes, size_t count,
                             const size_t *axes, size_t n)
{
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller"};
    int policy;
    PG_TRY(choose(op, "keep_aspect_ratio_policy", "stretch", policies, 3, &policy));
    if (count != n)
        return pg_op_err(op, PG_ERR_INVALID, "%zu sizes for %zu axes", count, n);
    double common = 0;
    for (size_t i = 0; i < n; i++) {
        const int64_t in = o->in[axes[i]];
        if (sizes[i] < 0 || sizes[i] > INT32_MAX || (in == 0 && sizes[i] != 0))
            return pg_op_err(op, PG_ERR_INVALID, "size %lld of axis %zu is out of range", (long long)sizes[i],
                             axes[i]);
        const double scale = in == 0 ? 1 : (double)sizes[i] / (double)in;
        common = i == 0 ? scale : policy == 1 ? fmin(common, scale) : fmax(common, scale);
        o->out[axes[i]] = sizes[i];
        o->scale[axes[i]] = scale;
    }
    for (size_t i = 0; i < n && policy != 0; i++) {
        o->scale[axes[i]] = common;
        o->out[axes[i]] = (int64_t)floor(common * (double)o->in[axes[i]] + 0.5);
    }
    return NULL;
}

static pg_status apply_roi(pg_op *op, resize_options *o, size_t input, const size_t *axes, size_t n)
{
    const pg_tensor *roi = pg_op_in(op, input);
    const double *values;
    if (o->transform != RESIZE_TF_CROP_AND_RESIZE)
        return NULL;
    if (roi == NULL || pg_tensor_count(roi) != 2 * n)
        return pg_op_err(op, PG_ERR_INVALID, "the region of interest does not have %zu numbers", 2 * n);
    PG_TRY(nn_f64(op, input, &values));
    for (size_t i = 0; i < n; i++) {
        o->roi_begin[axes[i]] = values[i];
        o->roi_end[axes[i]] = values[n + i];
    }
    return NULL;
}

/* ---- Computing ---- */

/* One pass: [outer][in][inner] becomes [outer][out][inner]. */
typedef struct axis_pass {
    const resize_table *table;
    size_t in, out, inner;
    pg_dtype dtype;
    const char *x;
    char *y;
} axis_pass;

static void run_pass(void *context, size_t begin, size_t end)
{
    const axis_pass *p = context;
    const size_t width = p->table->width, inner = p->inner;
    for (size_t i = begin; i < end; i++) {
        const size_t j = i % p->out;
        const int64_t *index = p->table->index + j * width;
        const double *weight = p->table->weight + j * width;
        const size_t from = i / p->out * p->in * inner;
        if (p->dtype == PG_F32) {
            const float *x = (const float *)p->x + from;
            float *y = (float *)p->y + i * inner;
            memset(y, 0, inner * sizeof *y);
            for (size_t t = 0; t < width; t++)
                if (weight[t] != 0 && inner == 1)
                    y[0] += (float)weight[t] * x[index[t]];
                else if (weight[t] != 0)
                    pg_simd_best()->axpy_f32((float)weight[t], x + (size_t)index[t] * inner, y, inner);
        } else {
            const double *x = (const double *)p->x + from;
            double *y = (double *)p->y + i * inner;
            for (size_t e = 0; e < inner; e++) {
                double sum = 0;
                for (size_t t = 0; t < width; t++)
                    if (weight[t] != 0)
                        sum += weight[t] * x[(size_t)index[t] * inner + e];
                y[e] = sum;
            }
        }
    }
}

/* Nearest: whole runs of bytes are copied. */
typedef struct copy_job {
    size_t rank, run;                            /* dims before the runs; bytes per run */
    int64_t out[PG_MAX_RANK], step[PG_MAX_RANK]; /* step: bytes between input positions */
    const resize_table *tables;
    const char *x;
    char *y;
} copy_job;

static void copy_runs(void *context, size_t begin, size_t end)
{
    const copy_job *job = context;
    for (size_t i = begin; i < end; i++) {
        size_t rest = i, from = 0;
        for (size_t d = job->rank; d-- > 0;) {
            from += (size_t)(job->tables[d].index[rest % (size_t)job->out[d]] * job->step[d]);
            rest /= (size_t)job->out[d];
        }
        if (job->run == 4)
            memcpy(job->y + i * 4, job->x + from, 4);
        else
            memcpy(job->y + i * job->run, job->x + from, job->run);
    }
}

static pg_status make_tables(pg_op *op, const resize_options *o, resize_table *tables)
{
    uint64_t bytes = 0;
    for (size_t d = 0; d < o->rank; d++) {
        tables[d].width = resize_width(o, d);
        bytes += ((uint64_t)o->out[d] * (tables[d].width * 16 + 8) + 15) / 8 * 8;
    }
    void *memory;
    PG_TRY(pg_op_scratch(op, bytes + 16, &memory));
    char *next = memory;
    for (size_t d = 0; d < o->rank; d++) {
        const size_t taps = (size_t)o->out[d] * tables[d].width;
        tables[d].index = (int64_t *)next;
        tables[d].weight = (double *)(next + taps * 8);
        tables[d].outside = o->transform == RESIZE_TF_CROP_AND_RESIZE ? (bool *)(next + taps * 16) : NULL;
        next += taps * 16 + ((size_t)o->out[d] + 7) / 8 * 8;
        resize_fill(o, d, &tables[d]);
    }
    return NULL;
}

/* A pass can be left out when it would copy. */
static bool is_identity(const resize_options *o, const resize_table *table, size_t d)
{
    if (o->in[d] != o->out[d])
        return false;
    for (int64_t j = 0; j < o->out[d]; j++)
        for (size_t t = 0; t < table->width; t++) {
            const size_t at = (size_t)j * table->width + t;
            if (table->weight[at] != 0 && (table->index[at] != j || table->weight[at] != 1))
                return false;
        }
    return true;
}

static void run_nearest(const resize_options *o, const resize_table *tables, size_t size, const void *x,
                        void *y)
{
    copy_job job = {.rank = o->rank, .run = size, .tables = tables, .x = x, .y = y};
    while (job.rank > 0 && is_identity(o, &tables[job.rank - 1], job.rank - 1))
        job.run *= (size_t)o->in[--job.rank];
    int64_t step = (int64_t)job.run;
    size_t runs = 1;
    for (size_t d = job.rank; d-- > 0;) {
        job.out[d] = o->out[d];
        job.step[d] = step;
        step *= o->in[d];
        runs *= (size_t)o->out[d];
    }
    pg_parallel_for(runs, 32768 / (job.run + 8) + 1, copy_runs, &job);
}

/* Axis after axis between two scratch buffers, the last one into y. */
static pg_status run_passes(pg_op *op, const resize_options *o, const resize_table *tables, pg_dtype dtype,
                            const void *x, void *y)
{
    const size_t size = dtype == PG_F64 ? 8 : 4;
    int64_t dims[PG_MAX_RANK];
    size_t order[PG_MAX_RANK], n = 0;
    memcpy(dims, o->in, sizeof dims);
    for (size_t d = 0; d < o->rank; d++)
        if (!is_identity(o, &tables[d], d))
            order[n++] = d;
    const char *from = x;
    for (size_t i = 0; i < n; i++) {
        const size_t d = order[i];
        size_t outer = 1, inner = 1;
        for (size_t e = 0; e < o->rank; e++)
            *(e < d ? &outer : &inner) *= e == d ? 1 : (size_t)dims[e];
        void *to = y;
        if (i + 1 < n)
            PG_TRY(pg_op_scratch(op, (uint64_t)outer * (uint64_t)o->out[d] * inner * size + 8, &to));
        axis_pass pass = {&tables[d], (size_t)o->in[d], (size_t)o->out[d], inner, dtype, from, to};
        pg_parallel_for(outer * pass.out, 16384 / (inner * tables[d].width + 1) + 1, run_pass, &pass);
        dims[d] = o->out[d];
        from = to;
    }
    uint64_t count;
    if (n == 0 && pg_dims_count(o->rank, o->out, &count))
        memcpy(y, x, count * size);
    return NULL;
}

static void extrapolate(const resize_options *o, const resize_table *tables, pg_dtype dtype, void *y)
{
    uint64_t count;
    if (o->transform != RESIZE_TF_CROP_AND_RESIZE || !pg_dims_count(o->rank, o->out, &count))
        return;
    for (uint64_t e = 0; e < count; e++) {
        uint64_t rest = e;
        bool outside = false;
        for (size_t d = o->rank; d-- > 0;) {
            outside = outside || tables[d].outside[rest % (uint64_t)o->out[d]];
            rest /= (uint64_t)o->out[d];
        }
        if (outside)
            pg_convert(PG_F64, &o->extrapolation, dtype, (char *)y + e * (pg_dtype_get(dtype)->bits / 8), 1,
                       NULL);
    }
}

/* Dims in the order of memory. */
static void to_storage(resize_options *o)
{
    resize_options from = *o;
    for (size_t i = 1; i < o->rank; i++) {
        const size_t j = i + 1 < o->rank ? i + 1 : 1;
        o->in[i] = from.in[j];
        o->out[i] = from.out[j];
        o->scale[i] = from.scale[j];
        o->roi_begin[i] = from.roi_begin[j];
        o->roi_end[i] = from.roi_end[j];
    }
}

static pg_status resample(pg_op *op, resize_options *o)
{
    const pg_tensor *x = pg_op_in(op, 0);
    pg_tensor *y;
    resize_table tables[PG_MAX_RANK] = {0};
    if (pg_dtype_get(x->dtype)->bits < 8)
        return pg_op_bad_type(op, 0);
    for (size_t d = 0; d < o->rank; d++)
        if (o->in[d] == 0 && o->out[d] > 0)
            return pg_op_err(op, PG_ERR_INVALID, "an empty axis cannot grow");
    PG_TRY(pg_op_out(op, 0, x->dtype, o->rank, o->out, &y));
    y->layout = x->layout;
    if (pg_tensor_count(y) == 0)
        return NULL;
    if (x->layout == PG_CHANNELS_LAST)
        to_storage(o);
    PG_TRY(make_tables(op, o, tables));
    if (o->mode == RESIZE_NEAREST) {
        run_nearest(o, tables, pg_dtype_get(x->dtype)->bits / 8u, x->data, y->data);
    } else if (nn_is_float(x->dtype)) {
        PG_TRY(run_passes(op, o, tables, x->dtype, x->data, y->data));
    } else {
        const double *wide;
        void *result;
        PG_TRY(nn_f64(op, 0, &wide));
        PG_TRY(pg_op_scratch(op, pg_tensor_count(y) * sizeof(double), &result));
        PG_TRY(run_passes(op, o, tables, PG_F64, wide, result));
        pg_convert(PG_F64, result, x->dtype, y->data, pg_tensor_count(y), NULL);
    }
    extrapolate(o, tables, x->dtype, y->data);
    return NULL;
}

static void start(const pg_tensor *x, resize_options *o)
{
    *o = (resize_options){.rank = x->rank};
    for (size_t i = 0; i < x->rank; i++) {
        o->in[i] = o->out[i] = x->dims[i];
        o->scale[i] = o->roi_end[i] = 1;
    }
}

static bool is_given(const pg_op *op, size_t i)
{
    return pg_op_in(op, i) != NULL && pg_tensor_count(pg_op_in(op, i)) > 0;
}

static pg_status run_resize(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    resize_options o;
    size_t axes[PG_MAX_RANK], n, count;
    start(pg_op_in(op, 0), &o);
    PG_TRY(read_attributes(op, false, &o));
    PG_TRY(read_axes(op, o.rank, axes, &n));
    const size_t scales_at = op->opset < 11 ? 1 : 2;
    if (op->opset >= 11)
        PG_TRY(apply_roi(op, &o, 1, axes, n));
    if (is_given(op, scales_at)) {
        const float *scales;
        PG_TRY(nn_f32(op, scales_at, &scales));
        PG_TRY(apply_scales(op, &o, scales, (size_t)pg_tensor_count(pg_op_in(op, scales_at)), axes, n));
    } else if (pg_op_in(op, 3) != NULL) {
        int64_t sizes[PG_MAX_RANK];
        PG_TRY(pg_op_ints(op, 3, sizes, PG_MAX_RANK, &count));
        PG_TRY(apply_sizes(op, &o, sizes, count, axes, n));
    } else {
        return pg_op_err(op, PG_ERR_INVALID, "neither scales nor sizes are given");
    }
    return resample(op, &o);
}

static pg_status run_upsample(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    resize_options o;
    size_t axes[PG_MAX_RANK], n, count;
    const float *scales;
    float own[4] = {1, 1, 1, 1};
    start(pg_op_in(op, 0), &o);
    PG_TRY(read_attributes(op, true, &o));
    PG_TRY(read_axes(op, o.rank, axes, &n));
    if (op->opset >= 9) {
        PG_TRY(pg_op_need(op, 2));
        PG_TRY(nn_f32(op, 1, &scales));
        count = (size_t)pg_tensor_count(pg_op_in(op, 1));
    } else if (op->opset >= 7) {
        PG_TRY(pg_op_attr_fs(op, "scales", &scales, &count));
    } else {
        PG_TRY(pg_op_attr_f(op, "height_scale", 1, &own[2]));
        PG_TRY(pg_op_attr_f(op, "width_scale", 1, &own[3]));
        scales = own;
        count = 4;
    }
    PG_TRY(apply_scales(op, &o, scales, count, axes, n));
    return resample(op, &o);
}

const pg_kernel pg_kernels_resize[] = {
    {"", "Resize", 10, 0, run_resize, NULL, NULL, PG_KERNEL_HALF_VIA_F32 | PG_KERNEL_ANY_LAYOUT},
    {"", "Upsample", 1, 0, run_upsample, NULL, NULL, PG_KERNEL_HALF_VIA_F32 | PG_KERNEL_ANY_LAYOUT},
    {0},
};
