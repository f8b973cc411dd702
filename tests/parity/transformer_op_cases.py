"""Operators of com.microsoft: cases for op_oracle.py."""
import numpy as np

MS = "com.microsoft"


def floats(rng, *shape, scale=1.0):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def add_basic(add, rng):
    x = floats(rng, 2, 3, 5)
    add("gelu", "Gelu", [x], domain=MS)
    add("quick_gelu", "QuickGelu", [x], {"alpha": 1.3}, domain=MS)
    add("bias_gelu", "BiasGelu", [x, floats(rng, 5)], domain=MS)
    add("fast_gelu", "FastGelu", [x], domain=MS)
    add("fast_gelu_bias", "FastGelu", [x, floats(rng, 5)], domain=MS)
    add("fast_gelu_half", "FastGelu", [x.astype(np.float16)], domain=MS, rtol=2e-3, atol=1e-3)
    add("trilu", "Trilu", [floats(rng, 4, 4)], {"upper": 0}, domain=MS)
    for axis in (0, 1, -1):
        add(f"expand_dims_{axis}", "ExpandDims", [x, np.array(axis, np.int32)], domain=MS)
    add("unique", "Unique", [np.float32([2, 1, 1, 3, 4, 3])], n_outputs=3, domain=MS)
    add("range_two", "Range", [np.array(2, np.int64), np.array(7, np.int64)], domain=MS)
    add("range_three", "Range", [np.array(2, np.float32), np.array(-3, np.float32), np.array(-1.5, np.float32)], domain=MS)
    add("inverse", "Inverse", [floats(rng, 3, 4, 4)], domain=MS, rtol=1e-3, atol=1e-4)
    for metric in ("euclidean", "sqeuclidean"):
        add(f"cdist_{metric}", "CDist", [floats(rng, 4, 3), floats(rng, 5, 3)], {"metric": metric}, domain=MS, rtol=1e-4, atol=1e-5)
    for mode in ("constant", "reflect", "edge"):
        add(f"pad_{mode}", "Pad", [x, np.array([0, 1, 2, 1, 0, 1])] + ([np.array(.5, np.float32)] if mode == "constant" else []),
            {"mode": mode}, domain=MS)
    grid = rng.uniform(-1.2, 1.2, (1, 4, 5, 2)).astype(np.float32)
    for mode in ("bilinear", "nearest"):
        for padding in ("zeros", "border", "reflection"):
            add(f"grid_sample_{mode}_{padding}", "GridSample", [floats(rng, 1, 2, 6, 7), grid], {"mode": mode, "padding_mode": padding},
                domain=MS, rtol=1e-4, atol=1e-5)


