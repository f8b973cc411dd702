/* Convolutions as oneDNN primitives with packed weights. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "native/onednn/api.h"
#include "native/onednn/onednn.h"

enum { MOST_POST_OPS = 3 };

struct pg_onednn_primitive {
    dnn_handle primitive;
    dnn_handle x, y, weights, bias, add; /* memories; bias and add may be NULL */
    void *packed;                        /* what weights points to */
    int add_arg;
};

/* ---- Post-operations ---- */

static bool eltwise_of(pg_act act, int *algorithm, float *alpha, float *beta)
{
    *alpha = act.alpha;
    *beta = act.beta;
    switch (act.kind) {
    case PG_ACT_RELU:
        *alpha = 0;
        *algorithm = DNN_RELU;
        return true;
    case PG_ACT_LEAKY:
        *algorithm = DNN_RELU;
        return true;
    case PG_ACT_CLIP:
        *algorithm = DNN_CLIP_V2;
        return true;
    case PG_ACT_HARDSIGMOID:
        *algorithm = DNN_HARDSIGMOID;
        return true;
    case PG_ACT_HARDSWISH:
        *alpha = 1.0f / 6;
        *beta = 0.5f;
        *algorithm = DNN_HARDSWISH;
        return true;
    case PG_ACT_SIGMOID:
        *algorithm = DNN_LOGISTIC;
        return true;
    case PG_ACT_SILU:
        *algorithm = DNN_SWISH;
        return true;
    case PG_ACT_TANH:
        *algorithm = DNN_TANH;
        return true;
    case PG_ACT_GELU:
        *algorithm = DNN_GELU_ERF;
        return true;
    case PG_ACT_GELU_TANH:
        *algorithm = DNN_GELU_TANH;
        return true;
    default:
        return false;
    }
}

static pg_status append_post_ops(const dnn_functions *call, dnn_handle ops, dnn_handle add, pg_act act)
{
    int algorithm;
    float alpha, beta;
    if (add != NULL)
        PG_TRY(dnn_check(call->post_ops_binary(ops, DNN_BINARY_ADD, add), "adding an addend"));
    if (eltwise_of(act, &algorithm, &alpha, &beta))
        PG_TRY(dnn_check(call->post_ops_eltwise(ops, algorithm, alpha, beta), "adding an activation"));
    if (act.affine)
        PG_TRY(dnn_check(call->post_ops_eltwise(ops, DNN_LINEAR, act.scale, act.shift), "adding a scaling"));
    return NULL;
}

static pg_status make_attributes(const dnn_functions *call, dnn_handle add, pg_act act, dnn_handle *out)
{
    dnn_handle ops = NULL;
    pg_status status = NULL;
    *out = NULL;
    PG_TRY_GOTO(status, dnn_check(call->post_ops_create(&ops), "creating post-operations"));
    PG_TRY_GOTO(status, append_post_ops(call, ops, add, act));
    PG_TRY_GOTO(status, dnn_check(call->attr_create(out), "creating attributes"));
    PG_TRY_GOTO(status, dnn_check(call->attr_set_post_ops(*out, ops), "setting post-operations"));
done:
    if (ops != NULL)
        call->post_ops_destroy(ops);
    return status;
}

/* ---- Making a primitive ---- */

/* Descriptions of the operands; `weights` as the library likes it, `plain` as the caller has them. */
typedef struct descs {
    dnn_handle x, y, weights, plain, bias, attributes;
} descs;

static void destroy_descs(const dnn_functions *call, descs *d)
{
    dnn_handle *all[] = {&d->x, &d->y, &d->weights, &d->plain, &d->bias};
    for (size_t i = 0; i < PG_COUNT(all); i++)
        if (*all[i] != NULL)
            call->desc_destroy(*all[i]);
    if (d->attributes != NULL)
        call->attr_destroy(d->attributes);
}

static pg_status make_memory(const dnn_library *l, dnn_handle desc, dnn_handle *out)
{
    return dnn_check(l->call.memory_create(out, desc, l->engine, NULL), "creating memory");
}

