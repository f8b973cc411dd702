"""ImageDecoder: files written here with the standard library, so what they hold is known. ONNX Runtime lacks the operator."""
import struct
import zlib

import numpy as np

PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def packed_row(samples, depth):
    if depth == 16:
        return samples.astype(">u2").tobytes()
    if depth == 8:
        return samples.astype(np.uint8).tobytes()
    bits = ((samples[:, None] >> np.arange(depth)[::-1]) & 1).astype(np.uint8).ravel()
    return np.packbits(bits).tobytes()


def filtered(rows, step, kinds):
    """The rows of a pass behind their filters."""
    out, above = b"", bytes(len(rows[0])) if rows else b""
    for number, row in enumerate(rows):
        kind, line = kinds[number % len(kinds)], bytearray()
        for i, value in enumerate(row):
            a, b, c = (row[i - step] if i >= step else 0), above[i], (above[i - step] if i >= step else 0)
            p = a + b - c
            nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line.append((value - (0, a, b, (a + b) // 2, nearest)[kind]) % 256)
        out, above = out + bytes([kind]) + bytes(line), row
    return out


def png(samples, color, depth, interlaced=False, kinds=(0, 1, 2, 3, 4), palette=None, parts=1):
    """`samples` has shape (height, width, channels)."""
    height, width, channels = samples.shape
    step, data = max(1, channels * depth // 8), b""
    for x, y, dx, dy in PASSES if interlaced else ((0, 0, 1, 1),):
        piece = samples[y::dy, x::dx]
        if piece.size:
            data += filtered([packed_row(row.ravel(), depth) for row in piece], step, kinds)
    data = zlib.compress(data)
    cuts = [len(data) * i // parts for i in range(parts + 1)]
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced)))
    if palette is not None:
        out += chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    return out + b"".join(chunk(b"IDAT", data[a:b]) for a, b in zip(cuts, cuts[1:])) + chunk(b"IEND", b"")


def cases(add):
    rng = np.random.default_rng(3)

    def image(name, data, expected, pixel_format="RGB", **more):
        add(name, "ImageDecoder", [np.frombuffer(data, np.uint8)], {"pixel_format": pixel_format}, expected=[expected], **more)

    rgb = rng.integers(0, 256, (13, 11, 3), np.uint8)
    gray = lambda v: np.repeat(v, 3, axis=2).astype(np.uint8)
    for interlaced in (False, True):
        end = "_interlaced" if interlaced else ""
        image("png_rgb" + end, png(rgb, 2, 8, interlaced, parts=3), rgb)
        image("png_bgr" + end, png(rgb, 2, 8, interlaced), rgb[:, :, ::-1], "BGR")
        alpha = rng.integers(0, 256, (13, 11, 4), np.uint8)
        image("png_alpha" + end, png(alpha, 6, 8, interlaced), alpha[:, :, :3])
        image("png_gray_alpha" + end, png(alpha[:, :, :2], 4, 8, interlaced), gray(alpha[:, :, :1]))
        wide = rng.integers(0, 65536, (13, 11, 3))
        image("png_rgb16" + end, png(wide, 2, 16, interlaced), (wide >> 8).astype(np.uint8))
        for depth in (1, 2, 4, 8):
            small = rng.integers(0, 1 << depth, (13, 11, 1))
            image(f"png_gray{depth}{end}", png(small, 0, depth, interlaced), gray(small * 255 // ((1 << depth) - 1)))
            palette = rng.integers(0, 256, (1 << depth, 3))
            image(f"png_palette{depth}{end}", png(small, 3, depth, interlaced, palette=palette),
                  palette[small[:, :, 0]].astype(np.uint8))
    luma = ((rgb.astype(np.int64) @ [19595, 38470, 7471] + 32768) >> 16).astype(np.uint8)[:, :, None]
    image("png_to_gray", png(rgb, 2, 8), luma, "Grayscale")
    empty, good = np.zeros((0, 0, 3), np.uint8), png(rgb, 2, 8)
    for length in (0, 1, 8, 20, 33, 40, len(good) // 2):
        image(f"png_cut_{length}", good[:length], empty)
    image("png_bad_filter", png(rgb, 2, 8).replace(b"IDAT", b"XDAT"), empty)
    image("png_huge", good[:16] + struct.pack(">II", 2**31 - 1, 2**31 - 1) + good[24:], empty)
    pixels = rgb.tobytes()
    image("pnm_p6", b"P6 # comment\n11 13\n255\n" + pixels, rgb)
    image("pnm_p3", b"P3 11 13 255 " + " ".join(map(str, rgb.ravel())).encode(), rgb)
    image("pnm_p5", b"P5 11 13 255\n" + rgb[:, :, 0].tobytes(), gray(rgb[:, :, :1]))
    image("pnm_p6_cut", b"P6 11 13 255\n" + pixels[:-1], empty)
    bits = rng.integers(0, 2, (13, 11, 1))
    image("pnm_p4", b"P4 11 13\n" + np.packbits(bits[:, :, 0].astype(np.uint8), axis=1).tobytes(), gray((1 - bits) * 255))
    image("pnm_p1", b"P1 11 13\n" + "".join(map(str, bits.ravel())).encode(), gray((1 - bits) * 255))
    header = lambda height, bits, size: (b"BM" + struct.pack("<IHHI", 54 + size, 0, 0, 54) +
                                         struct.pack("<IiiHHIIiiII", 40, 11, height, 1, bits, 0, size, 0, 0, 0, 0))
    rows = b"".join(row[:, ::-1].tobytes() + b"\0" * (-33 % 4) for row in rgb)
    image("bmp_down", header(-13, 24, len(rows)) + rows, rgb)
    image("bmp_up", header(13, 24, len(rows)) + rows, rgb[::-1])
    image("bmp_cut", (header(13, 24, len(rows)) + rows)[:-40], empty)
