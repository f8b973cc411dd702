#include "native/ops/ml.h"

#include <math.h>

#include "native/internal.h"
#include "tensor/dtype_convert.h"

/* ---- Inputs and attributes ---- */

pg_status ml_read_rows(pg_op *op, size_t i, ml_rows *out)
{
    const pg_tensor *x = pg_op_in(op, i);
    if (x == NULL)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu is missing", i);
    if (x->rank == 0)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu must have at least one dimension", i);
    out->rows = x->rank == 1 ? 1 : (size_t)x->dims[0];
    out->cols = x->rank == 1 ? (size_t)x->dims[0] : 1;
    for (size_t d = 1; d < x->rank; d++)
        out->cols *= (size_t)x->dims[d];
    return nn_f64(op, i, &out->x);
}

pg_dtype ml_float(const pg_op *op)
{
    return op->session->options.float64 ? PG_F64 : PG_F32;
}

pg_status ml_attr_list(const pg_op *op, const char *name, pg_attr_type type, pg_tensor *out)
{
    const pg_attr *attr = pg_node_attr(op->node, name);
    *out = (pg_tensor){0};
    if (attr == NULL)
        return NULL;
    if (attr->type != type)
        return pg_op_err(op, PG_ERR_INVALID, "attribute '%s' has the wrong type", name);
    const pg_dtype dtype = type == PG_ATTR_FLOATS ? PG_F32 : type == PG_ATTR_INTS ? PG_I64 : PG_STRING;
    const int64_t count = (int64_t)attr->count;
    return pg_tensor_borrow(out, dtype, 1, &count, attr->floats);
}

pg_status ml_attr_tensor(const pg_op *op, const char *name, pg_tensor *out)
{
    const pg_attr *attr = pg_node_attr(op->node, name);
    *out = (pg_tensor){0};
    if (attr == NULL)
        return NULL;
    if (attr->type != PG_ATTR_TENSOR || attr->tensor == NULL)
        return pg_op_err(op, PG_ERR_INVALID, "attribute '%s' must be a tensor", name);
    PG_TRY_CTX(pg_weight_load(op->session->model, attr->tensor, out), "in attribute '%s'", name);
    return NULL;
}

pg_status ml_attr_numbers(const pg_op *op, const char *name, pg_arena *arena, const double **out,
                          size_t *count)
{
    char long_name[64];
    pg_tensor numbers = {0};
    const pg_attr *attr = pg_node_attr(op->node, name);
    snprintf(long_name, sizeof long_name, "%s_as_tensor", name);
    if (attr != NULL && attr->type != PG_ATTR_TENSOR)
        PG_TRY(ml_attr_list(op, name, PG_ATTR_FLOATS, &numbers));
    else
        PG_TRY(ml_attr_tensor(op, attr != NULL ? name : long_name, &numbers));
    *out = NULL;
    *count = 0;
    if (numbers.dtype == PG_UNDEFINED)
        return NULL;
    if (!pg_dtype_is_float(numbers.dtype) && !pg_dtype_is_integer(numbers.dtype)) {
        pg_tensor_deinit(&numbers);
        return pg_op_err(op, PG_ERR_INVALID, "attribute '%s' must hold numbers", name);
    }
    *count = (size_t)pg_tensor_count(&numbers);
    double *values = pg_arena_alloc(arena, *count + 1, sizeof *values);
    pg_convert(numbers.dtype, numbers.data, PG_F64, values, *count, NULL);
    pg_tensor_deinit(&numbers);
    *out = values;
    return NULL;
}

pg_status ml_attr_choice(const pg_op *op, const char *name, const char *missing, const char *const *choices,
                         size_t n_choices, size_t *out)
{
    pg_str text;
    PG_TRY(pg_op_attr_s(op, name, missing, &text));
    for (*out = 0; *out < n_choices; (*out)++)
        if (pg_str_is(text, choices[*out]))
            return NULL;
    return pg_op_err(op, PG_ERR_INVALID, "%s '%" PG_STR_FMT "' is not known", name, PG_STR_ARG(text));
}

/* ---- Scores ---- */

