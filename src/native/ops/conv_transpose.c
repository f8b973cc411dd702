/* ConvTranspose: every row of results is a sum of matrix products, one per kernel position whose stride
 * meets that row. The rows of such a product are neighbouring input pixels, its results lie `stride` pixels
 * apart, so nothing is gathered or scattered. Channels-last. */
#include "native/ops/conv_transpose.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/gemm.h"
#include "native/ops/nn.h"
#include "native/ops/packed.h"

typedef struct transposed_weights {
    pg_dtype dtype;
    size_t groups, in_per_group, out_per_group, taps;
    int64_t kernel[NN_SPATIAL];
    bool joined;        /* few channels: one packed matrix of in x (taps * out), per group */
    uint64_t tap_bytes; /* else, and of the joined one: bytes of a packed matrix */
    void *packed;       /* [groups][taps] of in_per_group x out_per_group; [groups] when joined */
    packed_weights kept;
} transposed_weights;

enum { NARROW = 8 }; /* output channels per group below which the taps are joined */

static pg_status describe(const pg_op *op, const pg_tensor *w, transposed_weights *out, uint64_t *bytes)
{
    int64_t groups;
    PG_TRY(pg_op_attr_i(op, "group", 1, &groups));
    if (!nn_is_float(w->dtype))
        return pg_op_bad_type(op, 1);
    if (w->rank < 3 || w->rank > 2 + NN_SPATIAL)
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "weights of rank %d; 3 to %d are supported", w->rank,
                         2 + NN_SPATIAL);
    if (groups < 1 || groups > w->dims[0] || w->dims[0] % groups != 0)
        return pg_op_err(op, PG_ERR_INVALID, "%lld groups do not divide %lld input channels",
                         (long long)groups, (long long)w->dims[0]);
    *out = (transposed_weights){.dtype = w->dtype, .groups = (size_t)groups, .taps = 1};
    out->in_per_group = (size_t)(w->dims[0] / groups);
    out->out_per_group = (size_t)w->dims[1];
    nn_spatial(w, out->kernel);
    for (size_t i = 0; i < NN_SPATIAL; i++)
        out->taps *= (size_t)out->kernel[i];
    out->joined = out->out_per_group < NARROW && out->taps > 1;
    const uint64_t columns = (uint64_t)out->out_per_group * (out->joined ? out->taps : 1);
    out->tap_bytes = (pg_gemm_packed_bytes(w->dtype, out->in_per_group, columns) + 63) / 64 * 64;
    if (!nn_product(bytes, 3, (uint64_t[]){out->groups, out->joined ? 1 : out->taps, out->tap_bytes}))
        return pg_op_err(op, PG_ERR_LIMIT, "weights too large");
    return NULL;
}

/* From [in][out][tap] to [in][tap][out]. */
static void pack_joined(const transposed_weights *t, const pg_tensor *w, char *scratch)
{
    const size_t size = nn_float_size(t->dtype), columns = t->taps * t->out_per_group;
    for (size_t g = 0; g < t->groups; g++) {
        const char *from = (const char *)w->data + g * t->in_per_group * columns * size;
        for (size_t i = 0; i < t->in_per_group; i++)
            for (size_t o = 0; o < t->out_per_group; o++)
                for (size_t tap = 0; tap < t->taps; tap++)
                    memcpy(scratch + (i * columns + tap * t->out_per_group + o) * size,
                           from + (i * columns + o * t->taps + tap) * size, size);
        pg_gemm_pack(t->dtype, t->in_per_group, columns, scratch, columns, false, 1,
                     (char *)t->packed + g * t->tap_bytes);
    }
}

/* `scratch` holds the matrices of one group. */
static void pack(const transposed_weights *t, const pg_tensor *w, void *scratch)
{
    const size_t size = nn_float_size(t->dtype), n = t->in_per_group * t->out_per_group;
    if (t->joined) {
        pack_joined(t, w, scratch);
        return;
    }
    for (size_t g = 0; g < t->groups; g++) {
        const char *from = (const char *)w->data + g * n * t->taps * size;
        for (size_t tap = 0; tap < t->taps; tap++) {
            for (size_t i = 0; i < n; i++)
                memcpy((char *)scratch + i * size, from + (i * t->taps + tap) * size, size);
            pg_gemm_pack(t->dtype, t->in_per_group, t->out_per_group, scratch, t->out_per_group, false, 1,
                         (char *)t->packed + (g * t->taps + tap) * t->tap_bytes);
        }
    }
}

