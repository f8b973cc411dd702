#include "native/gemm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/threads.h"

/* How the loops are nested: a block of rows of A that fits the second-level cache, in it every panel of B, in
 * it the tiles of the block. A panel streams from cache under a tile's registers; long sums are cut so that a
 * panel stays in the second-level cache. */
enum {
    MOST_DEPTH = 1024,             /* of one pass over k */
    BLOCK_ROWS = 64,               /* multiple of max_rows */
    MIN_WORK = 512 * 1024,         /* multiplications worth a thread */
    MIN_PACKED = 64 * 1024,        /* elements to pack worth a thread */
    MOST_TAPS_PER_BLOCK = 64 * 16, /* pointers kept on the stack per block */
    MOST_NARROW = 8,               /* columns that pg_gemm_is_narrow allows: half of the widest vector */
};

static size_t lanes_of(const pg_simd *simd, pg_dtype dtype)
{
    return dtype == PG_F64 ? simd->lanes_f64 : simd->lanes_f32;
}

/* Bytes of an element of A and B, and how many depth steps lie side by side in packed B. */
static size_t size_of(pg_dtype dtype)
{
    return dtype == PG_F64 ? 8 : dtype == PG_BF16 ? 2 : pg_gemm_is_8bit(dtype) ? 1 : 4;
}
static size_t steps_of(pg_dtype dtype)
{
    return dtype == PG_BF16 ? 2 : pg_gemm_is_8bit(dtype) ? 4 : 1;
}
static size_t rows_of(const pg_simd *simd, pg_dtype dtype)
{
    return pg_gemm_is_8bit(dtype) || dtype == PG_BF16 ? simd->max_rows_i8 : simd->max_rows;
}
/* Rows of packed B. */
static size_t padded_depth(pg_dtype dtype, size_t taps, size_t depth)
{
    const size_t steps = steps_of(dtype);
    return taps * ((depth + steps - 1) / steps * steps);
}

static size_t padded_columns(size_t n, size_t lanes)
{
    return (n + lanes - 1) / lanes * lanes;
}

bool pg_gemm_is_narrow(pg_dtype dtype, size_t n)
{
    return dtype == PG_F32 && n * 2 <= pg_simd_best()->lanes_f32;
}

uint64_t pg_gemm_packed_bytes(pg_dtype dtype, uint64_t k, uint64_t n)
{
    uint64_t lanes = lanes_of(pg_simd_best(), dtype), bytes;
    if (pg_gemm_is_narrow(dtype, n))
        lanes = 1;
    if (pg_add_overflow(n, lanes - 1, &n) || pg_mul_overflow(n / lanes * lanes, k, &bytes) ||
        pg_mul_overflow(bytes, size_of(dtype), &bytes))
        return UINT64_MAX;
    return bytes;
}

uint64_t pg_gemm_taps_bytes(pg_dtype dtype, uint64_t taps, uint64_t depth, uint64_t n)
{
    const uint64_t steps = steps_of(dtype);
    uint64_t k;
    if (pg_add_overflow(depth, steps - 1, &depth) || pg_mul_overflow(depth / steps * steps, taps, &k))
        return UINT64_MAX;
    return pg_gemm_packed_bytes(dtype, k, n);
}

/* Where panel number `index` begins, in columns, and how wide it is. */
typedef struct panel {
    size_t first, width;
} panel;

static size_t panel_count(size_t vectors)
{
    size_t count = 0;
    for (size_t left = vectors; left > 0; left -= pg_panel_vectors(left))
        count++;
    return count;
}

/* All panels but the last few have three vectors, so the place is a product. */
static panel panel_at(size_t index, size_t vectors, size_t lanes)
{
    size_t threes = vectors % 3 == 0   ? vectors / 3
                    : vectors % 3 == 2 ? vectors / 3
                    : vectors >= 4     ? vectors / 3 - 1
                                       : 0;
    if (index < threes)
        return (panel){index * 3 * lanes, 3 * lanes};
    size_t first = threes * 3;
    for (size_t i = threes; i < index; i++)
        first += pg_panel_vectors(vectors - first);
    return (panel){first * lanes, pg_panel_vectors(vectors - first) * lanes};
}

