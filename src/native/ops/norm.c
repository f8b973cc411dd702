/* BatchNormalization and the operators that normalise groups of elements by their own mean and variance. */
#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/internal.h"
#include "native/ops/exact.h"
#include "native/ops/nn.h"

/* Mean and population variance of n neighbouring elements. */
static void row_stats(pg_dtype dtype, const void *row, size_t n, double *mean, double *variance)
{
    if (dtype == PG_F32) {
        const pg_simd *simd = pg_simd_best();
        const float m = simd->sum_f32(row, n) / (float)n;
        *mean = (double)m;
        *variance = (double)(simd->sum_squares_f32(row, m, n) / (float)n);
        return;
    }
    *mean = exact_total(row, n) / (double)n;
    *variance = exact_squares(row, *mean, n) / (double)n;
}

/* y = (x - mean) * inverse * scale[i] + shift[i] */
static void row_apply(pg_dtype dtype, const void *row, size_t n, double mean, double inverse,
                      const void *scale, const void *shift, void *out)
{
    if (dtype == PG_F32) {
        pg_simd_best()->normalize_f32(row, (float)mean, (float)inverse, scale, shift, out, n);
        return;
    }
    const double *x = row, *s = scale, *b = shift;
    double *y = out;
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * inverse * (s != NULL ? s[i] : 1) + (b != NULL ? b[i] : 0);
}

static pg_status positive_epsilon(const pg_op *op, double *out)
{
    float epsilon;
    PG_TRY(pg_op_attr_f(op, "epsilon", 1e-5f, &epsilon));
    *out = (double)epsilon;
    return NULL;
}

static pg_status check_vector(const pg_op *op, size_t i, size_t count)
{
    const pg_tensor *t = pg_op_in(op, i);
    if (t->dtype != pg_op_in(op, 0)->dtype)
        return pg_op_bad_type(op, i);
    if (pg_tensor_count(t) != count)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu has %llu elements, expected %zu", i,
                         (unsigned long long)pg_tensor_count(t), count);
    return NULL;
}

/* ---- Scaling of channels ---- */

typedef struct affine_job {
    pg_dtype dtype;
    bool channels_last;
    size_t channels, area;
    const void *x;
    void *y;
    const void *scale, *shift; /* per channel, of dtype */
} affine_job;

/* Items: pixels in channels-last, planes in row-major. */
static void affine_range(void *context, size_t begin, size_t end)
{
    const affine_job *job = context;
    const size_t size = nn_float_size(job->dtype), c = job->channels;
    const pg_simd *simd = pg_simd_best();
    for (size_t i = begin; i < end; i++) {
        const size_t n = job->channels_last ? c : job->area, at = i * n * size;
        const void *x = (const char *)job->x + at;
        void *y = (char *)job->y + at;
        if (job->channels_last && job->dtype == PG_F32) {
            simd->affine_f32(x, job->scale, job->shift, y, n, -INFINITY, INFINITY);
        } else if (job->channels_last) {
            for (size_t j = 0; j < n; j++)
                ((double *)y)[j] = ((const double *)x)[j] * ((const double *)job->scale)[j] +
                                   ((const double *)job->shift)[j];
        } else {
            const double scale = nn_get(job->dtype, job->scale, i % c),
                         shift = nn_get(job->dtype, job->shift, i % c);
            if (job->dtype == PG_F64)
                for (size_t j = 0; j < n; j++)
                    ((double *)y)[j] = ((const double *)x)[j] * scale + shift;
            else
                for (size_t j = 0; j < n; j++)
                    ((float *)y)[j] = ((const float *)x)[j] * (float)scale + (float)shift;
        }
    }
}

static void scale_channels(const pg_tensor *x, size_t channels, size_t area, const void *scale,
                           const void *shift, void *y)
{
    affine_job job = {x->dtype, x->layout == PG_CHANNELS_LAST, channels, area, x->data, y, scale, shift};
    const size_t batch = channels * area > 0 ? (size_t)(pg_tensor_count(x) / (channels * area)) : 0;
    const size_t items = batch * (job.channels_last ? area : channels);
    const size_t row = job.channels_last ? channels : area;
    pg_parallel_for(items, 32768 / (row + 1) + 1, affine_range, &job);
}

/* ---- BatchNormalization ---- */

