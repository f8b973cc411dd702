/* Convolutions handed to oneDNN: primitives per input shape, kept with the node. */
#ifndef PG_NATIVE_OPS_CONV_ONEDNN_H
#define PG_NATIVE_OPS_CONV_ONEDNN_H

#include "native/onednn/onednn.h"
#include "native/ops/conv.h"

enum { CONV_ONEDNN_SHAPES = 4 };

typedef struct conv_onednn {
    size_t n, next; /* shapes known; the next one to replace */
    struct {
        int64_t batch, in[NN_SPATIAL];
        pg_onednn_primitive *primitive; /* NULL: oneDNN refused this shape */
    } shapes[CONV_ONEDNN_SHAPES];
} conv_onednn;

/* Whether oneDNN can run convolutions of these weights, and whether it does so without being chosen. */
bool conv_onednn_takes(const pg_op *op, const conv_weights *weights);
bool conv_onednn_wanted(const pg_op *op, const conv_weights *weights);
/* Runs the job (float32, x channels-last) when oneDNN takes it; *done says so. `scale` is of the weights of each
 * output channel, or NULL. */
PG_MUST_USE pg_status conv_onednn_run(conv_onednn *cache, const conv_job *job, const pg_tensor *w,
                                      const float *scale, bool *done);
void conv_onednn_free(conv_onednn *cache);

#endif
