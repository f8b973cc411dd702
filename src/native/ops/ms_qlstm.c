/* DynamicQuantizeLSTM of com.microsoft: an LSTM of 8-bit weights, whose inputs and states are rounded to 8-bit codes
 * before each product. The products are taken of what the codes stand for: each factor is exact in float32, so only
 * the order of the sums differs from one of whole numbers. */
#include "native/ops/quant.h"
#include "native/ops/rnn.h"

enum { LSTM_X, LSTM_W, LSTM_R, STANDARD = 8, W_SCALE = 8, W_ZERO, R_SCALE, R_ZERO };

void rnn_round_to_codes(const float *x, size_t n, uint8_t *codes, float *out)
{
    float scale;
    int32_t zero;
    quant_dynamic(x, n, codes, &scale, &zero);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(codes[i] - zero) * scale;
}

/* One number per direction, or per direction and column. */
static pg_status check_grid(const pg_op *op, size_t input, pg_dtype dtype, const pg_tensor *codes)
{
    const pg_tensor *t = pg_op_in(op, input);
    if (t == NULL)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu is missing", input);
    if (t->dtype != dtype)
        return pg_op_bad_type(op, input);
    const uint64_t count = pg_tensor_count(t), directions = (uint64_t)codes->dims[0];
    if (count != directions && count != directions * (uint64_t)codes->dims[2])
        return pg_op_err(op, PG_ERR_INVALID,
                         "input %zu has %llu elements, expected one per direction or one per column", input,
                         (unsigned long long)count);
    return NULL;
}

static int32_t code_at(const pg_tensor *codes, size_t i)
{
    return codes->dtype == PG_U8 ? ((const uint8_t *)codes->data)[i] : ((const int8_t *)codes->data)[i];
}

/* Codes (directions, from, 4 hidden) become values (directions, 4 hidden, from), the standard's order. */
static pg_status read_weights(pg_op *op, size_t input, size_t scale_input, pg_value *out)
{
    const pg_tensor *codes = pg_op_in(op, input);
    if (codes == NULL)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu is missing", input);
    if (!quant_is_8bit(codes->dtype))
        return pg_op_bad_type(op, input);
    if (codes->rank != 3)
        return pg_op_err(op, PG_ERR_INVALID, "input %zu has rank %u, expected 3", input, codes->rank);
    PG_TRY(check_grid(op, scale_input, PG_F32, codes));
    PG_TRY(check_grid(op, scale_input + 1, codes->dtype, codes));
    const pg_tensor *scales = pg_op_in(op, scale_input), *zeros = pg_op_in(op, scale_input + 1);
    const size_t directions = (size_t)codes->dims[0], rows = (size_t)codes->dims[1],
                 columns = (size_t)codes->dims[2];
    const size_t scale_step = pg_tensor_count(scales) == directions ? 0 : 1;
    const size_t zero_step = pg_tensor_count(zeros) == directions ? 0 : 1;
    void *memory;
    PG_TRY(pg_op_scratch(op, pg_tensor_count(codes) * sizeof(float) + 64, &memory));
    for (size_t d = 0; d < directions; d++)
        for (size_t c = 0; c < columns; c++) {
            const float scale = ((const float *)scales->data)[scale_step > 0 ? d * columns + c : d];
            const int32_t zero = code_at(zeros, zero_step > 0 ? d * columns + c : d);
            float *to = (float *)memory + (d * columns + c) * rows;
            for (size_t r = 0; r < rows; r++)
                to[r] = (float)(code_at(codes, (d * rows + r) * columns + c) - zero) * scale;
        }
    *out = pg_value_of_tensor((pg_tensor){.dtype = PG_F32,
                                          .rank = 3,
                                          .dims = {codes->dims[0], codes->dims[2], codes->dims[1]},
                                          .data = memory});
    return NULL;
}

static pg_status read_input(pg_op *op, pg_value *out)
{
    const pg_tensor *x = pg_op_in(op, LSTM_X);
    const uint64_t count = pg_tensor_count(x);
    void *memory;
    if (x->dtype != PG_F32)
        return pg_op_bad_type(op, LSTM_X);
    PG_TRY(pg_op_scratch(op, count * (sizeof(float) + 1) + 64, &memory));
    rnn_round_to_codes(x->data, count, (uint8_t *)memory + count * sizeof(float), memory);
    pg_tensor rounded = *x;
    rounded.data = memory;
    rounded.buffer = NULL;
    *out = pg_value_of_tensor(rounded);
    return NULL;
}

pg_status rnn_run_dynamic_lstm(pg_op *op)
{
    PG_TRY(pg_op_need(op, 3));
    pg_value x, w, r, *inputs[STANDARD] = {NULL};
    const uint8_t flags[STANDARD] = {0};
    pg_op inner = *op;
    PG_TRY(read_input(op, &x));
    PG_TRY(read_weights(op, LSTM_W, W_SCALE, &w));
    PG_TRY(read_weights(op, LSTM_R, R_SCALE, &r));
    for (size_t i = 0; i < STANDARD && i < op->n_in; i++)
        inputs[i] = op->in[i];
    inputs[LSTM_X] = &x;
    inputs[LSTM_W] = &w;
    inputs[LSTM_R] = &r;
    inner.in = inputs;
    inner.in_flags = flags;
    inner.n_in = STANDARD;
    return rnn_run_node(&inner);
}