/* Packs the weights into the primitive's own format. */
static pg_status pack_weights(const dnn_library *l, dnn_handle plain, const float *values, dnn_handle wanted,
                              pg_onednn_primitive *p)
{
    dnn_handle source = NULL, desc = NULL, reorder = NULL;
    pg_status status = NULL;
    p->packed = aligned_alloc(64, (l->call.desc_size(wanted) + 64) / 64 * 64);
    if (p->packed == NULL)
        return pg_err(PG_ERR_NO_MEMORY, "no memory for packed weights");
    PG_TRY_GOTO(status, make_memory(l, wanted, &p->weights));
    PG_TRY_GOTO(status, dnn_check(l->call.memory_set(p->weights, p->packed), "setting memory"));
    PG_TRY_GOTO(status, make_memory(l, plain, &source));
    PG_TRY_GOTO(status, dnn_check(l->call.memory_set(source, (void *)values), "setting memory"));
    PG_TRY_GOTO(status, dnn_check(l->call.reorder(&desc, plain, l->engine, wanted, l->engine, NULL),
                                  "planning the packing of weights"));
    PG_TRY_GOTO(status,
                dnn_check(l->call.primitive_create(&reorder, desc), "creating the packing of weights"));
    const dnn_arg args[] = {{DNN_ARG_FROM, source}, {DNN_ARG_DST, p->weights}};
    PG_TRY_GOTO(status, dnn_check(l->call.primitive_execute(reorder, l->stream, 2, args), "packing weights"));
    PG_TRY_GOTO(status, dnn_check(l->call.stream_wait(l->stream), "packing weights"));
done:
    if (source != NULL)
        l->call.memory_destroy(source);
    if (reorder != NULL)
        l->call.primitive_destroy(reorder);
    if (desc != NULL)
        l->call.primitive_desc_destroy(desc);
    return status;
}

/* From a planned operation: memories, weights, primitive. */
static pg_status finish(const dnn_library *l, const descs *d, dnn_handle planned, const float *weights,
                        bool add, pg_onednn_primitive *p)
{
    PG_TRY(make_memory(l, d->x, &p->x));
    PG_TRY(make_memory(l, d->y, &p->y));
    if (d->bias != NULL)
        PG_TRY(make_memory(l, d->bias, &p->bias));
    if (add)
        PG_TRY(make_memory(l, d->y, &p->add));
    p->add_arg = DNN_ARG_POST_OP | DNN_ARG_SRC_1; /* the first post-operation */
    PG_TRY(pack_weights(l, d->plain, weights, l->call.query_desc(planned, DNN_QUERY_WEIGHTS, 0), p));
    return dnn_check(l->call.primitive_create(&p->primitive, planned), "creating the primitive");
}

static const dnn_library *library_or_error(pg_status *status)
{
    const dnn_library *l = dnn_get();
    if (l == NULL)
        *status = pg_err(PG_ERR_UNAVAILABLE, "%s", pg_onednn_reason());
    return l;
}

static void dense_strides(int n, const int64_t *dims, int64_t *out)
{
    int64_t step = 1;
    for (int i = n; i-- > 0;) {
        out[i] = step;
        step *= dims[i];
    }
}

/* N, C, spatial... stored with C last. */
static pg_status channels_last_desc(const dnn_functions *call, int64_t batch, int64_t channels, size_t n,
                                    const int64_t *spatial, dnn_handle *out)
{
    dnn_dims dims = {batch, channels}, strides = {0};
    memcpy(dims + 2, spatial, n * sizeof *dims);
    strides[1] = 1;
    int64_t step = channels;
    for (size_t i = n + 2; i-- > 2;) {
        strides[i] = step;
        step *= dims[i];
    }
    strides[0] = step;
    return dnn_check(call->desc_with_strides(out, (int)n + 2, dims, DNN_F32, strides), "describing a tensor");
}

static pg_status conv_descs(const dnn_functions *call, const pg_onednn_conv_spec *s, descs *d)
{
    const size_t n = s->spatial, skip = PG_ONEDNN_SPATIAL - n;
    dnn_dims w = {0}, strides = {0};
    int rank = 0;
    PG_TRY(channels_last_desc(call, s->batch, s->in_channels, n, s->in + skip, &d->x));
    PG_TRY(channels_last_desc(call, s->batch, s->out_channels, n, s->out + skip, &d->y));
    if (s->groups > 1)
        w[rank++] = s->groups;
    w[rank++] = s->out_channels / s->groups;
    w[rank++] = s->in_channels / s->groups;
    for (size_t i = 0; i < n; i++)
        w[rank++] = s->kernel[skip + i];
    dense_strides(rank, w, strides);
    PG_TRY(dnn_check(call->desc_with_strides(&d->plain, rank, w, DNN_F32, strides), "describing weights"));
    PG_TRY(dnn_check(call->desc_with_tag(&d->weights, rank, w, DNN_F32, DNN_TAG_ANY), "describing weights"));
    if (s->bias) {
        const dnn_dims bias = {s->out_channels}, one = {1};
        PG_TRY(dnn_check(call->desc_with_strides(&d->bias, 1, bias, DNN_F32, one), "describing the bias"));
    }
    return make_attributes(call, s->add ? d->y : NULL, s->act, &d->attributes);
}

