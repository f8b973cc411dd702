/* Layer normalisation of ONNX Runtime's exports: with a residual addition, without a mean, and of embeddings. */
#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/ops/ms_norm.h"

static double get(pg_dtype dtype, const void *data, size_t i)
{
    return data == NULL ? 0 : nn_get(dtype, data, i);
}

void ms_normalize_rows(void *context, size_t begin, size_t end)
{
    const ms_norm_rows *job = context;
    const pg_dtype t = job->dtype;
    for (size_t r = begin; r < end; r++) {
        const size_t at = r * job->n, skip_at = job->skip_rows > 0 ? r % job->skip_rows * job->n : 0;
        double total = 0, squares = 0;
        for (size_t i = 0; i < job->n; i++) {
            double v = get(t, job->x, at + i);
            if (job->skip != NULL)
                v += get(t, job->skip, skip_at + i);
            v += get(t, job->bias, job->bias != NULL ? i : 0);
            nn_put(t, job->y, at + i, v); /* rounded as the sum is */
            if (job->sum != NULL)
                nn_put(t, job->sum, at + i, v);
            total += v;
        }
        const double mean = job->rms ? 0 : total / (double)job->n;
        for (size_t i = 0; i < job->n; i++) {
            const double d = get(t, job->y, at + i) - mean;
            squares += d * d;
        }
        const double inverse = 1 / sqrt(squares / (double)job->n + job->epsilon);
        for (size_t i = 0; i < job->n; i++) {
            const double v = (get(t, job->y, at + i) - mean) * inverse;
            const double scale = job->scale != NULL ? get(t, job->scale, i) : 1;
            nn_put(t, job->y, at + i, v * scale + get(t, job->shift, job->shift != NULL ? i : 0));
        }
        if (job->mean != NULL)
            job->mean[r] = (float)mean;
        if (job->inverse != NULL)
            job->inverse[r] = (float)inverse;
    }
}

pg_status ms_norm_epsilon(const pg_op *op, float missing, double *out)
{
    float epsilon;
    PG_TRY(pg_op_attr_f(op, "epsilon", missing, &epsilon));
    *out = (double)epsilon;
    return NULL;
}

/* The elements of an optional vector of n elements, of input 0's type. */
static pg_status read_vector(const pg_op *op, size_t i, size_t n, pg_dtype dtype, const void **out)
{
    const pg_tensor *t = pg_op_in(op, i);
    *out = NULL;
    if (t == NULL)
        return NULL;
    if (t->dtype != dtype)
        return pg_op_bad_type(op, i);
    if (pg_tensor_count(t) != n)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu has %llu elements, expected %zu", i,
                         (unsigned long long)pg_tensor_count(t), n);
    *out = t->data;
    return NULL;
}

/* Mean and inverse deviation are asked for by training only: float32 of shape [..., 1]. */
static pg_status stat_output(pg_op *op, size_t i, float **out)
{
    const pg_tensor *x = pg_op_in(op, 0);
    int64_t dims[PG_MAX_RANK];
    pg_tensor *t;
    *out = NULL;
    if (!pg_op_out_wanted(op, i))
        return NULL;
    memcpy(dims, x->dims, x->rank * sizeof *dims);
    dims[x->rank - 1] = 1;
    PG_TRY(pg_op_out(op, i, PG_F32, x->rank, dims, &t));
    *out = t->data;
    return NULL;
}

/* ---- SkipLayerNormalization, SkipSimplifiedLayerNormalization ---- */

static pg_status check_skip(const pg_op *op, ms_norm_rows *job)
{
    const pg_tensor *x = pg_op_in(op, 0), *skip = pg_op_in(op, 1);
    if (x->rank != 2 && x->rank != 3)
        return pg_op_err(op, PG_ERR_INVALID, "the input has rank %d, expected 2 or 3", x->rank);
    const bool same = pg_tensor_same_shape(x, skip);
    const bool repeats = x->rank == 3 && (skip->rank == 2 || (skip->rank == 3 && skip->dims[0] == 1)) &&
                         skip->dims[skip->rank - 1] == x->dims[2] && skip->dims[skip->rank - 2] == x->dims[1];
    if (!same && !repeats)
        return pg_op_err(op, PG_ERR_INVALID, "the skip's shape does not fit the input's");
    job->n = (size_t)x->dims[x->rank - 1];
    job->skip_rows = job->n > 0 ? (size_t)(pg_tensor_count(skip) / job->n) : 0;
    return NULL;
}

