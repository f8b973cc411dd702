/* LSTM, GRU and RNN. The products with the inputs of all steps are one matrix product; each step then adds
 * that of its state, both directions at once where there are threads. */
#include "native/ops/rnn.h"
#include "native/ops/nn.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/ops/packed.h"

enum { IN_X, IN_W, IN_R, IN_B, IN_LENGTHS, IN_H, IN_C, IN_P };

/* The weights of all directions, packed. `r` of GRU with linear_before_reset = 0 is cut in two: the gates z
 * and r, then h, because the latter multiplies another state. */
typedef struct rnn_weights {
    pg_dtype dtype;
    size_t gates, hidden, inputs, directions;
    bool cut;
    uint64_t w_bytes, r_bytes, r_tail; /* per direction; r_tail: where the second part begins */
    packed_weights packed;
} rnn_weights;

static uint64_t align64(uint64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static pg_status describe_weights(const pg_op *op, const rnn_options *o, const pg_tensor *w,
                                  const pg_tensor *r, rnn_weights *out, uint64_t *bytes)
{
    const int64_t rows = (int64_t)(o->kind * o->hidden), d = (int64_t)o->directions;
    if (w->rank != 3 || w->dims[0] != d || w->dims[1] != rows || r->rank != 3 || r->dims[0] != d ||
        r->dims[1] != rows || r->dims[2] != (int64_t)o->hidden)
        return pg_op_err(op, PG_ERR_INVALID,
                         "the weights do not have the shapes (%lld, %lld, inputs) and (%lld, %lld, %zu)",
                         (long long)d, (long long)rows, (long long)d, (long long)rows, o->hidden);
    if (!nn_is_float(w->dtype) || w->dtype != r->dtype)
        return pg_op_bad_type(op, IN_W);
    *out = (rnn_weights){w->dtype, (size_t)o->kind, o->hidden, (size_t)w->dims[2], o->directions};
    out->cut = o->kind == RNN_GRU && !o->linear_before_reset;
    out->w_bytes = align64(pg_gemm_packed_bytes(w->dtype, out->inputs, (uint64_t)rows));
    const uint64_t tail_rows = out->cut ? o->hidden : 0;
    out->r_tail = align64(pg_gemm_packed_bytes(w->dtype, o->hidden, (uint64_t)rows - tail_rows));
    out->r_bytes =
        out->r_tail + (out->cut ? align64(pg_gemm_packed_bytes(w->dtype, o->hidden, o->hidden)) : 0);
    *bytes = (out->w_bytes + out->r_bytes) * o->directions;
    return NULL;
}

static void pack_weights(const rnn_weights *s, const pg_tensor *w, const pg_tensor *r, char *memory)
{
    const size_t rows = s->gates * s->hidden, size = nn_float_size(s->dtype);
    const size_t head = s->cut ? rows - s->hidden : rows;
    for (size_t d = 0; d < s->directions; d++) {
        char *to = memory + d * (s->w_bytes + s->r_bytes);
        const char *from_w = (const char *)w->data + d * rows * s->inputs * size;
        const char *from_r = (const char *)r->data + d * rows * s->hidden * size;
        pg_gemm_pack(s->dtype, s->inputs, rows, from_w, s->inputs, true, 1, to);
        pg_gemm_pack(s->dtype, s->hidden, head, from_r, s->hidden, true, 1, to + s->w_bytes);
        if (s->cut)
            pg_gemm_pack(s->dtype, s->hidden, s->hidden, from_r + head * s->hidden * size, s->hidden, true, 1,
                         to + s->w_bytes + s->r_tail);
    }
}

static void release_weights(void *state)
{
    rnn_weights *s = state;
    packed_free(&s->packed);
    free(s);
}

static rnn_kind kind_of(const pg_op *op)
{
    return pg_str_ends(op->node->op_type, PG_STR("LSTM")) ? RNN_LSTM
           : pg_str_is(op->node->op_type, "GRU")          ? RNN_GRU
                                                          : RNN_PLAIN;
}

/* When hidden_size is not stated the recurrent weights say it. */
static void default_hidden(rnn_options *o, const pg_tensor *r)
{
    if (o->hidden == 0 && r->rank == 3)
        o->hidden = (size_t)r->dims[2];
}

/* Where constant weights are packed, until `run` returns. */
static pg_status packed(pg_op *op, rnn_weights *state, const pg_tensor *w, const pg_tensor *r,
                        const char **out)
{
    void *room;
    bool fresh;
    PG_TRY(packed_room(op, &state->packed, &room, &fresh));
    if (fresh) {
        pack_weights(state, w, r, room);
        packed_filled(op, &state->packed);
    }
    *out = room;
    return NULL;
}

static pg_status prepare(pg_op *op)
{
    const pg_tensor *w = pg_op_in(op, IN_W), *r = pg_op_in(op, IN_R);
    if (w == NULL || r == NULL)
        return NULL;
    rnn_options o;
    rnn_weights weights;
    uint64_t bytes;
    const char *memory;
    PG_TRY(rnn_read_options(op, kind_of(op), &o));
    default_hidden(&o, r);
    PG_TRY(describe_weights(op, &o, w, r, &weights, &bytes));
    rnn_weights *state = PG_NEW(rnn_weights);
    *state = weights;
    op->state = state;
    PG_TRY(packed_begin(op, "recurrent", 1u << IN_W | 1u << IN_R, bytes, PACKED_MAY_WAIT, &state->packed));
    return packed_is_due(&state->packed) ? packed(op, state, w, r, &memory) : NULL;
}

/* ---- Running ---- */

/* One direction; directions share nothing that they write. */
typedef struct rnn_run {
    const rnn_options *o;
    size_t direction;
    const rnn_weights *w;
    const char *packed;
    pg_dtype dtype;
    size_t size, steps, batch, rows; /* rows = gates * hidden */
    const char *x, *bias, *peephole;
    const int32_t *lengths; /* NULL: all steps */
    char *bias_sum;         /* rows */
    char *projected;        /* [steps * batch][rows] in the order of x */
    char *gates, *turned;   /* [batch][rows], [batch][rows]: of one step */
    char *h, *c;            /* [batch][hidden] */
    char *y;
} rnn_run;

static double number(pg_dtype dtype, const void *p, size_t i)
{
    return dtype == PG_F64 ? ((const double *)p)[i] : (double)((const float *)p)[i];
}
static void set_number(pg_dtype dtype, void *p, size_t i, double v)
{
    if (dtype == PG_F64)
        ((double *)p)[i] = v;
    else
        ((float *)p)[i] = (float)v;
}

/* What is added to the projected inputs: both biases, but not the recurrent one of GRU's h before its reset.
 */
static void sum_biases(const rnn_run *r, size_t direction)
{
    const bool apart = r->o->kind == RNN_GRU && r->o->linear_before_reset;
    for (size_t i = 0; i < r->rows; i++) {
        double sum = 0;
        if (r->bias != NULL) {
            sum = number(r->dtype, r->bias, direction * 2 * r->rows + i);
            if (!apart || i < 2 * r->o->hidden)
                sum += number(r->dtype, r->bias, direction * 2 * r->rows + r->rows + i);
        }
        set_number(r->dtype, r->bias_sum, i, sum);
    }
}

static void multiply(const rnn_run *r, size_t m, size_t n, size_t k, const void *a, const void *b,
                     const void *bias, const void *add, size_t ld_add, void *c, size_t ldc)
{
    pg_gemm_run(&(pg_gemm){r->dtype, m, n, k, a, k, b, c, ldc, bias, add, ld_add, {0}});
}

static size_t length_of(const rnn_run *r, size_t b)
{
    return r->lengths != NULL ? (size_t)r->lengths[b] : r->steps;
}

static size_t row_of(const rnn_run *r, size_t t, size_t b)
{
    return r->o->batch_first ? b * r->steps + t : t * r->batch + b;
}

/* Where sequence b is at step s. */
static size_t time_of(const rnn_run *r, size_t s, size_t b, bool reverse)
{
    const size_t length = length_of(r, b);
    return s < length && reverse ? length - 1 - s : s;
}

static const char *packed_direction(const rnn_run *r)
{
    return r->packed + r->direction * (r->w->w_bytes + r->w->r_bytes);
}

static char *output_of(const rnn_run *r, size_t direction, size_t t, size_t b)
{
    const size_t d = r->o->directions;
    const size_t at =
        r->o->batch_first ? (b * r->steps + t) * d + direction : (t * d + direction) * r->batch + b;
    return r->y + at * r->o->hidden * r->size;
}

static void gru_step(const rnn_run *r, const char *packed_r, size_t direction, const rnn_act *acts)
{
    const rnn_options *o = r->o;
    const size_t n = o->hidden, m = r->batch;
    char *fresh = r->gates + 2 * n * r->size; /* column of h in the first row */
    if (o->linear_before_reset) {
        const char *bias = r->bias != NULL ? r->bias + (direction * 6 * n + 5 * n) * r->size : NULL;
        multiply(r, m, 3 * n, n, r->h, packed_r, NULL, NULL, 0, r->turned, 3 * n);
        for (size_t b = 0; b < m; b++) {
            char *g = r->gates + b * r->rows * r->size, *u = r->turned + b * r->rows * r->size;
            for (size_t i = 0; i < 2 * n; i++)
                set_number(r->dtype, g, i, number(r->dtype, g, i) + number(r->dtype, u, i));
            rnn_activate(r->dtype, o, &acts[0], g, 2 * n);
            for (size_t i = 0; i < n; i++) {
                const double reset = number(r->dtype, g, n + i);
                const double state =
                    number(r->dtype, u, 2 * n + i) + (bias != NULL ? number(r->dtype, bias, i) : 0);
                set_number(r->dtype, g, 2 * n + i, number(r->dtype, g, 2 * n + i) + reset * state);
            }
        }
    } else {
        multiply(r, m, 2 * n, n, r->h, packed_r, NULL, r->gates, 3 * n, r->gates, 3 * n);
        for (size_t b = 0; b < m; b++) {
            char *g = r->gates + b * r->rows * r->size;
            rnn_activate(r->dtype, o, &acts[0], g, 2 * n);
            for (size_t i = 0; i < n; i++)
                set_number(r->dtype, r->turned, b * n + i,
                           number(r->dtype, g, n + i) * number(r->dtype, r->h, b * n + i));
        }
        multiply(r, m, n, n, r->turned, packed_r + r->w->r_tail, NULL, fresh, 3 * n, fresh, 3 * n);
    }
    for (size_t b = 0; b < m; b++)
        rnn_activate(r->dtype, o, &acts[1], r->gates + (b * r->rows + 2 * n) * r->size, n);
}

/* The factor of the recurrent product. `turned` has room for four times the state. */
static const char *state_of(const rnn_run *r)
{
    const size_t count = r->batch * r->o->hidden;
    if (!r->o->coded_state)
        return r->h;
    rnn_round_to_codes((const float *)r->h, count, (uint8_t *)r->turned + count * sizeof(float),
                       (float *)r->turned);
    return r->turned;
}

/* Takes the state of sequence b one step further from its gates. */
static void update_state(const rnn_run *r, size_t direction, size_t b, const rnn_act *acts)
{
    const rnn_options *o = r->o;
    const size_t n = o->hidden;
    char *g = r->gates + b * r->rows * r->size, *h = r->h + b * n * r->size;
    char *c = r->c != NULL ? r->c + b * n * r->size : NULL;
    const char *p = r->peephole != NULL ? r->peephole + direction * 3 * n * r->size : NULL;
    const bool wide = r->dtype == PG_F64;
    if (o->kind == RNN_LSTM && wide)
        rnn_lstm_cell_f64(o, acts, (double *)g, (const double *)p, (double *)h, (double *)c);
    else if (o->kind == RNN_LSTM)
        rnn_lstm_cell_f32(o, acts, (float *)g, (const float *)p, (float *)h, (float *)c);
    else if (o->kind == RNN_GRU && wide)
        rnn_gru_blend_f64(n, (double *)g, (double *)g + 2 * n, (double *)h);
    else if (o->kind == RNN_GRU)
        rnn_gru_blend_f32(n, (float *)g, (float *)g + 2 * n, (float *)h);
    else {
        rnn_activate(r->dtype, o, &acts[0], g, n);
        memcpy(h, g, n * r->size);
    }
}

/* The products with the inputs of all steps. */
static void project(const rnn_run *r)
{
    sum_biases(r, r->direction);
    multiply(r, r->steps * r->batch, r->rows, r->w->inputs, r->x, packed_direction(r), r->bias_sum, NULL, 0,
             r->projected, r->rows);
}

/* r->gates = the pre-activations of step s, where each sequence is at its own time: where they lie, when they
 * lie together. */
static void take_gates(rnn_run *r, size_t s, bool reverse)
{
    const size_t row = r->rows * r->size;
    if (r->batch == 1 || (r->lengths == NULL && !r->o->batch_first)) {
        r->gates = r->projected + row_of(r, time_of(r, s, 0, reverse), 0) * row;
        return;
    }
    for (size_t b = 0; b < r->batch; b++)
        memcpy(r->gates + b * row, r->projected + row_of(r, time_of(r, s, b, reverse), b) * row, row);
}

static void run_steps(const rnn_run *run)
{
    rnn_run r = *run;
    const rnn_options *o = r.o;
    const size_t n = o->hidden, direction = r.direction;
    const bool reverse = direction == 1 || o->reverse_first;
    const char *packed_r = packed_direction(&r) + r.w->w_bytes;
    const rnn_act *acts = o->acts[direction];
    for (size_t s = 0; s < r.steps; s++) {
        take_gates(&r, s, reverse);
        if (o->kind == RNN_GRU)
            gru_step(&r, packed_r, direction, acts);
        else
            multiply(&r, r.batch, r.rows, n, state_of(&r), packed_r, NULL, r.gates, r.rows, r.gates, r.rows);
        for (size_t b = 0; b < r.batch; b++) {
            char *y = output_of(&r, direction, time_of(&r, s, b, reverse), b);
            if (s < length_of(&r, b)) {
                update_state(&r, direction, b, acts);
                memcpy(y, r.h + b * n * r.size, n * r.size);
            } else {
                memset(y, 0, n * r.size);
            }
        }
    }
}

static void run_directions(void *context, size_t begin, size_t end)
{
    const rnn_run *runs = context;
    for (size_t d = begin; d < end; d++)
        run_steps(&runs[d]);
}

/* States are [direction][batch][hidden], or [batch][direction][hidden]. */
static size_t state_at(const rnn_run *r, size_t direction, size_t b)
{
    return (r->o->batch_first ? b * r->o->directions + direction : direction * r->batch + b) * r->o->hidden *
           r->size;
}

static void load_state(const rnn_run *r, size_t direction, const pg_tensor *from, char *to)
{
    const size_t bytes = r->o->hidden * r->size;
    for (size_t b = 0; b < r->batch; b++)
        if (from != NULL)
            memcpy(to + b * bytes, (const char *)from->data + state_at(r, direction, b), bytes);
        else
            memset(to + b * bytes, 0, bytes);
}

static void store_state(const rnn_run *r, size_t direction, const char *from, pg_tensor *to)
{
    const size_t bytes = r->o->hidden * r->size;
    for (size_t b = 0; b < r->batch; b++)
        memcpy((char *)to->data + state_at(r, direction, b), from + b * bytes, bytes);
}

static pg_status check_optional(const pg_op *op, size_t i, uint64_t count)
{
    const pg_tensor *t = pg_op_in(op, i);
    if (t == NULL)
        return NULL;
    if (t->dtype != pg_op_in(op, 0)->dtype)
        return pg_op_bad_type(op, i);
    if (pg_tensor_count(t) != count)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu has %llu elements, expected %llu", i,
                         (unsigned long long)pg_tensor_count(t), (unsigned long long)count);
    return NULL;
}