def add_products(add, rng):
    for name, a, b, attributes in (
            ("plain", (2, 3, 4), (4, 5), {}), ("alpha", (3, 4), (4, 5), {"alpha": .5}), ("ta", (4, 3), (4, 5), {"transA": 1}),
            ("tb", (2, 3, 4), (2, 5, 4), {"transB": 1}), ("tatb", (2, 4, 3), (1, 5, 4), {"transA": 1, "transB": 1, "alpha": 2.}),
            ("broadcast", (2, 1, 3, 4), (3, 4, 5), {}), ("batch_a", (3, 2, 4), (2, 4, 5), {"transBatchA": 1}),
            ("batch_b", (2, 3, 4), (4, 2, 5), {"transBatchB": 1}), ("batch_b_tb", (2, 3, 4), (5, 2, 4), {"transBatchB": 1, "transB": 1}),
            ("batch_a_ta", (4, 2, 3), (2, 4, 5), {"transBatchA": 1, "transA": 1})):
        add(f"fused_matmul_{name}", "FusedMatMul", [floats(rng, *a), floats(rng, *b)], attributes, domain=MS)
    add("transpose_matmul", "TransposeMatMul", [floats(rng, 4, 3), floats(rng, 4, 5)], {"transA": 1}, domain=MS)
    add("fused_matmul_wrong", "FusedMatMul", [floats(rng, 4, 3), floats(rng, 4, 5)], {}, domain=MS, refused=True)
    for activation, more in (("Relu", {}), ("LeakyRelu", {"activation_alpha": .2}), ("Sigmoid", {}), ("Tanh", {})):
        add(f"fused_gemm_{activation}", "FusedGemm", [floats(rng, 3, 4), floats(rng, 5, 4), floats(rng, 5)],
            dict(more, activation=activation, transB=1, alpha=.7, beta=1.5), domain=MS)
    for bits in (4, 8):
        for zeros in ("none", "packed", "float"):
            for k in (32, 40):
                n, block = 6, 16
                blocks = -(-k // block)
                inputs = [floats(rng, 2, 3, k), rng.integers(0, 256, (n, blocks, block * bits // 8), np.uint8),
                          abs(floats(rng, n * blocks)) * .1]
                if zeros == "packed":
                    inputs.append(rng.integers(0, 256, n * (-(-blocks * bits // 8)), np.uint8))
                elif zeros == "float":
                    if bits == 8:
                        continue
                    inputs.append(rng.uniform(0, 15, n * blocks).astype(np.float32))
                add(f"nbits_{bits}_{zeros}_{k}", "MatMulNBits", inputs, {"K": k, "N": n, "bits": bits, "block_size": block}, domain=MS,
                    rtol=1e-3, atol=1e-3)
    add("nbits_bias", "MatMulNBits", [floats(rng, 3, 32), rng.integers(0, 256, (6, 2, 8), np.uint8), abs(floats(rng, 12)) * .1, None,
                                      None, floats(rng, 6)], {"K": 32, "N": 6, "bits": 4, "block_size": 16}, domain=MS,
        rtol=1e-3, atol=1e-3)


def add_norms(add, rng):
    x, skip, vectors = floats(rng, 2, 3, 8), floats(rng, 2, 3, 8), [floats(rng, 8) for _ in range(3)]
    add("skip_norm", "SkipLayerNormalization", [x, skip, *vectors], {"epsilon": 1e-5}, 4, domain=MS, rtol=1e-4)
    add("skip_norm_no_beta", "SkipLayerNormalization", [x, skip, vectors[0]], domain=MS, rtol=1e-4)
    for name, shape in (("batch", (1, 3, 8)), ("rank2", (3, 8))):
        add(f"skip_norm_{name}", "SkipLayerNormalization", [x, floats(rng, *shape), *vectors[:2]], domain=MS, rtol=1e-4)
    add("skip_rms", "SkipSimplifiedLayerNormalization", [x, skip, vectors[0]], domain=MS, rtol=1e-4)
    add("skip_rms_bias", "SkipSimplifiedLayerNormalization", [x, skip, vectors[0], vectors[1]], {"epsilon": 1e-6}, 4, domain=MS,
        rtol=1e-4)
    add("simplified", "SimplifiedLayerNormalization", [x, vectors[0]], {"axis": -1, "epsilon": 1e-6}, 2, rtol=1e-4)
    add("simplified_axis", "SimplifiedLayerNormalization", [x, floats(rng, 3, 8)], {"axis": 1}, rtol=1e-4)
    ids, segments = rng.integers(0, 11, (2, 5), np.int32), rng.integers(0, 2, (2, 5), np.int32)
    word, position, segment = floats(rng, 11, 8), floats(rng, 9, 8), floats(rng, 2, 8)
    mask = np.int32([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    add("embed", "EmbedLayerNormalization", [ids, segments, word, position, segment, *vectors[:2], mask], {"epsilon": 1e-5}, 2,
        domain=MS, rtol=1e-4)
    add("embed_no_segments", "EmbedLayerNormalization", [ids, None, word, position, None, *vectors[:2]], {}, 2, domain=MS, rtol=1e-4)
    positions = rng.integers(0, 9, (2, 5), np.int32)
    add("embed_positions", "EmbedLayerNormalization", [ids, segments, word, position, segment, *vectors[:2], mask, positions], {}, 3,
        domain=MS, rtol=1e-4)
    add("embed_outside", "EmbedLayerNormalization", [ids + 11, segments, word, position, segment, *vectors[:2]], {}, 2, domain=MS,
        refused=True)


def cases(add):
    rng = np.random.default_rng(11)
    for part in (add_basic, add_products, add_norms):
        part(add, rng)
