#include "native/ops/conv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"

enum {
    SHORT_ROW = 8,        /* channels per group below which windows are gathered */
    GATHER_ROWS = 256,    /* result pixels per block */
    MIN_WORK = 512 * 1024 /* multiplications worth a thread */
};

/* ---- Weights ---- */

static size_t size_of(pg_dtype dtype)
{
    return dtype == PG_F64 ? 8 : 4;
}

pg_status conv_weights_describe(const pg_op *op, const pg_tensor *w, int64_t groups, conv_weights *out)
{
    *out = (conv_weights){.dtype = w->dtype, .taps = 1};
    if (w->rank < 3 || w->rank > 2 + NN_SPATIAL)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "weights of rank %d; 3 to %d are supported", w->rank,
                         2 + NN_SPATIAL);
    if (groups < 1 || groups > w->dims[0] || w->dims[0] % groups != 0)
        return pg_op_err(op, PG_ERR_INVALID, "%lld groups do not divide %lld output channels",
                         (long long)groups, (long long)w->dims[0]);
    out->groups = (size_t)groups;
    out->out_channels = (size_t)w->dims[0];
    out->out_per_group = out->out_channels / out->groups;
    out->in_per_group = (size_t)w->dims[1];
    nn_spatial(w, out->kernel);
    for (size_t i = 0; i < NN_SPATIAL; i++)
        out->taps *= (size_t)out->kernel[i];
    const size_t shortest =
        out->groups == 1 && pg_gemm_is_narrow(w->dtype, out->out_per_group) ? 2 * SHORT_ROW : SHORT_ROW;
    if (out->in_per_group == 1 && out->out_per_group == 1 && w->dtype == PG_F32 && out->groups > 1)
        out->way = CONV_DEPTHWISE;
    else if ((out->in_per_group < shortest && out->taps > 1) || out->taps > PG_GEMM_MAX_TAPS)
        out->way = CONV_BY_GATHERING;
    if (out->way == CONV_DEPTHWISE)
        out->packed_group_bytes = sizeof(float) * (uint64_t)out->taps;
    else
        out->packed_group_bytes =
            pg_gemm_packed_bytes(w->dtype, (uint64_t)out->taps * out->in_per_group, out->out_per_group);
    if (pg_mul_overflow(out->packed_group_bytes, out->groups, &out->packed_bytes))
        return pg_op_err(op, PG_ERR_LIMIT, "weights too large");
    return NULL;
}

void conv_weights_pack(const conv_weights *w, const pg_tensor *tensor, void *packed)
{
    const size_t group = w->out_per_group * w->in_per_group * w->taps * size_of(w->dtype);
    if (w->way == CONV_DEPTHWISE) {
        const float *from = tensor->data;
        float *to = packed;
        for (size_t c = 0; c < w->groups; c++)
            for (size_t t = 0; t < w->taps; t++)
                to[t * w->groups + c] = from[c * w->taps + t];
        return;
    }
    for (size_t g = 0; g < w->groups; g++)
        pg_gemm_pack_taps(w->dtype, w->taps, w->in_per_group, w->out_per_group,
                          (const char *)tensor->data + g * group, NULL,
                          (char *)packed + g * w->packed_group_bytes);
}

/* ---- Pixels ---- */

/* Where the input pixels lie, in elements. */
typedef struct pixels {
    const conv_job *job;
    const char *x;
    const void *zeros; /* a pixel of padding */
    size_t size;
    int64_t image, channel, step[NN_SPATIAL]; /* distances */
} pixels;

static void locate(const conv_job *job, size_t channels, pixels *p)
{
    const int64_t *in = job->in;
    const int64_t area = in[0] * in[1] * in[2], c = (int64_t)channels;
    const bool last = job->x->layout == PG_CHANNELS_LAST;
    p->job = job;
    p->x = job->x->data;
    p->size = size_of(job->weights->dtype);
    p->image = area * c;
    p->channel = last ? 1 : area;
    p->step[2] = last ? c : 1;
    p->step[1] = p->step[2] * in[2];
    p->step[0] = p->step[1] * in[1];
}

