/* float32 models with the quantization to int8 or float8 written into them. */
#ifndef PG_SURGERY_QUANTIZE_H
#define PG_SURGERY_QUANTIZE_H

#include "onnx/onnx.h"

typedef struct pg_quantize_options {
    void *context;
    pg_dtype to; /* PG_I8 (or 0), PG_F8E4M3FN */
    /* The scale of a tensor, 0 when it has none: its largest number over the type's. */
    float (*scale_of)(void *context, pg_str tensor);
    /* Optional: false keeps a node in floating point. */
    bool (*wanted)(void *context, const pg_node *node);
    /* Optional: told of every node that is quantized; `noise` of its weights is the power of what they lose over
     * their power. */
    void (*chosen)(void *context, const pg_node *node, double noise);
} pg_quantize_options;

typedef struct pg_quantize_report {
    size_t nodes;      /* that read quantized inputs */
    size_t weights;    /* stored as int8 */
    size_t tensors;    /* activations with QuantizeLinear and DequantizeLinear behind them */
    size_t no_scale;   /* nodes left as they are because an input has no scale */
    pg_str first_bare; /* the first such input; empty when there is none */
} pg_quantize_report;

/* Whether the graph has QuantizeLinear or DequantizeLinear nodes. */
bool pg_surgery_is_quantized(const pg_graph *graph);

/* Puts QuantizeLinear and DequantizeLinear (symmetric int8: zero point 0, -128 .. 127) before the activations
 * of Conv, Gemm and MatMul; and, between nodes that are quantized and where all their activations have a scale,
 * of Add and Mul of two activations (not of those that spell out one activation, x * f(x)), of average pools,
 * Concat, and what only moves or picks elements (MaxPool, Reshape, Transpose, nearest Resize, ...). A tensor is
 * quantized once for all its readers; what a moving node makes has its input's scale.
 *
 * Weights of Conv, Gemm and MatMul become int8 with one scale per output channel (largest magnitude / 127,
 * or 1 for a channel of zeros); biases stay float32. The pass works on the main graph; a model that already
 * has QuantizeLinear or DequantizeLinear nodes is returned as it is.
 *
 * To float8e4m3fn only Conv, Gemm and MatMul are quantized, and weights have one scale.
 *
 * Below opset 13 (19 for float8), whose QuantizeLinear knows no channels, the operators are com.microsoft's. `report` may be
 * NULL. */
PG_MUST_USE pg_status pg_surgery_quantize(const pg_model *model, const pg_quantize_options *options,
                                          pg_quantize_report *report, pg_model **out);

#endif
