/* Elements of a .npy array to a tensor. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "npy/npy.h"

static void close_map_buffer(pg_buffer *buffer)
{
    pg_file_map_close(buffer->context);
    free(buffer->context);
    free(buffer);
}

pg_buffer *pg_buffer_from_map(pg_file_map *map)
{
    pg_file_map *kept = PG_NEW(pg_file_map);
    pg_buffer *buffer = PG_NEW(pg_buffer);
    *kept = *map;
    *map = (pg_file_map){0};
    *buffer = (pg_buffer){
        .release = close_map_buffer, .context = kept, .size = kept->size, .data = (void *)kept->data};
    atomic_init(&buffer->refs, 1);
    return buffer;
}

bool pg_npy_is_ambiguous(const pg_npy_header *header)
{
    return header->kind == 'V' && header->item_size == 1;
}

/* Bools are not plain: a byte that is neither 0 nor 1 must not reach code that trusts them. */
bool pg_npy_is_plain(const pg_npy_header *header)
{
    return !header->fortran && !header->swapped && header->dtype != PG_STRING && header->dtype != PG_BOOL &&
           pg_dtype_get(header->dtype)->bits >= 8;
}

/* Walks a column-major array in row-major order: call next() after each element. */
typedef struct walk {
    unsigned rank;
    const int64_t *dims;
    int64_t index[PG_MAX_RANK];
    uint64_t strides[PG_MAX_RANK], at; /* in elements */
} walk;

static void walk_init(walk *w, const pg_npy_header *header)
{
    *w = (walk){.rank = header->rank, .dims = header->dims};
    uint64_t stride = 1;
    for (unsigned i = 0; i < w->rank; i++) {
        unsigned axis = header->fortran ? i : w->rank - 1 - i;
        w->strides[axis] = stride;
        stride *= (uint64_t)w->dims[axis];
    }
}

static void walk_next(walk *w)
{
    for (unsigned axis = w->rank; axis-- > 0;) {
        w->at += w->strides[axis];
        if (++w->index[axis] < w->dims[axis])
            return;
        w->at -= w->strides[axis] * (uint64_t)w->dims[axis];
        w->index[axis] = 0;
    }
}

static void gather(const pg_npy_header *header, const uint8_t *in, uint8_t *out)
{
    walk w;
    walk_init(&w, header);
    uint64_t size = header->item_size;
    for (uint64_t left = header->data_size / size; left > 0; left--, out += size) {
        memcpy(out, in + w.at * size, size);
        walk_next(&w);
    }
}

static void swap_bytes(uint8_t *bytes, uint64_t total, unsigned unit)
{
    for (uint64_t at = 0; at < total; at += unit)
        for (unsigned i = 0; i < unit / 2; i++) {
            uint8_t held = bytes[at + i];
            bytes[at + i] = bytes[at + unit - 1 - i];
            bytes[at + unit - 1 - i] = held;
        }
}

/* One element per byte to elements packed from the low bits on. */
static void pack(const pg_npy_header *header, const uint8_t *in, uint8_t *out)
{
    unsigned bits = pg_dtype_get(header->dtype)->bits, per_byte = 8 / bits;
    walk w;
    walk_init(&w, header);
    for (uint64_t i = 0; i < header->data_size; i++) {
        unsigned shift = (unsigned)(i % per_byte) * bits;
        uint8_t value = (uint8_t)((in[w.at] & ((1u << bits) - 1)) << shift);
        out[i / per_byte] = shift == 0 ? value : out[i / per_byte] | value;
        walk_next(&w);
    }
}

static void put_utf8(pg_buf *out, uint32_t code)
{
    if (code < 0x80 || (code >= 0xdc80 && code <= 0xdcff)) {
        pg_buf_putc(out, (char)(code & 0xff));
    } else if (code < 0x800) {
        pg_buf_putc(out, (char)(0xc0 | code >> 6));
        pg_buf_putc(out, (char)(0x80 | (code & 63)));
    } else {
        if (code < 0x10000) {
            pg_buf_putc(out, (char)(0xe0 | code >> 12));
        } else {
            pg_buf_putc(out, (char)(0xf0 | code >> 18));
            pg_buf_putc(out, (char)(0x80 | (code >> 12 & 63)));
        }
        pg_buf_putc(out, (char)(0x80 | (code >> 6 & 63)));
        pg_buf_putc(out, (char)(0x80 | (code & 63)));
    }
}

