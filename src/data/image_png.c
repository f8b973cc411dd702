/* PNG, all colour types, depths and both orders of rows; every chunk's checksum is checked. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "data/image.h"

enum { GREY = 0, COLOUR = 2, PALETTE = 3, GREY_ALPHA = 4, COLOUR_ALPHA = 6 };
enum { FIRST_CHUNK = 8, CHUNK_FRAME = 12 };

typedef struct reader {
    const char *name;
    const uint8_t *bytes;
    uint64_t size, at;
    uint32_t width, height;
    unsigned depth, type, samples; /* samples of a pixel */
    bool interlaced, has_header;
    uint8_t palette[256][3];
    unsigned n_palette;
    uint8_t *raw; /* filtered rows of all passes */
    uint64_t raw_size, raw_used;
    z_stream zlib;
    bool inflating, ended;
} reader;

typedef struct chunk {
    char kind[5];
    const uint8_t *data;
    uint32_t size;
} chunk;

static uint32_t big32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static pg_status next_chunk(reader *r, chunk *out)
{
    if (r->size - r->at < CHUNK_FRAME)
        return pg_err(PG_ERR_INVALID, "'%s': the PNG is cut short at byte %llu", r->name,
                      (unsigned long long)r->at);
    const uint8_t *p = r->bytes + r->at;
    out->size = big32(p);
    memcpy(out->kind, p + 4, 4);
    out->kind[4] = '\0';
    out->data = p + 8;
    if (out->size > r->size - r->at - CHUNK_FRAME)
        return pg_err(PG_ERR_INVALID, "'%s': a PNG chunk of %u bytes at byte %llu leads out of the file",
                      r->name, out->size, (unsigned long long)r->at);
    if (crc32(crc32(0, p + 4, 4), out->data, out->size) != big32(out->data + out->size))
        return pg_err(PG_ERR_INVALID, "'%s': the checksum of the PNG chunk at byte %llu is wrong", r->name,
                      (unsigned long long)r->at);
    r->at += CHUNK_FRAME + (uint64_t)out->size;
    return NULL;
}

/* ---- Passes ---- */

/* Rows and columns of each of the seven passes of an interlaced picture: first and step. */
typedef struct pass {
    uint32_t x, y, dx, dy;
} pass;
static const pass whole = {0, 0, 1, 1};
static const pass passes[7] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                               {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};

static size_t n_passes(const reader *r)
{
    return r->interlaced ? PG_COUNT(passes) : 1;
}

static const pass *pass_of(const reader *r, size_t index)
{
    return r->interlaced ? &passes[index] : &whole;
}

static uint32_t extent(uint32_t length, uint32_t first, uint32_t step)
{
    return length > first ? (length - first + step - 1) / step : 0;
}

static uint64_t row_bytes(const reader *r, uint32_t width)
{
    return ((uint64_t)width * r->samples * r->depth + 7) / 8;
}

static uint64_t size_of_rows(const reader *r)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n_passes(r); i++) {
        const pass *p = pass_of(r, i);
        uint32_t width = extent(r->width, p->x, p->dx), height = extent(r->height, p->y, p->dy);
        sum += width > 0 ? height * (1 + row_bytes(r, width)) : 0;
    }
    return sum;
}

/* ---- Chunks ---- */

static bool allowed(unsigned type, unsigned depth)
{
    bool power = depth == 1 || depth == 2 || depth == 4 || depth == 8;
    if (type == GREY)
        return power || depth == 16;
    if (type == PALETTE)
        return power;
    return (type == COLOUR || type == GREY_ALPHA || type == COLOUR_ALPHA) && (depth == 8 || depth == 16);
}

static pg_status read_header(reader *r, const chunk *c)
{
    static const unsigned samples[] = {1, 0, 3, 1, 2, 0, 4};
    if (c->size != 13 || r->has_header)
        return pg_err(PG_ERR_INVALID, "'%s': the header of the PNG is not as it must be", r->name);
    r->width = big32(c->data);
    r->height = big32(c->data + 4);
    r->depth = c->data[8];
    r->type = c->data[9];
    r->interlaced = c->data[12] == 1;
    if (!allowed(r->type, r->depth) || c->data[10] != 0 || c->data[11] != 0 || c->data[12] > 1)
        return pg_err(PG_ERR_INVALID, "'%s': a PNG of colour type %u with %u bits does not exist", r->name,
                      r->type, r->depth);
    if (r->width == 0 || r->height == 0)
        return pg_err(PG_ERR_INVALID, "'%s': the PNG has no pixels", r->name);
    if (r->width > PG_IMAGE_MAX_SIDE || r->height > PG_IMAGE_MAX_SIDE ||
        (uint64_t)r->width * r->height > PG_IMAGE_MAX_POINTS)
        return pg_err(PG_ERR_LIMIT, "'%s': a picture of %u x %u is more than %d a side or %d in all", r->name,
                      r->width, r->height, PG_IMAGE_MAX_SIDE, PG_IMAGE_MAX_POINTS);
    r->samples = samples[r->type];
    r->has_header = true;
    return NULL;
}

