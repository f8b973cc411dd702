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


def add_attention(add, rng):
    batch, length, hidden, heads = 2, 4, 12, 3
    x, w, bias = floats(rng, batch, length, 10), floats(rng, 10, 3 * hidden, scale=.4), floats(rng, 3 * hidden)
    plain = {"num_heads": heads}
    raw = np.array([[1, 1, 1, 0], [1, 1, 0, 1]], np.int32)
    for name, inputs, attributes in (
            ("plain", [x, w, bias], plain), ("causal", [x, w, bias], dict(plain, unidirectional=1)),
            ("scale", [x, w, bias], dict(plain, scale=.3)), ("lengths", [x, w, bias, np.array([3, 2], np.int32)], plain),
            ("starts", [x, w, bias, np.array([4, 3, 1, 0], np.int32)], plain), ("raw", [x, w, bias, raw], plain),
            ("raw_causal", [x, w, bias, np.array([[1, 1, 1, 0], [1, 1, 1, 1]], np.int32)], dict(plain, unidirectional=1)),
            ("square", [x, w, bias, np.tril(np.ones((batch, length, length), np.int32))], plain),
            ("attention_bias", [x, w, bias, None, None, floats(rng, batch, heads, length, length)], plain),
            ("both", [x, w, bias, raw, None, floats(rng, 1, heads, length, length)], plain)):
        add(f"attention_{name}", "Attention", inputs, attributes, domain=MS, rtol=1e-4, atol=1e-5)
    sizes = {"num_heads": heads, "qkv_hidden_sizes": [12, 12, 6]}
    add("attention_sizes", "Attention", [x, floats(rng, 10, 30), floats(rng, 30)], sizes, domain=MS, rtol=1e-4, atol=1e-5)
    past = floats(rng, 2, batch, heads, 3, 4)
    for causal in (0, 1):
        add(f"attention_past_{causal}", "Attention", [x, w, bias, None, past], dict(plain, unidirectional=causal), 2, domain=MS,
            rtol=1e-4, atol=1e-5)
    add("attention_past_mask", "Attention", [x, w, bias, np.array([[1] * 5 + [0, 1]] * 2, np.int32), past], plain, 2, domain=MS,
        rtol=1e-4, atol=1e-5)
    add("attention_present", "Attention", [x, w, bias], plain, 2, domain=MS, rtol=1e-4, atol=1e-5)
    add("attention_heads", "Attention", [x, w, bias], {"num_heads": 5}, domain=MS, refused=True)


def attend(q, k, v):
    """Plain attention of (batch, length, heads, depth)."""
    scores = np.exp(np.einsum("bihd,bjhd->bhij", q, k) / np.sqrt(q.shape[3]))
    out = np.einsum("bhij,bjhd->bihd", scores / scores.sum(axis=3, keepdims=True), v)
    return out.reshape(*out.shape[:2], -1).astype(np.float32)


def add_multi_head(add, rng):
    batch, length, keys, heads, depth = 2, 3, 5, 2, 4
    hidden = heads * depth
    q, k, v = floats(rng, batch, length, hidden), floats(rng, batch, keys, hidden), floats(rng, batch, keys, hidden)
    bias, plain = floats(rng, 3 * hidden), {"num_heads": heads}
    mask = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 1, 1]], np.int32)
    for name, inputs, attributes in (
            ("plain", [q, k, v], plain), ("bias", [q, k, v, bias], plain), ("scale", [q, k, v], dict(plain, scale=.25)),
            ("mask", [q, k, v, None, mask], plain), ("lengths", [q, k, v, None, np.array([4, 2], np.int32)], plain),
            ("square", [q, k, v, None, np.array(rng.integers(0, 2, (batch, length, keys)) | (np.arange(keys) == 0), np.int32)], plain),
            ("attention_bias", [q, k, v, bias, None, floats(rng, 1, heads, length, keys)], plain),
            ("all_masks", [q, k, v, bias, mask, floats(rng, batch, 1, length, keys)], plain),
            ("values", [q, k, floats(rng, batch, keys, 6)], plain),
            ("causal", [k, k, v], dict(plain, unidirectional=1)),
            ("planes", [q, floats(rng, batch, heads, keys, depth), floats(rng, batch, heads, keys, depth)], plain),
            ("planes_bias", [q, floats(rng, batch, heads, keys, depth), floats(rng, batch, heads, keys, depth), bias], plain)):
        add(f"multi_head_{name}", "MultiHeadAttention", inputs, attributes, domain=MS, rtol=1e-4, atol=1e-5)
    # On the CPU it has no packed inputs.
    pair, triple = floats(rng, batch, keys, heads, 2, depth), floats(rng, batch, length, heads, 3, depth)
    add("multi_head_packed_kv", "MultiHeadAttention", [q, pair], plain, domain=MS, rtol=1e-4, atol=1e-5,
        expected=[attend(q.reshape(batch, length, heads, depth), pair[:, :, :, 0], pair[:, :, :, 1])])
    add("multi_head_packed_qkv", "MultiHeadAttention", [triple], plain, domain=MS, rtol=1e-4, atol=1e-5,
        expected=[attend(triple[:, :, :, 0], triple[:, :, :, 1], triple[:, :, :, 2])])
    past = [floats(rng, batch, heads, 2, depth) for _ in range(2)]
    add("multi_head_past", "MultiHeadAttention", [q, q, q, bias, None, None, *past], plain, 3, domain=MS, rtol=1e-4, atol=1e-5)
    add("multi_head_past_causal", "MultiHeadAttention", [q, q, q, None, None, None, *past], dict(plain, unidirectional=1), 3, domain=MS,
        rtol=1e-4, atol=1e-5)
    add("multi_head_present", "MultiHeadAttention", [q, k, v], plain, 3, domain=MS, rtol=1e-4, atol=1e-5)