void conv_transpose_release(void *state)
{
    transposed_weights *t = state;
    packed_free(&t->kept);
    free(t);
}

/* Constant weights are packed when the session is made, unless an engine has them. */
static pg_status packed_once(pg_op *op, transposed_weights *t, const pg_tensor *w)
{
    bool fresh;
    PG_TRY(packed_room(op, &t->kept, &t->packed, &fresh));
    if (!fresh)
        return NULL;
    void *scratch =
        nn_alloc((uint64_t)t->in_per_group * t->out_per_group * t->taps * nn_float_size(t->dtype));
    if (scratch == NULL)
        return pg_op_err(op, PG_ERR_NO_MEMORY, "no memory to pack weights");
    pack(t, w, scratch);
    free(scratch);
    packed_filled(op, &t->kept);
    return NULL;
}

pg_status conv_transpose_prepare(pg_op *op)
{
    const pg_tensor *w = pg_op_in(op, 1);
    transposed_weights t;
    uint64_t bytes;
    if (w == NULL)
        return NULL;
    PG_TRY(describe(op, w, &t, &bytes));
    PG_TRY(packed_begin(op, "transposed", 1u << 1, bytes, PACKED_AT_ONCE, &t.kept));
    transposed_weights *state = PG_NEW(transposed_weights);
    *state = t;
    op->state = state;
    return packed_is_due(&state->kept) ? packed_once(op, state, w) : NULL;
}

/* ---- Sizes ---- */

static pg_status read_three(const pg_op *op, const char *name, size_t n, bool *given, int64_t *out)
{
    const int64_t *values;
    size_t count;
    PG_TRY(pg_op_attr_is(op, name, &values, &count));
    *given = values != NULL;
    for (size_t i = 0; i < NN_SPATIAL; i++)
        out[i] = 0;
    if (values == NULL)
        return NULL;
    /* Some exporters state all dims of the output, batch and channels included. */
    if (count != n && !(strcmp(name, "output_shape") == 0 && count == n + 2))
        return pg_op_err(op, PG_ERR_INVALID, "attribute '%s' has %zu values, expected %zu", name, count, n);
    for (size_t i = 0; i < n; i++) {
        const int64_t v = values[count - n + i];
        if (v < 0 || v > INT32_MAX)
            return pg_op_err(op, PG_ERR_INVALID, "attribute '%s' has the value %lld", name, (long long)v);
        out[NN_SPATIAL - n + i] = v;
    }
    return NULL;
}

/* Output sizes; with a stated output shape or automatic padding the pads follow from it. */
static pg_status output_dims(const pg_op *op, nn_window *w, const int64_t *in, int64_t *out)
{
    int64_t extra[NN_SPATIAL], stated[NN_SPATIAL];
    bool has_extra, has_stated;
    PG_TRY(read_three(op, "output_padding", w->n, &has_extra, extra));
    PG_TRY(read_three(op, "output_shape", w->n, &has_stated, stated));
    for (size_t i = 0; i < NN_SPATIAL; i++) {
        const int64_t full = (in[i] - 1) * w->stride[i] + extra[i] + (w->kernel[i] - 1) * w->dilation[i] + 1;
        const bool same = w->auto_pad == NN_SAME_UPPER || w->auto_pad == NN_SAME_LOWER;
        if ((has_stated || same) && i >= NN_SPATIAL - w->n) {
            out[i] = has_stated ? stated[i] : in[i] * w->stride[i];
            const int64_t total = PG_MAX(full - out[i], (int64_t)0);
            w->pad_begin[i] = w->auto_pad == NN_SAME_UPPER ? total / 2 : total - total / 2;
            w->pad_end[i] = total - w->pad_begin[i];
        } else {
            out[i] = full - w->pad_begin[i] - w->pad_end[i];
        }
        if (in[i] > 0 && out[i] < 1)
            return pg_op_err(op, PG_ERR_INVALID, "the output would have %lld pixels along an axis",
                             (long long)out[i]);
    }
    return NULL;
}

/* ---- Computing ---- */

