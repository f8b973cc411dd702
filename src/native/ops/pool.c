/* MaxPool, AveragePool, LpPool and their global forms. */
#include "native/ops/pool.h"

#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"

/* ---- Windows ---- */

pg_status pool_shape_read(const pg_op *op, pool_shape *s)
{
    PG_TRY(pg_op_need(op, 1));
    return pool_shape_of(op, pg_op_in(op, 0), s);
}

pg_status pool_shape_of(const pg_op *op, const pg_tensor *x, pool_shape *s)
{
    if (x->rank < 3)
        return pg_op_err(op, PG_ERR_INVALID, "the input has rank %d, expected at least 3", x->rank);
    const size_t n = x->rank - 2u;
    PG_TRY(nn_window_read(op, n, NULL, &s->window));
    s->batch = x->dims[0];
    s->channels = x->dims[1];
    nn_spatial(x, s->in);
    PG_TRY(nn_window_apply(op, &s->window, s->in, s->out));
    s->rank = nn_dims(s->batch, s->channels, n, s->out, s->dims);
    return NULL;
}

void pool_result_at(const pool_shape *s, size_t index, int64_t *out)
{
    for (size_t i = NN_SPATIAL; i-- > 0;) {
        out[i] = (int64_t)(index % (uint64_t)s->out[i]);
        index /= (uint64_t)s->out[i];
    }
}

void pool_window_at(const pool_shape *s, const int64_t *result, pool_window *out)
{
    const nn_window *w = &s->window;
    out->inside = out->with_padding = 1;
    for (size_t i = 0; i < NN_SPATIAL; i++) {
        const int64_t begin = result[i] * w->stride[i] - w->pad_begin[i], step = w->dilation[i];
        const int64_t padded_end = s->in[i] + w->pad_end[i];
        int64_t first = begin < 0 ? (-begin + step - 1) / step : 0;
        int64_t last = begin >= s->in[i] ? 0 : (s->in[i] - begin + step - 1) / step;
        int64_t padded = begin >= padded_end ? 0 : (padded_end - begin + step - 1) / step;
        last = PG_MIN(last, w->kernel[i]);
        first = PG_MIN(first, last);
        out->begin[i] = begin;
        out->first[i] = first;
        out->last[i] = last;
        out->inside *= last - first;
        out->with_padding *= PG_MIN(padded, w->kernel[i]);
    }
}

size_t pool_window_offsets(const pool_shape *s, const pool_window *at, int64_t *out)
{
    const int64_t *step = s->window.dilation;
    size_t n = 0;
    for (int64_t d = at->first[0]; d < at->last[0]; d++)
        for (int64_t h = at->first[1]; h < at->last[1]; h++)
            for (int64_t w = at->first[2]; w < at->last[2]; w++)
                out[n++] = ((at->begin[0] + d * step[0]) * s->in[1] + at->begin[1] + h * step[1]) * s->in[2] +
                           at->begin[2] + w * step[2];
    return n;
}

/* ---- float32, channels-last ---- */

typedef enum pool_kind { POOL_MAX, POOL_AVERAGE, POOL_LP } pool_kind;

enum { MOST_FAST_TAPS = 256 };

typedef struct fast_pool {
    const pool_shape *shape;
    pool_kind kind;
    bool count_padding;
    const float *x;
    float *y;
} fast_pool;

/* How many results from this one on have windows that lie in the line as this one does: those that are inside
 * it and its padding. */
static size_t like_windows(const pool_shape *s, const int64_t *result, const pool_window *window)
{
    const nn_window *w = &s->window;
    const int64_t reach = window->begin[2] + (w->kernel[2] - 1) * w->dilation[2];
    if (window->first[2] != 0 || window->last[2] != w->kernel[2])
        return 1;
    return (size_t)PG_MIN((s->in[2] - 1 - reach) / w->stride[2] + 1, s->out[2] - result[2]);
}

static void pool_rows(const fast_pool *job, const pool_window *window, const float *const *rows, size_t n,
                      float *y)
{
    const pg_simd *simd = pg_simd_best();
    const size_t c = (size_t)job->shape->channels;
    if (n == 0) {
        for (size_t j = 0; j < c; j++)
            y[j] = job->kind == POOL_MAX ? -INFINITY : 0;
    } else if (job->kind == POOL_MAX) {
        simd->max_rows_f32(rows, n, y, c);
    } else {
        simd->sum_rows_f32(rows, n, y, c);
        const float count = (float)(job->count_padding ? window->with_padding : window->inside);
        for (size_t j = 0; j < c; j++)
            y[j] /= count;
    }
}