static pg_status read_palette(reader *r, const chunk *c)
{
    if (c->size % 3 != 0 || c->size > sizeof r->palette)
        return pg_err(PG_ERR_INVALID, "'%s': the palette of the PNG has %u bytes", r->name, c->size);
    memcpy(r->palette, c->data, c->size);
    r->n_palette = c->size / 3;
    return NULL;
}

static pg_status begin_pixels(reader *r)
{
    r->raw_size = size_of_rows(r);
    r->raw = malloc((size_t)r->raw_size);
    if (r->raw == NULL)
        return pg_err(PG_ERR_NO_MEMORY, "'%s': no memory for a picture of %u x %u", r->name, r->width,
                      r->height);
    if (inflateInit(&r->zlib) != Z_OK)
        return pg_err(PG_ERR_NO_MEMORY, "'%s': no memory to unpack the PNG", r->name);
    r->inflating = true;
    return NULL;
}

/* What comes after the last row is left out. */
static pg_status read_pixels(reader *r, const chunk *c)
{
    if (!r->inflating)
        PG_TRY(begin_pixels(r));
    r->zlib.next_in = (Bytef *)c->data;
    r->zlib.avail_in = c->size;
    while (r->zlib.avail_in > 0 && r->raw_used < r->raw_size && !r->ended) {
        uint64_t room = PG_MIN(r->raw_size - r->raw_used, (uint64_t)1 << 30);
        r->zlib.next_out = r->raw + r->raw_used;
        r->zlib.avail_out = (uInt)room;
        int code = inflate(&r->zlib, Z_NO_FLUSH);
        r->raw_used += room - r->zlib.avail_out;
        r->ended = code == Z_STREAM_END;
        if (code != Z_OK && code != Z_STREAM_END)
            return pg_err(PG_ERR_INVALID, "'%s': the pixels of the PNG cannot be unpacked (%s)", r->name,
                          r->zlib.msg != NULL ? r->zlib.msg : "zlib");
    }
    return NULL;
}

static pg_status read_chunk(reader *r, const chunk *c)
{
    if (strcmp(c->kind, "IHDR") == 0)
        return read_header(r, c);
    if (!r->has_header)
        return pg_err(PG_ERR_INVALID, "'%s': the PNG does not start with its header", r->name);
    if (strcmp(c->kind, "PLTE") == 0)
        return read_palette(r, c);
    if (strcmp(c->kind, "IDAT") == 0)
        return read_pixels(r, c);
    if ((c->kind[0] & 0x20) == 0) /* an upper-case letter: nobody may skip it */
        return pg_err(PG_ERR_UNSUPPORTED, "'%s': this PNG needs the extension '%s'", r->name, c->kind);
    return NULL;
}

/* ---- Rows ---- */

static uint8_t paeth(int left, int up, int corner)
{
    int guess = left + up - corner;
    int to_left = abs(guess - left), to_up = abs(guess - up), to_corner = abs(guess - corner);
    return (uint8_t)(to_left <= to_up && to_left <= to_corner ? left : to_up <= to_corner ? up : corner);
}

/* `above` is the row before, NULL for the first. */
static pg_status unfilter(const reader *r, unsigned filter, uint8_t *row, const uint8_t *above,
                          uint64_t length)
{
    size_t step = (size_t)r->samples * r->depth / 8;
    step = PG_MAX(step, (size_t)1);
    for (uint64_t i = 0; i < length && filter != 0; i++) {
        int left = i >= step ? row[i - step] : 0, up = above != NULL ? above[i] : 0;
        int corner = i >= step && above != NULL ? above[i - step] : 0;
        switch (filter) {
        case 1:
            row[i] = (uint8_t)(row[i] + left);
            break;
        case 2:
            row[i] = (uint8_t)(row[i] + up);
            break;
        case 3:
            row[i] = (uint8_t)(row[i] + (left + up) / 2);
            break;
        case 4:
            row[i] = (uint8_t)(row[i] + paeth(left, up, corner));
            break;
        default:
            return pg_err(PG_ERR_INVALID, "'%s': the PNG has rows of the unknown filter %u", r->name, filter);
        }
    }
    return NULL;
}