typedef struct rows_job {
    const transposed_weights *t;
    const nn_window *w;
    int64_t in[NN_SPATIAL], out[NN_SPATIAL];
    size_t channels_in, channels_out;
    const char *x, *bias;
    const char *columns; /* of joined weights: the products of all input pixels */
    char *y;
    pg_act act;
} rows_job;

/* The input position that kernel step k brings to output position o; false when there is none. */
static bool source(const rows_job *job, size_t axis, int64_t o, int64_t k, int64_t *out)
{
    const int64_t at = o + job->w->pad_begin[axis] - k * job->w->dilation[axis];
    if (at < 0 || at % job->w->stride[axis] != 0)
        return false;
    *out = at / job->w->stride[axis];
    return *out < job->in[axis];
}

/* Adds kernel position (.., kx) of one input row to one output row. */
static void add_tap(const rows_job *job, const char *x_row, char *y_row, size_t tap, int64_t kx)
{
    const transposed_weights *t = job->t;
    const int64_t stride = job->w->stride[2], shift = kx * job->w->dilation[2] - job->w->pad_begin[2];
    /* Output of input x is x * stride + shift. */
    int64_t first = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
    int64_t last = job->out[2] - 1 - shift < 0 ? -1 : (job->out[2] - 1 - shift) / stride;
    last = PG_MIN(last, job->in[2] - 1);
    if (last < first)
        return;
    const size_t size = nn_float_size(t->dtype), step = (size_t)stride * job->channels_out;
    for (size_t g = 0; g < t->groups; g++) {
        char *c =
            y_row + ((size_t)(first * stride + shift) * job->channels_out + g * t->out_per_group) * size;
        const char *a = x_row + ((size_t)first * job->channels_in + g * t->in_per_group) * size;
        pg_gemm_run(&(pg_gemm){t->dtype,
                               (size_t)(last - first + 1),
                               t->out_per_group,
                               t->in_per_group,
                               a,
                               job->channels_in,
                               (char *)t->packed + (g * t->taps + tap) * t->tap_bytes,
                               c,
                               step,
                               NULL,
                               c,
                               step,
                               {0}});
    }
}

/* The same from the joined products. */
static void add_joined_tap(const rows_job *job, size_t row, char *y_row, size_t tap, int64_t kx)
{
    const transposed_weights *t = job->t;
    const size_t n = t->out_per_group, per_pixel = t->groups * t->taps * n;
    for (int64_t x = 0; x < job->in[2]; x++) {
        const int64_t o = x * job->w->stride[2] + kx * job->w->dilation[2] - job->w->pad_begin[2];
        if (o < 0 || o >= job->out[2])
            continue;
        const size_t pixel = (row * (size_t)job->in[2] + (size_t)x) * per_pixel;
        for (size_t g = 0; g < t->groups; g++)
            for (size_t c = 0; c < n; c++) {
                const size_t from = pixel + (g * t->taps + tap) * n + c;
                const size_t to = (size_t)o * job->channels_out + g * n + c;
                if (t->dtype == PG_F64)
                    ((double *)y_row)[to] += ((const double *)job->columns)[from];
                else
                    ((float *)y_row)[to] += ((const float *)job->columns)[from];
            }
    }
}

static pg_status multiply_joined(pg_op *op, rows_job *job, size_t pixels)
{
    const transposed_weights *t = job->t;
    const size_t n = t->taps * t->out_per_group, size = nn_float_size(t->dtype), row = t->groups * n;
    void *columns;
    PG_TRY(pg_op_scratch(op, (uint64_t)pixels * row * size + 64, &columns));
    for (size_t g = 0; g < t->groups; g++)
        pg_gemm_run(&(pg_gemm){t->dtype,
                               pixels,
                               n,
                               t->in_per_group,
                               job->x + g * t->in_per_group * size,
                               job->channels_in,
                               (char *)t->packed + g * t->tap_bytes,
                               (char *)columns + g * n * size,
                               row,
                               NULL,
                               NULL,
                               0,
                               {0}});
    job->columns = columns;
    return NULL;
}

static void start_row(const rows_job *job, char *y_row)
{
    const size_t bytes = job->channels_out * nn_float_size(job->t->dtype);
    if (job->bias == NULL)
        memset(y_row, 0, bytes * (size_t)job->out[2]);
    else
        for (int64_t x = 0; x < job->out[2]; x++)
            memcpy(y_row + (size_t)x * bytes, job->bias, bytes);
}

