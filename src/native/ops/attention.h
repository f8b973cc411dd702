/* The computation behind every attention operator: softmax(scale Q K^T + bias) V for every image and head,
 * with grouped heads, masks, windows and soft capping. The operators differ in how they state these.
 *
 *     attention a = {.dtype = q->dtype, .size = ..., .past = -1, .left = -1, .right = -1};
 *     ... fill in q, k, v, out, y, batch and what applies
 *     return attention_run(op, &a);
 */
#ifndef PG_NATIVE_OPS_ATTENTION_H
#define PG_NATIVE_OPS_ATTENTION_H

#include "native/ops/nn.h"

/* Heads of a tensor in either form: element (b, h, s, d) lies at b * image + h * head + s * row + d. */
typedef struct heads {
    const char *data;
    size_t count, length, depth; /* heads, positions, elements per position */
    size_t image, head, row;
} heads;

typedef struct attention {
    pg_dtype dtype;
    size_t size, batch;
    heads q, k, v;
    bool
        k_turned; /* keys are columns: element (b, h, s, d) of k lies at b * image + h * head + d * row + s */
    bool plain;   /* a query without any key gives NaN, as Softmax does; else zeros */
    double scale, softcap;
    bool causal;
    int64_t left, right;    /* window; -1 = unbounded */
    int64_t past;           /* positions before the first query; -1: what the lengths leave, or none */
    const int64_t *lengths; /* keys that count, per image; or NULL */
    const pg_tensor *mask;
    const double *sinks; /* per head of queries: a score that takes its part of the softmax and gives nothing;
                            or NULL */
    int64_t mode;        /* of the scores' output */
    char *scores_out, *y;
    heads out;     /* data unused */
    char *scratch; /* from here on: attention_run's own */
    size_t per_part, n_parts, shares;
    uint64_t k_bytes, v_bytes, score_bytes;
} attention;

/* The caller has checked that queries, keys and values fit each other: depths, lengths, batches, and that the
 * queries' heads are a multiple of the keys'. The mask broadcasts to (batch, heads, queries, keys). */
PG_MUST_USE pg_status attention_run(pg_op *op, attention *a);

#endif
