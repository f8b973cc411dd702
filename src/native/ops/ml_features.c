/* Operators of ai.onnx.ml that scale, replace, select and join features. */
#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/ops/ml.h"
#include "native/ops/move.h"

/* ---- ArrayFeatureExtractor ---- */

/* Positions of the last dim, checked. */
static pg_status read_positions(const pg_op *op, size_t i, int64_t limit, const int64_t **out, int64_t *count)
{
    const pg_tensor *y = pg_op_in(op, i);
    if (y->dtype != PG_I64)
        return pg_op_bad_type(op, i);
    *out = y->data;
    *count = (int64_t)pg_tensor_count(y);
    for (int64_t k = 0; k < *count; k++)
        if ((*out)[k] < 0 || (*out)[k] >= limit)
            return pg_op_err(op, PG_ERR_INVALID, "position %lld is outside a row of %lld",
                             (long long)(*out)[k], (long long)limit);
    return NULL;
}

static pg_status run_array_feature_extractor(pg_op *op)
{
    PG_TRY(pg_op_need(op, 2));
    const pg_tensor *x = pg_op_in(op, 0);
    const int64_t *positions;
    int64_t count, dims[PG_MAX_RANK];
    const void *from;
    pg_move z;
    if (x->rank == 0)
        return pg_op_err(op, PG_ERR_INVALID, "the input must have at least one dimension");
    const int64_t length = x->dims[x->rank - 1];
    PG_TRY(read_positions(op, 1, length, &positions, &count));
    memcpy(dims, x->dims, x->rank * sizeof *dims);
    dims[x->rank - 1] = count;
    if (x->rank == 1) {
        dims[0] = 1;
        dims[1] = count;
    }
    PG_TRY(pg_move_in(op, x, &from));
    PG_TRY(pg_move_out(op, 0, x->dtype, x->rank == 1 ? 2 : x->rank, dims, &z));
    const uint64_t rows = length > 0 ? pg_tensor_count(x) / (uint64_t)length : 0;
    for (uint64_t r = 0; r < rows; r++)
        for (int64_t k = 0; k < count; k++)
            memcpy((char *)z.data + (r * (uint64_t)count + (uint64_t)k) * z.size,
                   (const char *)from + (r * (uint64_t)length + (uint64_t)positions[k]) * z.size, z.size);
    return pg_move_done(&z);
}

/* ---- Binarizer, Scaler, Normalizer ---- */

static pg_status run_binarizer(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    float threshold;
    const double *values;
    nn_result y;
    PG_TRY(pg_op_attr_f(op, "threshold", 0, &threshold));
    PG_TRY(nn_f64(op, 0, &values));
    PG_TRY(nn_f64_out(op, 0, x->dtype, x->rank, x->dims, &y));
    for (uint64_t i = 0, n = pg_tensor_count(x); i < n; i++)
        y.values[i] = values[i] > (double)threshold;
    nn_f64_done(&y);
    return NULL;
}

static pg_status run_scaler(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    ml_rows in;
    nn_result y;
    const float *scale, *offset;
    size_t n_scale, n_offset;
    PG_TRY(ml_read_rows(op, 0, &in));
    PG_TRY(pg_op_attr_fs(op, "scale", &scale, &n_scale));
    PG_TRY(pg_op_attr_fs(op, "offset", &offset, &n_offset));
    const size_t features = (size_t)x->dims[x->rank - 1];
    if ((n_scale > 1 && n_scale != features) || (n_offset > 1 && n_offset != features))
        return pg_op_err(op, PG_ERR_INVALID, "%zu scales and %zu offsets for %zu features", n_scale, n_offset,
                         features);
    PG_TRY(nn_f64_out(op, 0, ml_float(op), x->rank, x->dims, &y));
    for (size_t i = 0; i < in.rows * in.cols; i++) {
        const size_t f = i % features;
        const double o = n_offset == 0 ? 0 : (double)offset[n_offset > 1 ? f : 0];
        const double s = n_scale == 0 ? 1 : (double)scale[n_scale > 1 ? f : 0];
        y.values[i] = (in.x[i] - o) * s;
    }
    nn_f64_done(&y);
    return NULL;
}

