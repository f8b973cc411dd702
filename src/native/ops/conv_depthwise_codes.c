/* Depthwise convolutions of 8-bit codes, one row of results at a time. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/ops/conv.h"

enum { LANES = 16, MIN_WORK = 8192 };

/* Rows of a window, in depth and height. */
static size_t window_rows(const conv_weights *w)
{
    return (size_t)(w->kernel[0] * w->kernel[1]);
}
static size_t fours(const conv_weights *w)
{
    return (window_rows(w) + 3) / 4;
}
static size_t whole_channels(const conv_weights *w)
{
    return (w->groups + LANES - 1) / LANES * LANES;
}

uint64_t conv_depthwise_codes_bytes(const conv_weights *w)
{
    return (uint64_t)fours(w) * (uint64_t)w->kernel[2] * whole_channels(w) * 4;
}

void conv_pack_depthwise_codes(const conv_weights *w, const pg_tensor *tensor, void *packed, int32_t *sums)
{
    const uint8_t *from = tensor->data, flip = tensor->dtype == PG_U8 ? 0x80 : 0;
    const size_t kernel = (size_t)w->kernel[2], ld = whole_channels(w);
    int8_t *to = packed;
    memset(packed, 0, conv_depthwise_codes_bytes(w));
    for (size_t c = 0; c < w->groups; c++) {
        sums[c] = 0;
        for (size_t t = 0; t < w->taps; t++) {
            const size_t row = t / kernel, at = (row / 4 * kernel + t % kernel) * ld + c;
            const int8_t code = (int8_t)(from[c * w->taps + t] ^ flip);
            to[4 * at + row % 4] = code;
            sums[c] += code;
        }
    }
}

/* The input rows under the window of a row of results; NULL for padding. */
static void find_rows(const conv_job *job, size_t index, const uint8_t **rows)
{
    const nn_window *w = &job->window;
    const int64_t h = (int64_t)index % job->out[1], d = (int64_t)index / job->out[1] % job->out[0];
    const int64_t image = (int64_t)index / job->out[1] / job->out[0];
    const size_t row = (size_t)job->in[2] * job->weights->groups;
    for (int64_t kd = 0; kd < w->kernel[0]; kd++)
        for (int64_t kh = 0; kh < w->kernel[1]; kh++) {
            const int64_t y = h * w->stride[1] + kh * w->dilation[1] - w->pad_begin[1];
            const int64_t z = d * w->stride[0] + kd * w->dilation[0] - w->pad_begin[0];
            const bool inside = y >= 0 && y < job->in[1] && z >= 0 && z < job->in[0];
            const int64_t at = (image * job->in[0] + z) * job->in[1] + y;
            *rows++ = inside ? (const uint8_t *)job->x->data + (size_t)at * row : NULL;
        }
}

typedef struct depthwise {
    const conv_job *job;
    pg_depthwise_codes base;
    size_t room; /* bytes */
} depthwise;

static void run_rows(void *context, size_t begin, size_t end)
{
    const depthwise *d = context;
    const size_t row = d->base.results * d->base.channels * pg_gemm_i8_size(d->job->i8->dtype);
    const uint8_t **rows = pg_calloc(d->base.n_rows, sizeof *rows);
    pg_depthwise_codes base = d->base;
    base.rows = rows;
    base.room = nn_alloc(d->room);
    if (base.room == NULL)
        PG_BUG("out of memory for a row of %zu pixels", base.results);
    for (size_t r = begin; r < end; r++) {
        find_rows(d->job, r, rows);
        base.y = (char *)d->job->y + r * row;
        pg_simd_best()->depthwise_codes(&base);
    }
    free(base.room);
    free(rows);
}

pg_status conv_run_depthwise_codes(pg_op *op, const conv_job *job)
{
    const conv_weights *w = job->weights;
    const nn_window *window = &job->window;
    const size_t results = (size_t)job->out[2],
                 n_rows = (size_t)(job->x->dims[0] * job->out[0] * job->out[1]);
    depthwise d = {.job = job,
                   .base = {.n_rows = window_rows(w),
                            .channels = w->groups,
                            .width = (size_t)job->in[2],
                            .results = results,
                            .kernel = (size_t)w->kernel[2],
                            .pad = window->pad_begin[2],
                            .stride = window->stride[2],
                            .dilation = window->dilation[2],
                            .pad_code = job->pad,
                            .weights = job->packed,
                            .ldw = whole_channels(w),
                            .i8 = job->i8}};
    uint64_t bytes;
    const uint64_t columns = pg_depthwise_columns(results, d.base.stride, d.base.kernel, d.base.dilation);
    if (!nn_product(&bytes, 3, (uint64_t[]){columns, fours(w), LANES * sizeof(uint32_t)}) ||
        bytes > SIZE_MAX / 2)
        return pg_op_err(op, PG_ERR_LIMIT, "a row of %llu pixels is too long", (unsigned long long)columns);
    d.room = (size_t)bytes;
    pg_parallel_for(n_rows, MIN_WORK / (results * w->groups * w->taps / 8 + 1) + 1, run_rows, &d);
    return NULL;
}
