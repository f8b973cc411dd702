#include "native/ops/conv_winograd.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"

enum {
    LEAST_CHANNELS = 16, /* below, the transforms cost more than the products save */
    LEAST_TILES = 8,     /* fewer rows per product than the transformed weights are worth reading for */
    RESULTS = 4,         /* of a tile along each axis that has samples */
    MOST_SAMPLES = 36,
    BLOCK_BYTES = 768 * 1024 /* sums and products of a block of tiles stay in the second-level cache */
};

/* ---- Weights ---- */

static size_t samples_for(int64_t kernel)
{
    return kernel == 3 ? 6 : kernel == 5 ? 8 : 1;
}

bool conv_winograd_fits(const conv_weights *w, const nn_window *window)
{
    const int64_t *k = w->kernel;
    if (w->dtype != PG_F32 || w->groups != 1 || w->in_per_group < LEAST_CHANNELS ||
        w->out_channels < LEAST_CHANNELS || k[0] != 1)
        return false;
    for (size_t i = 0; i < NN_SPATIAL; i++)
        if (window->stride[i] != 1 || window->dilation[i] != 1)
            return false;
    return (k[1] == 3 && k[2] == 3) || (k[1] == 1 && (k[2] == 3 || k[2] == 5)) ||
           (k[2] == 1 && (k[1] == 3 || k[1] == 5));
}

/* What the weights along one axis contribute to a sample: powers of its point, over the product of its
 * distances from the other points. The last sample is the point at infinity. */
static void weight_factors(size_t samples, size_t kernel, double factors[8][5])
{
    static const double six[] = {0, 0.75, -0.75, 1.5, -1.5};
    static const double eight[] = {0, 0.5, -0.5, 1, -1, 2, -2};
    const double *points = samples == 6 ? six : eight;
    for (size_t s = 0; s < samples; s++) {
        double scale = 1, power = 1;
        for (size_t other = 0; other + 1 < samples && s + 1 < samples; other++)
            scale *= other != s ? points[s] - points[other] : 1;
        for (size_t k = 0; k < kernel; k++) {
            factors[s][k] = s + 1 < samples ? power / scale : k + 1 == kernel;
            power *= s + 1 < samples ? points[s] : 0;
        }
    }
}

typedef struct transform_job {
    const conv_winograd *winograd;
    const conv_weights *w;
    const float *planes; /* [taps][out channels][in channels] */
    double rows[8][5], columns[8][5];
} transform_job;

/* The weights of sample s for all pairs of channels. */
static void transform_sample(const transform_job *job, size_t s, float *out)
{
    const conv_weights *w = job->w;
    const size_t count = w->out_channels * w->in_per_group, kernel = (size_t)w->kernel[2];
    const size_t width = job->winograd->width;
    memset(out, 0, count * sizeof *out);
    for (size_t t = 0; t < w->taps; t++) {
        const double factor = job->rows[s / width][t / kernel] * job->columns[s % width][t % kernel];
        if (factor != 0)
            pg_simd_best()->axpy_f32((float)factor, job->planes + t * count, out, count);
    }
}

/* `from` may lie at any address. */
static void collect_planes(const conv_weights *w, const char *from, const float *scale, float *planes)
{
    const size_t count = w->out_channels * w->in_per_group;
    for (size_t t = 0; t < w->taps; t++)
        for (size_t i = 0; i < count; i++) {
            float x;
            memcpy(&x, from + (i * w->taps + t) * sizeof x, sizeof x);
            planes[t * count + i] = scale != NULL ? x * scale[i / w->in_per_group] : x;
        }
}

void conv_winograd_describe(const conv_weights *w, conv_winograd *out, uint64_t *bytes)
{
    *out = (conv_winograd){.height = samples_for(w->kernel[1]), .width = samples_for(w->kernel[2])};
    out->stride = (pg_gemm_packed_bytes(PG_F32, w->in_per_group, w->out_channels) + 63) / 64 * 64;
    *bytes = out->stride * out->height * out->width;
}

pg_status conv_winograd_pack(const pg_op *op, const conv_winograd *winograd, const conv_weights *w,
                             const pg_tensor *tensor, const float *scale, char *out)
{
    const uint64_t count = (uint64_t)w->out_channels * w->in_per_group;
    float *planes = nn_alloc(count * (w->taps + 1) * sizeof *planes);
    if (planes == NULL)
        return pg_op_err(op, PG_ERR_NO_MEMORY, "no memory for %llu weights to transform",
                         (unsigned long long)(count * w->taps));
    transform_job job = {.winograd = winograd, .w = w, .planes = planes, .rows = {{1}}, .columns = {{1}}};
    if (winograd->height > 1)
        weight_factors(winograd->height, (size_t)w->kernel[1], job.rows);
    if (winograd->width > 1)
        weight_factors(winograd->width, (size_t)w->kernel[2], job.columns);
    collect_planes(w, tensor->data, scale, planes);
    float *sample = planes + w->taps * count;
    for (size_t s = 0; s < winograd->height * winograd->width; s++) {
        transform_sample(&job, s, sample);
        pg_gemm_pack(PG_F32, w->in_per_group, w->out_channels, sample, w->in_per_group, true, 1,
                     out + s * winograd->stride);
    }
    free(planes);
    return NULL;
}