static void run_fast(void *context, size_t begin, size_t end)
{
    const fast_pool *job = context;
    const pool_shape *s = job->shape;
    const size_t area_out = pool_area(s->out), area_in = pool_area(s->in), c = (size_t)s->channels;
    for (size_t i = begin; i < end;) {
        int64_t result[NN_SPATIAL], offsets[MOST_FAST_TAPS];
        const float *rows[MOST_FAST_TAPS];
        pool_window window;
        pool_result_at(s, i % area_out, result);
        pool_window_at(s, result, &window);
        const size_t n = pool_window_offsets(s, &window, offsets);
        const float *image = job->x + i / area_out * area_in * c;
        for (size_t t = 0; t < n; t++)
            rows[t] = image + (size_t)offsets[t] * c;
        for (size_t alike = PG_MIN(like_windows(s, result, &window), end - i); alike > 0; alike--, i++) {
            pool_rows(job, &window, rows, n, job->y + i * c);
            for (size_t t = 0; t < n; t++)
                rows[t] += (size_t)s->window.stride[2] * c;
        }
    }
}

static pg_status fast_pooling(pg_op *op, const pool_shape *s, pool_kind kind, bool count_padding)
{
    const pg_tensor *x;
    pg_tensor *y;
    PG_TRY(nn_out_channels_last(op, 0, PG_F32, s->rank, s->dims, &y));
    PG_TRY(nn_layout(op, 0, PG_CHANNELS_LAST, &x));
    fast_pool job = {s, kind, count_padding, x->data, y->data};
    const size_t results = (size_t)s->batch * pool_area(s->out);
    const size_t work = (size_t)s->channels * pool_area(s->window.kernel);
    pg_parallel_for(results, 32768 / (work + 1) + 1, run_fast, &job);
    return NULL;
}

/* ---- 8-bit codes: the maximum, channels-last ---- */

typedef struct code_pool {
    const pool_shape *shape;
    uint8_t flip; /* 0x80 for signed codes, whose order is that of code ^ 0x80 */
    const uint8_t *x;
    uint8_t *y;
} code_pool;

static void run_code_pool(void *context, size_t begin, size_t end)
{
    const code_pool *job = context;
    const pool_shape *s = job->shape;
    const size_t area_out = pool_area(s->out), area_in = pool_area(s->in), c = (size_t)s->channels;
    for (size_t i = begin; i < end; i++) {
        int64_t result[NN_SPATIAL], offsets[MOST_FAST_TAPS];
        const uint8_t *rows[MOST_FAST_TAPS], *image = job->x + i / area_out * area_in * c;
        pool_window window;
        pool_result_at(s, i % area_out, result);
        pool_window_at(s, result, &window);
        const size_t n = pool_window_offsets(s, &window, offsets);
        for (size_t t = 0; t < n; t++)
            rows[t] = image + (size_t)offsets[t] * c;
        if (n > 0)
            pg_simd_best()->max_codes(rows, n, job->flip, job->y + i * c, c);
        else
            memset(job->y + i * c, job->flip, c);
    }
}

static pg_status code_pooling(pg_op *op, const pool_shape *s)
{
    const pg_tensor *x = pg_op_in(op, 0);
    pg_tensor *y;
    PG_TRY(nn_out_channels_last(op, 0, x->dtype, s->rank, s->dims, &y));
    PG_TRY(nn_layout(op, 0, PG_CHANNELS_LAST, &x));
    code_pool job = {s, x->dtype == PG_I8 ? 0x80 : 0, x->data, y->data};
    const size_t work = (size_t)s->channels * pool_area(s->window.kernel);
    pg_parallel_for((size_t)s->batch * pool_area(s->out), 131072 / (work + 1) + 1, run_code_pool, &job);
    return NULL;
}

static bool is_fast(const pool_shape *s)
{
    const int64_t *k = s->window.kernel;
    return k[0] <= MOST_FAST_TAPS && k[1] <= MOST_FAST_TAPS && k[2] <= MOST_FAST_TAPS &&
           pool_area(k) <= MOST_FAST_TAPS;
}

