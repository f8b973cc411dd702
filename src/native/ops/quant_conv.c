/* Convolutions of 8-bit codes: ConvInteger, QLinearConv, and the engine's QConv, which may also have an
 * activation, a bias in float32 and a float32 result. */
#include <stdlib.h>

#include "base/alloc.h"
#include "native/ops/conv.h"
#include "native/ops/quant_dot.h"

typedef struct quant_conv_state {
    conv_weights weights;
    quant_packed packed;
} quant_conv_state;

static const quant_roles *roles_of(const pg_op *op)
{
    static const quant_roles integer = {.a = 0,
                                        .a_scale = QUANT_NONE,
                                        .a_zero = 2,
                                        .b = 1,
                                        .b_scale = QUANT_NONE,
                                        .b_zero = 3,
                                        .y_scale = QUANT_NONE,
                                        .y_zero = QUANT_NONE,
                                        .bias = QUANT_NONE,
                                        .shift = QUANT_NONE,
                                        .slopes = QUANT_NONE};
    static const quant_roles linear = {.a = 0,
                                       .a_scale = 1,
                                       .a_zero = 2,
                                       .b = 3,
                                       .b_scale = 4,
                                       .b_zero = 5,
                                       .y_scale = 6,
                                       .y_zero = 7,
                                       .bias = 8,
                                       .shift = 9,
                                       .slopes = 10};
    return pg_str_is(op->node->op_type, "ConvInteger") ? &integer : &linear;
}

static void release_conv(void *state)
{
    quant_conv_state *s = state;
    quant_packed_deinit(&s->packed);
    free(s);
}

/* Packs w; memory is the caller's: packed_bytes, and one sum for each output channel. */
static pg_status describe(const pg_op *op, const pg_tensor *w, conv_weights *out)
{
    int64_t groups;
    PG_TRY(pg_op_attr_i(op, "group", 1, &groups));
    PG_TRY(conv_weights_describe(op, w, groups, PG_U8, out));
    return out->taps == 0 ? pg_op_err(op, PG_ERR_INVALID, "the kernel has no positions") : NULL;
}

static pg_status quant_conv_prepare(pg_op *op)
{
    const quant_roles *roles = roles_of(op);
    const pg_tensor *w = quant_in(op, roles->b);
    if (w == NULL || !quant_is_8bit(w->dtype) || w->rank < 3 ||
        (pg_op_in_value(op, roles->b_zero) == NULL && roles->b_zero < op->n_in &&
         op->node->inputs[roles->b_zero].len > 0))
        return NULL; /* not constant */
    conv_weights weights;
    bool fresh;
    PG_TRY(describe(op, w, &weights));
    quant_conv_state *state = PG_NEW(quant_conv_state);
    state->weights = weights;
    op->state = state;
    PG_TRY(quant_packed_begin(op, roles, weights.packed_bytes, weights.out_channels, &state->packed, &fresh));
    if (!fresh)
        return NULL;
    conv_weights_pack_codes(&state->weights, w, state->packed.data, state->packed.sums);
    packed_filled(op, &state->packed.kept);
    return NULL;
}

static pg_status pack_now(pg_op *op, const quant_roles *roles, const pg_tensor *w, quant_conv_state *out)
{
    void *sums;
    PG_TRY(describe(op, w, &out->weights));
    PG_TRY(quant_packed_zeros(op, roles, out->weights.out_channels, &out->packed.zeros));
    PG_TRY(pg_op_scratch(op, out->weights.packed_bytes + 64, &out->packed.data));
    PG_TRY(pg_op_scratch(op, out->weights.out_channels * sizeof(int32_t) + 4, &sums));
    out->packed.sums = sums;
    conv_weights_pack_codes(&out->weights, w, out->packed.data, out->packed.sums);
    return NULL;
}

static pg_status check_inputs(const pg_op *op, const quant_roles *roles)
{
    const pg_tensor *x = quant_in(op, roles->a), *w = quant_in(op, roles->b);
    if (x == NULL || !quant_is_8bit(x->dtype))
        return pg_op_bad_type(op, roles->a);
    if (w == NULL || !quant_is_8bit(w->dtype))
        return pg_op_bad_type(op, roles->b);
    if (x->rank < 3 || x->rank != w->rank || x->rank > 2 + NN_SPATIAL)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "an input of rank %d with weights of rank %d", x->rank,
                         w->rank);
    return NULL;
}

static pg_status quant_conv_run(pg_op *op)
{
    const quant_roles *roles = roles_of(op);
    quant_conv_state now = {0}, *state = op->state;
    pg_i8_result result;
    pg_dtype type;
    pg_act act;
    PG_TRY(check_inputs(op, roles));
    const pg_tensor *x = quant_in(op, roles->a), *w = quant_in(op, roles->b);
    if (state == NULL) {
        PG_TRY(nn_layout(op, roles->b, PG_ROW_MAJOR, &w));
        PG_TRY(pack_now(op, roles, w, &now));
        state = &now;
    } else {
        PG_TRY(quant_packed_ready(op, &state->packed));
    }
    conv_weights weights = state->weights;
    weights.dtype = x->dtype;
    const size_t n = x->rank - 2u;
    if ((uint64_t)x->dims[1] != (uint64_t)weights.groups * weights.in_per_group)
        return pg_op_err(op, PG_ERR_INVALID, "the input has %lld channels, the weights take %llu",
                         (long long)x->dims[1], (unsigned long long)weights.groups * weights.in_per_group);
    conv_job job = {.weights = &weights, .packed = state->packed.data, .i8 = &result};
    PG_TRY(nn_window_read(op, n, weights.kernel + NN_SPATIAL - n, &job.window));
    nn_spatial(x, job.in);
    PG_TRY(nn_window_apply(op, &job.window, job.in, job.out));
    PG_TRY(nn_activation(op, &act));
    PG_TRY(quant_result_type(op, roles, &type));
    PG_TRY(quant_result(op, roles, &state->packed, weights.out_channels, weights.taps * weights.in_per_group,
                        quant_tile_type(type, act), act, &result, &job.act, &job.pad));
    int64_t dims[2 + NN_SPATIAL];
    const size_t rank = nn_dims(x->dims[0], w->dims[0], n, job.out, dims);
    pg_tensor *y;
    PG_TRY(nn_out_channels_last(op, 0, type, rank, dims, &y));
    if (weights.way != CONV_BY_GATHERING)
        PG_TRY(nn_layout(op, roles->a, PG_CHANNELS_LAST, &x));
    const size_t count = (size_t)pg_tensor_count(y);
    void *room = y->data;
    if (result.dtype != type)
        PG_TRY(pg_op_scratch(op, count * sizeof(float) + 4, &room));
    job.x = x;
    job.y = room;
    const pg_act rest = job.act;
    job.act = pg_act_none();
    PG_TRY(conv_run(op, &job));
    return result.dtype == PG_F32 ? quant_store(op, roles, room, count, rest, type, y->data) : NULL;
}

enum { LAYOUT = PG_KERNEL_ANY_LAYOUT };
const pg_kernel pg_kernels_quant_conv[] = {
    {"", "ConvInteger", 10, 0, quant_conv_run, quant_conv_prepare, release_conv, LAYOUT | PG_KERNEL_PACKS_1},
    {"", "QLinearConv", 10, 0, quant_conv_run, quant_conv_prepare, release_conv, LAYOUT | PG_KERNEL_PACKS_3},
    {"pg", "QConv", 1, 0, quant_conv_run, quant_conv_prepare, release_conv, LAYOUT | PG_KERNEL_PACKS_3},
    {0},
};