/* ---- Tiles ---- */

typedef struct winograd_run {
    const conv_winograd *winograd;
    const conv_job *job;
    size_t samples, down, across;   /* results of a tile along the axes */
    size_t tile_rows, tile_columns; /* tiles of an image */
    size_t total, block, blocks;    /* tiles, and how many at a time */
    size_t part_floats, n_parts;    /* sums and products of a block; how many may run at once */
    const float *zeros;             /* a pixel of padding */
    float *room;
    pg_winograd_out finish;
    pg_act rest; /* what the tile's last step does not do */
} winograd_run;

static void describe_tiles(const conv_winograd *winograd, const conv_job *job, winograd_run *r)
{
    r->winograd = winograd;
    r->job = job;
    r->down = job->weights->kernel[1] > 1 ? RESULTS : 1;
    r->across = job->weights->kernel[2] > 1 ? RESULTS : 1;
    r->tile_rows = ((size_t)job->out[1] + r->down - 1) / r->down;
    r->tile_columns = ((size_t)job->out[2] + r->across - 1) / r->across;
    r->total = (size_t)(job->x->dims[0] * job->out[0]) * r->tile_rows * r->tile_columns;
}

bool conv_winograd_takes(const conv_job *job)
{
    for (size_t i = 0; i < NN_SPATIAL; i++)
        if (job->window.pad_begin[i] < 0 || job->window.pad_end[i] < 0)
            return false;
    return job->in[0] == job->out[0];
}

bool conv_winograd_pays(const conv_job *job)
{
    winograd_run r = {0};
    describe_tiles(NULL, job, &r);
    /* Tiles that reach beyond the results must not waste what is saved. */
    const size_t results = (size_t)(job->x->dims[0] * job->out[0] * job->out[1] * job->out[2]);
    return conv_winograd_takes(job) && r.total >= LEAST_TILES && results * 2 >= r.total * r.down * r.across;
}

typedef struct tile_place {
    size_t image; /* with the depth */
    int64_t row, column;
} tile_place;

static tile_place place_of(const winograd_run *r, size_t tile)
{
    const size_t per_image = r->tile_rows * r->tile_columns, at = tile % per_image;
    return (tile_place){tile / per_image, (int64_t)(at / r->tile_columns * r->down),
                        (int64_t)(at % r->tile_columns * r->across)};
}

/* Work on the tiles [first, first + count): sums[sample][tile][channel], products[sample][tile][channel]. */
typedef struct winograd_block {
    const winograd_run *r;
    size_t first, count;
    float *sums, *products;
} winograd_block;

static void sum_tiles(void *context, size_t begin, size_t end)
{
    const winograd_block *b = context;
    const winograd_run *r = b->r;
    const conv_job *job = r->job;
    const size_t channels = job->weights->in_per_group, height = r->winograd->height;
    const size_t width = r->winograd->width;
    const float *pixels[MOST_SAMPLES];
    for (size_t i = begin; i < end; i++) {
        const tile_place at = place_of(r, b->first + i);
        const int64_t top = at.row - job->window.pad_begin[1], left = at.column - job->window.pad_begin[2];
        const float *image =
            (const float *)job->x->data + at.image * (size_t)(job->in[1] * job->in[2]) * channels;
        for (size_t s = 0; s < r->samples; s++) {
            const int64_t y = top + (int64_t)(s / width), x = left + (int64_t)(s % width);
            const bool inside = (uint64_t)y < (uint64_t)job->in[1] && (uint64_t)x < (uint64_t)job->in[2];
            pixels[s] = inside ? image + (size_t)(y * job->in[2] + x) * channels : r->zeros;
        }
        pg_simd_best()->winograd_in_f32(&(pg_winograd_in){.samples = height * width,
                                                          .channels = channels,
                                                          .pixels = pixels,
                                                          .out = b->sums + i * channels,
                                                          .stride = b->count * channels});
    }
}