/* Mean and variance of each channel of a row-major tensor. */
static void channel_stats(const pg_tensor *x, size_t channels, size_t area, double *mean, double *variance)
{
    const size_t batch = (size_t)x->dims[0], n = batch * area;
    for (size_t c = 0; c < channels; c++) {
        double sum = 0, squares = 0;
        for (size_t b = 0; b < batch; b++)
            for (size_t i = 0; i < area; i++)
                sum += nn_get(x->dtype, x->data, (b * channels + c) * area + i);
        mean[c] = sum / (double)n;
        for (size_t b = 0; b < batch; b++)
            for (size_t i = 0; i < area; i++) {
                const double d = nn_get(x->dtype, x->data, (b * channels + c) * area + i) - mean[c];
                squares += d * d;
            }
        variance[c] = squares / (double)n;
    }
}

/* Training: outputs 1 and 2 are the running statistics, 3 and 4 (older versions) those of this batch. */
static pg_status batch_statistics(pg_op *op, size_t channels, size_t area, double *mean, double *variance)
{
    const pg_tensor *x, *stats_in[2] = {pg_op_in(op, 3), pg_op_in(op, 4)};
    float momentum;
    PG_TRY(pg_op_attr_f(op, "momentum", 0.9f, &momentum));
    PG_TRY(nn_layout(op, 0, PG_ROW_MAJOR, &x));
    channel_stats(x, channels, area, mean, variance);
    const int64_t dims = (int64_t)channels;
    for (size_t i = 1; i < PG_MIN(op->n_out, (size_t)5); i++) {
        const double *fresh = i % 2 == 1 ? mean : variance;
        const pg_tensor *old = stats_in[(i - 1) % 2];
        pg_tensor *out;
        PG_TRY(pg_op_out(op, i, old->dtype, 1, &dims, &out));
        for (size_t c = 0; c < channels; c++) {
            const double running =
                nn_get(old->dtype, old->data, c) * (double)momentum + fresh[c] * (1 - (double)momentum);
            nn_put(old->dtype, out->data, c, i < 3 ? running : fresh[c]);
        }
    }
    return NULL;
}

static pg_status run_batch_norm(pg_op *op)
{
    PG_TRY(pg_op_need(op, 5));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t training, spatial;
    double epsilon;
    PG_TRY(positive_epsilon(op, &epsilon));
    PG_TRY(pg_op_attr_i(op, "training_mode", 0, &training));
    PG_TRY(pg_op_attr_i(op, "spatial", 1, &spatial));
    if (spatial == 0 && op->opset < 9 && x->rank > 2)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "statistics per element (spatial = 0)");
    if (!nn_is_float(x->dtype))
        return pg_op_bad_type(op, 0);
    const size_t channels = x->rank > 1 ? (size_t)x->dims[1] : 1;
    size_t area = 1;
    for (size_t i = 2; i < x->rank; i++)
        area *= (size_t)x->dims[i];
    for (size_t i = 1; i < 5; i++) {
        if (!nn_is_float(pg_op_in(op, i)->dtype))
            return pg_op_bad_type(op, i);
        if (pg_tensor_count(pg_op_in(op, i)) != channels)
            return pg_op_err(op, PG_ERR_INVALID, "input %zu does not have %zu elements", i, channels);
    }
    void *memory;
    PG_TRY(pg_op_scratch(op, (uint64_t)channels * 4 * sizeof(double) + 64, &memory));
    double *mean = memory, *variance = mean + channels;
    void *scale = variance + channels, *shift = variance + 2 * channels;
    if (training != 0 || (op->opset < 14 && op->n_out > 1)) {
        PG_TRY(batch_statistics(op, channels, area, mean, variance));
        x = pg_op_in(op, 0);
    } else {
        for (size_t c = 0; c < channels; c++) {
            mean[c] = nn_get(pg_op_in(op, 3)->dtype, pg_op_in(op, 3)->data, c);
            variance[c] = nn_get(pg_op_in(op, 4)->dtype, pg_op_in(op, 4)->data, c);
        }
    }
    for (size_t c = 0; c < channels; c++) {
        const double s =
            nn_get(pg_op_in(op, 1)->dtype, pg_op_in(op, 1)->data, c) / sqrt(variance[c] + epsilon);
        nn_put(x->dtype, scale, c, s);
        nn_put(x->dtype, shift, c, nn_get(pg_op_in(op, 2)->dtype, pg_op_in(op, 2)->data, c) - mean[c] * s);
    }
    pg_tensor *y;
    PG_TRY(pg_op_out_like(op, 0, 0, &y));
    scale_channels(x, channels, area, scale, shift, y->data);
    return NULL;
}