typedef struct pack_job {
    pg_dtype dtype;
    size_t k, n, ldb, lanes, vectors;
    const void *b;
    bool transposed;
    size_t taps, depth; /* transposed: row k = tap * depth + i of B is element i * taps + tap of b's rows */
    double alpha;
    const float *scale; /* per column, beside alpha; NULL for 1 */
    void *packed;
} pack_job;

/* Panels of a matrix that is stored as it is multiplied: rows are copied. */
static void pack_f32(const pack_job *job, panel p)
{
    float *out = (float *)job->packed + p.first * job->k;
    const char *b = (const char *)job->b + p.first * sizeof(float); /* may not be aligned */
    const float alpha = (float)job->alpha;
    const size_t valid = PG_MIN(p.width, job->n - p.first);
    for (size_t k = 0; k < job->k; k++, out += p.width, b += job->ldb * sizeof(float)) {
        memcpy(out, b, valid * sizeof(float));
        for (size_t j = 0; j < valid && alpha != 1; j++)
            out[j] *= alpha;
        for (size_t j = valid; j < p.width; j++)
            out[j] = 0;
    }
}

/* Panels of a matrix that is stored by columns. */
static void turn_f32(const pack_job *job, panel p)
{
    float scale[16] = {0};
    const bool scaled = job->scale != NULL || job->alpha != 1;
    PG_ASSERT(job->lanes <= PG_COUNT(scale));
    for (size_t first = 0; first < p.width; first += job->lanes) {
        const size_t at = p.first + first, columns = PG_MIN(job->lanes, job->n - at);
        for (size_t j = 0; j < columns && scaled; j++)
            scale[j] = (float)job->alpha * (job->scale != NULL ? job->scale[at + j] : 1);
        pg_simd_best()->turn_f32(&(pg_turn){.rows = (const char *)job->b + at * job->ldb * sizeof(float),
                                            .ldb = job->ldb,
                                            .columns = columns,
                                            .taps = job->taps,
                                            .depth = job->depth,
                                            .scale = scaled ? scale : NULL,
                                            .out = (float *)job->packed + p.first * job->k + first,
                                            .ldo = p.width});
    }
}

static void pack_f64(const pack_job *job, panel p)
{
    double *out = (double *)job->packed + p.first * job->k;
    const double *b = job->b;
    const size_t valid = PG_MIN(p.width, job->n - p.first);
    for (size_t j = 0; j < p.width; j++)
        for (size_t k = 0; k < job->k; k++) {
            const size_t row = k % job->depth * job->taps + k / job->depth;
            out[k * p.width + j] = j >= valid        ? 0
                                   : job->transposed ? job->alpha * b[(p.first + j) * job->ldb + row]
                                                     : job->alpha * b[k * job->ldb + p.first + j];
        }
}

static void pack_range(void *context, size_t begin, size_t end)
{
    const pack_job *job = context;
    for (size_t i = begin; i < end; i++) {
        panel p = panel_at(i, job->vectors, job->lanes);
        (job->dtype == PG_F64 ? pack_f64 : job->transposed ? turn_f32 : pack_f32)(job, p);
    }
}

/* An element of a matrix that may not be aligned. */
static float number_at(const void *b, size_t i)
{
    float x;
    memcpy(&x, (const char *)b + i * sizeof x, sizeof x);
    return x;
}

/* Few columns are stored as rows. */
static void pack_narrow(const pack_job *job)
{
    for (size_t j = 0; j < job->n; j++) {
        float *out = (float *)job->packed + j * job->k;
        const float scale = (float)job->alpha * (job->scale != NULL ? job->scale[j] : 1);
        for (size_t i = 0; i < job->k && !job->transposed; i++)
            out[i] = scale * number_at(job->b, i * job->ldb + j);
        for (size_t i = 0; i < job->depth && job->transposed; i++)
            for (size_t t = 0; t < job->taps; t++)
                out[t * job->depth + i] = scale * number_at(job->b, j * job->ldb + i * job->taps + t);
    }
}

