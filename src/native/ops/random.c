/* Random numbers, and the operators that make nothing else. */
#include "native/ops/random.h"

#include <math.h>

#include "base/clock.h"
#include "tensor/dtype_convert.h"

pg_status pg_op_random_init(const pg_op *op, pg_op_random *out)
{
    const pg_attr *attr = pg_node_attr(op->node, "seed");
    uint32_t seed = (uint32_t)(pg_clock_ns() ^ (uintptr_t)op);
    if (attr != NULL && attr->type == PG_ATTR_INT)
        seed = (uint32_t)attr->i;
    else if (attr != NULL && attr->type == PG_ATTR_FLOAT && fabsf(attr->f) < 9e18f)
        seed = (uint32_t)(int64_t)attr->f;
    else if (attr != NULL)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'seed' is not a number that can be a seed");
    pg_random_seed(&out->stream, seed);
    out->has_spare = false;
    return NULL;
}

double pg_op_random_uniform(pg_op_random *random)
{
    return pg_random_f64(&random->stream);
}

double pg_op_random_normal(pg_op_random *random)
{
    if (random->has_spare) {
        random->has_spare = false;
        return random->spare;
    }
    double x, y, r;
    do {
        x = 2.0 * pg_op_random_uniform(random) - 1.0;
        y = 2.0 * pg_op_random_uniform(random) - 1.0;
        r = x * x + y * y;
    } while (r >= 1.0 || r == 0.0);
    double factor = sqrt(-2.0 * log(r) / r);
    random->spare = factor * x;
    random->has_spare = true;
    return factor * y;
}

/* ---- RandomUniform, RandomNormal and their Like forms ---- */

/* Type and shape from attributes, or from input 0 where there is one. */
static pg_status open_output(pg_op *op, pg_tensor **out, double **values)
{
    const pg_tensor *like = pg_op_in(op, 0);
    const int64_t *shape = NULL;
    size_t rank = 0;
    int64_t dtype;
    if (op->n_in > 0)
        PG_TRY(pg_op_need(op, 1));
    else
        PG_TRY(pg_op_attr_is(op, "shape", &shape, &rank));
    PG_TRY(pg_op_attr_i(op, "dtype", like != NULL ? (int64_t)like->dtype : PG_F32, &dtype));
    if (!pg_dtype_is_float((pg_dtype)dtype))
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'dtype' is %lld, not a floating-point type",
                         (long long)dtype);
    PG_TRY(pg_op_out(op, 0, (pg_dtype)dtype, like != NULL ? like->rank : rank,
                     like != NULL ? like->dims : shape, out));
    void *scratch;
    PG_TRY(pg_op_scratch(op, pg_tensor_count(*out) * sizeof(double), &scratch));
    *values = scratch;
    return NULL;
}

static pg_status run_random_uniform(pg_op *op)
{
    pg_tensor *y;
    double *values;
    float low, high;
    pg_op_random random;
    PG_TRY(pg_op_attr_f(op, "low", 0.0f, &low));
    PG_TRY(pg_op_attr_f(op, "high", 1.0f, &high));
    PG_TRY(pg_op_random_init(op, &random));
    PG_TRY(open_output(op, &y, &values));
    uint64_t count = pg_tensor_count(y);
    for (uint64_t i = 0; i < count; i++)
        values[i] = (double)low + ((double)high - (double)low) * pg_op_random_uniform(&random);
    pg_convert(PG_F64, values, y->dtype, y->data, count, NULL);
    return NULL;
}

static pg_status run_random_normal(pg_op *op)
{
    pg_tensor *y;
    double *values;
    float mean, scale;
    pg_op_random random;
    PG_TRY(pg_op_attr_f(op, "mean", 0.0f, &mean));
    PG_TRY(pg_op_attr_f(op, "scale", 1.0f, &scale));
    PG_TRY(pg_op_random_init(op, &random));
    PG_TRY(open_output(op, &y, &values));
    uint64_t count = pg_tensor_count(y);
    for (uint64_t i = 0; i < count; i++)
        values[i] = (double)mean + (double)scale * pg_op_random_normal(&random);
    pg_convert(PG_F64, values, y->dtype, y->data, count, NULL);
    return NULL;
}

/* ---- Bernoulli and Multinomial ---- */