typedef struct place {
    int64_t image, at[NN_SPATIAL]; /* of a result pixel */
} place;

static place place_of(const conv_job *job, size_t index)
{
    const uint64_t w = (uint64_t)job->out[2], h = (uint64_t)job->out[1], d = (uint64_t)job->out[0];
    place p;
    p.at[2] = (int64_t)(index % w);
    index /= w;
    p.at[1] = (int64_t)(index % h);
    index /= h;
    p.at[0] = (int64_t)(index % d);
    p.image = (int64_t)(index / d);
    return p;
}

static void advance(const conv_job *job, place *p)
{
    if (++p->at[2] < job->out[2])
        return;
    p->at[2] = 0;
    if (++p->at[1] < job->out[1])
        return;
    p->at[1] = 0;
    if (++p->at[0] < job->out[0])
        return;
    p->at[0] = 0;
    p->image++;
}

/* Calls for each tap of a pixel: address or NULL. Written as a loop over taps with running coordinates. */
static inline __attribute__((always_inline)) void
tap_addresses(const pixels *p, place at, const void *outside, const void **out, size_t step)
{
    const conv_job *job = p->job;
    const nn_window *w = &job->window;
    int64_t begin[NN_SPATIAL];
    for (size_t i = 0; i < NN_SPATIAL; i++)
        begin[i] = at.at[i] * w->stride[i] - w->pad_begin[i];
    const int64_t base = at.image * p->image;
    for (int64_t kd = 0; kd < w->kernel[0]; kd++) {
        const int64_t z = begin[0] + kd * w->dilation[0];
        const bool z_in = (uint64_t)z < (uint64_t)job->in[0];
        for (int64_t kh = 0; kh < w->kernel[1]; kh++) {
            const int64_t y = begin[1] + kh * w->dilation[1];
            const bool y_in = z_in && (uint64_t)y < (uint64_t)job->in[1];
            const int64_t row = base + z * p->step[0] + y * p->step[1];
            for (int64_t kw = 0; kw < w->kernel[2]; kw++, out += step) {
                const int64_t x = begin[2] + kw * w->dilation[2];
                *out = y_in && (uint64_t)x < (uint64_t)job->in[2]
                           ? p->x + (uint64_t)(row + x * p->step[2]) * p->size
                           : outside;
            }
        }
    }
}

/* How many of `count` results from `at` on lie in its line; `at` goes behind them. */
static size_t take_line(const conv_job *job, place *at, size_t count)
{
    const size_t n = PG_MIN(count, (size_t)(job->out[2] - at->at[2]));
    at->at[2] += (int64_t)n - 1;
    advance(job, at);
    return n;
}

/* The same for `n` neighbours in a line: out[tap * step + i]. */
static void line_addresses(const pixels *p, place at, size_t n, const void **out, size_t step)
{
    const conv_job *job = p->job;
    const nn_window *w = &job->window;
    const int64_t begin[] = {at.at[0] * w->stride[0] - w->pad_begin[0],
                             at.at[1] * w->stride[1] - w->pad_begin[1],
                             at.at[2] * w->stride[2] - w->pad_begin[2]};
    const size_t jump = (size_t)(w->stride[2] * p->step[2]) * p->size;
    const uint64_t width = (uint64_t)job->in[2], stride = (uint64_t)w->stride[2];
    for (int64_t kd = 0; kd < w->kernel[0]; kd++)
        for (int64_t kh = 0; kh < w->kernel[1]; kh++) {
            const int64_t z = begin[0] + kd * w->dilation[0], y = begin[1] + kh * w->dilation[1];
            const bool inside = (uint64_t)z < (uint64_t)job->in[0] && (uint64_t)y < (uint64_t)job->in[1];
            const int64_t row = at.image * p->image + z * p->step[0] + y * p->step[1];
            for (int64_t kw = 0; kw < w->kernel[2]; kw++, out += step) {
                const uint64_t x = (uint64_t)(begin[2] + kw * w->dilation[2]);
                const uintptr_t from = (uintptr_t)p->x + (uint64_t)(row + (int64_t)x * p->step[2]) * p->size;
                for (size_t i = 0; i < n; i++)
                    out[i] = inside && x + i * stride < width ? (const void *)(from + i * jump) : p->zeros;
            }
        }
}

