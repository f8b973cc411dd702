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
    return pg_dtype_get(dtype)->bits / 8u;
}
/* Of a sum, and of an element of the bias. */
static size_t sum_size(const conv_job *job)
{
    return job->weights->dtype == PG_BF16 ? 4 : size_of(job->weights->dtype);
}
/* Of an element of the result. */
static size_t y_size(const conv_job *job)
{
    return job->i8 != NULL ? pg_gemm_i8_size(job->i8->dtype) : job->half != PG_UNDEFINED ? 2 : sum_size(job);
}

/* Gathered windows consist of lines: the pixels next to each other along the last axis of the kernel. */
static size_t lines_of(const conv_weights *w)
{
    return (size_t)(w->kernel[0] * w->kernel[1]);
}
static size_t line_of(const conv_weights *w)
{
    return (size_t)w->kernel[2] * w->in_per_group;
}
/* Elements of a line of a gathered row: for small types products want whole groups of depth steps. */
static size_t padded_line(const conv_weights *w)
{
    const size_t steps = pg_gemm_is_8bit(w->dtype) ? 4 : w->dtype == PG_BF16 ? 2 : 1;
    return (line_of(w) + steps - 1) / steps * steps;
}

pg_status conv_weights_describe(const pg_op *op, const pg_tensor *w, int64_t groups, pg_dtype dtype,
                                conv_weights *out)
{
    *out = (conv_weights){.dtype = dtype, .taps = 1};
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
        out->groups == 1 && pg_gemm_is_narrow(dtype, out->out_per_group) ? 2 * SHORT_ROW : SHORT_ROW;
    if (out->in_per_group == 1 && out->out_per_group == 1 && out->groups > 1 &&
        (dtype == PG_F32 || dtype == PG_BF16 || pg_gemm_is_8bit(dtype)))
        out->way = CONV_DEPTHWISE;
    else if ((out->in_per_group < shortest && out->taps > 1) || out->taps > PG_GEMM_MAX_TAPS)
        out->way = CONV_BY_GATHERING;
    if (out->way == CONV_DEPTHWISE && dtype == PG_BF16)
        out->dtype = PG_F32; /* as fast, for every weight is used once per pixel */
    return conv_weights_use(op, out, out->way);
}

bool conv_weights_may(const conv_weights *w, conv_way way)
{
    if (w->way == CONV_DEPTHWISE || way == CONV_DEPTHWISE)
        return w->way == way;
    return way == CONV_BY_TAPS ? w->taps <= PG_GEMM_MAX_TAPS : w->taps > 1;
}

pg_status conv_weights_use(const pg_op *op, conv_weights *w, conv_way way)
{
    w->way = way;
    if (way == CONV_DEPTHWISE)
        w->packed_group_bytes = sizeof(float) * (uint64_t)w->taps;
    else
        w->packed_group_bytes =
            way == CONV_BY_GATHERING
                ? pg_gemm_taps_bytes(w->dtype, lines_of(w), line_of(w), w->out_per_group)
                : pg_gemm_taps_bytes(w->dtype, w->taps, w->in_per_group, w->out_per_group);
    if (way == CONV_DEPTHWISE && pg_gemm_is_8bit(w->dtype)) {
        w->packed_bytes = conv_depthwise_codes_bytes(w);
        return NULL;
    }
    if (pg_mul_overflow(w->packed_group_bytes, w->groups, &w->packed_bytes))
        return pg_op_err(op, PG_ERR_LIMIT, "weights too large");
    return NULL;
}

/* The weights of one filter as windows have them: channels next to each other. For gathered windows. */
static void *window_order(const conv_weights *w, const pg_tensor *tensor)
{
    const size_t size = size_of(tensor->dtype), in = w->in_per_group, taps = w->taps;
    char *out = pg_calloc(w->out_channels * in * taps, size);
    for (size_t j = 0; j < w->out_channels; j++)
        for (size_t i = 0; i < in; i++)
            for (size_t t = 0; t < taps; t++)
                memcpy(out + ((j * taps + t) * in + i) * size,
                       (const char *)tensor->data + ((j * in + i) * taps + t) * size, size);
    return out;
}

