/* What the operators of ai.onnx.ml share: rows of features, attributes that are lists, labels, and what turns
 * sums into scores.
 *
 * Everything is computed in float64 and rounded once at the end. */
#ifndef PG_NATIVE_OPS_ML_H
#define PG_NATIVE_OPS_ML_H

#include "native/ops/nn.h"

/* The most columns that attributes alone may ask for: results of ordinary models have far fewer. */
enum { ML_MOST_COLUMNS = 1 << 24 };

/* Rows of numbers from an input of any real type: [C] is one row, further dims join the second. */
typedef struct ml_rows {
    size_t rows, cols;
    const double *x;
} ml_rows;
PG_MUST_USE pg_status ml_read_rows(pg_op *op, size_t i, ml_rows *out);

/* The type of results that the standard declares as float: float64 in the engine's reference mode. */
pg_dtype ml_float(const pg_op *op);

/* A list attribute as a borrowed 1-D tensor of float32, int64 or strings; zeroed when it is missing. */
PG_MUST_USE pg_status ml_attr_list(const pg_op *op, const char *name, pg_attr_type type, pg_tensor *out);
/* A tensor attribute; zeroed when it is missing. The caller ends it. */
PG_MUST_USE pg_status ml_attr_tensor(const pg_op *op, const char *name, pg_tensor *out);
/* The numbers of attribute `name`, a list of floats or a tensor, or of "<name>_as_tensor"; in the arena. NULL
 * and 0 when both are missing. */
PG_MUST_USE pg_status ml_attr_numbers(const pg_op *op, const char *name, pg_arena *arena, const double **out,
                                      size_t *count);
/* The position of a text attribute in a list of choices. */
PG_MUST_USE pg_status ml_attr_choice(const pg_op *op, const char *name, const char *missing,
                                     const char *const *choices, size_t n_choices, size_t *out);

typedef enum ml_transform { ML_NONE, ML_SOFTMAX, ML_LOGISTIC, ML_SOFTMAX_ZERO, ML_PROBIT } ml_transform;
PG_MUST_USE pg_status ml_attr_transform(const pg_op *op, ml_transform *out);
void ml_transform_row(ml_transform transform, double *scores, size_t n);
double ml_logistic(double x);

/* The labels of a classifier; borrowed from the model. */
typedef struct ml_labels {
    size_t count;
    const pg_str *texts; /* or NULL */
    const int64_t *numbers;
} ml_labels;
PG_MUST_USE pg_status ml_attr_labels(const pg_op *op, const char *numbers, const char *texts, ml_labels *out);
/* Output i: the label of each row's choice. A choice beyond the labels stands for itself. */
PG_MUST_USE pg_status ml_out_labels(pg_op *op, size_t i, const ml_labels *labels, size_t rows,
                                    const int64_t *choices);

/* Scores of classifiers that keep one sum for two classes: 1 - sum and sum when it is a probability, else
 * -sum and sum. Both softmaxes leave them as they are. */
void ml_two_scores(ml_transform transform, bool probability, double sum, double *scores);

#endif
