"""Operators of com.microsoft, and recurrent and integer ones of ai.onnx whose options the standard's own cases leave
out: cases for op_oracle.py."""
import numpy as np

MS = "com.microsoft"


def scale(value):
    return np.array(value, np.float32)


def zero(value, dtype=np.uint8):
    return np.array(value, dtype)


class Draw:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def f32(self, *shape):
        return self.rng.standard_normal(shape).astype(np.float32)

    def u8(self, *shape):
        return self.rng.integers(0, 256, shape).astype(np.uint8)

    def i8(self, *shape):
        return self.rng.integers(-127, 128, shape).astype(np.int8)

    def i32(self, high, *shape):
        return self.rng.integers(0, high, shape).astype(np.int32)


def add_floats(add, d):
    add("gelu", "Gelu", [d.f32(3, 7, 20)], domain=MS)
    add("bias_gelu", "BiasGelu", [d.f32(3, 7, 20), d.f32(20)], domain=MS)
    add("fast_gelu", "FastGelu", [d.f32(3, 20)], domain=MS)
    add("fast_gelu_bias", "FastGelu", [d.f32(3, 20), d.f32(20)], domain=MS)
    add("quick_gelu", "QuickGelu", [d.f32(3, 20)], {"alpha": 1.5}, domain=MS)
    add("fused_matmul", "FusedMatMul", [d.f32(2, 5, 7), d.f32(2, 7, 4)], {"alpha": 0.5}, domain=MS)
    add("fused_matmul_transposed", "FusedMatMul", [d.f32(2, 7, 5), d.f32(2, 4, 7)],
        {"transA": 1, "transB": 1, "alpha": 2.0}, domain=MS)
    add("fused_matmul_shared", "FusedMatMul", [d.f32(2, 3, 5, 7), d.f32(7, 4)], domain=MS)
    add("skip_norm", "SkipLayerNormalization", [d.f32(2, 5, 16), d.f32(2, 5, 16), d.f32(16), d.f32(16), d.f32(16)],
        {"epsilon": 1e-5}, domain=MS)
    add("skip_simple_norm", "SkipSimplifiedLayerNormalization", [d.f32(2, 5, 16), d.f32(2, 5, 16), d.f32(16)],
        {"epsilon": 1e-5}, domain=MS)
    mask = np.array([[1] * 6, [1] * 4 + [0] * 2], np.int32)
    tables = [d.f32(9, 8), d.f32(12, 8), d.f32(2, 8), d.f32(8), d.f32(8)]
    add("embed_norm", "EmbedLayerNormalization", [d.i32(9, 2, 6), d.i32(2, 2, 6), *tables, mask], n_outputs=2, domain=MS)
    tables[2] = None
    add("embed_norm_plain", "EmbedLayerNormalization", [d.i32(9, 2, 6), None, *tables], n_outputs=2, domain=MS)
    conv = [d.f32(1, 4, 9, 9), d.f32(6, 4, 3, 3), d.f32(6)]
    add("fused_conv_relu", "FusedConv", conv, {"activation": "Relu"}, domain=MS)
    add("fused_conv_leaky", "FusedConv", conv, {"activation": "LeakyRelu", "activation_params": [0.2]}, domain=MS)