static pg_status run_skip(pg_op *op, bool rms)
{
    PG_TRY(nn_need_floats(op, 3));
    const pg_tensor *x = pg_op_in(op, 0);
    ms_norm_rows job = {.dtype = x->dtype, .rms = rms, .x = x->data, .skip = pg_op_in(op, 1)->data};
    pg_tensor *y, *sum;
    PG_TRY(check_skip(op, &job));
    PG_TRY(ms_norm_epsilon(op, 1e-12f, &job.epsilon));
    PG_TRY(read_vector(op, 2, job.n, x->dtype, &job.scale));
    if (!rms)
        PG_TRY(read_vector(op, 3, job.n, x->dtype, &job.shift));
    PG_TRY(read_vector(op, rms ? 3 : 4, job.n, x->dtype, &job.bias));
    PG_TRY(pg_op_out(op, 0, x->dtype, x->rank, x->dims, &y));
    job.y = y->data;
    PG_TRY(stat_output(op, 1, &job.mean));
    PG_TRY(stat_output(op, 2, &job.inverse));
    if (pg_op_out_wanted(op, 3)) {
        PG_TRY(pg_op_out(op, 3, x->dtype, x->rank, x->dims, &sum));
        job.sum = sum->data;
    }
    const size_t rows = job.n > 0 ? (size_t)(pg_tensor_count(x) / job.n) : 0;
    pg_parallel_for(rows, 8192 / (job.n + 1) + 1, ms_normalize_rows, &job);
    return NULL;
}

static pg_status run_skip_layer_norm(pg_op *op)
{
    return run_skip(op, false);
}
static pg_status run_skip_simplified(pg_op *op)
{
    return run_skip(op, true);
}

/* ---- SimplifiedLayerNormalization ---- */

static pg_status run_simplified(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 2));
    const pg_tensor *x = pg_op_in(op, 0);
    ms_norm_rows job = {.dtype = x->dtype, .rms = true, .x = x->data, .n = 1};
    int64_t axis_attr, dims[PG_MAX_RANK];
    size_t axis, rows = 1;
    pg_tensor *y, *inverse;
    PG_TRY(pg_op_attr_i(op, "axis", -1, &axis_attr));
    PG_TRY(pg_op_axis(op, axis_attr, x->rank, &axis));
    PG_TRY(ms_norm_epsilon(op, 1e-5f, &job.epsilon));
    for (size_t i = 0; i < x->rank; i++) {
        *(i < axis ? &rows : &job.n) *= (size_t)x->dims[i];
        dims[i] = i < axis ? x->dims[i] : 1;
    }
    PG_TRY(read_vector(op, 1, job.n, x->dtype, &job.scale));
    PG_TRY(pg_op_out(op, 0, x->dtype, x->rank, x->dims, &y));
    job.y = y->data;
    if (pg_op_out_wanted(op, 1)) {
        PG_TRY(pg_op_out(op, 1, PG_F32, x->rank, dims, &inverse));
        job.inverse = inverse->data;
    }
    pg_parallel_for(rows, 8192 / (job.n + 1) + 1, ms_normalize_rows, &job);
    return NULL;
}

/* ---- EmbedLayerNormalization ---- */

/* Adds to each row of `out` the table's row that `ids` (batch, length) names; NULL ids count positions. */
static pg_status add_rows(const pg_op *op, const pg_tensor *table, const pg_tensor *ids, size_t batch,
                          size_t length, void *out)
{
    const size_t n = (size_t)table->dims[1];
    for (size_t r = 0; r < batch * length; r++) {
        /* Positions may be given once for all images. */
        const size_t at = ids != NULL && ids->dims[0] == 1 ? r % length : r;
        const int64_t id = ids == NULL ? (int64_t)(r % length) : ((const int32_t *)ids->data)[at];
        if (id < 0 || id >= table->dims[0])
            return pg_op_err(op, PG_ERR_INVALID, "id %lld is outside a table of %lld rows", (long long)id,
                             (long long)table->dims[0]);
        for (size_t i = 0; i < n; i++)
            nn_put(table->dtype, out, r * n + i,
                   get(table->dtype, out, r * n + i) + get(table->dtype, table->data, (size_t)id * n + i));
    }
    return NULL;
}

pg_status ms_embed_check_ids(const pg_op *op, size_t i, const pg_tensor *ids, bool may_repeat)
{
    const pg_tensor *t = pg_op_in(op, i);
    if (t == NULL)
        return NULL;
    if (t->dtype != PG_I32)
        return pg_op_bad_type(op, i);
    if (t->rank != 2 || t->dims[1] != ids->dims[1] ||
        (t->dims[0] != ids->dims[0] && !(may_repeat && t->dims[0] == 1)))
        return pg_op_err(op, PG_ERR_INVALID, "input %zu has not the shape of the ids", i);
    return NULL;
}