static void fill_taps(const void *context, size_t first, size_t count, const void **rows)
{
    const pixels *p = context;
    place at = place_of(p->job, first);
    for (size_t i = 0, n; i < count; i += n) {
        const place line = at;
        n = take_line(p->job, &at, count - i);
        line_addresses(p, line, n, rows + i, count);
    }
}

/* A 1x1 kernel with stride 1 and no padding: result pixel i stands on input pixel i. */
static bool is_pointwise(const conv_job *job)
{
    const nn_window *w = &job->window;
    for (size_t i = 0; i < NN_SPATIAL; i++)
        if (w->kernel[i] != 1 || w->stride[i] != 1 || w->pad_begin[i] != 0 || job->in[i] != job->out[i])
            return false;
    return true;
}

static size_t result_pixels(const conv_job *job)
{
    return (size_t)(job->x->dims[0] * job->out[0] * job->out[1] * job->out[2]);
}

static const void *at(const void *base, size_t bytes)
{
    return base != NULL ? (const char *)base + bytes : NULL;
}

static pg_status run_taps(pg_op *op, const conv_job *job)
{
    const conv_weights *w = job->weights;
    const size_t size = size_of(w->dtype), channels = w->groups * w->in_per_group;
    pixels p = {0};
    locate(job, channels, &p);
    void *zeros;
    PG_TRY(pg_op_scratch(op, channels * size, &zeros));
    memset(zeros, 0, channels * size);
    p.zeros = zeros;
    const char *x = p.x;
    for (size_t g = 0; g < w->groups; g++) {
        const size_t from = g * w->in_per_group * size, to = g * w->out_per_group * size;
        const void *b = (const char *)job->packed + g * w->packed_group_bytes;
        p.x = x + from;
        if (is_pointwise(job)) {
            pg_gemm_run(&(pg_gemm){w->dtype, result_pixels(job), w->out_per_group, w->in_per_group, p.x,
                                   channels, b, (char *)job->y + to, w->out_channels, at(job->bias, to),
                                   at(job->add, to), w->out_channels, job->act});
            continue;
        }
        pg_gemm_rows_run(&(pg_gemm_rows){w->dtype, result_pixels(job), w->out_per_group, w->taps,
                                         w->in_per_group, fill_taps, &p, b, (char *)job->y + to,
                                         w->out_channels, at(job->bias, to), at(job->add, to),
                                         w->out_channels, job->act});
    }
    return NULL;
}

/* ---- Gathered windows ---- */

typedef struct gather_job {
    const conv_job *conv;
    pixels pixels;
    size_t group, row, total; /* elements of a gathered row; result pixels */
    char *buffers;            /* one block per part */
    size_t n_parts;
} gather_job;

/* One row: for each tap the group's channels of the pixel under it. */
static void gather_row(const gather_job *job, place at, char *to)
{
    const conv_weights *w = job->conv->weights;
    const size_t size = job->pixels.size;
    const void *taps[64];
    const void **addresses = w->taps <= PG_COUNT(taps) ? taps : malloc(w->taps * sizeof *addresses);
    if (addresses == NULL)
        PG_BUG("out of memory for a window of %zu positions", w->taps);
    tap_addresses(&job->pixels, at, NULL, addresses, 1);
    for (size_t t = 0; t < w->taps; t++)
        for (size_t c = 0; c < w->in_per_group; c++, to += size) {
            const char *from = addresses[t];
            if (from == NULL)
                memset(to, 0, size);
            else if (size == 4)
                memcpy(to, from + (size_t)job->pixels.channel * c * 4, 4);
            else
                memcpy(to, from + (size_t)job->pixels.channel * c * 8, 8);
        }
    if (addresses != taps)
        free(addresses);
}

