/* Recurrent layers: what LSTM, GRU and RNN share. */
#ifndef PG_NATIVE_OPS_RNN_H
#define PG_NATIVE_OPS_RNN_H

#include "native/gemm.h"
#include "native/ops/nn.h"

typedef enum rnn_kind { RNN_PLAIN = 1, RNN_GRU = 3, RNN_LSTM = 4 } rnn_kind; /* = gates */

/* An activation of the standard's list; those of pg_act go there, the others are computed one by one. */
typedef struct rnn_act {
    enum {
        RNN_FAST, /* `fast` says which */
        RNN_AFFINE,
        RNN_THRESHOLDED,
        RNN_SCALED_TANH,
        RNN_ELU,
        RNN_SOFTSIGN,
        RNN_SOFTPLUS
    } kind;
    pg_act fast;
    float alpha, beta;
} rnn_act;

enum { RNN_ACTS = 3 }; /* f, g, h */

typedef struct rnn_options {
    rnn_kind kind;
    size_t hidden, directions;
    bool reverse_first; /* direction = reverse */
    bool batch_first;   /* layout = 1 */
    bool input_forget, linear_before_reset;
    bool coded_state; /* each step rounds the state to 8-bit codes before its product */
    bool clipped;
    double clip;
    rnn_act acts[2][RNN_ACTS];
} rnn_options;

PG_MUST_USE pg_status rnn_read_options(const pg_op *op, rnn_kind kind, rnn_options *out);
/* x[i] = act(clip(x[i])) */
void rnn_activate(pg_dtype dtype, const rnn_options *options, const rnn_act *act, void *x, size_t n);

/* LSTM, GRU or RNN as the node says, on the inputs of the standard. */
PG_MUST_USE pg_status rnn_run_node(pg_op *op);
/* DynamicQuantizeLSTM (ms_qlstm.c). */
PG_MUST_USE pg_status rnn_run_dynamic_lstm(pg_op *op);
/* x[i] = what its dynamic 8-bit code stands for; `codes` is memory for n of them. */
void rnn_round_to_codes(const float *x, size_t n, uint8_t *codes, float *out);

/* One step of one sequence. gates: the pre-activations, in the standard's order, overwritten. */
void rnn_lstm_cell_f32(const rnn_options *o, const rnn_act *acts, float *gates, const float *peephole,
                       float *h, float *c);
void rnn_lstm_cell_f64(const rnn_options *o, const rnn_act *acts, double *gates, const double *peephole,
                       double *h, double *c);
/* h = (1 - z) n + z h */
void rnn_gru_blend_f32(size_t hidden, const float *z, const float *n, float *h);
void rnn_gru_blend_f64(size_t hidden, const double *z, const double *n, double *h);

#endif