/* NhwcMaxPool of com.microsoft: the dims say channels last. */
static pg_status run_nhwc_max_pool(pg_op *op)
{
    pool_shape s;
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    pg_tensor turned = *x, *y;
    if (x->dtype != PG_U8 && x->dtype != PG_I8)
        return pg_op_bad_type(op, 0);
    if (x->rank < 3)
        return pg_op_err(op, PG_ERR_INVALID, "the input has rank %d, expected at least 3", x->rank);
    turned.dims[1] = x->dims[x->rank - 1];
    memcpy(turned.dims + 2, x->dims + 1, (x->rank - 2u) * sizeof *x->dims);
    PG_TRY(pool_shape_of(op, &turned, &s));
    if (!is_fast(&s))
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "windows of more than %d positions", MOST_FAST_TAPS);
    int64_t dims[2 + NN_SPATIAL];
    dims[0] = s.dims[0];
    memcpy(dims + 1, s.dims + 2, (s.rank - 2) * sizeof *dims);
    dims[s.rank - 1] = s.dims[1];
    PG_TRY(pg_op_out(op, 0, x->dtype, s.rank, dims, &y));
    code_pool job = {&s, x->dtype == PG_I8 ? 0x80 : 0, x->data, y->data};
    const size_t work = (size_t)s.channels * pool_area(s.window.kernel);
    pg_parallel_for((size_t)s.batch * pool_area(s.out), 131072 / (work + 1) + 1, run_code_pool, &job);
    return NULL;
}

/* ---- Any type, as float64, row-major ---- */

typedef struct slow_pool {
    const pool_shape *shape;
    pool_kind kind;
    bool count_padding, column_major;
    double p; /* of LpPool */
    const double *x;
    double *y;
    int64_t *indices; /* or NULL */
} slow_pool;

/* Position in the image as `indices` states it. */
static int64_t stated_index(const slow_pool *job, int64_t offset)
{
    const int64_t *in = job->shape->in;
    if (!job->column_major)
        return offset;
    const int64_t w = offset % in[2], h = offset / in[2] % in[1], d = offset / in[2] / in[1];
    return (w * in[1] + h) * in[0] + d;
}

static double pool_one(const slow_pool *job, const double *image, const pool_window *window,
                       const int64_t *offsets, size_t n, int64_t *index)
{
    double value = job->kind == POOL_MAX ? -INFINITY : 0;
    *index = 0;
    for (size_t t = 0; t < n; t++) {
        const double x = image[offsets[t]];
        if (job->kind == POOL_MAX) {
            if (t == 0 || x > value || (isnan(x) && !isnan(value))) {
                value = x;
                *index = offsets[t];
            }
        } else {
            value += job->kind == POOL_AVERAGE ? x : pow(fabs(x), job->p);
        }
    }
    if (job->kind == POOL_LP)
        return pow(value, 1 / job->p);
    if (job->kind == POOL_AVERAGE && n > 0)
        return value / (double)(job->count_padding ? window->with_padding : window->inside);
    return value;
}

static void run_slow(const slow_pool *job, int64_t *offsets)
{
    const pool_shape *s = job->shape;
    const size_t area_in = pool_area(s->in), area_out = pool_area(s->out);
    const size_t images = (size_t)(s->batch * s->channels);
    for (size_t r = 0; r < area_out; r++) {
        int64_t result[NN_SPATIAL], index;
        pool_window window;
        pool_result_at(s, r, result);
        pool_window_at(s, result, &window);
        const size_t n = pool_window_offsets(s, &window, offsets);
        for (size_t i = 0; i < images; i++) {
            job->y[i * area_out + r] = pool_one(job, job->x + i * area_in, &window, offsets, n, &index);
            if (job->indices != NULL)
                job->indices[i * area_out + r] = (int64_t)(i * area_in) + stated_index(job, index);
        }
    }
}