static void pack(pack_job *job)
{
    if (job->dtype == PG_BF16) {
        const bool across = job->transposed;
        const pg_small_matrix b = {PG_F32,
                                   job->b,
                                   job->taps,
                                   job->depth,
                                   job->n,
                                   across ? job->ldb : 1,
                                   across ? job->taps : job->ldb,
                                   1};
        pg_gemm_pack_bf16(&b, job->alpha, job->packed);
        return;
    }
    if (pg_gemm_is_narrow(job->dtype, job->n)) {
        pack_narrow(job);
        return;
    }
    job->lanes = lanes_of(pg_simd_best(), job->dtype);
    job->vectors = padded_columns(job->n, job->lanes) / job->lanes;
    size_t grain = MIN_PACKED / (job->k * 3 * job->lanes + 1) + 1;
    pg_parallel_for(panel_count(job->vectors), grain, pack_range, job);
}

void pg_gemm_pack(pg_dtype dtype, size_t k, size_t n, const void *b, size_t ldb, bool transposed,
                  double alpha, void *packed)
{
    pack(&(pack_job){.dtype = dtype,
                     .k = k,
                     .n = n,
                     .ldb = ldb,
                     .b = b,
                     .transposed = transposed,
                     .taps = 1,
                     .depth = k,
                     .alpha = alpha,
                     .packed = packed});
}

void pg_gemm_pack_taps(pg_dtype dtype, size_t taps, size_t depth, size_t n, const void *b, const float *scale,
                       void *packed)
{
    pack(&(pack_job){.dtype = dtype,
                     .k = taps * depth,
                     .n = n,
                     .ldb = taps * depth,
                     .b = b,
                     .transposed = true,
                     .taps = taps,
                     .depth = depth,
                     .alpha = 1,
                     .scale = scale,
                     .packed = packed});
}

pg_act pg_act_split(pg_act act, double *lo, double *hi)
{
    *lo = -(double)INFINITY;
    *hi = (double)INFINITY;
    if (act.affine)
        return act;
    if (act.kind == PG_ACT_RELU)
        *lo = 0;
    else if (act.kind == PG_ACT_CLIP) {
        *lo = (double)act.alpha;
        *hi = (double)act.beta;
    } else {
        return act;
    }
    return pg_act_none();
}

static double plain_act_f64(pg_act act, double x)
{
    const double a = (double)act.alpha, b = (double)act.beta;
    switch (act.kind) {
    case PG_ACT_RELU:
        return x < 0 ? 0 : x;
    case PG_ACT_CLIP:
        return x < a ? a : x > b ? b : x;
    case PG_ACT_LEAKY:
        return x < 0 ? a * x : x;
    case PG_ACT_HARDSIGMOID:
        x = a * x + b;
        return x < 0 ? 0 : x > 1 ? 1 : x;
    case PG_ACT_HARDSWISH:
        return x * (x < -3 ? 0 : x > 3 ? 1 : x / 6 + 0.5);
    case PG_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case PG_ACT_SILU:
        return x / (1 + exp(-a * x));
    case PG_ACT_TANH:
        return tanh(x);
    case PG_ACT_GELU:
        return 0.5 * x * (1 + erf(x * M_SQRT1_2));
    case PG_ACT_MISH:
        return x * tanh(log1p(exp(x < 700 ? x : 700)));
    case PG_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    default:
        return x;
    }
}

static double act_f64(pg_act act, double x, size_t column)
{
    if (act.kind == PG_ACT_PRELU)
        x = x < 0 ? x * ((const double *)act.slopes)[column] : x;
    else
        x = plain_act_f64(act, x);
    return act.affine ? x * (double)act.scale + (double)act.shift : x;
}

void pg_act_apply(pg_dtype dtype, pg_act act, const void *x, void *y, size_t count)
{
    if (dtype == PG_F32) {
        pg_simd_best()->act_f32(&act, x, y, count);
        return;
    }
    const double *from = x;
    double *to = y;
    for (size_t i = 0; i < count; i++)
        to[i] = act_f64(act, from[i], i);
}

typedef struct rows_job {
    const pg_gemm_rows *g;
    const pg_simd *simd;
    size_t lanes, vectors, panels;
    size_t size, sum_size, out_size; /* of an element of B, of a sum (as bias and slopes) and of C */
    pg_dtype out;
    size_t block_rows, panel_groups, panels_per_group;
    size_t k_offset, k_total; /* which rows of packed B, of how many */
    const void *slopes;
    double lo, hi;
    bool swish;
    double scale, shift;
    pg_act rest;
} rows_job;