/* Sample `index` of a row; 16 bits keep the high byte. */
static unsigned sample(const reader *r, const uint8_t *row, uint64_t index)
{
    if (r->depth >= 8)
        return row[index * (r->depth / 8)];
    uint64_t bit = index * r->depth;
    return row[bit / 8] >> (8 - r->depth - bit % 8) & ((1U << r->depth) - 1);
}

static pg_status store_pixel(const reader *r, const uint8_t *row, uint32_t x, uint8_t *out)
{
    if (r->type == PALETTE) {
        unsigned index = sample(r, row, x);
        if (index >= r->n_palette)
            return pg_err(PG_ERR_INVALID, "'%s': colour %u of a palette of %u", r->name, index, r->n_palette);
        memcpy(out, r->palette[index], 3);
        return NULL;
    }
    unsigned channels = r->samples >= 3 ? 3 : 1, most = r->depth < 8 ? (1U << r->depth) - 1 : 255;
    for (unsigned c = 0; c < channels; c++)
        out[c] = (uint8_t)(sample(r, row, (uint64_t)x * r->samples + c) * 255 / most);
    return NULL;
}

static pg_status store_pass(const reader *r, const pass *p, uint8_t **at, pg_image *out)
{
    uint32_t width = extent(r->width, p->x, p->dx), height = extent(r->height, p->y, p->dy);
    uint64_t length = row_bytes(r, width);
    const uint8_t *above = NULL;
    for (uint32_t y = 0; width > 0 && y < height; y++) {
        uint8_t *row = *at + 1;
        PG_TRY(unfilter(r, **at, row, above, length));
        for (uint32_t x = 0; x < width; x++) {
            size_t place = (size_t)(p->y + y * p->dy) * r->width + p->x + x * p->dx;
            PG_TRY(store_pixel(r, row, x, out->pixels + place * out->channels));
        }
        above = row;
        *at += 1 + length;
    }
    return NULL;
}

static pg_status store_pixels(reader *r, pg_image *out)
{
    uint8_t *at = r->raw;
    if (r->raw == NULL || r->raw_used < r->raw_size)
        return pg_err(PG_ERR_INVALID, "'%s': the PNG holds %llu of the %llu bytes of its rows", r->name,
                      (unsigned long long)r->raw_used, (unsigned long long)r->raw_size);
    *out = (pg_image){r->width, r->height, r->type == GREY || r->type == GREY_ALPHA ? 1 : 3, NULL};
    out->pixels = malloc((size_t)out->width * out->height * out->channels);
    if (out->pixels == NULL)
        return pg_err(PG_ERR_NO_MEMORY, "'%s': no memory for a picture of %u x %u", r->name, r->width,
                      r->height);
    for (size_t i = 0; i < n_passes(r); i++)
        PG_TRY(store_pass(r, pass_of(r, i), &at, out));
    return NULL;
}

static pg_status read_all(reader *r, pg_image *out)
{
    chunk c;
    do {
        PG_TRY(next_chunk(r, &c));
        PG_TRY(strcmp(c.kind, "IEND") != 0 ? read_chunk(r, &c) : NULL);
    } while (strcmp(c.kind, "IEND") != 0);
    return store_pixels(r, out);
}

pg_status pg_png_read(const void *bytes, uint64_t size, const char *name, pg_image *out)
{
    reader r = {.name = name, .bytes = bytes, .size = size, .at = FIRST_CHUNK};
    *out = (pg_image){0};
    if (size < FIRST_CHUNK || memcmp(bytes, "\x89PNG\r\n\x1a\n", FIRST_CHUNK) != 0)
        return pg_err(PG_ERR_INVALID, "'%s' is not a PNG", name);
    pg_status status = read_all(&r, out);
    if (r.inflating)
        inflateEnd(&r.zlib);
    free(r.raw);
    if (status != NULL)
        pg_image_deinit(out);
    return status;
}