/* Input 0 as float64 in scratch memory. */
static pg_status read_floats(pg_op *op, double **out)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    void *scratch;
    if (!pg_dtype_is_float(x->dtype))
        return pg_op_bad_type(op, 0);
    uint64_t count = pg_tensor_count(x);
    PG_TRY(pg_op_scratch(op, count * sizeof(double), &scratch));
    pg_convert(x->dtype, x->data, PG_F64, scratch, count, NULL);
    *out = scratch;
    return NULL;
}

static pg_status run_bernoulli(pg_op *op)
{
    double *p;
    int64_t dtype;
    pg_tensor *y;
    pg_op_random random;
    PG_TRY(read_floats(op, &p));
    const pg_tensor *x = pg_op_in(op, 0);
    PG_TRY(pg_op_attr_i(op, "dtype", x->dtype, &dtype));
    pg_dtype_kind kind = pg_dtype_kind_of((pg_dtype)dtype);
    if (kind == PG_KIND_NONE || kind == PG_KIND_STRING || kind == PG_KIND_COMPLEX)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'dtype' is %lld, not a number type",
                         (long long)dtype);
    PG_TRY(pg_op_random_init(op, &random));
    PG_TRY(pg_op_out(op, 0, (pg_dtype)dtype, x->rank, x->dims, &y));
    uint64_t count = pg_tensor_count(x);
    for (uint64_t i = 0; i < count; i++)
        p[i] = pg_op_random_uniform(&random) < p[i];
    pg_convert(PG_F64, p, y->dtype, y->data, count, NULL);
    return NULL;
}

/* One class out of unnormalised log probabilities. */
static int64_t draw_class(pg_op_random *random, const double *logits, int64_t classes)
{
    double most = -INFINITY, total = 0;
    for (int64_t k = 0; k < classes; k++)
        most = fmax(most, logits[k]);
    for (int64_t k = 0; k < classes; k++)
        total += exp(logits[k] - most);
    double left = pg_op_random_uniform(random) * total;
    for (int64_t k = 0; k < classes; k++) {
        left -= exp(logits[k] - most);
        if (left < 0)
            return k;
    }
    return classes - 1;
}

static pg_status run_multinomial(pg_op *op)
{
    double *logits;
    int64_t dtype, samples;
    pg_tensor *y;
    pg_op_random random;
    PG_TRY(read_floats(op, &logits));
    const pg_tensor *x = pg_op_in(op, 0);
    PG_TRY(pg_op_attr_i(op, "dtype", PG_I32, &dtype));
    PG_TRY(pg_op_attr_i(op, "sample_size", 1, &samples));
    if (dtype != PG_I32 && dtype != PG_I64)
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'dtype' is %lld, not int32 or int64",
                         (long long)dtype);
    if (x->rank != 2 || x->dims[1] == 0 || samples < 0)
        return pg_op_err(op, PG_ERR_INVALID, "input 0 must be [batch, classes] and sample_size not negative");
    PG_TRY(pg_op_random_init(op, &random));
    PG_TRY(pg_op_out(op, 0, (pg_dtype)dtype, 2, (int64_t[]){x->dims[0], samples}, &y));
    for (int64_t b = 0; b < x->dims[0]; b++)
        for (int64_t s = 0; s < samples; s++) {
            int64_t drawn = draw_class(&random, logits + b * x->dims[1], x->dims[1]);
            if (dtype == PG_I32)
                ((int32_t *)y->data)[b * samples + s] = (int32_t)drawn;
            else
                ((int64_t *)y->data)[b * samples + s] = drawn;
        }
    return NULL;
}

enum { VOLATILE = PG_KERNEL_VOLATILE };

const pg_kernel pg_kernels_random[] = {
    {"", "Bernoulli", 15, 0, run_bernoulli, NULL, NULL, VOLATILE},
    {"", "Multinomial", 7, 0, run_multinomial, NULL, NULL, VOLATILE},
    {"", "RandomNormal", 1, 0, run_random_normal, NULL, NULL, VOLATILE},
    {"", "RandomNormalLike", 1, 0, run_random_normal, NULL, NULL, VOLATILE},
    {"", "RandomUniform", 1, 0, run_random_uniform, NULL, NULL, VOLATILE},
    {"", "RandomUniformLike", 1, 0, run_random_uniform, NULL, NULL, VOLATILE},
    {0},
};