static void after_tile(const rows_job *job, const pg_tile *tile)
{
    for (size_t r = 0; r < tile->mr; r++) {
        char *row = (char *)tile->c + r * tile->ldc * job->sum_size;
        pg_act_apply(job->out, job->rest, row, row, tile->cols);
    }
}

static const void *at(const void *base, size_t elements, size_t size)
{
    return base != NULL ? (const char *)base + elements * size : NULL;
}

typedef void (*tile_function)(const pg_tile *tile);
static tile_function tile_of(const pg_simd *simd, pg_dtype dtype)
{
    return dtype == PG_F64          ? simd->tile_f64
           : dtype == PG_BF16       ? simd->tile_bf16
           : pg_gemm_is_8bit(dtype) ? simd->tile_i8
                                    : simd->tile_f32;
}

/* Sums of rows of 8-bit A, for the zero points of B. */
static void sum_rows(const pg_gemm_rows *g, const void *const *rows, size_t count, int32_t *sums)
{
    const uint8_t flip = (uint8_t)g->i8->flip;
    for (size_t r = 0; r < count; r++) {
        uint32_t sum = 0;
        for (size_t t = 0; t < g->taps; t++) {
            const uint8_t *row = rows[t * count + r];
            for (size_t k = 0; k < g->depth; k++)
                sum += (uint8_t)(row[k] ^ flip);
        }
        sums[r] = (int32_t)sum;
    }
}

/* A tile whose results, and addend, have a half type: by way of float32. What is
 * written, and the next tile's addend if there is one, come into the cache while the tile is computed. */
static void run_half_tile(const rows_job *job, tile_function run_tile, pg_tile *tile, const void *next_add)
{
    enum { WIDTH = PG_TILE_MAX_VECTORS * 16, LINE = 32 };
    _Alignas(64) float results[PG_TILE_MAX_ROWS * WIDTH], addend[PG_TILE_MAX_ROWS * WIDTH];
    const pg_dtype half = job->g->half;
    uint16_t *c = tile->c;
    if (tile->add != NULL) {
        job->simd->widen_rows(half, tile->add, tile->ld_add, addend, WIDTH, tile->mr, tile->cols);
        tile->add = addend;
        tile->ld_add = WIDTH;
    }
    tile->c = results;
    tile->ldc = WIDTH;
    for (size_t r = 0; r < tile->mr; r++)
        for (size_t j = 0; j < tile->cols; j += LINE) {
            __builtin_prefetch(c + r * job->g->ldc + j, 1);
            if (next_add != NULL)
                __builtin_prefetch((const uint16_t *)next_add + r * job->g->ld_add + j);
        }
    run_tile(tile);
    if (pg_act_is_set(job->rest))
        after_tile(job, tile);
    job->simd->round_rows(half, results, WIDTH, c, job->g->ldc, tile->mr, tile->cols);
    tile->ldc = job->g->ldc;
    tile->ld_add = job->g->ld_add;
}

