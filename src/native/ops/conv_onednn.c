#include "native/ops/conv_onednn.h"

#include <stdlib.h>

#include "base/alloc.h"

/* Where it was measured to be faster than the portable kernels: depthwise convolutions and short sums.
 * Elsewhere both run at the speed of the multipliers, or oneDNN is slower (few output channels; tall kernels
 * over images one pixel wide). */
enum { SHORT_SUM = 64 };

bool conv_onednn_takes(const pg_op *op, const conv_weights *w)
{
    return w->dtype == PG_F32 && nn_may_use_onednn(op);
}

bool conv_onednn_wanted(const pg_op *op, const conv_weights *w)
{
    if (w->dtype != PG_F32 || pg_gemm_is_narrow(PG_F32, w->out_channels))
        return false;
    return (w->way == CONV_DEPTHWISE || w->in_per_group * w->taps <= SHORT_SUM) && nn_use_onednn(op);
}

/* The weights with their scales applied; NULL without scales or memory. */
static float *scaled_weights(const conv_weights *weights, const float *from, const float *scale)
{
    const size_t of_channel = weights->in_per_group * weights->taps;
    float *out = scale != NULL ? nn_alloc(weights->out_channels * of_channel * sizeof *out) : NULL;
    for (size_t i = 0; out != NULL && i < weights->out_channels * of_channel; i++)
        out[i] = from[i] * scale[i / of_channel];
    return out;
}

static pg_onednn_primitive *make(const conv_job *job, const pg_tensor *w, const float *scale)
{
    const conv_weights *weights = job->weights;
    float *scaled = scaled_weights(weights, w->data, scale);
    if (scale != NULL && scaled == NULL)
        return NULL;
    pg_onednn_conv_spec spec = {
        .spatial = job->window.n,
        .batch = job->x->dims[0],
        .groups = (int64_t)weights->groups,
        .in_channels = job->x->dims[1],
        .out_channels = (int64_t)weights->out_channels,
        .weights = scaled != NULL ? scaled : w->data,
        .bias = job->bias != NULL,
        .add = job->add != NULL,
        .act = job->act,
    };
    memcpy(spec.in, job->in, sizeof spec.in);
    memcpy(spec.out, job->out, sizeof spec.out);
    memcpy(spec.kernel, job->window.kernel, sizeof spec.kernel);
    memcpy(spec.stride, job->window.stride, sizeof spec.stride);
    memcpy(spec.dilation, job->window.dilation, sizeof spec.dilation);
    memcpy(spec.pad_begin, job->window.pad_begin, sizeof spec.pad_begin);
    pg_onednn_primitive *primitive = NULL;
    /* A refusal is no fault: the portable kernel runs then. */
    pg_status_drop(pg_onednn_conv_new(&spec, &primitive));
    free(scaled);
    return primitive;
}

static size_t find(conv_onednn *cache, const conv_job *job, const pg_tensor *w, const float *scale)
{
    for (size_t i = 0; i < cache->n; i++)
        if (cache->shapes[i].batch == job->x->dims[0] &&
            memcmp(cache->shapes[i].in, job->in, sizeof job->in) == 0)
            return i;
    const size_t i = cache->next;
    cache->next = (i + 1) % CONV_ONEDNN_SHAPES;
    if (i < cache->n)
        pg_onednn_free(cache->shapes[i].primitive);
    else
        cache->n++;
    cache->shapes[i].batch = job->x->dims[0];
    memcpy(cache->shapes[i].in, job->in, sizeof job->in);
    cache->shapes[i].primitive = make(job, w, scale);
    return i;
}

pg_status conv_onednn_run(conv_onednn *cache, const conv_job *job, const pg_tensor *w, const float *scale,
                          bool *done)
{
    pg_onednn_primitive *primitive = cache->shapes[find(cache, job, w, scale)].primitive;
    *done = primitive != NULL;
    return *done ? pg_onednn_run(primitive, job->x->data, job->bias, job->add, job->y) : NULL;
}

void conv_onednn_free(conv_onednn *cache)
{
    for (size_t i = 0; i < cache->n; i++)
        pg_onednn_free(cache->shapes[i].primitive);
}
