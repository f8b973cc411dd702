/* Conv, and the engine's own FusedConv: a convolution with an addend and an activation. */
#include "native/ops/conv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "native/ops/conv_onednn.h"
#include "native/ops/conv_transpose.h"
#include "native/ops/conv_winograd.h"
#include "native/ops/packed.h"
#include "native/internal.h"

/* Constant weights. Those that may be wanted in Winograd's form stay, and are packed when it is known which
 * form is; the first run never makes that form of large weights, which takes longer than it saves. */
typedef struct conv_state {
    conv_weights weights;
    packed_weights packed;
    const float *scale;               /* of the weights of each output channel, or NULL */
    bool fits_winograd, may_winograd; /* by weights and window; and nothing else was chosen */
    conv_winograd winograd;
    packed_weights transformed; /* for it */
    bool takes_onednn, use_onednn;
    conv_onednn onednn;
} conv_state;

static void release_conv(void *state)
{
    conv_state *s = state;
    conv_onednn_free(&s->onednn);
    packed_free(&s->transformed);
    packed_free(&s->packed);
    free(s);
}

static pg_status describe(const pg_op *op, const pg_tensor *w, pg_dtype dtype, conv_weights *out)
{
    int64_t groups;
    if (!nn_is_float(w->dtype))
        return pg_op_bad_type(op, 1);
    PG_TRY(pg_op_attr_i(op, "group", 1, &groups));
    return conv_weights_describe(op, w, groups, dtype, out);
}

/* Winograd's products are of float32, also beside plain ones of bfloat16, which are no faster. */
static conv_weights wide_weights(const conv_weights *weights, pg_dtype dtype)
{
    conv_weights wide = *weights;
    wide.dtype = dtype;
    return wide;
}

static pg_status may_winograd(const pg_op *op, const conv_weights *weights, const pg_tensor *w, bool *out)
{
    nn_window window;
    const pg_native_options *options = &op->session->options;
    const size_t n = w->rank - 2u;
    *out = false;
    if (options->no_optimization || options->float64)
        return NULL;
    PG_TRY(nn_window_read(op, n, weights->kernel + NN_SPATIAL - n, &window));
    conv_weights wide = wide_weights(weights, w->dtype);
    *out = conv_winograd_fits(&wide, &window);
    return NULL;
}

/* The engine's own attribute weight_scale: factors for output channels that are yet to be applied to weights
 * in the model's file (optimize/fold_affine.c). */
static pg_status read_scale(const pg_op *op, const conv_weights *weights, const float **out)
{
    size_t count = 0;
    *out = NULL;
    if (!pg_str_is(op->node->domain, "pg"))
        return NULL;
    PG_TRY(pg_op_attr_fs(op, "weight_scale", out, &count));
    if (*out != NULL && (count != weights->out_channels || weights->dtype != PG_F32))
        return pg_op_err(op, PG_ERR_INVALID, "attribute 'weight_scale' has %zu values for %zu channels",
                         count, weights->out_channels);
    return NULL;
}

/* The weights in the form that conv_run reads; *out is valid until `run` returns. */
static pg_status pack(pg_op *op, conv_state *state, const pg_tensor *w, const void **out)
{
    void *room;
    bool fresh;
    PG_TRY(packed_room(op, &state->packed, &room, &fresh));
    if (fresh) {
        conv_weights_pack(&state->weights, w, state->scale, room);
        packed_filled(op, &state->packed);
    }
    *out = room;
    return NULL;
}

/* Which of its tactics the weights are for. */
static pg_status take_tactic(const pg_op *op, const pg_tensor *w, conv_state *made)
{
    const pg_tactic_id chosen = op->tactic;
    const pg_native_options *options = &op->session->options; /* the library is loaded when it is of use */
    made->takes_onednn = (chosen == PG_TACTIC_RULE ? options->tuning || !options->for_engine
                                                   : chosen == PG_TACTIC_ONEDNN || options->tuning) &&
                         !pg_tensor_is_hollow(w) && conv_onednn_takes(op, &made->weights);
    made->use_onednn = chosen == PG_TACTIC_RULE
                           ? !options->for_engine && made->takes_onednn && made->scale == NULL &&
                                 conv_onednn_wanted(op, &made->weights)
                           : chosen == PG_TACTIC_ONEDNN && made->takes_onednn;
    made->may_winograd = made->fits_winograd && !made->use_onednn &&
                         (chosen == PG_TACTIC_RULE || chosen == PG_TACTIC_WINOGRAD);
    const conv_way way = chosen == PG_TACTIC_TAPS     ? CONV_BY_TAPS
                         : chosen == PG_TACTIC_GATHER ? CONV_BY_GATHERING
                                                      : made->weights.way;
    return way != made->weights.way && conv_weights_may(&made->weights, way)
               ? conv_weights_use(op, &made->weights, way)
               : NULL;
}