/* The results [first, last) of one block, panels [panel_begin, panel_end). */
static void run_block(const rows_job *job, size_t first, size_t last, size_t panel_begin, size_t panel_end)
{
    const pg_gemm_rows *g = job->g;
    const size_t max_rows = rows_of(job->simd, g->dtype);
    const void *rows[PG_MAX((int)MOST_TAPS_PER_BLOCK, PG_GEMM_MAX_TAPS * PG_TILE_MAX_ROWS)];
    int32_t sums[4 * BLOCK_ROWS + PG_TILE_MAX_ROWS];
    const bool need_sums = g->i8 != NULL && g->i8->zeros != NULL;
    for (size_t r = first, at_row = 0; r < last; r += max_rows, at_row += max_rows * g->taps) {
        const size_t count = PG_MIN(max_rows, last - r);
        g->fill(g->context, r, count, rows + at_row);
        if (need_sums)
            sum_rows(g, rows + at_row, count, sums + (r - first));
    }
    const tile_function run_tile = tile_of(job->simd, g->dtype);
    for (size_t p = panel_begin; p < panel_end; p++) {
        panel area = panel_at(p, job->vectors, job->lanes);
        pg_tile tile = {
            .taps = g->taps,
            .depth = g->depth,
            .b = at(g->b, area.first * job->k_total + job->k_offset * area.width, job->size),
            .ldb = area.width,
            .ldc = g->ldc,
            .cols = PG_MIN(area.width, g->n - area.first),
            .bias = at(g->bias, area.first, job->sum_size),
            .i8 = g->i8,
            .first_column = area.first,
            .ld_add = g->ld_add,
            .slopes = at(job->slopes, area.first, job->sum_size),
            .lo = job->lo,
            .hi = job->hi,
            .swish = job->swish,
            .scale = job->scale,
            .shift = job->shift,
        };
        for (size_t r = first, at_row = 0; r < last; r += max_rows, at_row += max_rows * g->taps) {
            tile.rows = rows + at_row;
            tile.mr = PG_MIN(max_rows, last - r);
            tile.c = (char *)g->c + (r * g->ldc + area.first) * job->out_size;
            tile.add = at(g->add, r * g->ld_add + area.first, job->out_size);
            tile.row_sums = sums + (r - first);
            if (g->half != PG_UNDEFINED) {
                const size_t next = r + 2 * max_rows <= last ? max_rows : 0;
                run_half_tile(job, run_tile, &tile, next > 0 ? at(tile.add, next * g->ld_add, 2) : NULL);
                continue;
            }
            for (size_t i = 0; i < tile.mr && g->i8 == NULL;
                 i++) /* what is written comes while it is computed */
                for (size_t j = 0; j < tile.cols * job->out_size; j += 64)
                    __builtin_prefetch((char *)tile.c + i * g->ldc * job->out_size + j, 1);
            run_tile(&tile);
            if (pg_act_is_set(job->rest))
                after_tile(job, &tile);
        }
    }
}

/* True when rows lie together, so that one call does several. */
static bool acts_on_blocks(const pg_gemm_rows *g)
{
    return g->ldc == g->n && g->act.kind != PG_ACT_PRELU && g->half == PG_UNDEFINED;
}

/* Bias, addend and activation of one row of few results. */
static void finish_narrow_row(const rows_job *job, size_t row, float *sums)
{
    const pg_gemm_rows *g = job->g;
    const float *bias = g->bias;
    float addend[MOST_NARROW], *y = g->half != PG_UNDEFINED ? sums : (float *)g->c + row * g->ldc;
    const float *add = g->add != NULL ? addend : NULL;
    if (add != NULL && g->half != PG_UNDEFINED)
        job->simd->widen_rows(g->half, (const uint16_t *)g->add + row * g->ld_add, 0, addend, 0, 1, g->n);
    else if (add != NULL)
        add = (const float *)g->add + row * g->ld_add;
    for (size_t j = 0; j < g->n; j++)
        y[j] = sums[j] + (bias != NULL ? bias[j] : 0) + (add != NULL ? add[j] : 0);
    if (pg_act_is_set(g->act) && !acts_on_blocks(g))
        pg_act_apply(PG_F32, g->act, y, y, g->n);
    if (g->half != PG_UNDEFINED)
        job->simd->round_rows(g->half, y, 0, (uint16_t *)g->c + row * g->ldc, 0, 1, g->n);
}

/* The same for few columns. */
static void run_narrow_block(const rows_job *job, size_t first, size_t last)
{
    const pg_gemm_rows *g = job->g;
    const size_t max_rows = job->simd->max_rows;
    const void *rows[PG_GEMM_MAX_TAPS * PG_TILE_MAX_ROWS];
    for (size_t r = first; r < last; r += max_rows) {
        pg_dots dots = {.taps = g->taps, .depth = g->depth, .m = PG_MIN(max_rows, last - r), .n = g->n};
        float sums[PG_TILE_MAX_ROWS * MOST_NARROW];
        g->fill(g->context, r, dots.m, rows);
        dots.rows = (const float *const *)rows;
        dots.b = (const float *)g->b + job->k_offset;
        dots.ldb = job->k_total;
        dots.c = sums;
        dots.ldc = g->n;
        job->simd->dots_f32(&dots);
        for (size_t i = 0; i < dots.m; i++)
            finish_narrow_row(job, r + i, sums + i * g->n);
        float *block = (float *)g->c + r * g->ldc;
        if (pg_act_is_set(g->act) && acts_on_blocks(g))
            pg_act_apply(PG_F32, g->act, block, block, dots.m * g->n);
    }
}