static pg_status check_inputs(const pg_op *op, const rnn_run *r, const rnn_options *o)
{
    const uint64_t d = o->directions, n = o->hidden, b = r->batch;
    PG_TRY(check_optional(op, IN_B, d * 2 * o->kind * n));
    PG_TRY(check_optional(op, IN_H, d * b * n));
    if (o->kind == RNN_LSTM) {
        PG_TRY(check_optional(op, IN_C, d * b * n));
        PG_TRY(check_optional(op, IN_P, d * 3 * n));
    }
    const pg_tensor *lengths = pg_op_in(op, IN_LENGTHS);
    if (lengths == NULL)
        return NULL;
    if (lengths->dtype != PG_I32 || pg_tensor_count(lengths) != b)
        return pg_op_err(op, PG_ERR_INVALID, "sequence_lens is not one int32 per sequence");
    for (uint64_t i = 0; i < b; i++) {
        const int32_t length = ((const int32_t *)lengths->data)[i];
        if (length < 0 || (uint64_t)length > r->steps)
            return pg_op_err(op, PG_ERR_INVALID, "sequence length %d is outside [0, %zu]", length, r->steps);
    }
    return NULL;
}

static pg_status bind_memory(pg_op *op, rnn_run *r)
{
    const size_t n = r->o->hidden, bytes = r->size;
    void *memory;
    const uint64_t parts[] = {
        align64((uint64_t)r->rows * bytes),
        align64((uint64_t)r->steps * r->batch * r->rows * bytes),
        align64((uint64_t)r->batch * r->rows * bytes),
        align64((uint64_t)r->batch * r->rows * bytes),
        align64((uint64_t)r->batch * n * bytes),
        align64((uint64_t)r->batch * n * bytes),
    };
    char **fields[] = {&r->bias_sum, &r->projected, &r->gates, &r->turned, &r->h, &r->c};
    uint64_t total = 64, at = 0;
    for (size_t i = 0; i < PG_COUNT(parts); i++)
        total += parts[i];
    PG_TRY(pg_op_scratch(op, total, &memory));
    for (size_t i = 0; i < PG_COUNT(parts); i++) {
        *fields[i] = (char *)memory + at;
        at += parts[i];
    }
    return NULL;
}