static pg_tactic_id tactic_of(conv_way way)
{
    return way == CONV_BY_TAPS     ? PG_TACTIC_TAPS
           : way == CONV_DEPTHWISE ? PG_TACTIC_DEPTHWISE
                                   : PG_TACTIC_GATHER;
}

/* What could be used for constant weights. */
static unsigned offers(const conv_state *state, const conv_job *job, pg_act act)
{
    unsigned bits = 0;
    for (conv_way way = CONV_BY_TAPS; way <= CONV_DEPTHWISE; way++)
        if (conv_weights_may(&state->weights, way))
            bits |= PG_TACTIC_BIT(tactic_of(way));
    if (state->fits_winograd && conv_winograd_pays(job)) /* else four times the weights are read for little */
        bits |= PG_TACTIC_BIT(PG_TACTIC_WINOGRAD);
    if (state->takes_onednn && act.kind != PG_ACT_PRELU)
        bits |= PG_TACTIC_BIT(PG_TACTIC_ONEDNN);
    return bits;
}

/* The same for Winograd's products. */
static pg_status transform(pg_op *op, conv_state *state, const pg_tensor *w)
{
    void *room;
    bool fresh;
    PG_TRY(packed_room(op, &state->transformed, &room, &fresh));
    if (fresh) {
        conv_weights wide = wide_weights(&state->weights, w->dtype);
        PG_TRY(conv_winograd_pack(op, &state->winograd, &wide, w, state->scale, room));
        packed_filled(op, &state->transformed);
    }
    state->winograd.packed = room;
    return NULL;
}

static const char *form_name(const conv_weights *weights)
{
    static const char *const names[] = {
        [CONV_BY_TAPS] = "taps", [CONV_BY_GATHERING] = "gather", [CONV_DEPTHWISE] = "depthwise"};
    return weights->dtype == PG_BF16 ? weights->way == CONV_BY_TAPS ? "taps bfloat16" : "gather bfloat16"
                                     : names[weights->way];
}

static pg_status begin_forms(pg_op *op, conv_state *state, const pg_tensor *w)
{
    const void *packed;
    PG_TRY(packed_begin(op, form_name(&state->weights), state->use_onednn ? 0 : 1u << 1,
                        state->weights.packed_bytes, PACKED_MAY_WAIT, &state->packed));
    if (state->may_winograd) {
        uint64_t bytes;
        conv_weights wide = wide_weights(&state->weights, w->dtype);
        conv_winograd_describe(&wide, &state->winograd, &bytes);
        PG_TRY(packed_begin(op, "winograd", 1u << 1, bytes, PACKED_MAY_WAIT, &state->transformed));
    }
    return packed_is_due(&state->packed) && !state->may_winograd && !state->use_onednn
               ? pack(op, state, w, &packed)
               : NULL;
}

static pg_status prepare_conv(pg_op *op)
{
    const pg_tensor *w = pg_op_in(op, 1);
    if (w == NULL)
        return NULL;
    conv_state made = {0};
    const bool halves = op->bf16_factors && w->dtype == PG_F32;
    PG_TRY(describe(op, w, halves ? PG_BF16 : w->dtype, &made.weights));
    PG_TRY(read_scale(op, &made.weights, &made.scale));
    PG_TRY(may_winograd(op, &made.weights, w, &made.fits_winograd));
    PG_TRY(take_tactic(op, w, &made));
    if (made.use_onednn || halves) /* oneDNN's primitives are made from the weights when shapes are known */
        PG_TRY(pg_op_align(op, 1));
    conv_state *state = PG_NEW(conv_state);
    *state = made;
    op->state = state;
    return begin_forms(op, state, w);
}

/* The form of the weights for this input, made when it is first wanted. */
static pg_status choose_form(pg_op *op, conv_state *state, const pg_tensor *w, conv_job *job,
                             const conv_winograd **out)
{
    const bool chosen = op->tactic == PG_TACTIC_WINOGRAD,
               can = state->may_winograd && conv_winograd_takes(job);
    bool wanted = can && (chosen || conv_winograd_pays(job));
    if (op->session->frozen && (wanted ? &state->transformed : &state->packed)->memory == NULL &&
        (wanted ? &state->packed : &state->transformed)->memory != NULL)
        wanted = can && !wanted;
    *out = NULL;
    if (!wanted)
        return pack(op, state, w, &job->packed);
    PG_TRY(transform(op, state, w));
    *out = &state->winograd;
    return NULL;
}