static void run_narrow_blocks(void *context, size_t begin, size_t end)
{
    const rows_job *job = context;
    for (size_t i = begin; i < end; i++)
        run_narrow_block(job, i * BLOCK_ROWS, PG_MIN((i + 1) * BLOCK_ROWS, job->g->m));
}

static void run_blocks(void *context, size_t begin, size_t end)
{
    const rows_job *job = context;
    for (size_t i = begin; i < end; i++) {
        size_t first = i / job->panel_groups * job->block_rows;
        size_t panel_begin = i % job->panel_groups * job->panels_per_group;
        run_block(job, first, PG_MIN(first + job->block_rows, job->g->m), panel_begin,
                  PG_MIN(panel_begin + job->panels_per_group, job->panels));
    }
}

/* Rows per block: pointers on the stack bound it, and the block should fit the cache. Columns are split among
 * threads only when there are too few blocks of rows. */
static void choose_blocks(rows_job *job)
{
    const pg_gemm_rows *g = job->g;
    const size_t max_rows = rows_of(job->simd, g->dtype), threads = pg_threads();
    size_t rows = MOST_TAPS_PER_BLOCK / g->taps / max_rows * max_rows;
    rows = PG_MAX(max_rows, PG_MIN(rows, (size_t)BLOCK_ROWS * 4));
    const size_t cache_rows = 256 * 1024 / (g->taps * g->depth * job->size + 1) / max_rows * max_rows;
    rows = PG_MIN(rows, PG_MAX((size_t)BLOCK_ROWS / 2, cache_rows));
    rows = PG_MAX(rows, max_rows);
    if (threads > 1) {
        size_t share = (g->m + threads * 4 - 1) / (threads * 4);
        share = (share + max_rows - 1) / max_rows * max_rows;
        rows = PG_MIN(rows, PG_MAX(share, max_rows));
    }
    job->block_rows = rows;
    size_t blocks = (g->m + rows - 1) / rows;
    job->panel_groups = 1;
    if (threads > 1 && blocks < threads * 2)
        job->panel_groups = PG_MIN(job->panels, (threads * 2 + blocks - 1) / blocks);
    job->panels_per_group = (job->panels + job->panel_groups - 1) / job->panel_groups;
    job->panel_groups = (job->panels + job->panels_per_group - 1) / job->panels_per_group;
}

/* A product over nothing: bias and addend alone. */
static void fill_without_product(const pg_gemm_rows *g, size_t size)
{
    for (size_t r = 0; r < g->m; r++) {
        char *c = (char *)g->c + r * g->ldc * size;
        for (size_t j = 0; j < g->n; j++) {
            double x = 0;
            if (g->bias != NULL)
                x += size == 8 ? ((const double *)g->bias)[j] : (double)((const float *)g->bias)[j];
            if (g->add != NULL)
                x += size == 8 ? ((const double *)g->add)[r * g->ld_add + j]
                               : (double)((const float *)g->add)[r * g->ld_add + j];
            if (size == 8)
                ((double *)c)[j] = x;
            else
                ((float *)c)[j] = (float)x;
        }
        pg_act_apply(size == 8 ? PG_F64 : PG_F32, g->act, c, c, g->n);
    }
}

/* The same with results, and an addend, of a half type. */
static void fill_halves(const pg_gemm_rows *g)
{
    float *row = pg_calloc(2 * g->n, sizeof *row), *add = row + g->n;
    for (size_t r = 0; r < g->m; r++) {
        if (g->add != NULL)
            pg_simd_best()->widen_rows(g->half, (const uint16_t *)g->add + r * g->ld_add, 0, add, 0, 1, g->n);
        const pg_gemm_rows wide = {
            .m = 1, .n = g->n, .c = row, .bias = g->bias, .add = g->add != NULL ? add : NULL, .act = g->act};
        fill_without_product(&wide, sizeof *row);
        pg_simd_best()->round_rows(g->half, row, 0, (uint16_t *)g->c + r * g->ldc, 0, 1, g->n);
    }
    free(row);
}