/* For products whose depth steps lie side by side: codes, or float32 that become bfloat16. */
static void pack_small(const conv_weights *w, const pg_tensor *tensor, void *packed, int32_t *sums)
{
    const bool gathered = w->way == CONV_BY_GATHERING;
    const size_t column = w->in_per_group * w->taps, size = size_of(tensor->dtype);
    void *ordered = gathered ? window_order(w, tensor) : NULL;
    const char *from = gathered ? ordered : tensor->data;
    for (size_t g = 0; g < w->groups; g++) {
        const pg_small_matrix b = {.dtype = tensor->dtype,
                                   .data = from + g * w->out_per_group * column * size,
                                   .taps = gathered ? lines_of(w) : w->taps,
                                   .depth = gathered ? line_of(w) : w->in_per_group,
                                   .n = w->out_per_group,
                                   .column = column,
                                   .step = gathered ? 1 : w->taps,
                                   .tap = gathered ? line_of(w) : 1};
        char *to = (char *)packed + g * w->packed_group_bytes;
        if (sums != NULL)
            pg_gemm_pack_codes(&b, to, sums + g * w->out_per_group);
        else
            pg_gemm_pack_bf16(&b, 1, to);
    }
    free(ordered);
}

void conv_weights_pack_codes(const conv_weights *w, const pg_tensor *tensor, void *packed, int32_t *sums)
{
    if (w->way == CONV_DEPTHWISE)
        conv_pack_depthwise_codes(w, tensor, packed, sums);
    else
        pack_small(w, tensor, packed, sums);
}

static void pack_depthwise(const conv_weights *w, const char *from, const float *scale, float *to)
{
    for (size_t c = 0; c < w->groups; c++)
        for (size_t t = 0; t < w->taps; t++) {
            float x; /* may lie at any address */
            memcpy(&x, from + (c * w->taps + t) * sizeof x, sizeof x);
            to[t * w->groups + c] = scale != NULL ? x * scale[c] : x;
        }
}

void conv_weights_pack(const conv_weights *w, const pg_tensor *tensor, const float *scale, void *packed)
{
    const size_t group = w->out_per_group * w->in_per_group * w->taps * size_of(w->dtype);
    if (w->dtype == PG_BF16) {
        pack_small(w, tensor, packed, NULL);
        return;
    }
    if (w->way == CONV_DEPTHWISE) {
        pack_depthwise(w, tensor->data, scale, packed);
        return;
    }
    for (size_t g = 0; g < w->groups; g++)
        pg_gemm_pack_taps(
            w->dtype, w->taps, w->in_per_group, w->out_per_group, (const char *)tensor->data + g * group,
            scale != NULL ? scale + g * w->out_per_group : NULL, (char *)packed + g * w->packed_group_bytes);
}

/* ---- Products ---- */

/* Rows of a product: `m` results from `first` on, of one group. */
typedef struct conv_rows {
    size_t group, first, m, taps, depth;
    void (*fill)(const void *context, size_t first, size_t count, const void **rows);
    const void *context;
    const void *a; /* instead of fill: rows that lie `lda` elements apart */
    size_t lda;
} conv_rows;

static const void *at(const void *base, size_t bytes)
{
    return base != NULL ? (const char *)base + bytes : NULL;
}