/* ---- Rows of one mean and variance ---- */

typedef struct rows_job {
    pg_dtype dtype;
    size_t n; /* elements per row */
    double epsilon;
    bool rms; /* no mean */
    const char *x;
    char *y;
    const char *scale, *shift; /* n elements each, or NULL */
    double *mean, *inverse;    /* per row, or NULL */
} rows_job;

static void normalize_rows(void *context, size_t begin, size_t end)
{
    const rows_job *job = context;
    const size_t bytes = job->n * nn_float_size(job->dtype);
    for (size_t r = begin; r < end; r++) {
        const char *x = job->x + r * bytes;
        double mean = 0, variance;
        row_stats(job->dtype, x, job->n, &mean, &variance);
        if (job->rms) {
            double squares = 0;
            if (job->dtype == PG_F32)
                squares = (double)pg_simd_best()->sum_squares_f32((const float *)x, 0, job->n);
            else
                squares = exact_squares((const double *)x, 0, job->n);
            variance = squares / (double)job->n;
            mean = 0;
        }
        const double inverse = 1 / sqrt(variance + job->epsilon);
        row_apply(job->dtype, x, job->n, mean, inverse, job->scale, job->shift, job->y + r * bytes);
        if (job->mean != NULL) {
            job->mean[r] = mean;
            job->inverse[r] = inverse;
        }
    }
}

/* Input i broadcast to the last dims of x from `axis` on; NULL when it is omitted. */
static pg_status spread_over_row(pg_op *op, size_t i, size_t axis, size_t n, const char **out)
{
    const pg_tensor *t = pg_op_in(op, i), *x = pg_op_in(op, 0);
    *out = NULL;
    if (t == NULL)
        return NULL;
    if (t->dtype != x->dtype)
        return pg_op_bad_type(op, i);
    const size_t row_rank = x->rank - axis;
    size_t lead = 0;
    while (lead + row_rank < t->rank && t->dims[lead] == 1)
        lead++;
    const size_t rank = t->rank - lead;
    const int64_t *dims = t->dims + lead;
    bool same = rank == row_rank;
    for (size_t d = 0; d < rank; d++) {
        const int64_t want = rank <= row_rank ? x->dims[x->rank - rank + d] : -1;
        if (dims[d] != want && dims[d] != 1)
            return pg_op_err(op, PG_ERR_INVALID, "input %zu does not broadcast to the normalised dimensions",
                             i);
        same = same && dims[d] == want;
    }
    *out = t->data;
    if (same)
        return NULL;
    void *memory;
    const size_t size = nn_float_size(t->dtype);
    PG_TRY(pg_op_scratch(op, (uint64_t)n * size + 1, &memory));
    for (size_t e = 0; e < n; e++) {
        size_t rest = e, from = 0, step = 1;
        for (size_t d = rank; d-- > 0;) {
            const size_t extent = (size_t)x->dims[x->rank - rank + d];
            from += dims[d] == 1 ? 0 : rest % extent * step;
            rest /= extent;
            step *= (size_t)dims[d];
        }
        memcpy((char *)memory + e * size, (const char *)t->data + from * size, size);
    }
    *out = memory;
    return NULL;
}

/* The scale may be missing in the engine's own form. */
static pg_status run_rows(pg_op *op, bool rms)
{
    PG_TRY(pg_op_need(op, pg_str_is(op->node->domain, "pg") ? 1 : 2));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t axis_attr;
    size_t axis, rows = 1, n = 1;
    if (!nn_is_float(x->dtype))
        return pg_op_bad_type(op, 0);
    PG_TRY(pg_op_attr_i(op, "axis", -1, &axis_attr));
    PG_TRY(pg_op_axis(op, axis_attr, x->rank, &axis));
    int64_t stat_dims[PG_MAX_RANK];
    for (size_t i = 0; i < x->rank; i++) {
        *(i < axis ? &rows : &n) *= (size_t)x->dims[i];
        stat_dims[i] = i < axis ? x->dims[i] : 1;
    }
    rows_job job = {.dtype = x->dtype, .n = n, .rms = rms, .x = x->data};
    PG_TRY(positive_epsilon(op, &job.epsilon));
    PG_TRY(spread_over_row(op, 1, axis, n, &job.scale));
    PG_TRY(spread_over_row(op, 2, axis, n, &job.shift));
    nn_result mean = {0}, inverse = {0};
    if (op->n_out > 1) {
        int64_t stash;
        PG_TRY(pg_op_attr_i(op, "stash_type", PG_F32, &stash));
        const bool narrow = stash == PG_F32 && !op->session->options.float64;
        const pg_dtype type = narrow ? PG_F32 : x->dtype;
        op->f32_outputs = narrow ? 6 : 0; /* the statistics */
        PG_TRY(nn_f64_out(op, 1, type, x->rank, stat_dims, &mean));
        PG_TRY(nn_f64_out(op, 2, type, x->rank, stat_dims, &inverse));
        job.mean = mean.values;
        job.inverse = inverse.values;
    }
    pg_tensor *y;
    PG_TRY(pg_op_out_like(op, 0, 0, &y));
    job.y = y->data;
    pg_parallel_for(rows, 16384 / (n + 1) + 1, normalize_rows, &job);
    if (job.mean != NULL) {
        nn_f64_done(&mean);
        nn_f64_done(&inverse);
    }
    return NULL;
}

