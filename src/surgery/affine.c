#include "surgery/affine.h"

#include <math.h>

static double get(const pg_tensor *floats, size_t i)
{
    return floats->dtype == PG_F64 ? ((const double *)floats->data)[i]
                                   : (double)((const float *)floats->data)[i];
}

static bool is(const pg_node *node, const char *op_type)
{
    return node->domain.len == 0 && pg_str_is(node->op_type, op_type);
}

static double attr_f(const pg_node *node, const char *name, float missing)
{
    const pg_attr *attr = pg_node_attr(node, name);
    return (double)(attr != NULL && attr->type == PG_ATTR_FLOAT ? attr->f : missing);
}

static int64_t attr_i(const pg_node *node, const char *name, int64_t missing)
{
    const pg_attr *attr = pg_node_attr(node, name);
    return attr != NULL && attr->type == PG_ATTR_INT ? attr->i : missing;
}

/* ---- Reading ---- */

/* A constant operand of shape (), (1,), (C, 1, ...) or (1, C, 1, ...) beside a result of `rank` dims. */
static bool per_channel(const pg_tensor *t, size_t rank, size_t channels, size_t *step)
{
    const uint64_t count = pg_tensor_count(t);
    *step = 0;
    if (t->rank > rank)
        return false;
    if (count == 1)
        return true;
    *step = 1;
    return count == channels && t->rank + 1u >= rank && t->dims[t->rank + 1u - rank] == (int64_t)channels;
}

static bool read_elementwise(const pg_node *node, pg_str x, size_t rank, pg_constants constants, pg_affine *a)
{
    size_t step;
    const bool mul = is(node, "Mul"), div = is(node, "Div"), add = is(node, "Add"), sub = is(node, "Sub");
    if ((!mul && !div && !add && !sub) || node->n_inputs != 2)
        return false;
    const bool constant_first = pg_str_eq(node->inputs[1], x);
    if (pg_str_eq(node->inputs[0], x) == constant_first || (div && constant_first))
        return false;
    const pg_tensor *t = constants.find(constants.context, node->inputs[!constant_first]);
    if (t == NULL || !per_channel(t, rank, a->channels, &step))
        return false;
    for (size_t c = 0; c < a->channels; c++) {
        const double k = get(t, c * step);
        a->scale[c] = mul ? k : div ? 1 / k : sub && constant_first ? -1 : 1;
        a->shift[c] = add || (sub && constant_first) ? k : sub ? -k : 0;
    }
    return true;
}

static bool read_batch_norm(const pg_node *node, pg_str x, pg_constants constants, pg_affine *a)
{
    const pg_tensor *t[4];
    if (!is(node, "BatchNormalization") || node->n_inputs != 5 || !pg_str_eq(node->inputs[0], x) ||
        node->n_outputs != 1 || attr_i(node, "training_mode", 0) != 0)
        return false;
    for (size_t i = 0; i < 4; i++) {
        t[i] = constants.find(constants.context, node->inputs[i + 1]);
        if (t[i] == NULL || pg_tensor_count(t[i]) != a->channels)
            return false;
    }
    const double epsilon = attr_f(node, "epsilon", 1e-5f);
    for (size_t c = 0; c < a->channels; c++) {
        a->scale[c] = get(t[0], c) / sqrt(get(t[3], c) + epsilon);
        a->shift[c] = get(t[1], c) - get(t[2], c) * a->scale[c];
    }
    return true;
}

bool pg_affine_read(const pg_node *node, pg_str x, size_t rank, pg_constants constants, pg_affine *a)
{
    return read_elementwise(node, x, rank, constants, a) || read_batch_norm(node, x, constants, a);
}

/* ---- Applying ---- */

bool pg_affine_channels(const pg_node *node, pg_weight_channels *out)
{
    const int64_t groups = attr_i(node, "group", 1);
    *out = (pg_weight_channels){0, 1};
    if (groups < 1)
        return false;
    if (is(node, "Conv"))
        return true;
    if (is(node, "ConvTranspose")) {
        *out = (pg_weight_channels){1, (size_t)groups};
        return true;
    }
    if (!is(node, "Gemm") || attr_f(node, "alpha", 1) != 1 || attr_f(node, "beta", 1) != 1)
        return false;
    out->axis = attr_i(node, "transB", 0) == 0;
    return true;
}

size_t pg_affine_count(pg_weight_channels channels, const pg_tensor *weights)
{
    if (weights->rank < 2 || pg_tensor_count(weights) == 0 ||
        weights->dims[0] % (int64_t)channels.groups != 0)
        return 0;
    return (size_t)weights->dims[channels.axis] * channels.groups;
}

static void scale_run(pg_tensor *t, size_t first, size_t count, double factor)
{
    if (t->dtype == PG_F64) {
        double *x = (double *)t->data + first;
        for (size_t i = 0; i < count; i++)
            x[i] *= factor;
        return;
    }
    float *x = (float *)t->data + first;
    for (size_t i = 0; i < count; i++)
        x[i] = (float)((double)x[i] * factor);
}

void pg_affine_scale(const pg_affine *a, pg_weight_channels channels, pg_tensor *weights)
{
    const size_t first = (size_t)weights->dims[0], second = (size_t)weights->dims[1];
    const size_t run = (size_t)pg_tensor_count(weights) / first / (channels.axis == 1 ? second : 1);
    if (channels.axis == 0) {
        for (size_t c = 0; c < first; c++)
            scale_run(weights, c * run, run, a->scale[c]);
        return;
    }
    for (size_t in = 0; in < first; in++)
        for (size_t c = 0; c < second; c++)
            scale_run(weights, (in * second + c) * run, run,
                      a->scale[in / (first / channels.groups) * second + c]);
}

double pg_affine_bias(const pg_affine *a, const pg_tensor *old, size_t c)
{
    return (old != NULL ? get(old, c) : 0) * a->scale[c] + a->shift[c];
}
