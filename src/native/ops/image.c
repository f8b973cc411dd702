/* Col2Im and AffineGrid. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/kernel.h"
#include "native/ops/simd.h"

/* ---- Col2Im ---- */

enum { MOST_DIMS = 8 };

typedef struct col2im_job {
    size_t n;                                                     /* image dims */
    int64_t image[MOST_DIMS], block[MOST_DIMS], steps[MOST_DIMS]; /* steps: block positions per dim */
    int64_t strides[MOST_DIMS], dilations[MOST_DIMS], pads[MOST_DIMS];
    int64_t image_size, block_size, n_steps;
    pg_dtype dtype;
    const void *x;
    void *y;
} col2im_job;

/* Image offset of block element `k` at step `s`, or -1 in the padding. */
static int64_t col2im_offset(const col2im_job *job, int64_t k, int64_t s)
{
    int64_t offset = 0, stride = 1;
    for (size_t i = job->n; i-- > 0;) {
        int64_t at =
            s % job->steps[i] * job->strides[i] + k % job->block[i] * job->dilations[i] - job->pads[i];
        if (at < 0 || at >= job->image[i])
            return -1;
        offset += at * stride;
        stride *= job->image[i];
        s /= job->steps[i];
        k /= job->block[i];
    }
    return offset;
}

static void col2im_planes(void *context, size_t begin, size_t end)
{
    const col2im_job *job = context;
    for (size_t plane = begin; plane < end; plane++)
        for (int64_t k = 0; k < job->block_size; k++)
            for (int64_t s = 0; s < job->n_steps; s++) {
                size_t from =
                    ((size_t)plane * (size_t)job->block_size + (size_t)k) * (size_t)job->n_steps + (size_t)s;
                int64_t offset = col2im_offset(job, k, s);
                size_t to = plane * (size_t)job->image_size + (size_t)offset;
                if (offset < 0)
                    continue;
                if (job->dtype == PG_F32)
                    ((float *)job->y)[to] += ((const float *)job->x)[from];
                else
                    ((double *)job->y)[to] += ((const double *)job->x)[from];
            }
}

static pg_status col2im_attr(const pg_op *op, const char *name, size_t n, int64_t missing, int64_t least,
                             int64_t *out)
{
    const int64_t *list;
    size_t count;
    PG_TRY(pg_op_attr_is(op, name, &list, &count));
    if (list != NULL && count != n)
        return pg_op_err(op, PG_ERR_INVALID, "attribute '%s' has %zu elements, expected %zu", name, count, n);
    for (size_t i = 0; i < n; i++) {
        out[i] = list != NULL ? list[i] : missing;
        if (out[i] < least || out[i] > INT32_MAX)
            return pg_op_err(op, PG_ERR_INVALID, "attribute '%s' contains %lld", name, (long long)out[i]);
    }
    return NULL;
}

static pg_status col2im_open(pg_op *op, col2im_job *job)
{
    size_t n_block;
    int64_t pads[2 * MOST_DIMS];
    PG_TRY(pg_op_ints(op, 1, job->image, MOST_DIMS, &job->n));
    PG_TRY(pg_op_ints(op, 2, job->block, MOST_DIMS, &n_block));
    if (n_block != job->n || job->n == 0)
        return pg_op_err(op, PG_ERR_INVALID, "image_shape has %zu dimensions, block_shape %zu", job->n,
                         n_block);
    PG_TRY(col2im_attr(op, "strides", job->n, 1, 1, job->strides));
    PG_TRY(col2im_attr(op, "dilations", job->n, 1, 1, job->dilations));
    PG_TRY(col2im_attr(op, "pads", 2 * job->n, 0, 0, pads));
    job->image_size = job->block_size = job->n_steps = 1;
    for (size_t i = 0; i < job->n; i++) {
        if (job->image[i] < 1 || job->image[i] > INT32_MAX || job->block[i] < 1 || job->block[i] > INT32_MAX)
            return pg_op_err(op, PG_ERR_INVALID, "dimension %zu of the image or the block is out of range",
                             i);
        int64_t span =
            job->image[i] + pads[i] + pads[job->n + i] - job->dilations[i] * (job->block[i] - 1) - 1;
        job->pads[i] = pads[i];
        job->steps[i] = span >= 0 ? span / job->strides[i] + 1 : 0;
        if (__builtin_mul_overflow(job->image_size, job->image[i], &job->image_size) ||
            __builtin_mul_overflow(job->block_size, job->block[i], &job->block_size) ||
            __builtin_mul_overflow(job->n_steps, job->steps[i], &job->n_steps))
            return pg_op_err(op, PG_ERR_LIMIT, "the image's size overflows");
    }
    return NULL;
}