static void multiply(const conv_job *job, const conv_rows *r)
{
    const conv_weights *w = job->weights;
    const size_t size = y_size(job), column = r->group * w->out_per_group;
    const size_t shift = (r->first * w->out_channels + column) * size;
    const void *b = (const char *)job->packed + r->group * w->packed_group_bytes;
    pg_i8_result i8 = {0};
    if (job->i8 != NULL) {
        i8 = *job->i8;
        i8.terms += column;
        i8.zeros = at(i8.zeros, column * sizeof(int32_t));
        i8.scale = at(i8.scale, column * sizeof(float));
        i8.shift = at(i8.shift, column * sizeof(float));
        i8.slopes = at(i8.slopes, column * sizeof(float));
    }
    void *y = (char *)job->y + shift;
    const void *bias = at(job->bias, column * sum_size(job)), *add = at(job->add, shift);
    const pg_i8_result *result = job->i8 != NULL ? &i8 : NULL;
    if (r->fill != NULL)
        pg_gemm_rows_run(&(pg_gemm_rows){w->dtype, r->m, w->out_per_group, r->taps, r->depth, r->fill,
                                         r->context, b, y, w->out_channels, bias, add, w->out_channels,
                                         job->act, result, job->half});
    else
        pg_gemm_run(&(pg_gemm){w->dtype, r->m, w->out_per_group, r->depth, r->a, r->lda, b, y,
                               w->out_channels, bias, add, w->out_channels, job->act, result, job->half});
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

static pg_status run_taps(pg_op *op, const conv_job *job)
{
    const conv_weights *w = job->weights;
    const size_t size = size_of(w->dtype), channels = w->groups * w->in_per_group;
    pixels p = {0};
    locate(job, channels, &p);
    void *zeros;
    PG_TRY(pg_op_scratch(op, channels * size, &zeros));
    memset(zeros, job->pad, channels * size);
    p.zeros = zeros;
    const char *x = p.x;
    for (size_t g = 0; g < w->groups; g++) {
        conv_rows rows = {.group = g, .m = result_pixels(job), .taps = w->taps, .depth = w->in_per_group};
        p.x = x + g * w->in_per_group * size;
        if (is_pointwise(job)) {
            rows.a = p.x;
            rows.lda = channels;
        } else {
            rows.fill = fill_taps;
            rows.context = &p;
        }
        multiply(job, &rows);
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

static inline __attribute__((always_inline)) void copy_element(char *to, const char *from, size_t size)
{
    switch (size) {
    case 1:
        *to = *from;
        break;
    case 2:
        memcpy(to, from, 2);
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    default:
        memcpy(to, from, 8);
        break;
    }
}

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
    const size_t filler = (padded_line(w) - line_of(w)) * size;
    for (size_t t = 0; t < w->taps; t++) {
        for (size_t c = 0; c < w->in_per_group; c++, to += size) {
            const char *from = addresses[t];
            if (from == NULL)
                memset(to, job->conv->pad, size);
            else
                copy_element(to, from + (size_t)job->pixels.channel * c * size, size);
        }
        if (filler > 0 && (t + 1) % (size_t)w->kernel[2] == 0) {
            memset(to, w->dtype == PG_I8 ? 0x80 : 0, filler); /* adds nothing to a row's sum */
            to += filler;
        }
    }
    if (addresses != taps)
        free(addresses);
}

static void run_gathered_part(const gather_job *job, size_t part)
{
    const conv_job *conv = job->conv;
    const size_t size = job->pixels.size;
    const size_t blocks = (job->total + GATHER_ROWS - 1) / GATHER_ROWS;
    char *buffer = job->buffers + part * GATHER_ROWS * job->row * size;
    for (size_t b = blocks * part / job->n_parts; b < blocks * (part + 1) / job->n_parts; b++) {
        const size_t first = b * GATHER_ROWS, count = PG_MIN((size_t)GATHER_ROWS, job->total - first);
        place where = place_of(conv, first);
        for (size_t i = 0; i < count; i++) {
            gather_row(job, where, buffer + i * job->row * size);
            advance(conv, &where);
        }
        multiply(conv, &(conv_rows){.group = job->group,
                                    .first = first,
                                    .m = count,
                                    .depth = job->row,
                                    .a = buffer,
                                    .lda = job->row});
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
    gather_job job = {.conv = conv, .row = lines_of(w) * padded_line(w), .total = result_pixels(conv)};
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
    char *data;
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
            copy_element(target, source, e);
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
        char *row = p->data + r * bytes;
        memset(row, job->pad, bytes);
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
    multiply(job, &(conv_rows){.m = result_pixels(job),
                               .taps = lines_of(w),
                               .depth = line_of(w),
                               .fill = fill_rows,
                               .context = &p});
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
        if (job->i8 != NULL)
            return conv_run_depthwise_codes(op, job);
        run_depthwise(job);
        return NULL;
    case CONV_BY_GATHERING:
        return can_pad(job) ? run_padded(op, job) : run_gathered(op, job);
    default:
        return run_taps(op, job);
    }
}
