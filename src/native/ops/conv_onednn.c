#include "native/ops/conv_onednn.h"

#include "base/alloc.h"

/* Where it was measured to be faster than the portable kernels: depthwise convolutions and short sums.
 * Elsewhere both run at the speed of the multipliers, or oneDNN is slower (few output channels; tall kernels
 * over images one pixel wide). */
enum { SHORT_SUM = 64 };

bool conv_onednn_wanted(const pg_op *op, const conv_weights *w)
{
    if (w->dtype != PG_F32 || pg_gemm_is_narrow(PG_F32, w->out_channels))
        return false;
    return (w->way == CONV_DEPTHWISE || w->in_per_group * w->taps <= SHORT_SUM) && nn_use_onednn(op);
}

static pg_onednn_primitive *make(const conv_job *job, const pg_tensor *w)
{
    const conv_weights *weights = job->weights;
    pg_onednn_conv_spec spec = {
        .spatial = job->window.n,
        .batch = job->x->dims[0],
        .groups = (int64_t)weights->groups,
        .in_channels = job->x->dims[1],
        .out_channels = (int64_t)weights->out_channels,
        .weights = w->data,
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
    return primitive;
}

static size_t find(conv_onednn *cache, const conv_job *job, const pg_tensor *w)
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
    cache->shapes[i].primitive = make(job, w);
    return i;
}

pg_status conv_onednn_run(conv_onednn *cache, const conv_job *job, const pg_tensor *w, bool *done)
{
    pg_onednn_primitive *primitive = cache->shapes[find(cache, job, w)].primitive;
    *done = primitive != NULL;
    return *done ? pg_onednn_run(primitive, job->x->data, job->bias, job->add, job->y) : NULL;
}

void conv_onednn_free(conv_onednn *cache)
{
    for (size_t i = 0; i < cache->n; i++)
        pg_onednn_free(cache->shapes[i].primitive);
}