def add_quantized_relatives(add, d):
    s = np.int8
    ends = [scale(.05), zero(120), scale(.04), zero(110)]
    for count_padding in (0, 1):
        add(f"qaverage_{count_padding}", "QLinearAveragePool", [d.u8(2, 5, 9, 8), *ends],
            {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 1, 1, 0], "count_include_pad": count_padding}, domain=MS, atol=1.01)
    add("nhwc_max", "NhwcMaxPool", [d.u8(2, 9, 8, 70)], {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 1, 1, 0]}, domain=MS)
    add("nhwc_max_signed", "NhwcMaxPool", [d.i8(1, 7, 7, 5)], {"kernel_shape": [2, 2]}, domain=MS)
    for name, opset, axis in (("last", 13, -1), ("middle", 13, 1), ("flat", 11, 1)):
        add(f"qsoftmax_{name}", "QLinearSoftmax", [d.u8(2, 6, 5), scale(.05), zero(120), scale(1 / 256), zero(0)],
            {"axis": axis, "opset": opset}, domain=MS, atol=1.01)
    add("qsoftmax_signed", "QLinearSoftmax", [d.i8(3, 20), scale(.1), zero(0, s), scale(1 / 256), zero(-128, s)],
        {"axis": -1, "opset": 13}, domain=MS, atol=1.01)
    add("qwhere", "QLinearWhere", [d.u8(2, 1, 4) > 127, d.u8(2, 3, 4), scale(.1), zero(100), d.u8(4), scale(.2), zero(90), scale(.15),
                                   zero(110)], domain=MS)
    bias = [d.i32(900, 5), None]
    for i, c in enumerate(bias):
        add(f"qgemm_{i}", "QGemm", [d.u8(4, 7), scale(.05), zero(120), d.i8(7, 5), scale(.02), zero(0, s), c, scale(.3), zero(100)],
            {"alpha": .5}, domain=MS, atol=1.01)
        add(f"qgemm_turned_{i}", "QGemm", [d.i8(7, 4), scale(.05), zero(3, s), d.i8(5, 7), np.float32([.02, .01, .03, .02, .04]),
                                           np.zeros(5, s), c, scale(.3), zero(1, s)], {"transA": 1, "transB": 1}, domain=MS, atol=1.01)
    add("qgemm_real", "QGemm", [d.u8(4, 7), scale(.05), zero(120), d.u8(7, 5), scale(.02), zero(128), bias[0]], domain=MS)
    weights = [d.i8(16, 48), d.u8(16, 48)]
    for i, w in enumerate(weights):
        past = d.f32(2, 2, 2, 3, 8) if i else None
        inputs = [d.u8(2, 5, 16), w, d.f32(48), scale(.02), scale(.01), None, zero(120), zero(128 if i else 0, w.dtype.type)]
        add(f"qattention_{i}", "QAttention", inputs + ([past] if i else []), {"num_heads": 2, "unidirectional": i}, n_outputs=1 + i,
            domain=MS, rtol=1e-4, atol=1e-4)


def add_quantized(add, d):
    s = np.int8
    add("qadd", "QLinearAdd", [d.u8(2, 3, 4), scale(.1), zero(120), d.u8(3, 4), scale(.2), zero(100), scale(.25),
                               zero(128)], domain=MS)
    add_quantized_relatives(add, d)
    add("qmul", "QLinearMul", [d.i8(2, 3, 4), scale(.1), zero(12, s), d.i8(4), scale(.2), zero(10, s), scale(.5),
                               zero(-3, s)], domain=MS)
    add("qsigmoid", "QLinearSigmoid", [d.u8(50), scale(.05), zero(128), scale(1 / 256), zero(0)], domain=MS)
    add("qleaky", "QLinearLeakyRelu", [d.i8(50), scale(.05), zero(3, s), scale(.04), zero(0, s)], {"alpha": .1}, domain=MS)
    pool = [scale(.05), zero(128), scale(.02), zero(100)]
    add("qglobal_average", "QLinearGlobalAveragePool", [d.u8(2, 5, 6, 7), *pool], domain=MS)
    add("qglobal_average_last", "QLinearGlobalAveragePool", [d.u8(2, 6, 7, 5), *pool], {"channels_last": 1}, domain=MS)
    add("qconcat", "QLinearConcat", [scale(.1), zero(100), d.u8(2, 3, 4), scale(.2), zero(5), d.u8(2, 5, 4), scale(.1),
                                     zero(100)], {"axis": 1}, domain=MS)
    add("matmul_to_float", "MatMulIntegerToFloat", [d.u8(2, 5, 16), d.i8(16, 8), scale(.1), d.f32(8), zero(128), d.i8(8),
                                                    d.f32(8)], domain=MS)
    add("dynamic_matmul", "DynamicQuantizeMatMul", [d.f32(4, 16), d.i8(16, 8), scale(.02), zero(3, s), d.f32(8)], domain=MS)
    add("dynamic_matmul_columns", "DynamicQuantizeMatMul", [d.f32(4, 16), d.u8(16, 8), d.f32(8), d.u8(8)], domain=MS)
    add("qconv_groups", "QLinearConv", [d.u8(2, 4, 9, 8), scale(.05), zero(120), d.i8(6, 2, 3, 3), scale(.02), zero(0, s),
                                        scale(.3), zero(128), d.i32(50, 6)],
        {"group": 2, "strides": [2, 1], "pads": [1, 0, 1, 2], "dilations": [1, 2]})


