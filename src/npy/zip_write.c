/* Writing .npz archives. Members are stored, and an extra field pads each local header so that the array
 * behind it starts at a multiple of 64: the file can then be mapped and its arrays used in place. */
#include <string.h>

#include "base/alloc.h"
#include "npy/internal.h"

enum {
    ALIGNMENT = 64,
    ALIGN_FIELD = 0xd935, /* the id that zip alignment tools use for padding */
    ZIP64_FIELD = 1,
    DATE_1980 = 0x21, /* equal arrays make equal files */
    UTF8_NAME = 1 << 11,
};

static void put16(pg_buf *out, unsigned value)
{
    const char bytes[] = {(char)value, (char)(value >> 8)};
    pg_buf_add(out, bytes, 2);
}

static void put32(pg_buf *out, uint64_t value)
{
    put16(out, (unsigned)value & 0xffff);
    put16(out, (unsigned)(value >> 16) & 0xffff);
}

static void put64(pg_buf *out, uint64_t value)
{
    put32(out, value & UINT32_MAX);
    put32(out, value >> 32);
}

void pg_npz_begin(pg_npz_writer *npz, pg_writer *file)
{
    *npz = (pg_npz_writer){.file = file};
}

void pg_npz_writer_deinit(pg_npz_writer *npz)
{
    pg_buf_deinit(&npz->directory);
    *npz = (pg_npz_writer){0};
}

static uint32_t low32(uint64_t value)
{
    return (uint32_t)PG_MIN(value, (uint64_t)UINT32_MAX);
}

/* The fields that local header and directory entry share: from "version needed" to the sizes. */
static void put_common(pg_buf *out, bool large, unsigned flags, uint32_t crc, uint64_t size)
{
    put16(out, large ? 45 : 20);
    put16(out, flags);
    put16(out, 0); /* stored */
    put16(out, 0);
    put16(out, DATE_1980);
    put32(out, crc);
    put32(out, large ? UINT32_MAX : size);
    put32(out, large ? UINT32_MAX : size);
}

static void put_name(pg_buf *out, pg_str name)
{
    pg_buf_add_str(out, name);
    pg_buf_puts(out, ".npy");
}

static void put_local(pg_npz_writer *npz, pg_str name, unsigned flags, uint32_t crc, uint64_t size)
{
    bool large = size >= UINT32_MAX;
    uint64_t fixed = npz->file->offset + 30 + name.len + 4 + (large ? 20 : 0);
    unsigned padding = (unsigned)((ALIGNMENT - fixed % ALIGNMENT) % ALIGNMENT);
    if (padding > 0 && padding < 6)
        padding += ALIGNMENT;
    pg_buf out = {0};
    put32(&out, 0x04034b50);
    put_common(&out, large, flags, crc, size);
    put16(&out, (unsigned)name.len + 4);
    put16(&out, padding + (large ? 20 : 0));
    put_name(&out, name);
    if (large) {
        put16(&out, ZIP64_FIELD);
        put16(&out, 16);
        put64(&out, size);
        put64(&out, size);
    }
    if (padding > 0) {
        put16(&out, ALIGN_FIELD);
        put16(&out, padding - 4);
        put16(&out, ALIGNMENT);
        pg_buf_pad(&out, '\0', padding - 6);
    }
    pg_writer_add_str(npz->file, pg_buf_str(&out));
    pg_buf_deinit(&out);
}

static void put_entry(pg_npz_writer *npz, pg_str name, unsigned flags, uint32_t crc, uint64_t size,
                      uint64_t local)
{
    pg_buf *out = &npz->directory;
    bool large = size >= UINT32_MAX, far = local >= UINT32_MAX;
    unsigned extra = (large ? 16 : 0) + (far ? 8 : 0);
    put32(out, 0x02014b50);
    put16(out, 3 << 8 | (large || far ? 45 : 20)); /* made on Unix */
    put_common(out, large, flags, crc, size);
    put16(out, (unsigned)name.len + 4);
    put16(out, extra > 0 ? extra + 4 : 0);
    put16(out, 0);
    put16(out, 0);
    put16(out, 0);
    put32(out, (uint64_t)0100644 << 16);
    put32(out, low32(local));
    put_name(out, name);
    if (extra > 0) {
        put16(out, ZIP64_FIELD);
        put16(out, extra);
        if (large) {
            put64(out, size);
            put64(out, size);
        }
        if (far)
            put64(out, local);
    }
    npz->count++;
}

pg_status pg_npz_add(pg_npz_writer *npz, pg_str name, const pg_tensor *tensor)
{
    if (name.len > 60000)
        return pg_err(PG_ERR_LIMIT, "an array's name of %zu bytes is too long for a .npz archive", name.len);
    pg_npy_image image;
    PG_TRY(pg_npy_image_make(tensor, &image));
    unsigned flags = 0;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] >= 0x80)
            flags = UTF8_NAME;
    uint32_t crc = pg_zip_crc(0, image.header.ptr, image.header.len);
    crc = pg_zip_crc(crc, image.data, image.data_size);
    uint64_t size = image.header.len + image.data_size, local = npz->file->offset;
    put_local(npz, name, flags, crc, size);
    pg_npy_write(npz->file, &image);
    put_entry(npz, name, flags, crc, size, local);
    pg_npy_image_deinit(&image);
    return NULL;
}

static void put_end64(pg_buf *out, uint64_t count, uint64_t size, uint64_t offset)
{
    put32(out, 0x06064b50);
    put64(out, 44);
    put16(out, 3 << 8 | 45);
    put16(out, 45);
    put32(out, 0);
    put32(out, 0);
    put64(out, count);
    put64(out, count);
    put64(out, size);
    put64(out, offset);
    put32(out, 0x07064b50);
    put32(out, 0);
    put64(out, offset + size);
    put32(out, 1);
}

void pg_npz_end(pg_npz_writer *npz, pg_str comment)
{
    PG_ASSERT(comment.len <= PG_NPZ_MAX_COMMENT);
    uint64_t offset = npz->file->offset, size = npz->directory.len, count = npz->count;
    pg_buf *out = &npz->directory;
    if (count >= UINT16_MAX || offset >= UINT32_MAX || size >= UINT32_MAX)
        put_end64(out, count, size, offset);
    put32(out, 0x06054b50);
    put16(out, 0);
    put16(out, 0);
    put16(out, (unsigned)PG_MIN(count, (uint64_t)UINT16_MAX));
    put16(out, (unsigned)PG_MIN(count, (uint64_t)UINT16_MAX));
    put32(out, low32(size));
    put32(out, low32(offset));
    put16(out, (unsigned)comment.len);
    pg_buf_add_str(out, comment);
    pg_writer_add_str(npz->file, pg_buf_str(out));
    pg_npz_writer_deinit(npz);
}