/* One text without the NULs it is padded with. */
static pg_status decode_text(const pg_npy_header *header, const uint8_t *in, pg_buf *out)
{
    uint64_t size = header->item_size;
    if (header->kind == 'S') {
        while (size > 0 && in[size - 1] == 0)
            size--;
        pg_buf_add(out, in, size);
        return NULL;
    }
    uint64_t count = size / 4;
    for (; count > 0; count--)
        if (memcmp(in + (count - 1) * 4, "\0\0\0", 4) != 0)
            break;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t code;
        memcpy(&code, in + i * 4, 4);
        if (header->swapped)
            code = __builtin_bswap32(code);
        if (code > 0x10ffff)
            return pg_err(PG_ERR_INVALID, "a text of a .npy array holds 0x%x, which is no character", code);
        put_utf8(out, code);
    }
    return NULL;
}

static pg_status decode_texts(const pg_npy_header *header, const uint8_t *in, pg_tensor *out)
{
    uint64_t count;
    if (!pg_dims_count(header->rank, header->dims, &count))
        return pg_err(PG_ERR_LIMIT, "a .npy array whose size overflows 63 bits");
    pg_buf bytes = {0};
    pg_str *texts = pg_calloc(count, sizeof *texts);
    pg_status status = NULL;
    walk w;
    walk_init(&w, header);
    for (uint64_t i = 0; i < count && status == NULL; i++) {
        size_t begin = bytes.len;
        status = decode_text(header, in + w.at * header->item_size, &bytes);
        texts[i].len = bytes.len - begin;
        walk_next(&w);
    }
    const char *next = bytes.ptr;
    for (uint64_t i = 0; i < count && next != NULL; i++) {
        texts[i].ptr = next;
        next += texts[i].len;
    }
    if (status == NULL)
        status = pg_tensor_alloc_strings(out, header->rank, header->dims, texts);
    free(texts);
    pg_buf_deinit(&bytes);
    return status;
}

pg_status pg_npy_decode(const pg_npy_header *header, const void *data, pg_tensor *out)
{
    if (header->dtype == PG_STRING)
        return decode_texts(header, data, out);
    PG_TRY(pg_tensor_alloc(out, header->dtype, header->rank, header->dims));
    if (header->data_size == 0)
        return NULL;
    if (pg_dtype_get(header->dtype)->bits < 8)
        pack(header, data, out->data);
    else if (header->fortran)
        gather(header, data, out->data);
    else
        memcpy(out->data, data, header->data_size);
    if (header->swapped)
        swap_bytes(out->data, header->data_size,
                   (unsigned)(header->kind == 'c' ? header->item_size / 2 : header->item_size));
    uint8_t *bytes = out->data;
    if (header->dtype == PG_BOOL)
        for (uint64_t i = 0; i < header->data_size; i++)
            bytes[i] = bytes[i] != 0;
    return NULL;
}

pg_status pg_npy_read(const void *bytes, uint64_t size, pg_buffer *owner, pg_tensor *out)
{
    pg_npy_header header;
    *out = (pg_tensor){0};
    PG_TRY(pg_npy_parse_header(bytes, size, &header));
    if (header.data_size > size - header.size)
        return pg_err(
            PG_ERR_INVALID,
            "a .npy array is cut short: its elements take %llu bytes from byte %llu on, %llu are there",
            (unsigned long long)header.data_size, (unsigned long long)header.size,
            (unsigned long long)(size - header.size));
    const uint8_t *data = (const uint8_t *)bytes + header.size;
    uint64_t unit = header.kind == 'c' ? header.item_size / 2 : header.item_size;
    if (owner == NULL || !pg_npy_is_plain(&header) || (uintptr_t)data % PG_MAX(unit, (uint64_t)1) != 0)
        return pg_npy_decode(&header, data, out);
    PG_TRY(pg_tensor_borrow(out, header.dtype, header.rank, header.dims, data));
    out->buffer = pg_buffer_ref(owner);
    return NULL;
}