static pg_status pack_now(pg_op *op, const pg_tensor *w, conv_weights *weights, const void **out)
{
    void *room;
    PG_TRY(describe(op, w, w->dtype, weights));
    PG_TRY(pg_op_scratch(op, weights->packed_bytes, &room));
    conv_weights_pack(weights, w, NULL, room);
    *out = room;
    return NULL;
}

static pg_status check_shapes(const pg_op *op, const pg_tensor *x, const pg_tensor *w, const pg_tensor *bias,
                              const conv_weights *weights)
{
    if (x->rank != w->rank)
        return pg_op_err(op, PG_ERR_INVALID, "the input has rank %d, the weights %d", x->rank, w->rank);
    if ((uint64_t)x->dims[1] != (uint64_t)weights->groups * weights->in_per_group)
        return pg_op_err(op, PG_ERR_INVALID, "the input has %lld channels, the weights take %llu",
                         (long long)x->dims[1], (unsigned long long)weights->groups * weights->in_per_group);
    if (bias != NULL &&
        (bias->dtype != nn_sum_type(x->dtype) || pg_tensor_count(bias) != weights->out_channels))
        return pg_op_err(op, PG_ERR_INVALID, "the bias does not have %zu elements of the input's type",
                         weights->out_channels);
    return NULL;
}

/* Input 3 of FusedConv; *fits is false when its shape is not the result's. */
static pg_status find_addend(pg_op *op, size_t rank, const int64_t *dims, const pg_tensor **out, bool *fits)
{
    const pg_tensor *add = pg_op_in(op, 3);
    *out = NULL;
    *fits = true;
    if (add == NULL)
        return NULL;
    if (add->dtype != pg_op_in(op, 0)->dtype)
        return pg_op_bad_type(op, 3);
    *fits = add->rank == rank && memcmp(add->dims, dims, rank * sizeof *dims) == 0;
    return *fits ? nn_layout(op, 3, PG_CHANNELS_LAST, out) : NULL;
}

/* Input 4 of FusedConv, for its activation PRelu. */
static pg_status slopes(const pg_op *op, const conv_weights *weights, pg_act *act)
{
    const pg_tensor *t = pg_op_in(op, 4);
    if (t == NULL || t->dtype != nn_sum_type(pg_op_in(op, 0)->dtype) ||
        pg_tensor_count(t) != weights->out_channels || weights->groups != 1 || t->layout != PG_ROW_MAJOR)
        return pg_op_err(op, PG_ERR_INVALID, "there are no %zu slopes for its PRelu", weights->out_channels);
    act->slopes = t->data;
    return NULL;
}

/* What run_conv decides about one run. */
typedef struct conv_choice {
    bool onednn, fits; /* fits: the addend, if any, has the result's shape */
    const conv_winograd *winograd;
    const pg_tensor *add;
} conv_choice;

/* The loops over products read and write half types themselves; the others see float32. */
static bool writes_halves(const conv_choice *c, const conv_job *job)
{
    return nn_is_half(job->x->dtype) && !c->onednn && c->winograd == NULL && c->fits &&
           job->weights->way != CONV_DEPTHWISE;
}

/* Input and addend in the types that the chosen loops take. */
static pg_status convert_operands(pg_op *op, const conv_choice *c, conv_job *job, pg_tensor *x,
                                  pg_tensor *add)
{
    const bool plain = !c->onednn && c->winograd == NULL;
    const pg_dtype wanted = plain ? job->weights->dtype : nn_sum_type(job->x->dtype);
    PG_TRY(nn_as(op, job->x, wanted, x, &job->x));
    job->add = NULL;
    if (c->add == NULL)
        return NULL;
    const pg_tensor *found;
    PG_TRY(
        nn_as(op, c->add, job->half != PG_UNDEFINED ? job->half : nn_sum_type(c->add->dtype), add, &found));
    job->add = found->data;
    return NULL;
}

static pg_status run_sums(pg_op *op, conv_job *job)
{
    pg_tensor room;
    PG_TRY(nn_as(op, job->x, job->weights->dtype, &room, &job->x));
    return conv_run(op, job);
}

static pg_status run_onednn(pg_op *op, conv_state *state, const pg_tensor *w, conv_job *job)
{
    bool done = false;
    op->used = PG_TACTIC_ONEDNN;
    PG_TRY(conv_onednn_run(&state->onednn, job, w, state->scale, &done));
    if (done)
        return NULL;
    op->used = tactic_of(state->weights.way);
    op->offers &= ~PG_TACTIC_BIT(PG_TACTIC_ONEDNN);
    PG_TRY(pack(op, state, w, &job->packed));
    return run_sums(op, job);
}