def add_recurrent(add, d):
    n, i, h, b = 5, 3, 4, 2
    lengths = np.array([5, 3], np.int32)
    for name, gates, extra in (("LSTM", 4, [d.f32(2, b, h), d.f32(2, 3 * h)]), ("GRU", 3, []), ("RNN", 1, [])):
        tail = [d.f32(2, b, h), *extra]
        inputs = [d.f32(n, b, i), d.f32(2, gates * h, i), d.f32(2, gates * h, h), d.f32(2, 2 * gates * h), lengths, *tail]
        add(f"{name}_both", name, inputs, {"hidden_size": h, "direction": "bidirectional"}, n_outputs=2)
        one = [x[:1] if k in (1, 2, 3, 5, 6, 7) else x for k, x in enumerate(inputs)]
        add(f"{name}_reverse_clip", name, one, {"hidden_size": h, "direction": "reverse", "clip": 0.6}, n_outputs=2)
    gru = [d.f32(n, b, i), d.f32(1, 3 * h, i), d.f32(1, 3 * h, h), d.f32(1, 6 * h)]
    add("GRU_before_reset", "GRU", gru, {"hidden_size": h, "linear_before_reset": 1}, n_outputs=2)
    lstm = [d.f32(n, b, i), d.f32(1, 4 * h, i), d.f32(1, 4 * h, h), d.f32(1, 8 * h)]
    for acts, alpha, beta in ((("HardSigmoid", "Softsign", "Relu"), [0.3], [0.4]), (("Sigmoid", "Elu", "ScaledTanh"), [0.7, 0.9], [1.2]),
                              (("Affine", "Softplus", "ThresholdedRelu"), [0.3, 0.2], [0.1])):
        add("LSTM_" + "_".join(acts), "LSTM", lstm, {"hidden_size": h, "activations": list(acts), "activation_alpha": alpha,
                                                     "activation_beta": beta}, n_outputs=3)


def add_convolutions(add, d):
    for rank, shape in ((1, [20]), (2, [9, 11]), (3, [5, 6, 7])):
        k = [3] * rank
        add(f"conv{rank}d", "Conv", [d.f32(2, 6, *shape), d.f32(9, 2, *k), d.f32(9)],
            {"group": 3, "strides": [2] * rank, "pads": [1, 0, 2][:rank] + [2, 1, 0][:rank], "dilations": [1, 2, 1][:rank]})
        add(f"conv_transpose{rank}d", "ConvTranspose", [d.f32(2, 6, *shape), d.f32(6, 2, *k), d.f32(6)],
            {"group": 3, "strides": [2] * rank, "pads": [1, 0, 1][:rank] + [0, 1, 1][:rank],
             "output_padding": [1] * rank})
        for mode in ("SAME_UPPER", "SAME_LOWER", "VALID"):
            add(f"conv{rank}d_{mode}", "Conv", [d.f32(1, 3, *shape), d.f32(4, 3, *k)],
                {"auto_pad": mode, "strides": [2] * rank})
            add(f"max_pool{rank}d_{mode}", "MaxPool", [d.f32(1, 3, *shape)],
                {"auto_pad": mode, "kernel_shape": k, "strides": [2] * rank})
        for ceil_mode in (0, 1):
            for counted in (0, 1):
                add(f"average_pool{rank}d_{ceil_mode}_{counted}", "AveragePool", [d.f32(1, 3, *shape)],
                    {"kernel_shape": k, "strides": [2] * rank, "pads": [1] * 2 * rank, "ceil_mode": ceil_mode,
                     "count_include_pad": counted})


def cases(add):
    d = Draw(3)
    add_floats(add, d)
    add_quantized(add, d)
    add_recurrent(add, d)
    add_convolutions(add, d)