static pg_status run_layer_norm(pg_op *op)
{
    return run_rows(op, false);
}
static pg_status run_rms_norm(pg_op *op)
{
    return run_rows(op, true);
}

/* ---- Groups of channels ---- */

/* Rows are the groups of each image; scale and shift are per channel (or per group in version 18). */
static pg_status normalize_groups(pg_op *op, size_t groups, bool per_group)
{
    PG_TRY(nn_need_floats(op, 3));
    const pg_tensor *x = pg_op_in(op, 0);
    if (x->rank < 2)
        return pg_op_err(op, PG_ERR_INVALID, "the input has rank %d, expected at least 2", x->rank);
    const size_t channels = (size_t)x->dims[1];
    if (groups == 0 ? channels != 0 : channels % groups != 0)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'num_groups': %zu groups do not divide %zu channels",
                         groups, channels);
    PG_TRY(check_vector(op, 1, per_group ? groups : channels));
    PG_TRY(check_vector(op, 2, per_group ? groups : channels));
    double epsilon;
    PG_TRY(positive_epsilon(op, &epsilon));
    size_t area = 1;
    for (size_t i = 2; i < x->rank; i++)
        area *= (size_t)x->dims[i];
    const pg_tensor *scale = pg_op_in(op, 1), *shift = pg_op_in(op, 2);
    pg_tensor *y;
    PG_TRY(pg_op_out_like(op, 0, 0, &y));
    const size_t per = groups > 0 ? channels / groups : 0, n = per * area, size = nn_float_size(x->dtype);
    for (size_t r = 0; r < (size_t)x->dims[0] * groups; r++) {
        double mean, variance;
        const char *row = (const char *)x->data + r * n * size;
        row_stats(x->dtype, row, n, &mean, &variance);
        const double inverse = 1 / sqrt(variance + epsilon);
        for (size_t c = 0; c < per; c++) {
            const size_t at = per_group ? r % groups : r % groups * per + c;
            const double s = nn_get(x->dtype, scale->data, at) * inverse;
            const double b = nn_get(x->dtype, shift->data, at) - mean * s;
            for (size_t i = 0; i < area; i++) {
                const size_t e = r * n + c * area + i;
                nn_put(x->dtype, y->data, e, nn_get(x->dtype, x->data, e) * s + b);
            }
        }
    }
    return NULL;
}

static pg_status run_instance_norm(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    return normalize_groups(op, x->rank > 1 ? (size_t)x->dims[1] : 0, false);
}

static pg_status run_group_norm(pg_op *op)
{
    int64_t groups;
    PG_TRY(pg_op_attr_i(op, "num_groups", 0, &groups));
    return normalize_groups(op, groups > 0 ? (size_t)groups : 0, op->opset < 21);
}

/* ---- MeanVarianceNormalization, LRN ---- */