static void multiply_samples(void *context, size_t begin, size_t end)
{
    const winograd_block *b = context;
    const conv_weights *w = b->r->job->weights;
    const size_t k = w->in_per_group, n = w->out_channels;
    for (size_t s = begin; s < end; s++)
        pg_gemm_run(&(pg_gemm){.dtype = PG_F32,
                               .m = b->count,
                               .n = n,
                               .k = k,
                               .a = b->sums + s * b->count * k,
                               .lda = k,
                               .b = b->r->winograd->packed + s * b->r->winograd->stride,
                               .c = b->products + s * b->count * n,
                               .ldc = n});
}

static void finish_tiles(void *context, size_t begin, size_t end)
{
    const winograd_block *b = context;
    const winograd_run *r = b->r;
    const conv_job *job = r->job;
    const size_t n = job->weights->out_channels;
    float *results[RESULTS * RESULTS];
    for (size_t i = begin; i < end; i++) {
        const tile_place at = place_of(r, b->first + i);
        float *image = (float *)job->y + at.image * (size_t)(job->out[1] * job->out[2]) * n;
        for (size_t p = 0; p < r->down * r->across; p++) {
            const int64_t y = at.row + (int64_t)(p / r->across), x = at.column + (int64_t)(p % r->across);
            results[p] =
                y < job->out[1] && x < job->out[2] ? image + (size_t)(y * job->out[2] + x) * n : NULL;
        }
        pg_winograd_out out = r->finish;
        out.in = b->products + i * n;
        out.stride = b->count * n;
        out.results = results;
        pg_simd_best()->winograd_out_f32(&out);
        for (size_t p = 0; p < r->down * r->across && pg_act_is_set(r->rest); p++)
            if (results[p] != NULL)
                pg_act_apply(PG_F32, r->rest, results[p], results[p], n);
    }
}

/* Inside a loop over blocks the three loops below run on this thread alone. */
static void run_block(const winograd_run *r, size_t block, float *room)
{
    winograd_block b = {r, block * r->block, PG_MIN(r->block, r->total - block * r->block), room, NULL};
    b.products = room + r->samples * r->block * r->job->weights->in_per_group;
    pg_parallel_for(b.count, 4, sum_tiles, &b);
    pg_parallel_for(r->samples, 1, multiply_samples, &b);
    pg_parallel_for(b.count, 4, finish_tiles, &b);
}

static void run_parts(void *context, size_t begin, size_t end)
{
    const winograd_run *r = context;
    for (size_t part = begin; part < end; part++)
        for (size_t i = r->blocks * part / r->n_parts; i < r->blocks * (part + 1) / r->n_parts; i++)
            run_block(r, i, r->room + part * r->part_floats);
}

static void choose_blocks(winograd_run *r)
{
    const size_t channels = r->job->weights->in_per_group + r->job->weights->out_channels;
    const size_t most = BLOCK_BYTES / (r->samples * channels * sizeof(float)), threads = pg_threads();
    r->block = PG_MIN(PG_MAX((size_t)32, most / 8 * 8), (size_t)128);
    r->blocks = (r->total + r->block - 1) / r->block;
    r->block = ((r->total + r->blocks - 1) / r->blocks + 7) / 8 * 8;
    r->blocks = (r->total + r->block - 1) / r->block;
    r->part_floats = r->samples * r->block * channels;
    r->n_parts = r->blocks >= 2 * threads ? threads : 1;
}

pg_status conv_winograd_run(pg_op *op, const conv_winograd *winograd, const conv_job *job)
{
    const size_t channels = job->weights->in_per_group;
    winograd_run r = {.samples = winograd->height * winograd->width};
    describe_tiles(winograd, job, &r);
    choose_blocks(&r);
    double lo, hi;
    r.rest = pg_act_split(job->act, &lo, &hi);
    r.finish = (pg_winograd_out){.samples = r.samples,
                                 .channels = job->weights->out_channels,
                                 .bias = job->bias,
                                 .add = job->add,
                                 .base = job->y,
                                 .lo = (float)lo,
                                 .hi = (float)hi};
    if (r.rest.kind == PG_ACT_HARDSWISH) {
        r.finish.swish = true;
        r.finish.scale = r.rest.affine ? r.rest.scale : 1;
        r.finish.shift = r.rest.affine ? r.rest.shift : 0;
        r.rest = pg_act_none();
    }
    void *room;
    const uint64_t floats = (uint64_t)r.part_floats * r.n_parts;
    PG_TRY(pg_op_scratch(op, (floats + channels) * sizeof(float), &room));
    r.room = room;
    memset(r.room + floats, 0, channels * sizeof(float));
    r.zeros = r.room + floats;
    pg_parallel_for(r.n_parts, 1, run_parts, &r);
    return NULL;
}