def add_group_query(add, rng):
    heads, kv, depth, most = 4, 2, 16, 16
    cos, sin = floats(rng, most, depth // 2), floats(rng, most, depth // 2)
    plain = {"num_heads": heads, "kv_num_heads": kv}

    def case(name, batch, length, past, attributes=None, packed=False, buffer=None, lengths=None, extra=(), rotary=False):
        total = length + past
        q = floats(rng, batch, length, (heads + 2 * kv if packed else heads) * depth)
        new = [None, None] if packed else [floats(rng, batch, length, kv * depth) for _ in range(2)]
        cache = [floats(rng, batch, kv, buffer or past, depth) for _ in range(2)]
        seqlens = np.array(lengths or [total - 1] * batch, np.int32)
        inputs = [q, *new, *cache, seqlens, np.array(max(seqlens) + 1, np.int32)]
        if rotary or extra:
            inputs += [cos, sin] if rotary else [None, None]
        inputs += extra
        add(f"group_query_{name}", "GroupQueryAttention", inputs, dict(plain, **(attributes or {}), do_rotary=int(rotary)), 3, domain=MS,
            rtol=1e-4, atol=1e-5)

    case("prompt", 2, 5, 0)
    case("prompt_packed", 2, 5, 0, packed=True)
    case("decode", 2, 1, 4)
    case("decode_lengths", 2, 1, 4, lengths=[4, 2])
    case("chunk", 1, 3, 4)
    case("rotary_prompt", 2, 5, 0, rotary=True)
    case("rotary_decode", 2, 1, 4, rotary=True)
    case("rotary_interleaved", 2, 1, 4, {"rotary_interleaved": 1}, rotary=True)
    case("rotary_chunk", 1, 3, 4, rotary=True, packed=True)
    case("window", 2, 6, 0, {"local_window_size": 3})
    case("window_decode", 2, 1, 6, {"local_window_size": 3})
    case("softcap", 2, 5, 0, {"softcap": 2.})
    case("smooth", 2, 5, 0, {"smooth_softmax": 1})
    case("scale", 2, 5, 0, {"scale": .5})
    case("bias", 2, 5, 0, extra=[None, floats(rng, 2, heads, 5, 5)])
    case("sink", 2, 5, 0, extra=[None, None, floats(rng, heads)])
    case("sink_decode", 2, 1, 5, extra=[None, None, floats(rng, heads)])
    case("positions", 2, 1, 4, extra=[np.array([[4], [3]])], rotary=True)
    case("bidirectional", 2, 5, 0, {"causal": 0})


def add_rotary(add, rng):
    cos, sin = floats(rng, 9, 4), floats(rng, 9, 4)
    planes, packed = floats(rng, 2, 3, 5, 8), floats(rng, 2, 5, 24)
    ids = np.array([[0, 1, 2, 3, 4], [4, 3, 8, 1, 0]])
    for interleaved in (0, 1):
        for name, x in (("planes", planes), ("packed", packed)):
            add(f"rotary_{name}_{interleaved}", "RotaryEmbedding", [x, ids, cos, sin], {"interleaved": interleaved}, domain=MS)
            add(f"rotary_{name}_{interleaved}_offset", "RotaryEmbedding", [x, np.array([3]), cos, sin], {"interleaved": interleaved},
                domain=MS)
    add("rotary_partial", "RotaryEmbedding", [packed, ids, cos[:, :2], sin[:, :2]], {"num_heads": 3, "rotary_embedding_dim": 4}, domain=MS)
    add("rotary_beyond", "RotaryEmbedding", [planes, ids + 5, cos, sin], domain=MS, refused=True)


def cases(add):
    rng = np.random.default_rng(11)
    for part in (add_basic, add_products, add_norms, add_attention, add_multi_head, add_group_query, add_rotary):
        part(add, rng)