static pg_status slow_pooling(pg_op *op, const pool_shape *s, slow_pool *job, bool indices)
{
    const pg_tensor *x;
    nn_result y;
    uint64_t bytes;
    void *offsets;
    const int64_t *k = s->window.kernel;
    PG_TRY(nn_layout(op, 0, PG_ROW_MAJOR, &x));
    PG_TRY(nn_f64(op, 0, &job->x));
    PG_TRY(nn_f64_out(op, 0, x->dtype, s->rank, s->dims, &y));
    if (indices) {
        pg_tensor *out;
        PG_TRY(pg_op_out(op, 1, PG_I64, s->rank, s->dims, &out));
        job->indices = out->data;
    }
    /* No more positions can be inside than the image has. */
    if (!nn_product(&bytes, 4,
                    (uint64_t[]){8, (uint64_t)PG_MIN(k[0], s->in[0]), (uint64_t)PG_MIN(k[1], s->in[1]),
                                 (uint64_t)PG_MIN(k[2], s->in[2])}))
        return pg_op_err(op, PG_ERR_LIMIT, "window too large");
    PG_TRY(pg_op_scratch(op, bytes + 8, &offsets));
    job->shape = s;
    job->y = y.values;
    run_slow(job, offsets);
    nn_f64_done(&y);
    return NULL;
}

/* ---- Operators ---- */

static pg_status run_max_pool(pg_op *op)
{
    pool_shape s;
    int64_t storage_order;
    PG_TRY(pool_shape_read(op, &s));
    PG_TRY(pg_op_attr_i(op, "storage_order", 0, &storage_order));
    const bool indices = op->n_out > 1;
    const pg_dtype dtype = pg_op_in(op, 0)->dtype;
    if (!indices && is_fast(&s) && (dtype == PG_U8 || dtype == PG_I8))
        return code_pooling(op, &s);
    if (!indices && is_fast(&s) && dtype == PG_F32)
        return fast_pooling(op, &s, POOL_MAX, false);
    slow_pool job = {.kind = POOL_MAX, .column_major = storage_order != 0};
    return slow_pooling(op, &s, &job, indices);
}

static pg_status run_average_pool(pg_op *op)
{
    pool_shape s;
    int64_t count_padding;
    PG_TRY(pool_shape_read(op, &s));
    PG_TRY(pg_op_attr_i(op, "count_include_pad", 0, &count_padding));
    if (is_fast(&s) && pg_op_in(op, 0)->dtype == PG_F32)
        return fast_pooling(op, &s, POOL_AVERAGE, count_padding != 0);
    slow_pool job = {.kind = POOL_AVERAGE, .count_padding = count_padding != 0};
    return slow_pooling(op, &s, &job, false);
}

/* The exponent is a float in the first version and an integer later. */
static pg_status read_exponent(const pg_op *op, double *out)
{
    const pg_attr *attr = pg_node_attr(op->node, "p");
    *out = 2;
    if (attr != NULL && attr->type == PG_ATTR_FLOAT) {
        *out = (double)attr->f;
    } else {
        int64_t p;
        PG_TRY(pg_op_attr_i(op, "p", 2, &p));
        *out = (double)p;
    }
    return *out > 0 ? NULL : pg_op_err(op, PG_ERR_INVALID, "attribute 'p' is %g; it must be above 0", *out);
}

static pg_status run_lp_pool(pg_op *op)
{
    pool_shape s;
    slow_pool job = {.kind = POOL_LP};
    PG_TRY(pool_shape_read(op, &s));
    PG_TRY(read_exponent(op, &job.p));
    return slow_pooling(op, &s, &job, false);
}

typedef struct global_pool {
    const float *x;
    float *y;
    size_t channels, area;
    bool maximum;
} global_pool;

/* One image, channels-last: rows of channels are combined a few at a time. */
static void global_image(const global_pool *job, size_t image)
{
    const pg_simd *simd = pg_simd_best();
    const size_t c = job->channels;
    const float *x = job->x + image * job->area * c;
    float *y = job->y + image * c;
    const float *rows[33];
    for (size_t at = 0; at < job->area; at += 32) {
        size_t n = PG_MIN((size_t)32, job->area - at);
        for (size_t i = 0; i < n; i++)
            rows[i] = x + (at + i) * c;
        if (at > 0)
            rows[n++] = y;
        (job->maximum ? simd->max_rows_f32 : simd->sum_rows_f32)(rows, n, y, c);
    }
    if (!job->maximum)
        for (size_t j = 0; j < c; j++)
            y[j] /= (float)job->area;
}