static void run_gathered_part(const gather_job *job, size_t part)
{
    const conv_job *conv = job->conv;
    const conv_weights *w = conv->weights;
    const size_t size = job->pixels.size, to = job->group * w->out_per_group * size;
    const size_t blocks = (job->total + GATHER_ROWS - 1) / GATHER_ROWS;
    char *buffer = job->buffers + part * GATHER_ROWS * job->row * size;
    for (size_t b = blocks * part / job->n_parts; b < blocks * (part + 1) / job->n_parts; b++) {
        const size_t first = b * GATHER_ROWS, count = PG_MIN((size_t)GATHER_ROWS, job->total - first);
        place where = place_of(conv, first);
        for (size_t i = 0; i < count; i++) {
            gather_row(job, where, buffer + i * job->row * size);
            advance(conv, &where);
        }
        const size_t shift = first * w->out_channels * size + to;
        pg_gemm_run(&(pg_gemm){w->dtype, count, w->out_per_group, job->row, buffer, job->row,
                               (const char *)conv->packed + job->group * w->packed_group_bytes,
                               (char *)conv->y + shift, w->out_channels, at(conv->bias, to),
                               at(conv->add, shift), w->out_channels, conv->act});
    }
}

static void run_gathered_parts(void *context, size_t begin, size_t end)
{
    for (size_t part = begin; part < end; part++)
        run_gathered_part(context, part);
}

static pg_status run_gathered(pg_op *op, const conv_job *conv)
{
    const conv_weights *w = conv->weights;
    gather_job job = {.conv = conv, .row = w->taps * w->in_per_group, .total = result_pixels(conv)};
    const size_t blocks = (job.total + GATHER_ROWS - 1) / GATHER_ROWS;
    job.n_parts = PG_MAX((size_t)1, PG_MIN(blocks, pg_threads() * (size_t)4));
    locate(conv, w->groups * w->in_per_group, &job.pixels);
    void *buffers;
    PG_TRY(pg_op_scratch(op, (uint64_t)job.n_parts * GATHER_ROWS * job.row * job.pixels.size, &buffers));
    job.buffers = buffers;
    const char *x = job.pixels.x;
    for (size_t g = 0; g < w->groups; g++) {
        job.group = g;
        job.pixels.x = x + g * w->in_per_group * (size_t)job.pixels.channel * job.pixels.size;
        pg_parallel_for(job.n_parts, 1, run_gathered_parts, &job);
    }
    return NULL;
}

/* ---- Windows of a padded copy ----
 *
 * Few channels, one group, no dilation along the last axis: in a channels-last copy of the input with its
 * padding the pixels under one row of the kernel are neighbours, so that row is one tap. The weights are
 * packed in the same order. */

typedef struct padded_image {
    const conv_job *job;
    size_t channels;
    int64_t size[NN_SPATIAL];
    float *data; /* or double */
    size_t element;
} padded_image;

static void copy_pixels(const padded_image *p, const pixels *from, int64_t image, int64_t d, int64_t h,
                        char *to)
{
    const conv_job *job = p->job;
    const size_t e = p->element;
    const char *row = from->x + (size_t)(image * from->image + d * from->step[0] + h * from->step[1]) * e;
    if (from->channel == 1) {
        memcpy(to, row, (size_t)job->in[2] * p->channels * e);
        return;
    }
    for (size_t c = 0; c < p->channels; c++)
        for (int64_t w = 0; w < job->in[2]; w++) {
            const char *source = row + (size_t)(w * from->step[2] + (int64_t)c * from->channel) * e;
            char *target = to + ((size_t)w * p->channels + c) * e;
            if (e == 4)
                memcpy(target, source, 4);
            else
                memcpy(target, source, 8);
        }
}