static pg_status run_col2im(pg_op *op)
{
    PG_TRY(pg_op_need(op, 3));
    const pg_tensor *x = pg_op_in(op, 0);
    col2im_job job = {.dtype = x->dtype, .x = x->data};
    int64_t dims[PG_MAX_RANK];
    pg_tensor *y;
    if (x->dtype != PG_F32 && x->dtype != PG_F64)
        return pg_op_bad_type(op, 0);
    PG_TRY(col2im_open(op, &job));
    if (x->rank != 3 || x->dims[1] % job.block_size != 0 || x->dims[2] != job.n_steps)
        return pg_op_err(op, PG_ERR_INVALID, "the input does not have shape (N, C x %lld, %lld)",
                         (long long)job.block_size, (long long)job.n_steps);
    dims[0] = x->dims[0];
    dims[1] = x->dims[1] / job.block_size;
    memcpy(dims + 2, job.image, job.n * sizeof *dims);
    PG_TRY(pg_op_out(op, 0, x->dtype, job.n + 2, dims, &y));
    memset(y->data, 0, pg_tensor_bytes(y));
    job.y = y->data;
    pg_parallel_for((size_t)(dims[0] * dims[1]), 1, col2im_planes, &job);
    return NULL;
}

/* ---- AffineGrid ---- */

static double grid_coordinate(int64_t at, int64_t size, bool align_corners)
{
    if (align_corners)
        return size > 1 ? 2.0 * (double)at / (double)(size - 1) - 1.0 : -1.0;
    return (2.0 * (double)at + 1.0) / (double)size - 1.0;
}

typedef struct grid_job {
    const pg_tensor *theta;
    pg_tensor *grid;
    size_t n; /* space dims */
    bool align_corners;
} grid_job;

static void grid_points(void *context, size_t begin, size_t end)
{
    const grid_job *job = context;
    size_t n = job->n;
    const int64_t *space = job->grid->dims + 1;
    for (size_t point = begin; point < end; point++) {
        double at[4];
        size_t rest = point;
        for (size_t i = n; i-- > 0;
             rest /= (size_t)space[i]) /* x is the last space dim and the first coordinate */
            at[n - 1 - i] = grid_coordinate((int64_t)(rest % (size_t)space[i]), space[i], job->align_corners);
        at[n] = 1;
        for (size_t i = 0; i < n; i++) {
            double sum = 0;
            for (size_t k = 0; k <= n; k++) {
                size_t from = (rest * n + i) * (n + 1) + k;
                double factor = job->theta->dtype == PG_F32 ? (double)((const float *)job->theta->data)[from]
                                                            : ((const double *)job->theta->data)[from];
                sum += factor * at[k];
            }
            if (job->grid->dtype == PG_F32)
                ((float *)job->grid->data)[point * n + i] = (float)sum;
            else
                ((double *)job->grid->data)[point * n + i] = sum;
        }
    }
}

static pg_status run_affine_grid(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *theta = pg_op_in(op, 0);
    int64_t size[5], align_corners, dims[5];
    size_t n_size;
    PG_TRY(pg_op_attr_i(op, "align_corners", 0, &align_corners));
    PG_TRY(pg_op_ints(op, 1, size, 5, &n_size));
    size_t n = n_size - 2;
    if (theta->dtype != PG_F32 && theta->dtype != PG_F64)
        return pg_op_bad_type(op, 0);
    if (n_size < 4 || theta->rank != 3 || theta->dims[0] != size[0] || theta->dims[1] != (int64_t)n ||
        theta->dims[2] != (int64_t)n + 1)
        return pg_op_err(op, PG_ERR_INVALID, "theta does not have shape (N, %zu, %zu)", n, n + 1);
    dims[0] = size[0];
    for (size_t i = 0; i < n; i++)
        dims[1 + i] = size[2 + i];
    dims[n + 1] = (int64_t)n;
    grid_job job = {.theta = theta, .n = n, .align_corners = align_corners != 0};
    PG_TRY(pg_op_out(op, 0, theta->dtype, n + 2, dims, &job.grid));
    pg_parallel_for((size_t)pg_tensor_count(job.grid) / n, PG_GRAIN_COSTLY, grid_points, &job);
    return NULL;
}

enum { HALF = PG_KERNEL_HALF_VIA_F32 };

const pg_kernel pg_kernels_image[] = {
    {"", "AffineGrid", 20, 0, run_affine_grid, NULL, NULL, HALF},
    {"", "Col2Im", 18, 0, run_col2im, NULL, NULL, HALF},
    {0},
};