pg_status ml_attr_transform(const pg_op *op, ml_transform *out)
{
    static const char *const names[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
    size_t at;
    PG_TRY(ml_attr_choice(op, "post_transform", "NONE", names, PG_COUNT(names), &at));
    *out = (ml_transform)at;
    return NULL;
}

double ml_logistic(double x)
{
    const double e = exp(-fabs(x));
    return (x < 0 ? e : 1) / (1 + e);
}

/* Both softmaxes; with `zeros`, scores of zero have no part in the exponentials. */
static void softmax_row(double *scores, size_t n, bool zeros)
{
    double most = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, scores[i]);
    for (size_t i = 0; i < n; i++) {
        const bool is_zero = zeros && fabs(scores[i]) <= 1e-7;
        scores[i] = is_zero ? scores[i] * exp(-most) : exp(scores[i] - most);
        sum += scores[i];
    }
    for (size_t i = 0; i < n && sum != 0; i++)
        scores[i] /= sum;
}

/* The approximation of the inverse error function by elementary functions that the standard's reference uses
 * for PROBIT: good to two digits. */
static double probit(double p)
{
    const double a = 0.147, x = 2 * p - 1, pi = 3.14159265358979323846;
    const double logarithm = log((1 - x) * (1 + x));
    const double half = 2 / (pi * a) + logarithm / 2;
    const double inverse = sqrt(-half + sqrt(half * half - logarithm / a));
    return sqrt(2.0) * (x < 0 ? -inverse : inverse);
}

void ml_transform_row(ml_transform transform, double *scores, size_t n)
{
    if (transform == ML_SOFTMAX || transform == ML_SOFTMAX_ZERO)
        softmax_row(scores, n, transform == ML_SOFTMAX_ZERO);
    for (size_t i = 0; i < n; i++)
        if (transform == ML_LOGISTIC)
            scores[i] = ml_logistic(scores[i]);
        else if (transform == ML_PROBIT)
            scores[i] = probit(scores[i]);
}

void ml_two_scores(ml_transform transform, bool probability, double sum, double *scores)
{
    scores[0] = probability ? 1 - sum : -sum;
    scores[1] = sum;
    if (transform == ML_LOGISTIC)
        scores[0] = -sum;
    if (transform == ML_LOGISTIC || transform == ML_PROBIT)
        ml_transform_row(transform, scores, 2);
}

/* ---- Labels ---- */

pg_status ml_attr_labels(const pg_op *op, const char *numbers, const char *texts, ml_labels *out)
{
    pg_tensor n, t;
    PG_TRY(ml_attr_list(op, numbers, PG_ATTR_INTS, &n));
    PG_TRY(ml_attr_list(op, texts, PG_ATTR_STRINGS, &t));
    if (n.dtype != PG_UNDEFINED && t.dtype != PG_UNDEFINED && n.dims[0] > 0 && t.dims[0] > 0)
        return pg_op_err(op, PG_ERR_INVALID, "only one of '%s' and '%s' may be given", numbers, texts);
    const bool has_texts = t.dtype != PG_UNDEFINED && t.dims[0] > 0;
    *out = (ml_labels){0};
    if (has_texts)
        out->texts = t.data;
    else
        out->numbers = n.data;
    out->count = (size_t)(has_texts ? t.dims[0] : n.dtype != PG_UNDEFINED ? n.dims[0] : 0);
    return NULL;
}

pg_status ml_out_labels(pg_op *op, size_t i, const ml_labels *labels, size_t rows, const int64_t *choices)
{
    const int64_t dims = (int64_t)rows;
    if (labels->texts == NULL) {
        pg_tensor *y;
        PG_TRY(pg_op_out(op, i, PG_I64, 1, &dims, &y));
        for (size_t r = 0; r < rows; r++)
            ((int64_t *)y->data)[r] =
                (uint64_t)choices[r] < labels->count ? labels->numbers[choices[r]] : choices[r];
        return NULL;
    }
    void *memory;
    pg_tensor tensor;
    PG_TRY(pg_op_scratch(op, rows * sizeof(pg_str) + 1, &memory));
    pg_str *texts = memory;
    for (size_t r = 0; r < rows; r++)
        texts[r] = (uint64_t)choices[r] < labels->count ? labels->texts[choices[r]]
                   : choices[r] == 1                    ? PG_STR("1")
                                                        : PG_STR("0");
    PG_TRY(pg_tensor_alloc_strings(&tensor, 1, &dims, texts));
    pg_op_out_value(op, i, pg_value_of_tensor(tensor));
    return NULL;
}
