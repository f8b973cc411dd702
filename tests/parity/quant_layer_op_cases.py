"""Whole layers of com.microsoft on 8-bit weights: cases for op_oracle.py."""
import numpy as np

MS = "com.microsoft"


def lstm_weights(rng, directions, rows, columns, dtype, per_column):
    """Codes (directions, rows, columns), their scales and zero points."""
    low, high = (0, 256) if dtype == np.uint8 else (-127, 128)
    count = (directions, columns) if per_column else (directions,)
    zeros = rng.integers(118, 138, count) if dtype == np.uint8 else np.zeros(count)
    return (rng.integers(low, high, (directions, rows, columns)).astype(dtype), rng.uniform(.002, .004, count).astype(np.float32),
            zeros.astype(dtype))


def add_lstms(add, rng):
    def case(name, steps=5, batch=1, inputs=7, hidden=6, directions=1, dtype=np.int8, per_column=False, optional=(), **attributes):
        w, w_scale, w_zero = lstm_weights(rng, directions, inputs, 4 * hidden, dtype, per_column)
        r, r_scale, r_zero = lstm_weights(rng, directions, hidden, 4 * hidden, dtype, per_column)
        x = rng.standard_normal((steps, batch, inputs)).astype(np.float32)
        shapes = {"B": (directions, 8 * hidden), "h": (directions, batch, hidden), "c": (directions, batch, hidden), "P": (directions, 3 * hidden)}
        more = {key: rng.standard_normal(shape).astype(np.float32) * .5 for key, shape in shapes.items()}
        lengths = rng.integers(1, steps + 1, batch).astype(np.int32)
        given = [more["B"] if "B" in optional else None, lengths if "lengths" in optional else None]
        given += [more[key] if key in optional else None for key in ("h", "c", "P")]
        if directions == 2:
            attributes["direction"] = "bidirectional"
        add(f"lstm_{name}", "DynamicQuantizeLSTM", [x, w, r, *given, w_scale, w_zero, r_scale, r_zero],
            dict(attributes, hidden_size=hidden), n_outputs=3, domain=MS, rtol=1e-4, atol=2e-5)

    for dtype in (np.int8, np.uint8):
        case(f"plain_{dtype.__name__}", dtype=dtype)
        case(f"bias_and_states_{dtype.__name__}", dtype=dtype, optional=("B", "h", "c"))
    case("per_column", per_column=True, optional=("B",))
    case("peepholes", optional=("B", "h", "c", "P"))
    case("reverse", direction="reverse", optional=("B",))
    case("both_directions", directions=2, optional=("B", "h", "c"))
    case("both_directions_per_column", directions=2, per_column=True)
    case("clipped", clip=.5, optional=("B",))
    case("coupled", input_forget=1)
    case("activations", activations=["HardSigmoid", "Tanh", "Relu"], activation_alpha=[.3], activation_beta=[.4])
    case("wide", steps=12, inputs=40, hidden=33, optional=("B",))
    case("one_step", steps=1)


def add_embeddings(add, rng):
    n, batch, length = 16, 2, 6

    def codes(dtype, *shape):
        low, high = (0, 256) if dtype == np.uint8 else (-128, 128)
        return rng.integers(low, high, shape).astype(dtype)

    for dtype in (np.uint8, np.int8):
        ids, segments = rng.integers(0, 9, (batch, length)).astype(np.int32), rng.integers(0, 2, (batch, length)).astype(np.int32)
        tables = [codes(dtype, 9, n), codes(dtype, 12, n), codes(dtype, 2, n), codes(dtype, n), codes(dtype, n)]
        scales = [np.array(scale, np.float32) for scale in (.03, .02, .025, .01, .015)]
        zeros = [np.array(zero, dtype) for zero in (3, 100, 0, 7, 50)]
        mask = np.array([[1] * length, [1] * 4 + [0] * 2], np.int32)
        name = dtype.__name__
        add(f"qembed_{name}", "QEmbedLayerNormalization", [ids, segments, *tables, mask, *scales, *zeros], n_outputs=2, domain=MS)
        add(f"qembed_{name}_epsilon", "QEmbedLayerNormalization", [ids, segments, *tables, None, *scales, *zeros], {"epsilon": .1},
            n_outputs=2, domain=MS)
        for parts in (tables, scales, zeros):
            parts[2] = None
        add(f"qembed_{name}_no_segments", "QEmbedLayerNormalization", [ids, None, *tables, mask, *scales, *zeros], n_outputs=2, domain=MS)
    add("qembed_id_outside", "QEmbedLayerNormalization", [ids + 4, None, *tables, mask, *scales, *zeros], n_outputs=2, domain=MS, refused=True)


def cases(add):
    rng = np.random.default_rng(11)
    add_lstms(add, rng)
    add_embeddings(add, rng)