static void pad_rows(void *context, size_t begin, size_t end)
{
    const padded_image *p = context;
    const conv_job *job = p->job;
    const nn_window *w = &job->window;
    const size_t bytes = (size_t)p->size[2] * p->channels * p->element;
    pixels from;
    locate(job, p->channels, &from);
    for (size_t r = begin; r < end; r++) {
        const int64_t h = (int64_t)r % p->size[1] - w->pad_begin[1];
        const int64_t d = (int64_t)r / p->size[1] % p->size[0] - w->pad_begin[0];
        char *row = (char *)p->data + r * bytes;
        memset(row, 0, bytes);
        if (h >= 0 && h < job->in[1] && d >= 0 && d < job->in[0])
            copy_pixels(p, &from, (int64_t)r / (p->size[1] * p->size[0]), d, h,
                        row + (size_t)w->pad_begin[2] * p->channels * p->element);
    }
}

static void fill_rows(const void *context, size_t first, size_t count, const void **rows)
{
    const padded_image *p = context;
    const nn_window *w = &p->job->window;
    const int64_t line = p->size[2] * (int64_t)p->channels, plane = line * p->size[1];
    place at = place_of(p->job, first);
    const size_t jump = (size_t)w->stride[2] * p->channels * p->element;
    for (size_t i = 0, n; i < count; i += n) {
        const int64_t base = (at.image * p->size[0] + at.at[0] * w->stride[0]) * plane +
                             at.at[1] * w->stride[1] * line + at.at[2] * w->stride[2] * (int64_t)p->channels;
        const void **out = rows + i;
        n = take_line(p->job, &at, count - i);
        for (int64_t d = 0; d < w->kernel[0]; d++)
            for (int64_t h = 0; h < w->kernel[1]; h++, out += count) {
                const char *from =
                    (const char *)p->data +
                    (size_t)(base + d * w->dilation[0] * plane + h * w->dilation[1] * line) * p->element;
                for (size_t j = 0; j < n; j++)
                    out[j] = from + j * jump;
            }
    }
}

static bool can_pad(const conv_job *job)
{
    const nn_window *w = &job->window;
    for (size_t i = 0; i < NN_SPATIAL; i++)
        if (w->pad_begin[i] < 0 || w->pad_end[i] < 0)
            return false;
    return job->weights->groups == 1 && w->dilation[2] == 1 && w->kernel[2] > 1 &&
           w->kernel[0] * w->kernel[1] <= PG_GEMM_MAX_TAPS;
}

static pg_status run_padded(pg_op *op, const conv_job *job)
{
    const conv_weights *w = job->weights;
    const nn_window *window = &job->window;
    padded_image p = {.job = job, .channels = w->in_per_group, .element = size_of(w->dtype)};
    uint64_t bytes;
    void *data;
    for (size_t i = 0; i < NN_SPATIAL; i++)
        p.size[i] = job->in[i] + window->pad_begin[i] + window->pad_end[i];
    const uint64_t lines[] = {(uint64_t)job->x->dims[0], (uint64_t)p.size[0], (uint64_t)p.size[1],
                              (uint64_t)p.size[2], p.channels * p.element};
    if (!nn_product(&bytes, 5, lines))
        return pg_op_err(op, PG_ERR_LIMIT, "padded input too large");
    PG_TRY(pg_op_scratch(op, bytes + 64, &data));
    p.data = data;
    pg_parallel_for((size_t)(lines[0] * lines[1] * lines[2]), 8, pad_rows, &p);
    pg_gemm_rows_run(&(pg_gemm_rows){
        w->dtype, result_pixels(job), w->out_per_group, (size_t)(window->kernel[0] * window->kernel[1]),
        (size_t)window->kernel[2] * w->in_per_group, fill_rows, &p, job->packed, job->y, w->out_channels,
        job->bias, job->add, w->out_channels, job->act});
    return NULL;
}

/* ---- Depthwise ---- */

typedef struct depthwise_rows {
    const conv_job *job;
    pixels pixels;
    size_t channels;
    int64_t inner_begin, inner_end; /* results of a row whose windows lie inside it */
    pg_depthwise base;
    pg_act rest;
} depthwise_rows;

enum { STACK_TAPS = 64 };

