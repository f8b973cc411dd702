#include "compare/plot/png.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "json/base64.h"

static void put_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put_chunk(pg_buf *out, const char type[4], const void *data, size_t size)
{
    uint8_t word[4];
    put_u32(word, (uint32_t)size);
    pg_buf_add(out, word, 4);
    pg_buf_add(out, type, 4);
    pg_buf_add(out, data, size);
    uLong crc = crc32(crc32(0, (const Bytef *)type, 4), data, (uInt)size);
    put_u32(word, (uint32_t)crc);
    pg_buf_add(out, word, 4);
}

/* Each row after a filter byte: rows are stored as differences from their left neighbour, or from the row
 * above, whichever looks smaller. */
static uint64_t filter_row(const uint8_t *row, const uint8_t *above, size_t size, bool up, uint8_t *to)
{
    uint64_t cost = 0;
    *to++ = up ? 2 : 1;
    for (size_t i = 0; i < size; i++) {
        uint8_t left = i >= 3 ? row[i - 3] : 0, base = up ? (above != NULL ? above[i] : 0) : left;
        to[i] = (uint8_t)(row[i] - base);
        cost += to[i] < 128 ? to[i] : 256u - to[i];
    }
    return cost;
}

static void filter_image(const uint8_t *rgb, size_t row_size, uint32_t height, uint8_t *to)
{
    uint8_t *other = pg_calloc(row_size + 1, 1);
    const uint8_t *above = NULL;
    for (uint32_t y = 0; y < height; y++) {
        const uint8_t *row = rgb + y * row_size;
        uint8_t *kept = to + y * (row_size + 1);
        if (filter_row(row, above, row_size, true, other) < filter_row(row, above, row_size, false, kept))
            memcpy(kept, other, row_size + 1);
        above = row;
    }
    free(other);
}

void pg_png_write(pg_buf *out, const uint8_t *rgb, uint32_t width, uint32_t height)
{
    size_t row_size = 3 * (size_t)width, raw_size = (row_size + 1) * height;
    uint8_t *raw = pg_calloc(raw_size + 1, 1);
    filter_image(rgb, row_size, height, raw);
    uLongf packed_size = compressBound((uLong)raw_size);
    uint8_t *packed = pg_calloc(packed_size, 1);
    if (compress2(packed, &packed_size, raw, (uLong)raw_size, 6) != Z_OK)
        PG_BUG("zlib could not compress %zu bytes", raw_size);
    uint8_t header[13] = {0};
    put_u32(header, width);
    put_u32(header + 4, height);
    header[8] = 8; /* bits */
    header[9] = 2; /* red, green, blue */
    pg_buf_add(out, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(out, "IHDR", header, sizeof header);
    put_chunk(out, "IDAT", packed, packed_size);
    put_chunk(out, "IEND", "", 0);
    free(raw);
    free(packed);
}

void pg_png_write_url(pg_buf *out, const uint8_t *rgb, uint32_t width, uint32_t height)
{
    pg_buf png = {0};
    pg_png_write(&png, rgb, width, height);
    pg_buf_puts(out, "data:image/png;base64,");
    pg_buf_reserve(out, pg_base64_encoded_size(png.len) + 1);
    pg_base64_encode(png.ptr, png.len, out->ptr + out->len);
    out->len += pg_base64_encoded_size(png.len);
    out->ptr[out->len] = '\0';
    pg_buf_deinit(&png);
}