static pg_status run_mvn(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    const int64_t *axes, standard[] = {0, 2, 3};
    size_t n_axes;
    bool reduced[PG_MAX_RANK] = {false};
    PG_TRY(pg_op_attr_is(op, "axes", &axes, &n_axes));
    if (axes == NULL) {
        axes = standard;
        n_axes = 3;
    }
    for (size_t i = 0; i < n_axes; i++) {
        size_t axis;
        PG_TRY(pg_op_axis(op, axes[i], x->rank, &axis));
        reduced[axis] = true;
    }
    const uint64_t count = pg_tensor_count(x);
    const double *values;
    nn_result y;
    void *memory;
    PG_TRY(nn_f64(op, 0, &values));
    PG_TRY(pg_op_scratch(op, count * 2 * sizeof(double) + 1, &memory));
    double *sums = memory, *squares = sums + count;
    memset(memory, 0, count * 2 * sizeof(double));
    PG_TRY(nn_f64_out(op, 0, x->dtype, x->rank, x->dims, &y));
    uint64_t kept = 1;
    for (size_t d = 0; d < x->rank; d++)
        kept *= reduced[d] ? 1 : (uint64_t)x->dims[d];
    for (int pass = 0; pass < 3; pass++)
        for (uint64_t e = 0; e < count; e++) {
            uint64_t rest = e, at = 0, step = 1;
            for (size_t d = x->rank; d-- > 0;) {
                const uint64_t extent = (uint64_t)x->dims[d];
                if (!reduced[d]) {
                    at += rest % extent * step;
                    step *= extent;
                }
                rest /= extent;
            }
            const double n = (double)(count / kept), centered = values[e] - sums[at] / n;
            if (pass == 0)
                sums[at] += values[e];
            else if (pass == 1)
                squares[at] += centered * centered;
            else
                y.values[e] = centered / (sqrt(squares[at] / n) + 1e-9);
        }
    nn_f64_done(&y);
    return NULL;
}

static pg_status run_lrn(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t size;
    float alpha, beta, bias;
    PG_TRY(pg_op_attr_i(op, "size", 0, &size));
    PG_TRY(pg_op_attr_f(op, "alpha", 0.0001f, &alpha));
    PG_TRY(pg_op_attr_f(op, "beta", 0.75f, &beta));
    PG_TRY(pg_op_attr_f(op, "bias", 1.0f, &bias));
    if (size < 1 || x->rank < 2)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'size' or the input's rank is too small");
    size_t area = 1;
    for (size_t i = 2; i < x->rank; i++)
        area *= (size_t)x->dims[i];
    const double *values;
    nn_result y;
    PG_TRY(nn_f64(op, 0, &values));
    PG_TRY(nn_f64_out(op, 0, x->dtype, x->rank, x->dims, &y));
    const int64_t channels = x->dims[1], before = (size - 1) / 2, after = size - 1 - before;
    for (int64_t b = 0; b < x->dims[0]; b++)
        for (int64_t c = 0; c < channels; c++) {
            const int64_t first = PG_MAX(c - before, (int64_t)0);
            const int64_t last = c + after > channels - 1 ? channels - 1 : c + after;
            for (size_t i = 0; i < area; i++) {
                const double *image = values + (size_t)(b * channels) * area + i;
                double sum = 0;
                for (int64_t j = first; j <= last; j++)
                    sum += image[(size_t)j * area] * image[(size_t)j * area];
                const double divisor = pow((double)bias + (double)alpha / (double)size * sum, (double)beta);
                y.values[(size_t)(b * channels + c) * area + i] = image[(size_t)c * area] / divisor;
            }
        }
    nn_f64_done(&y);
    return NULL;
}

enum { HALF = PG_KERNEL_HALF_VIA_F32 };
const pg_kernel pg_kernels_norm[] = {
    {"", "BatchNormalization", 1, 0, run_batch_norm, NULL, NULL, HALF | PG_KERNEL_ANY_LAYOUT},
    {"", "InstanceNormalization", 1, 0, run_instance_norm, NULL, NULL, HALF},
    {"", "GroupNormalization", 18, 0, run_group_norm, NULL, NULL, HALF},
    {"", "LayerNormalization", 17, 0, run_layer_norm, NULL, NULL, HALF},
    /* Exporters wrote it into the standard's domain before it was there. */
    {"", "LayerNormalization", 1, 16, run_layer_norm, NULL, NULL, HALF},
    {"pg", "LayerNormalization", 1, 0, run_layer_norm, NULL, NULL, HALF},
    {"com.microsoft", "LayerNormalization", 1, 0, run_layer_norm, NULL, NULL, HALF},
    {"", "RMSNormalization", 23, 0, run_rms_norm, NULL, NULL, HALF},
    {"", "MeanVarianceNormalization", 9, 0, run_mvn, NULL, NULL, HALF},
    {"", "LRN", 1, 0, run_lrn, NULL, NULL, HALF},
    {0},
};