enum { NORM_MAX, NORM_L1, NORM_L2 };

static double norm_of(size_t norm, const double *x, size_t n, size_t step)
{
    double most = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double v = x[i * step];
        most = fmax(most, v);
        sum += norm == NORM_L1 ? fabs(v) : v * v;
    }
    return norm == NORM_MAX ? most : norm == NORM_L1 ? sum : sqrt(sum);
}

/* Along the second dim, or the only one. */
static pg_status run_normalizer(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    static const char *const names[] = {"MAX", "L1", "L2"};
    const pg_tensor *x = pg_op_in(op, 0);
    ml_rows in;
    nn_result y;
    size_t norm;
    PG_TRY(ml_attr_choice(op, "norm", "MAX", names, PG_COUNT(names), &norm));
    PG_TRY(ml_read_rows(op, 0, &in));
    PG_TRY(nn_f64_out(op, 0, ml_float(op), x->rank, x->dims, &y));
    const size_t n = (size_t)(x->rank == 1 ? x->dims[0] : x->dims[1]), step = n > 0 ? in.cols / n : 0;
    for (size_t r = 0; r < in.rows; r++)
        for (size_t s = 0; s < step; s++) {
            const double *from = in.x + r * in.cols + s;
            const double divisor = norm_of(norm, from, n, step);
            for (size_t i = 0; i < n; i++)
                y.values[r * in.cols + s + i * step] =
                    divisor != 0 ? from[i * step] / divisor : from[i * step];
        }
    nn_f64_done(&y);
    return NULL;
}

/* ---- Imputer ---- */

static pg_status impute_floats(pg_op *op, const pg_tensor *x)
{
    const float *fresh;
    size_t n_fresh;
    float replaced;
    const double *values;
    nn_result y;
    PG_TRY(pg_op_attr_fs(op, "imputed_value_floats", &fresh, &n_fresh));
    PG_TRY(pg_op_attr_f(op, "replaced_value_float", 0, &replaced));
    const size_t features = (size_t)x->dims[x->rank - 1];
    if (n_fresh != 1 && n_fresh != features)
        return pg_op_err(op, PG_ERR_INVALID, "%zu values to impute for %zu features", n_fresh, features);
    PG_TRY(nn_f64(op, 0, &values));
    PG_TRY(nn_f64_out(op, 0, x->dtype, x->rank, x->dims, &y));
    for (uint64_t i = 0, n = pg_tensor_count(x); i < n; i++) {
        const bool hit = isnan(replaced) ? isnan(values[i]) : values[i] == (double)replaced;
        y.values[i] = hit ? (double)fresh[n_fresh > 1 ? i % features : 0] : values[i];
    }
    nn_f64_done(&y);
    return NULL;
}

static pg_status impute_integers(pg_op *op, const pg_tensor *x)
{
    const int64_t *fresh;
    size_t n_fresh;
    int64_t replaced;
    pg_tensor *y;
    PG_TRY(pg_op_attr_is(op, "imputed_value_int64s", &fresh, &n_fresh));
    PG_TRY(pg_op_attr_i(op, "replaced_value_int64", 0, &replaced));
    const size_t features = (size_t)x->dims[x->rank - 1];
    if (n_fresh != 1 && n_fresh != features)
        return pg_op_err(op, PG_ERR_INVALID, "%zu values to impute for %zu features", n_fresh, features);
    PG_TRY(pg_op_out(op, 0, x->dtype, x->rank, x->dims, &y));
    for (uint64_t i = 0, n = pg_tensor_count(x); i < n; i++) {
        const int64_t v = pg_tensor_get_i64(x, i);
        const int64_t result = v == replaced ? fresh[n_fresh > 1 ? i % features : 0] : v;
        if (x->dtype == PG_I64)
            ((int64_t *)y->data)[i] = result;
        else
            ((int32_t *)y->data)[i] = (int32_t)result;
    }
    return NULL;
}