static pg_status make_outputs(pg_op *op, const rnn_run *r, pg_tensor **y, pg_tensor **h, pg_tensor **c)
{
    const int64_t d = (int64_t)r->o->directions, b = (int64_t)r->batch, s = (int64_t)r->steps;
    const int64_t n = (int64_t)r->o->hidden;
    const int64_t all[] = {s, d, b, n}, all_batch[] = {b, s, d, n}, last[] = {d, b, n},
                  last_batch[] = {b, d, n};
    PG_TRY(pg_op_out(op, 0, r->dtype, 4, r->o->batch_first ? all_batch : all, y));
    PG_TRY(pg_op_out(op, 1, r->dtype, 3, r->o->batch_first ? last_batch : last, h));
    return pg_op_out(op, 2, r->dtype, 3, r->o->batch_first ? last_batch : last, c);
}

pg_status rnn_run_node(pg_op *op)
{
    rnn_options o;
    rnn_weights now;
    PG_TRY(nn_need_floats(op, 3));
    PG_TRY(rnn_read_options(op, kind_of(op), &o));
    const pg_tensor *x = pg_op_in(op, IN_X);
    default_hidden(&o, pg_op_in(op, IN_R));
    rnn_run r = {.o = &o, .w = op->state, .dtype = x->dtype, .size = nn_float_size(x->dtype), .x = x->data};
    if (r.w == NULL) {
        uint64_t bytes;
        void *memory;
        PG_TRY(describe_weights(op, &o, pg_op_in(op, IN_W), pg_op_in(op, IN_R), &now, &bytes));
        PG_TRY(pg_op_scratch(op, bytes + 64, &memory));
        pack_weights(&now, pg_op_in(op, IN_W), pg_op_in(op, IN_R), memory);
        r.w = &now;
        r.packed = memory;
    } else {
        PG_TRY(packed(op, op->state, pg_op_in(op, IN_W), pg_op_in(op, IN_R), &r.packed));
    }
    if (x->rank != 3 || (size_t)x->dims[2] != r.w->inputs)
        return pg_op_err(op, PG_ERR_INVALID, "the input is not a sequence of batches of %zu values",
                         r.w->inputs);
    r.steps = (size_t)x->dims[o.batch_first];
    r.batch = (size_t)x->dims[!o.batch_first];
    r.rows = r.w->gates * o.hidden;
    PG_TRY(check_inputs(op, &r, &o));
    if (pg_op_in(op, IN_B) != NULL)
        r.bias = pg_op_in(op, IN_B)->data;
    if (pg_op_in(op, IN_LENGTHS) != NULL)
        r.lengths = pg_op_in(op, IN_LENGTHS)->data;
    const bool lstm = o.kind == RNN_LSTM;
    if (lstm && pg_op_in(op, IN_P) != NULL)
        r.peephole = pg_op_in(op, IN_P)->data;
    pg_tensor *y, *h, *c;
    PG_TRY(make_outputs(op, &r, &y, &h, &c));
    r.y = y->data;
    rnn_run runs[2];
    for (size_t d = 0; d < o.directions; d++) {
        runs[d] = r;
        runs[d].direction = d;
        PG_TRY(bind_memory(op, &runs[d]));
        load_state(&r, d, pg_op_in(op, IN_H), runs[d].h);
        load_state(&r, d, lstm ? pg_op_in(op, IN_C) : NULL, runs[d].c);
        project(&runs[d]);
    }
    pg_parallel_for(o.directions, 1, run_directions, runs);
    for (size_t d = 0; d < o.directions; d++) {
        store_state(&r, d, runs[d].h, h);
        store_state(&r, d, runs[d].c, c);
    }
    return NULL;
}

enum {
    FLAGS = PG_KERNEL_HALF_VIA_F32 | PG_KERNEL_ANY_ADDRESS_1 | PG_KERNEL_ANY_ADDRESS_2 | PG_KERNEL_PACKS_1 |
            PG_KERNEL_PACKS_2
};
const pg_kernel pg_kernels_rnn[] = {
    {"", "LSTM", 1, 0, rnn_run_node, prepare, release_weights, FLAGS},
    {"", "GRU", 1, 0, rnn_run_node, prepare, release_weights, FLAGS},
    {"", "RNN", 1, 0, rnn_run_node, prepare, release_weights, FLAGS},
    {"com.microsoft", "DynamicQuantizeLSTM", 1, 0, rnn_run_dynamic_lstm, NULL, NULL, 0},
    {0},
};
