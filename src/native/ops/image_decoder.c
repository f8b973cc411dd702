/* ImageDecoder: PNG, BMP, PNM (P1 to P6) and uncompressed TIFF. The other formats of the standard are refused
 * by name; what is damaged or no image at all gives an image without pixels, as the standard asks. */
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/alloc.h"
#include "native/kernel.h"

/* Decoded pixels, three bytes each in the order red, green, blue. */
typedef struct image {
    uint32_t width, height;
    uint8_t *rgb; /* owned; NULL while nothing was decoded */
} image;

typedef struct bytes {
    const uint8_t *at;
    size_t len;
} bytes;

enum { MOST_BYTES = 1 << 30 };

/* False for sizes that no image in these formats should have. */
static bool make_pixels(image *out, uint64_t width, uint64_t height)
{
    if (width == 0 || height == 0 || width > MOST_BYTES || height > MOST_BYTES ||
        width * height > MOST_BYTES / 3)
        return false;
    out->width = (uint32_t)width;
    out->height = (uint32_t)height;
    out->rgb = malloc(width * height * 3);
    return out->rgb != NULL;
}

static uint32_t read_le(const uint8_t *p, int n)
{
    uint32_t value = 0;
    for (int i = n; i-- > 0;)
        value = value << 8 | p[i];
    return value;
}
static uint32_t read_be(const uint8_t *p, int n)
{
    uint32_t value = 0;
    for (int i = 0; i < n; i++)
        value = value << 8 | p[i];
    return value;
}

/* ---- PNG ---- */

typedef struct png {
    uint32_t width, height;
    int depth, color, channels;
    bool interlaced;
    uint8_t palette[256][3];
    uint8_t *data; /* filtered rows, inflated */
    size_t size;
} png;

enum { PNG_GRAY = 0, PNG_RGB = 2, PNG_PALETTE = 3, PNG_GRAY_ALPHA = 4, PNG_RGB_ALPHA = 6 };

static bool png_header(png *p, const uint8_t *body, size_t n)
{
    static const int channels[7] = {1, 0, 3, 1, 2, 0, 4};
    if (n != 13)
        return false;
    p->width = read_be(body, 4);
    p->height = read_be(body + 4, 4);
    p->depth = body[8];
    p->color = body[9];
    p->interlaced = body[12] == 1;
    p->channels = p->color <= 6 ? channels[p->color] : 0;
    const bool small = p->depth == 1 || p->depth == 2 || p->depth == 4;
    return p->channels > 0 && body[10] == 0 && body[11] == 0 && body[12] <= 1 &&
           (p->depth == 8 || (p->depth == 16 && p->color != PNG_PALETTE) ||
            (small && (p->color == PNG_GRAY || p->color == PNG_PALETTE)));
}

/* The seven passes of an interlaced image, or the only one. */
typedef struct png_pass {
    uint32_t x, y, dx, dy, width, height;
    size_t row; /* bytes, without the filter's */
} png_pass;