static pg_status run_imputer(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    if (x->rank == 0)
        return pg_op_err(op, PG_ERR_INVALID, "the input must have at least one dimension");
    if (nn_is_float(x->dtype))
        return impute_floats(op, x);
    if (x->dtype == PG_I64 || x->dtype == PG_I32)
        return impute_integers(op, x);
    return pg_op_bad_type(op, 0);
}

/* ---- FeatureVectorizer ---- */

/* How many features each input gives: as stated, or as many as it has. Missing ones are zero. */
static pg_status feature_counts(pg_op *op, size_t *counts, size_t *total)
{
    const int64_t *stated;
    size_t n_stated;
    PG_TRY(pg_op_attr_is(op, "inputdimensions", &stated, &n_stated));
    if (n_stated != 0 && n_stated != op->n_in)
        return pg_op_err(op, PG_ERR_INVALID, "'inputdimensions' has %zu entries for %zu inputs", n_stated,
                         op->n_in);
    *total = 0;
    for (size_t i = 0; i < op->n_in; i++) {
        const pg_tensor *x = pg_op_in(op, i);
        if (n_stated > 0 && (stated[i] < 0 || stated[i] > ML_MOST_COLUMNS))
            return pg_op_err(op, PG_ERR_INVALID, "input dimension %lld", (long long)stated[i]);
        size_t own = 1;
        for (size_t d = x->rank > 1; d < x->rank; d++)
            own *= (size_t)x->dims[d];
        counts[i] = n_stated > 0 ? (size_t)stated[i] : own;
        *total += counts[i];
    }
    return NULL;
}

static pg_status run_feature_vectorizer(pg_op *op)
{
    PG_TRY(pg_op_need(op, PG_MAX(op->n_in, (size_t)1)));
    void *memory;
    size_t total, at = 0;
    nn_result y;
    PG_TRY(pg_op_scratch(op, op->n_in * sizeof(size_t), &memory));
    size_t *counts = memory;
    PG_TRY(feature_counts(op, counts, &total));
    const pg_tensor *first = pg_op_in(op, 0);
    const int64_t dims[2] = {first->rank > 1 ? first->dims[0] : 1, (int64_t)total};
    PG_TRY(nn_f64_out(op, 0, ml_float(op), 2, dims, &y));
    memset(y.values, 0, pg_tensor_count(y.tensor) * sizeof *y.values);
    for (size_t i = 0; i < op->n_in; at += counts[i++]) {
        const pg_tensor *x = pg_op_in(op, i);
        const uint64_t rows = (uint64_t)(x->rank > 1 ? x->dims[0] : 1),
                       own = rows > 0 ? pg_tensor_count(x) / rows : 0;
        if (rows != (uint64_t)dims[0])
            return pg_op_err(op, PG_ERR_INVALID, "input %zu has %llu rows, expected %lld", i,
                             (unsigned long long)rows, (long long)dims[0]);
        if (!pg_dtype_is_float(x->dtype) && !pg_dtype_is_integer(x->dtype))
            return pg_op_bad_type(op, i);
        for (uint64_t r = 0; r < rows; r++)
            for (uint64_t k = 0; k < PG_MIN(own, counts[i]); k++)
                y.values[r * total + at + k] = pg_tensor_get_f64(x, r * own + k);
    }
    nn_f64_done(&y);
    return NULL;
}

#define ML "ai.onnx.ml"
const pg_kernel pg_kernels_ml_features[] = {
    {ML, "ArrayFeatureExtractor", 1, 0, run_array_feature_extractor, NULL, NULL, 0},
    {ML, "Binarizer", 1, 0, run_binarizer, NULL, NULL, 0},
    {ML, "FeatureVectorizer", 1, 0, run_feature_vectorizer, NULL, NULL, 0},
    {ML, "Imputer", 1, 0, run_imputer, NULL, NULL, 0},
    {ML, "Normalizer", 1, 0, run_normalizer, NULL, NULL, 0},
    {ML, "Scaler", 1, 0, run_scaler, NULL, NULL, 0},
    {0},
};