static void depthwise_pixels(const depthwise_rows *rows, place at, size_t count, float *out)
{
    const conv_weights *w = rows->job->weights;
    const void *on_stack[3 * STACK_TAPS];
    const void **addresses = w->taps <= STACK_TAPS ? on_stack : malloc(3 * w->taps * sizeof *addresses);
    if (addresses == NULL)
        PG_BUG("out of memory for a window of %zu positions", w->taps);
    const float **taps = (const float **)addresses + w->taps, **weights = taps + w->taps;
    pg_depthwise d = rows->base;
    tap_addresses(&rows->pixels, at, NULL, addresses, 1);
    for (size_t t = 0; t < w->taps; t++)
        if (addresses[t] != NULL) {
            taps[d.n_taps] = addresses[t];
            weights[d.n_taps++] = (const float *)rows->job->packed + t * rows->channels;
        }
    d.taps = taps;
    d.weights = weights;
    d.pixels = count;
    d.out = out;
    pg_simd_best()->depthwise_f32(&d);
    if (addresses != on_stack)
        free(addresses);
}

static void run_depthwise_rows(void *context, size_t begin, size_t end)
{
    const depthwise_rows *rows = context;
    const conv_job *job = rows->job;
    const int64_t width = job->out[2];
    const size_t row = (size_t)width * rows->channels;
    for (size_t r = begin; r < end; r++) {
        place at = place_of(job, r * (size_t)width);
        float *out = (float *)job->y + r * row;
        for (int64_t x = 0; x < width;) {
            const bool inside = x >= rows->inner_begin && x < rows->inner_end;
            const int64_t count = inside ? rows->inner_end - x : 1;
            at.at[2] = x;
            depthwise_pixels(rows, at, (size_t)count, out + (size_t)x * rows->channels);
            x += count;
        }
        if (job->add != NULL) {
            const float *add = (const float *)job->add + r * row;
            pg_simd_best()->axpy_f32(1, add, out, row);
        }
        if (pg_act_is_set(rows->rest))
            pg_act_apply(PG_F32, rows->rest, out, out, row);
    }
}

static void run_depthwise(const conv_job *job)
{
    const conv_weights *w = job->weights;
    const nn_window *window = &job->window;
    const size_t channels = w->groups;
    depthwise_rows rows = {.job = job, .channels = channels, .rest = job->act};
    locate(job, channels, &rows.pixels);
    const int64_t stride = window->stride[2];
    rows.inner_begin = (window->pad_begin[2] + stride - 1) / stride;
    const int64_t reach = (window->kernel[2] - 1) * window->dilation[2];
    const int64_t room = job->in[2] - 1 - reach + window->pad_begin[2];
    rows.inner_end = room < 0 ? 0 : PG_MIN(room / stride + 1, job->out[2]);
    double lo = -(double)__builtin_inff(), hi = (double)__builtin_inff();
    if (job->add == NULL)
        rows.rest = pg_act_split(job->act, &lo, &hi);
    const bool swish = rows.rest.kind == PG_ACT_HARDSWISH && job->add == NULL, affine = rows.rest.affine;
    const float scale = affine ? rows.rest.scale : 1, shift = affine ? rows.rest.shift : 0;
    if (swish)
        rows.rest = pg_act_none();
    rows.base = (pg_depthwise){.channels = channels,
                               .step = channels * (size_t)stride,
                               .bias = job->bias,
                               .lo = (float)lo,
                               .hi = (float)hi,
                               .swish = swish,
                               .scale = scale,
                               .shift = shift};
    const size_t n_rows = (size_t)(job->x->dims[0] * job->out[0] * job->out[1]);
    const size_t work = (size_t)job->out[2] * channels * w->taps;
    pg_parallel_for(n_rows, MIN_WORK / (work + 1) + 1, run_depthwise_rows, &rows);
}

pg_status conv_run(pg_op *op, const conv_job *job)
{
    if (result_pixels(job) == 0)
        return NULL;
    switch (job->weights->way) {
    case CONV_DEPTHWISE:
        run_depthwise(job);
        return NULL;
    case CONV_BY_GATHERING:
        return can_pad(job) ? run_padded(op, job) : run_gathered(op, job);
    default:
        return run_taps(op, job);
    }
}