static void run_part(const pg_gemm_rows *g, size_t k_offset, size_t k_total)
{
    const size_t size = size_of(g->dtype), sum_size = size == 8 ? 8 : 4;
    const size_t out_size = g->i8 != NULL             ? pg_gemm_i8_size(g->i8->dtype)
                            : g->half != PG_UNDEFINED ? 2
                                                      : sum_size;
    if (g->m == 0 || g->n == 0)
        return;
    if ((g->taps == 0 || g->depth == 0) && g->i8 == NULL) {
        if (g->half != PG_UNDEFINED)
            fill_halves(g);
        else
            fill_without_product(g, out_size);
        return;
    }
    if (g->taps > PG_GEMM_MAX_TAPS)
        PG_BUG("%zu kernel positions in one product", g->taps);
    const pg_simd *simd = pg_simd_best();
    const size_t lanes = lanes_of(simd, g->dtype);
    rows_job job = {
        .g = g, .simd = simd, .lanes = lanes, .size = size, .sum_size = sum_size, .out_size = out_size};
    job.out = g->i8 != NULL ? g->i8->dtype : g->dtype == PG_BF16 ? PG_F32 : g->dtype;
    job.k_offset = k_offset;
    job.k_total = k_total;
    if (pg_gemm_is_narrow(g->dtype, g->n)) {
        const size_t block = BLOCK_ROWS * g->taps * g->depth * g->n;
        pg_parallel_for((g->m + BLOCK_ROWS - 1) / BLOCK_ROWS, MIN_WORK / (block + 1) + 1, run_narrow_blocks,
                        &job);
        return;
    }
    job.vectors = padded_columns(g->n, lanes) / lanes;
    job.panels = panel_count(job.vectors);
    job.rest = pg_act_split(g->act, &job.lo, &job.hi);
    job.swish = job.rest.kind == PG_ACT_HARDSWISH && g->i8 == NULL;
    if (job.swish) {
        job.scale = job.rest.affine ? (double)job.rest.scale : 1;
        job.shift = job.rest.affine ? (double)job.rest.shift : 0;
        job.rest = pg_act_none();
    }
    if (job.rest.kind == PG_ACT_PRELU) {
        job.slopes = job.rest.slopes;
        job.rest.kind = PG_ACT_NONE; /* a scaling stays */
    }
    choose_blocks(&job);
    size_t work = job.block_rows * g->taps * g->depth * job.panels_per_group * 3 * lanes;
    size_t items = (g->m + job.block_rows - 1) / job.block_rows * job.panel_groups;
    pg_parallel_for(items, MIN_WORK / (work + 1) + 1, run_blocks, &job);
}

void pg_gemm_rows_run(const pg_gemm_rows *g)
{
    run_part(g, 0, padded_depth(g->dtype, g->taps, g->depth));
}

typedef struct plain_rows {
    const char *a;
    size_t stride; /* bytes */
} plain_rows;

static void fill_plain(const void *context, size_t first, size_t count, const void **rows)
{
    const plain_rows *plain = context;
    for (size_t i = 0; i < count; i++)
        rows[i] = plain->a + (first + i) * plain->stride;
}

void pg_gemm_run(const pg_gemm *g)
{
    const size_t size = size_of(g->dtype), steps = steps_of(g->dtype);
    plain_rows plain = {g->a, g->lda * size};
    pg_gemm_rows rows = {g->dtype, g->m,   g->n,    1,      g->k,      fill_plain, &plain, g->b,
                         g->c,     g->ldc, g->bias, g->add, g->ld_add, g->act,     g->i8,  g->half};
    const size_t total = padded_depth(g->dtype, 1, g->k);
    const size_t parts =
        g->m == 1 || g->i8 != NULL || g->half != PG_UNDEFINED ? 1 : (g->k + MOST_DEPTH / 2) / MOST_DEPTH;
    if (parts <= 1) {
        run_part(&rows, 0, total);
        return;
    }
    const size_t step = ((g->k + parts - 1) / parts + steps - 1) / steps * steps;
    for (size_t k = 0; k < g->k; k += step) {
        const bool first = k == 0, last = k + step >= g->k;
        plain.a = (const char *)g->a + k * size;
        rows.depth = PG_MIN(step, g->k - k);
        rows.bias = first ? g->bias : NULL;
        rows.add = first ? g->add : g->c;
        rows.ld_add = first ? g->ld_add : g->ldc;
        rows.act = last ? g->act : pg_act_none();
        run_part(&rows, k, total);
    }
}