static void run_rows(void *context, size_t begin, size_t end)
{
    const rows_job *job = context;
    const int64_t *k = job->t->kernel;
    const size_t size = nn_float_size(job->t->dtype);
    const size_t y_bytes = (size_t)job->out[2] * job->channels_out * size;
    const size_t x_bytes = (size_t)job->in[2] * job->channels_in * size;
    for (size_t r = begin; r < end; r++) {
        const int64_t oh = (int64_t)r % job->out[1], od = (int64_t)r / job->out[1] % job->out[0];
        const size_t image = r / (size_t)(job->out[0] * job->out[1]);
        char *y_row = job->y + r * y_bytes;
        start_row(job, y_row);
        for (int64_t kd = 0; kd < k[0]; kd++)
            for (int64_t kh = 0; kh < k[1]; kh++) {
                int64_t d, h;
                if (!source(job, 0, od, kd, &d) || !source(job, 1, oh, kh, &h))
                    continue;
                const size_t row = (image * (size_t)job->in[0] + (size_t)d) * (size_t)job->in[1] + (size_t)h;
                for (int64_t kw = 0; kw < k[2]; kw++)
                    if (job->t->joined)
                        add_joined_tap(job, row, y_row, (size_t)((kd * k[1] + kh) * k[2] + kw), kw);
                    else
                        add_tap(job, job->x + row * x_bytes, y_row, (size_t)((kd * k[1] + kh) * k[2] + kw),
                                kw);
            }
        if (pg_act_is_set(job->act))
            pg_act_apply(job->t->dtype, job->act, y_row, y_row, (size_t)job->out[2] * job->channels_out);
    }
}

pg_status conv_transpose_run(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 2));
    const pg_tensor *x = pg_op_in(op, 0), *w = pg_op_in(op, 1), *bias = pg_op_in(op, 2);
    transposed_weights now;
    transposed_weights *t = op->state;
    if (w->layout != PG_ROW_MAJOR)
        PG_TRY(nn_layout(op, 1, PG_ROW_MAJOR, &w));
    if (t == NULL) {
        uint64_t bytes;
        void *scratch;
        PG_TRY(describe(op, w, &now, &bytes));
        PG_TRY(pg_op_scratch(op, bytes + 64, &now.packed));
        PG_TRY(
            pg_op_scratch(op, (uint64_t)now.in_per_group * now.out_per_group * now.taps * 8 + 64, &scratch));
        pack(&now, w, scratch);
        t = &now;
    } else {
        PG_TRY(packed_once(op, t, w));
    }
    rows_job job = {.t = t, .channels_in = t->groups * t->in_per_group};
    job.channels_out = t->groups * t->out_per_group;
    if (x->rank != w->rank || (uint64_t)x->dims[1] != job.channels_in)
        return pg_op_err(op, PG_ERR_INVALID, "the input does not have rank %d and %zu channels", w->rank,
                         job.channels_in);
    if (bias != NULL && (bias->dtype != x->dtype || pg_tensor_count(bias) != job.channels_out))
        return pg_op_err(op, PG_ERR_INVALID, "the bias does not have %zu elements of the input's type",
                         job.channels_out);
    const size_t n = x->rank - 2u;
    nn_window window;
    PG_TRY(nn_window_read(op, n, t->kernel + NN_SPATIAL - n, &window));
    nn_spatial(x, job.in);
    PG_TRY(output_dims(op, &window, job.in, job.out));
    PG_TRY(nn_activation(op, &job.act));
    int64_t dims[2 + NN_SPATIAL];
    const size_t rank = nn_dims(x->dims[0], (int64_t)job.channels_out, n, job.out, dims);
    pg_tensor *y;
    PG_TRY(nn_out_channels_last(op, 0, x->dtype, rank, dims, &y));
    PG_TRY(nn_layout(op, 0, PG_CHANNELS_LAST, &x));
    job.w = &window;
    job.x = x->data;
    job.y = y->data;
    job.bias = bias != NULL ? bias->data : NULL;
    if (t->joined)
        PG_TRY(multiply_joined(op, &job, (size_t)(x->dims[0] * job.in[0] * job.in[1] * job.in[2])));
    pg_parallel_for((size_t)(x->dims[0] * job.out[0] * job.out[1]), 1, run_rows, &job);
    return NULL;
}