static pg_status check_tables(const pg_op *op)
{
    const pg_tensor *word = pg_op_in(op, EMBED_WORD);
    for (size_t i = EMBED_WORD; i <= EMBED_SEGMENT; i++) {
        const pg_tensor *t = pg_op_in(op, i);
        if (t == NULL && i != EMBED_SEGMENT)
            return pg_op_err(op, PG_ERR_INVALID, "input %zu is missing", i);
        if (t == NULL)
            continue;
        if (t->dtype != word->dtype || !nn_is_float(t->dtype))
            return pg_op_bad_type(op, i);
        if (t->rank != 2 || t->dims[1] != word->dims[word->rank - 1])
            return pg_op_err(op, PG_ERR_INVALID, "input %zu is no table of the word table's width", i);
    }
    return NULL;
}

pg_status ms_embed_mask_index(pg_op *op, size_t batch, size_t length)
{
    const pg_tensor *mask = pg_op_in(op, EMBED_MASK);
    const int64_t dims = (int64_t)batch;
    pg_tensor *out;
    PG_TRY(pg_op_out(op, 1, PG_I32, 1, &dims, &out));
    for (size_t b = 0; b < batch; b++) {
        int32_t count = 0;
        for (size_t i = 0; mask != NULL && i < length; i++)
            count += ((const int32_t *)mask->data)[b * length + i] == 1;
        ((int32_t *)out->data)[b] = count;
    }
    return NULL;
}

static pg_status run_embed(pg_op *op)
{
    const pg_tensor *ids = pg_op_in(op, EMBED_IDS), *word = pg_op_in(op, EMBED_WORD);
    if (ids == NULL || word == NULL)
        return pg_op_err(op, PG_ERR_INVALID, "ids or the word table are missing");
    if (ids->rank != 2 || word->rank != 2)
        return pg_op_err(op, PG_ERR_INVALID, "ids and the word table must have rank 2");
    PG_TRY(check_tables(op));
    PG_TRY(ms_embed_check_ids(op, EMBED_IDS, ids, false));
    PG_TRY(ms_embed_check_ids(op, EMBED_SEGMENTS, ids, false));
    PG_TRY(ms_embed_check_ids(op, EMBED_MASK, ids, false));
    PG_TRY(ms_embed_check_ids(op, EMBED_POSITIONS, ids, true));
    const size_t batch = (size_t)ids->dims[0], length = (size_t)ids->dims[1];
    const int64_t dims[3] = {ids->dims[0], ids->dims[1], word->dims[1]};
    ms_norm_rows job = {.dtype = word->dtype, .n = (size_t)word->dims[1]};
    pg_tensor *y, *sum;
    PG_TRY(ms_norm_epsilon(op, 1e-12f, &job.epsilon));
    PG_TRY(read_vector(op, EMBED_GAMMA, job.n, job.dtype, &job.scale));
    PG_TRY(read_vector(op, EMBED_BETA, job.n, job.dtype, &job.shift));
    PG_TRY(pg_op_out(op, 2, job.dtype, 3, dims, &sum));
    memset(sum->data, 0, pg_tensor_bytes(sum));
    PG_TRY(add_rows(op, word, ids, batch, length, sum->data));
    PG_TRY(
        add_rows(op, pg_op_in(op, EMBED_POSITION), pg_op_in(op, EMBED_POSITIONS), batch, length, sum->data));
    if (pg_op_in(op, EMBED_SEGMENT) != NULL && pg_op_in(op, EMBED_SEGMENTS) != NULL)
        PG_TRY(add_rows(op, pg_op_in(op, EMBED_SEGMENT), pg_op_in(op, EMBED_SEGMENTS), batch, length,
                        sum->data));
    PG_TRY(ms_embed_mask_index(op, batch, length));
    PG_TRY(pg_op_out(op, 0, job.dtype, 3, dims, &y));
    job.x = sum->data;
    job.y = y->data;
    pg_parallel_for(batch * length, 8192 / (job.n + 1) + 1, ms_normalize_rows, &job);
    return NULL;
}

#define MS "com.microsoft"
enum { HALF = PG_KERNEL_HALF_VIA_F32 };
const pg_kernel pg_kernels_ms_norm[] = {
    {MS, "SkipLayerNormalization", 1, 0, run_skip_layer_norm, NULL, NULL, HALF},
    {MS, "SkipSimplifiedLayerNormalization", 1, 0, run_skip_simplified, NULL, NULL, HALF},
    {MS, "SimplifiedLayerNormalization", 1, 0, run_simplified, NULL, NULL, HALF},
    /* ONNX Runtime writes it into the standard's domain. */
    {"", "SimplifiedLayerNormalization", 1, 0, run_simplified, NULL, NULL, HALF},
    {MS, "EmbedLayerNormalization", 1, 0, run_embed, NULL, NULL, HALF},
    {MS, "QEmbedLayerNormalization", 1, 0, ms_run_qembed, NULL, NULL, 0},
    {0},
};