static void global_images(void *context, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        global_image(context, i);
}

static pg_status fast_global(pg_op *op, size_t rank, const int64_t *dims, size_t area, bool maximum)
{
    const pg_tensor *x = pg_op_in(op, 0);
    pg_tensor *y;
    PG_TRY(nn_out_channels_last(op, 0, PG_F32, rank, dims, &y));
    global_pool job = {x->data, y->data, (size_t)dims[1], area, maximum};
    if (x->layout == PG_CHANNELS_LAST) {
        pg_parallel_for((size_t)dims[0], 1, global_images, &job);
        return NULL;
    }
    const pg_simd *simd = pg_simd_best();
    for (size_t i = 0; i < (size_t)(dims[0] * dims[1]); i++) {
        const float *image = job.x + i * area;
        float best = image[0];
        if (maximum)
            for (size_t j = 1; j < area; j++)
                best = image[j] > best || isnan(image[j]) ? image[j] : best;
        job.y[i] = maximum ? best : simd->sum_f32(image, area) / (float)area;
    }
    return NULL;
}

static pg_status run_global(pg_op *op, pool_kind kind)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    if (x->rank < 2)
        return pg_op_err(op, PG_ERR_INVALID, "the input has rank %d, expected at least 2", x->rank);
    int64_t dims[PG_MAX_RANK];
    size_t area = 1;
    for (size_t i = 0; i < x->rank; i++) {
        dims[i] = i < 2 ? x->dims[i] : 1;
        area *= i < 2 ? 1 : (size_t)x->dims[i];
    }
    if (area == 0)
        return pg_op_err(op, PG_ERR_INVALID, "the input has no pixels");
    if (x->dtype == PG_F32 && kind != POOL_LP)
        return fast_global(op, x->rank, dims, area, kind == POOL_MAX);
    const double *values;
    nn_result y;
    double p;
    PG_TRY(read_exponent(op, &p));
    PG_TRY(nn_layout(op, 0, PG_ROW_MAJOR, &x));
    PG_TRY(nn_f64(op, 0, &values));
    PG_TRY(nn_f64_out(op, 0, x->dtype, x->rank, dims, &y));
    for (size_t i = 0; i < (size_t)(dims[0] * dims[1]); i++) {
        double sum = kind == POOL_MAX ? values[i * area] : 0;
        for (size_t j = 0; j < area; j++) {
            const double v = values[i * area + j];
            sum = kind == POOL_MAX  ? (v > sum || isnan(v) ? v : sum)
                  : kind == POOL_LP ? sum + pow(fabs(v), p)
                                    : sum + v;
        }
        y.values[i] = kind == POOL_LP ? pow(sum, 1 / p) : kind == POOL_MAX ? sum : sum / (double)area;
    }
    nn_f64_done(&y);
    return NULL;
}

static pg_status run_global_average(pg_op *op)
{
    return run_global(op, POOL_AVERAGE);
}
static pg_status run_global_max(pg_op *op)
{
    return run_global(op, POOL_MAX);
}
static pg_status run_global_lp(pg_op *op)
{
    return run_global(op, POOL_LP);
}

enum { ANY = PG_KERNEL_HALF_VIA_F32 | PG_KERNEL_ANY_LAYOUT };
const pg_kernel pg_kernels_pool[] = {
    {"", "MaxPool", 1, 0, run_max_pool, NULL, NULL, ANY},
    {"com.microsoft", "NhwcMaxPool", 1, 0, run_nhwc_max_pool, NULL, NULL, 0},
    {"", "AveragePool", 1, 0, run_average_pool, NULL, NULL, ANY},
    {"", "LpPool", 1, 0, run_lp_pool, NULL, NULL, ANY},
    {"", "GlobalAveragePool", 1, 0, run_global_average, NULL, NULL, ANY},
    {"", "GlobalMaxPool", 1, 0, run_global_max, NULL, NULL, ANY},
    {"", "GlobalLpPool", 1, 0, run_global_lp, NULL, NULL, ANY},
    {"", "MaxUnpool", 9, 0, pool_run_max_unpool, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {"", "MaxRoiPool", 1, 0, pool_run_max_roi, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {"", "RoiAlign", 10, 0, pool_run_roi_align, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {0},
};