static pg_status plan_conv(const dnn_library *l, const pg_onednn_conv_spec *s, const descs *d,
                           dnn_handle *out)
{
    const size_t skip = PG_ONEDNN_SPATIAL - s->spatial;
    dnn_dims stride = {0}, dilate = {0}, begin = {0}, end = {0};
    for (size_t i = 0; i < s->spatial; i++) {
        const size_t j = skip + i;
        stride[i] = s->stride[j];
        dilate[i] = s->dilation[j] - 1;
        begin[i] = s->pad_begin[j];
        /* Exactly the padding that the output size implies. */
        end[i] =
            (s->out[j] - 1) * s->stride[j] + (s->kernel[j] - 1) * s->dilation[j] + 1 - s->in[j] - begin[i];
    }
    return dnn_check(l->call.convolution(out, l->engine, DNN_FORWARD_INFERENCE, DNN_CONVOLUTION_AUTO, d->x,
                                         d->weights, d->bias, d->y, stride, dilate, begin, end,
                                         d->attributes),
                     "planning a convolution");
}

pg_status pg_onednn_conv_new(const pg_onednn_conv_spec *spec, pg_onednn_primitive **out)
{
    pg_status status = NULL;
    const dnn_library *l = library_or_error(&status);
    if (l == NULL)
        return status;
    descs d = {0};
    dnn_handle planned = NULL;
    pg_onednn_primitive *p = PG_NEW(pg_onednn_primitive);
    dnn_use_threads(l);
    PG_TRY_GOTO(status, conv_descs(&l->call, spec, &d));
    PG_TRY_GOTO(status, plan_conv(l, spec, &d, &planned));
    PG_TRY_GOTO(status, finish(l, &d, planned, spec->weights, spec->add, p));
    *out = p;
    p = NULL;
done:
    if (planned != NULL)
        l->call.primitive_desc_destroy(planned);
    destroy_descs(&l->call, &d);
    pg_onednn_free(p);
    return status;
}

/* ---- Running ---- */

pg_status pg_onednn_run(pg_onednn_primitive *p, const float *x, const float *bias, const float *add, float *y)
{
    const dnn_library *l = dnn_get();
    dnn_arg args[3 + MOST_POST_OPS];
    int n = 0;
    const struct {
        int arg;
        dnn_handle memory;
        const float *data;
    } operands[] = {{DNN_ARG_SRC, p->x, x},
                    {DNN_ARG_DST, p->y, y},
                    {DNN_ARG_BIAS, p->bias, bias},
                    {p->add_arg, p->add, add}};
    for (size_t i = 0; i < PG_COUNT(operands); i++)
        if (operands[i].memory != NULL) {
            PG_TRY(dnn_check(l->call.memory_set(operands[i].memory, (void *)operands[i].data),
                             "setting memory"));
            args[n++] = (dnn_arg){operands[i].arg, operands[i].memory};
        }
    args[n++] = (dnn_arg){DNN_ARG_WEIGHTS, p->weights};
    dnn_use_threads(l);
    PG_TRY(dnn_check(l->call.primitive_execute(p->primitive, l->stream, n, args), "executing"));
    return dnn_check(l->call.stream_wait(l->stream), "executing");
}

void pg_onednn_free(pg_onednn_primitive *p)
{
    const dnn_library *l = p != NULL ? dnn_get() : NULL;
    if (l == NULL)
        return;
    dnn_handle memories[] = {p->x, p->y, p->weights, p->bias, p->add};
    for (size_t i = 0; i < PG_COUNT(memories); i++)
        if (memories[i] != NULL)
            l->call.memory_destroy(memories[i]);
    if (p->primitive != NULL)
        l->call.primitive_destroy(p->primitive);
    free(p->packed);
    free(p);
}