static png_pass png_pass_of(const png *p, int pass)
{
    static const uint8_t steps[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                        {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    png_pass out = {0, 0, 1, 1, 0, 0, 0};
    if (p->interlaced)
        out = (png_pass){steps[pass][0], steps[pass][1], steps[pass][2], steps[pass][3], 0, 0, 0};
    out.width = p->width > out.x ? (p->width - out.x + out.dx - 1) / out.dx : 0;
    out.height = p->height > out.y ? (p->height - out.y + out.dy - 1) / out.dy : 0;
    out.row = ((size_t)out.width * (size_t)(p->channels * p->depth) + 7) / 8;
    return out;
}

static size_t png_data_size(const png *p)
{
    size_t size = 0;
    for (int i = 0; i < (p->interlaced ? 7 : 1); i++) {
        const png_pass pass = png_pass_of(p, i);
        if (pass.width > 0)
            size += (pass.row + 1) * pass.height;
    }
    return size;
}

/* Chunks: the palette is read, the data chunks are inflated one after the other. */
static bool png_chunks(bytes in, png *p)
{
    z_stream stream = {0};
    bool ok = inflateInit(&stream) == Z_OK, ended = false;
    stream.next_out = p->data;
    stream.avail_out = (uInt)p->size;
    for (size_t at = 33; ok && !ended && at + 12 <= in.len;) {
        const uint32_t n = read_be(in.at + at, 4);
        const uint8_t *name = in.at + at + 4, *body = name + 4;
        if (n > in.len - at - 12)
            break;
        if (memcmp(name, "PLTE", 4) == 0 && n <= sizeof p->palette)
            memcpy(p->palette, body, n);
        if (memcmp(name, "IDAT", 4) == 0) {
            stream.next_in = (Bytef *)body;
            stream.avail_in = n;
            const int code = inflate(&stream, Z_NO_FLUSH);
            ok = code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR;
            ended = code == Z_STREAM_END;
        }
        at += 12 + (size_t)n;
    }
    ok = ok && stream.avail_out == 0;
    inflateEnd(&stream);
    return ok;
}

static uint8_t paeth(int a, int b, int c)
{
    const int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
    return (uint8_t)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

/* Undoes the filter of a row in place; `above` is the row before, or NULL. */
static bool png_unfilter(int filter, uint8_t *row, const uint8_t *above, size_t n, size_t step)
{
    if (filter > 4)
        return false;
    for (size_t i = 0; i < n; i++) {
        const int a = i >= step ? row[i - step] : 0, b = above != NULL ? above[i] : 0;
        const int c = above != NULL && i >= step ? above[i - step] : 0;
        const int guess = filter == 1 ? a : filter == 2 ? b : filter == 3 ? (a + b) / 2 : 0;
        row[i] = (uint8_t)(row[i] + (filter == 4 ? paeth(a, b, c) : guess));
    }
    return true;
}

/* Sample k of a row as eight bits; `raw` leaves small samples unscaled. */
static uint8_t png_sample(const png *p, const uint8_t *row, size_t k, bool raw)
{
    if (p->depth == 8)
        return row[k];
    if (p->depth == 16)
        return row[2 * k];
    const size_t bit = k * (size_t)p->depth;
    const int value = row[bit / 8] >> (8 - p->depth - (int)(bit % 8)) & ((1 << p->depth) - 1);
    return (uint8_t)(raw ? value : value * 255 / ((1 << p->depth) - 1));
}

static void png_pixel(const png *p, const uint8_t *row, size_t x, uint8_t *rgb)
{
    const size_t k = x * (size_t)p->channels;
    if (p->color == PNG_PALETTE) {
        memcpy(rgb, p->palette[png_sample(p, row, k, true)], 3);
        return;
    }
    const bool gray = p->channels < 3;
    for (size_t c = 0; c < 3; c++)
        rgb[c] = png_sample(p, row, k + (gray ? 0 : c), false);
}

static bool png_rows(const png *p, image *out)
{
    uint8_t *at = p->data;
    const size_t step = PG_MAX((size_t)1, (size_t)(p->channels * p->depth) / 8);
    for (int i = 0; i < (p->interlaced ? 7 : 1); i++) {
        const png_pass pass = png_pass_of(p, i);
        const uint8_t *above = NULL;
        for (uint32_t y = 0; y < pass.height && pass.width > 0; y++) {
            uint8_t *row = at + 1;
            if (!png_unfilter(at[0], row, above, pass.row, step))
                return false;
            const size_t line = (size_t)(pass.y + y * pass.dy) * out->width;
            for (uint32_t x = 0; x < pass.width; x++)
                png_pixel(p, row, x, out->rgb + (line + pass.x + (size_t)x * pass.dx) * 3);
            above = row;
            at = row + pass.row;
        }
    }
    return true;
}

static bool decode_png(bytes in, image *out)
{
    png p = {0};
    if (in.len < 33 || memcmp(in.at + 12, "IHDR", 4) != 0 ||
        !png_header(&p, in.at + 16, read_be(in.at + 8, 4)) || !make_pixels(out, p.width, p.height))
        return false;
    p.size = png_data_size(&p);
    p.data = p.size <= INT_MAX ? malloc(p.size) : NULL;
    const bool ok = p.data != NULL && png_chunks(in, &p) && png_rows(&p, out);
    free(p.data);
    return ok;
}

/* ---- BMP ---- */

typedef struct bmp {
    uint32_t header, offset, bits, masks[3];
    const uint8_t *palette;
    size_t n_palette;
} bmp;

static uint8_t masked(uint32_t value, uint32_t mask)
{
    if (mask == 0)
        return 0;
    const int shift = __builtin_ctz(mask);
    const uint64_t most = mask >> shift;
    return (uint8_t)(((value & mask) >> shift) * (uint64_t)255 / most);
}

static void bmp_pixel(const bmp *b, const uint8_t *row, uint32_t x, uint8_t *rgb)
{
    if (b->bits <= 8) {
        const size_t bit = (size_t)x * b->bits;
        const size_t index = (size_t)(row[bit / 8] >> (8 - b->bits - bit % 8)) & ((1u << b->bits) - 1);
        for (size_t c = 0; c < 3; c++)
            rgb[c] = index < b->n_palette ? b->palette[index * (b->header == 12 ? 3 : 4) + 2 - c] : 0;
        return;
    }
    const uint8_t *p = row + (size_t)x * (b->bits / 8);
    const uint32_t value = read_le(p, (int)b->bits / 8);
    for (size_t c = 0; c < 3; c++)
        rgb[c] = b->bits == 24 ? p[2 - c] : masked(value, b->masks[c]);
}

static bool bmp_masks(bytes in, bmp *b, uint32_t compression)
{
    static const uint32_t masks_16[3] = {0x7c00, 0x3e0, 0x1f}, masks_32[3] = {0xff0000, 0xff00, 0xff};
    memcpy(b->masks, b->bits == 16 ? masks_16 : masks_32, sizeof b->masks);
    if (compression != 3)
        return compression == 0;
    if (in.len < 66 || (b->bits != 16 && b->bits != 32))
        return false;
    for (size_t c = 0; c < 3; c++)
        b->masks[c] = read_le(in.at + 54 + 4 * c, 4);
    return true;
}

static bool decode_bmp(bytes in, image *out)
{
    bmp b = {0};
    if (in.len < 54)
        return false;
    b.offset = read_le(in.at + 10, 4);
    b.header = read_le(in.at + 14, 4);
    const bool old = b.header == 12;
    const int64_t width = old ? (int32_t)read_le(in.at + 18, 2) : (int32_t)read_le(in.at + 18, 4);
    const int64_t signed_height = old ? (int32_t)read_le(in.at + 20, 2) : (int32_t)read_le(in.at + 22, 4);
    const int64_t height = llabs(signed_height);
    b.bits = read_le(in.at + (old ? 24 : 28), 2);
    const bool known =
        b.bits == 1 || b.bits == 4 || b.bits == 8 || b.bits == 16 || b.bits == 24 || b.bits == 32;
    if (width <= 0 || !known || b.header > in.len - 14 ||
        !bmp_masks(in, &b, old ? 0 : read_le(in.at + 30, 4)))
        return false;
    b.palette = in.at + 14 + b.header;
    b.n_palette = (in.len - 14 - b.header) / (old ? 3 : 4);
    const size_t row = ((size_t)width * b.bits + 31) / 32 * 4;
    if (b.offset > in.len || (uint64_t)height * row > in.len - b.offset ||
        !make_pixels(out, (uint64_t)width, (uint64_t)height))
        return false;
    for (uint32_t y = 0; y < out->height; y++) {
        const size_t line = signed_height < 0 ? y : out->height - 1 - y;
        for (uint32_t x = 0; x < out->width; x++)
            bmp_pixel(&b, in.at + b.offset + line * row, x, out->rgb + ((size_t)y * out->width + x) * 3);
    }
    return true;
}

/* ---- PNM ---- */

/* The next number of a header or of a text body; comments run from '#' to the line's end. */
static bool pnm_number(bytes *in, uint32_t *out, bool one_digit)
{
    bool comment = false;
    while (in->len > 0 && (comment || *in->at == '#' || *in->at == ' ' || (*in->at >= 9 && *in->at <= 13))) {
        comment = *in->at == '#' || (comment && *in->at != '\n');
        in->at++;
        in->len--;
    }
    uint64_t value = 0;
    size_t digits = 0;
    for (; in->len > 0 && *in->at >= '0' && *in->at <= '9' && !(one_digit && digits > 0); digits++) {
        value = PG_MIN(value * 10 + (*in->at - '0'), (uint64_t)UINT32_MAX);
        in->at++;
        in->len--;
    }
    *out = (uint32_t)value;
    return digits > 0;
}

typedef struct pnm {
    int kind; /* '1' .. '6' */
    uint32_t most;
    size_t channels;
} pnm;

static bool pnm_sample(const pnm *p, bytes *in, size_t row, size_t k, uint32_t *out)
{
    if (p->kind < '4')
        return pnm_number(in, out, p->kind == '1');
    const size_t width = p->most > 255 ? 2 : 1, at = p->kind == '4' ? row + k / 8 : row + k * width;
    if (at + width > in->len)
        return false;
    *out = p->kind == '4' ? in->at[at] >> (7 - k % 8) & 1 : read_be(in->at + at, (int)width);
    return true;
}

static bool decode_pnm(bytes in, image *out)
{
    pnm p = {.kind = in.at[1], .most = 1};
    uint32_t width, height;
    in.at += 2;
    in.len -= 2;
    if (!pnm_number(&in, &width, false) || !pnm_number(&in, &height, false))
        return false;
    const bool bits = p.kind == '1' || p.kind == '4';
    if ((!bits && !pnm_number(&in, &p.most, false)) || p.most == 0 || p.most > 65535)
        return false;
    if (p.kind >= '4' && in.len > 0) { /* one white space ends the header */
        in.at++;
        in.len--;
    }
    p.channels = p.kind == '3' || p.kind == '6' ? 3 : 1;
    /* Every pixel takes a bit at least, so a large header alone costs nothing. */
    if ((uint64_t)width * height / 8 > in.len || !make_pixels(out, width, height))
        return false;
    const size_t line =
        p.kind == '4' ? ((size_t)width + 7) / 8 : (size_t)width * p.channels * (p.most > 255 ? 2 : 1);
    for (uint32_t y = 0; y < height; y++)
        for (size_t k = 0; k < width * p.channels; k++) {
            uint32_t value;
            if (!pnm_sample(&p, &in, line * y, k, &value))
                return false;
            const uint8_t v = (uint8_t)(((uint64_t)PG_MIN(value, p.most) * 255 + p.most / 2) / p.most);
            uint8_t *rgb = out->rgb + (size_t)y * width * 3 + k * (p.channels == 3 ? 1 : 3);
            rgb[0] = bits ? (uint8_t)~v : v;
            if (p.channels == 1)
                rgb[1] = rgb[2] = rgb[0];
        }
    return true;
}

/* ---- TIFF ---- */

typedef struct tiff {
    bytes in;
    bool big;
    uint32_t width, height, bits, compression, meaning, channels, rows_per_strip, planar;
    size_t offsets, n_strips; /* where the list of strips' offsets is */
    int offset_size;
} tiff;

static uint32_t tiff_read(const tiff *t, size_t at, int n)
{
    if (at > t->in.len || (size_t)n > t->in.len - at)
        return 0;
    return t->big ? read_be(t->in.at + at, n) : read_le(t->in.at + at, n);
}

/* A directory entry of 12 bytes: tag, type, count, value or where it is. Only shorts and longs matter. */
static void tiff_entry(tiff *t, size_t at)
{
    const uint32_t tag = tiff_read(t, at, 2), type = tiff_read(t, at + 2, 2), count = tiff_read(t, at + 4, 4);
    const int size = type == 3 ? 2 : 4;
    const size_t where = (uint64_t)count * (uint64_t)size > 4 ? tiff_read(t, at + 8, 4) : at + 8;
    const uint32_t value = tiff_read(t, where, size);
    switch (tag) {
    case 256:
        t->width = value;
        break;
    case 257:
        t->height = value;
        break;
    case 258:
        t->bits = value;
        break;
    case 259:
        t->compression = value;
        break;
    case 262:
        t->meaning = value;
        break;
    case 273:
        t->offsets = where;
        t->n_strips = count;
        t->offset_size = size;
        break;
    case 277:
        t->channels = value;
        break;
    case 278:
        t->rows_per_strip = value;
        break;
    case 284:
        t->planar = value;
        break;
    default:
        break;
    }
}

/* *refused names what a sound file needs that is not known here. */
static bool decode_tiff(bytes in, image *out, const char **refused)
{
    tiff t = {.in = in,
              .big = in.at[0] == 'M',
              .bits = 1,
              .compression = 1,
              .channels = 1,
              .rows_per_strip = UINT32_MAX,
              .planar = 1,
              .offset_size = 4};
    const size_t directory = tiff_read(&t, 4, 4), entries = tiff_read(&t, directory, 2);
    for (size_t i = 0; i < entries; i++)
        tiff_entry(&t, directory + 2 + 12 * i);
    if (t.compression != 1 || t.bits != 8 || t.planar != 1 || t.meaning > 2 ||
        t.channels < (t.meaning == 2 ? 3u : 1u)) {
        *refused = "a TIFF that is compressed or has no 8-bit gray or RGB pixels";
        return false;
    }
    const uint64_t row = (uint64_t)t.width * t.channels;
    if (t.rows_per_strip == 0 || row > in.len || row * t.height > in.len ||
        !make_pixels(out, t.width, t.height))
        return false;
    for (uint32_t y = 0; y < t.height; y++) {
        const size_t strip = y / t.rows_per_strip;
        const uint64_t at = tiff_read(&t, t.offsets + strip * (size_t)t.offset_size, t.offset_size) +
                            (uint64_t)(y % t.rows_per_strip) * row;
        if (strip >= t.n_strips || at + row > in.len)
            return false;
        for (uint32_t x = 0; x < t.width; x++)
            for (size_t c = 0; c < 3; c++) {
                const uint8_t v = in.at[at + (uint64_t)x * t.channels + (t.meaning == 2 ? c : 0)];
                out->rgb[((size_t)y * t.width + x) * 3 + c] = t.meaning == 0 ? (uint8_t)~v : v;
            }
    }
    return true;
}

/* ---- The operator ---- */

static bool starts(bytes in, size_t at, const char *magic, size_t n)
{
    return in.len >= at + n && memcmp(in.at + at, magic, n) == 0;
}

static bool decode(bytes in, image *out, const char **refused)
{
    if (starts(in, 0, "\x89PNG\r\n\x1a\n", 8))
        return decode_png(in, out);
    if (starts(in, 0, "BM", 2))
        return decode_bmp(in, out);
    if (in.len > 2 && in.at[0] == 'P' && in.at[1] >= '1' && in.at[1] <= '6')
        return decode_pnm(in, out);
    if (starts(in, 0, "II*\0", 4) || starts(in, 0, "MM\0*", 4))
        return decode_tiff(in, out, refused);
    if (starts(in, 0, "\xff\xd8\xff", 3))
        *refused = "JPEG";
    else if (starts(in, 4, "jP  ", 4) || starts(in, 0, "\xff\x4f\xff\x51", 4))
        *refused = "JPEG 2000";
    else if (starts(in, 0, "RIFF", 4) && starts(in, 8, "WEBP", 4))
        *refused = "WebP";
    return false;
}

/* Gray is the luma of ITU-R 601. */
static void write_pixels(const image *in, size_t channels, bool swapped, uint8_t *out)
{
    const size_t count = (size_t)in->width * in->height;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *p = in->rgb + 3 * i;
        if (channels == 1) {
            out[i] = (uint8_t)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 32768u) >> 16);
        } else {
            out[3 * i] = p[swapped ? 2 : 0];
            out[3 * i + 1] = p[1];
            out[3 * i + 2] = p[swapped ? 0 : 2];
        }
    }
}