static pg_status run_winograd(pg_op *op, const conv_winograd *winograd, const conv_job *job)
{
    op->used = PG_TACTIC_WINOGRAD;
    conv_weights wide = wide_weights(job->weights, PG_F32);
    conv_job wide_job = *job;
    wide_job.weights = &wide;
    return conv_winograd_run(op, winograd, &wide_job);
}

static pg_status run_conv(pg_op *op)
{
    PG_TRY(nn_need_product(op));
    const pg_tensor *x = pg_op_in(op, 0), *w = pg_op_in(op, 1), *bias = pg_op_in(op, 2);
    conv_weights now;
    conv_state *state = op->state;
    const conv_weights *weights = state != NULL ? &state->weights : &now;
    if (w->layout != PG_ROW_MAJOR)
        PG_TRY(nn_layout(op, 1, PG_ROW_MAJOR, &w));
    const void *packed = NULL;
    if (state == NULL)
        PG_TRY(pack_now(op, w, &now, &packed));
    PG_TRY(check_shapes(op, x, w, bias, weights));
    conv_job job = {.weights = weights, .packed = packed, .x = x, .bias = bias != NULL ? bias->data : NULL};
    conv_choice choice = {0};
    const size_t n = x->rank - 2u;
    PG_TRY(nn_window_read(op, n, weights->kernel + NN_SPATIAL - n, &job.window));
    nn_spatial(x, job.in);
    PG_TRY(nn_window_apply(op, &job.window, job.in, job.out));
    PG_TRY(nn_activation(op, &job.act));
    int64_t dims[2 + NN_SPATIAL];
    const size_t rank = nn_dims(x->dims[0], w->dims[0], n, job.out, dims);
    PG_TRY(find_addend(op, rank, dims, &choice.add, &choice.fits));
    if (job.act.kind == PG_ACT_PRELU)
        PG_TRY(slopes(op, weights, &job.act));
    const pg_act act = job.act;
    if (!choice.fits)
        job.act = pg_act_none();
    choice.onednn =
        state != NULL && state->use_onednn && act.kind != PG_ACT_PRELU && !nn_is_empty(rank, dims);
    if (state != NULL)
        pg_op_offer(op, offers(state, &job, act), tactic_of(weights->way));
    if (state != NULL && !choice.onednn)
        PG_TRY(choose_form(op, state, w, &job, &choice.winograd));
    job.half = writes_halves(&choice, &job) ? x->dtype : PG_UNDEFINED;
    pg_tensor *y, wide_x, wide_add;
    PG_TRY(nn_out_channels_last(op, choice.fits ? 0 : op->n_out,
                                job.half != PG_UNDEFINED ? job.half : nn_sum_type(x->dtype), rank, dims, &y));
    if (weights->way != CONV_BY_GATHERING || choice.onednn)
        PG_TRY(nn_layout(op, 0, PG_CHANNELS_LAST, &job.x));
    job.y = y->data;
    PG_TRY(convert_operands(op, &choice, &job, &wide_x, &wide_add));
    PG_TRY(choice.onednn             ? run_onednn(op, state, w, &job)
           : choice.winograd != NULL ? run_winograd(op, choice.winograd, &job)
                                     : run_sums(op, &job));
    return choice.fits ? NULL : nn_add_broadcast(op, 0, 3, act);
}

enum { FLAGS = PG_KERNEL_HALF_VIA_F32 | PG_KERNEL_ANY_LAYOUT };
#define CONV(domain, name)                                                                            \
    {                                                                                                 \
        domain, name, 1, 0, run_conv, prepare_conv, release_conv,                                     \
            FLAGS | PG_KERNEL_ANY_ADDRESS_1 | PG_KERNEL_PACKS_1 | PG_KERNEL_HALF_0 | PG_KERNEL_HALF_3 \
    }
#define TRANSPOSED(domain, name)                                                                \
    {                                                                                           \
        domain, name, 1, 0, conv_transpose_run, conv_transpose_prepare, conv_transpose_release, \
            FLAGS | PG_KERNEL_PACKS_1                                                           \
    }
const pg_kernel pg_kernels_conv[] = {
    CONV("", "Conv"),
    CONV("pg", "FusedConv"),
    CONV("com.microsoft", "FusedConv"),
    TRANSPOSED("", "ConvTranspose"),
    TRANSPOSED("pg", "FusedConvTranspose"),
    {0},
};
