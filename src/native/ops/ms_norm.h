/* Layer normalisation of rows, and what the embeddings in front of it share. */
#ifndef PG_NATIVE_OPS_MS_NORM_H
#define PG_NATIVE_OPS_MS_NORM_H

#include "native/ops/nn.h"

/* Rows of n elements: sum = x + skip + bias, y = (sum - mean) / deviation * scale + shift. */
typedef struct ms_norm_rows {
    pg_dtype dtype;
    size_t n, skip_rows; /* the skip's rows repeat */
    double epsilon;
    bool rms;                                    /* no mean is subtracted */
    const void *x, *skip, *bias, *scale, *shift; /* the last four may be NULL */
    void *y, *sum;                               /* sum: NULL when nobody wants it */
    float *mean, *inverse;                       /* per row, or NULL */
} ms_norm_rows;
/* Rows begin to end - 1 of a ms_norm_rows, for pg_parallel_for. */
void ms_normalize_rows(void *context, size_t begin, size_t end);
/* The attribute 'epsilon'. */
PG_MUST_USE pg_status ms_norm_epsilon(const pg_op *op, float missing, double *out);

/* Inputs of EmbedLayerNormalization; the first eight are those of its quantised form as well. */
enum {
    EMBED_IDS,
    EMBED_SEGMENTS,
    EMBED_WORD,
    EMBED_POSITION,
    EMBED_SEGMENT,
    EMBED_GAMMA,
    EMBED_BETA,
    EMBED_MASK,
    EMBED_POSITIONS
};
/* Input i, where it is given, is int32 and has the shape of the ids, or of one row of them. */
PG_MUST_USE pg_status ms_embed_check_ids(const pg_op *op, size_t i, const pg_tensor *ids, bool may_repeat);
/* QEmbedLayerNormalization (ms_qembed.c). */
PG_MUST_USE pg_status ms_run_qembed(pg_op *op);
/* Output 1: how many positions of each sequence the mask counts in. */
PG_MUST_USE pg_status ms_embed_mask_index(pg_op *op, size_t batch, size_t length);

#endif