static pg_status run_image_decoder(pg_op *op)
{
    PG_TRY(pg_op_need(op, 1));
    const pg_tensor *x = pg_op_in(op, 0);
    pg_str format;
    image decoded = {0};
    const char *refused = NULL;
    pg_tensor *y;
    PG_TRY(pg_op_attr_s(op, "pixel_format", "RGB", &format));
    if (x->dtype != PG_U8)
        return pg_op_bad_type(op, 0);
    const bool gray = pg_str_is(format, "Grayscale"), swapped = pg_str_is(format, "BGR");
    if (!gray && !swapped && !pg_str_is(format, "RGB"))
        return pg_op_err(op, PG_ERR_INVALID, "pixel_format '%" PG_STR_FMT "' is not known",
                         PG_STR_ARG(format));
    const bool ok = decode((bytes){x->data, (size_t)pg_tensor_count(x)}, &decoded, &refused);
    if (refused != NULL) {
        free(decoded.rgb);
        return pg_op_err(op, PG_ERR_UNSUPPORTED, "images of the format %s cannot be decoded here", refused);
    }
    const int64_t dims[3] = {ok ? (int64_t)decoded.height : 0, ok ? (int64_t)decoded.width : 0, gray ? 1 : 3};
    pg_status status = pg_op_out(op, 0, PG_U8, 3, dims, &y);
    if (status == NULL && ok)
        write_pixels(&decoded, gray ? 1 : 3, swapped, y->data);
    free(decoded.rgb);
    return status;
}

const pg_kernel pg_kernels_image_decoder[] = {
    {"", "ImageDecoder", 20, 0, run_image_decoder, NULL, NULL, 0},
    {0},
};
