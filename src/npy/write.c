/* A tensor as a .npy array. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "npy/internal.h"

bool pg_npy_keeps_type(pg_dtype dtype)
{
    return pg_dtype_get(dtype)->npy != NULL || dtype == PG_BF16 || dtype == PG_STRING;
}

static uint64_t count_codes(pg_str text)
{
    uint64_t count = 0;
    uint32_t code;
    for (size_t at = 0; at < text.len; count++)
        at += pg_str_utf8(text, at, &code);
    return count;
}

static pg_status no_memory(uint64_t size)
{
    return pg_err(PG_ERR_NO_MEMORY, "no memory for %llu bytes of a .npy array", (unsigned long long)size);
}

/* All texts as wide as the widest. */
static pg_status convert_texts(const pg_tensor *tensor, uint64_t *out_width, pg_npy_image *out)
{
    const pg_str *texts = tensor->data;
    uint64_t count = pg_tensor_count(tensor), width = 1;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t codes = count_codes(texts[i]);
        width = PG_MAX(width, codes);
    }
    if (pg_mul_overflow(count, width * 4, &out->data_size))
        return no_memory(UINT64_MAX);
    out->converted = calloc(PG_MAX(out->data_size, (uint64_t)1), 1);
    if (out->converted == NULL)
        return no_memory(out->data_size);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t *to = (uint32_t *)out->converted + i * width;
        for (size_t at = 0; at < texts[i].len;)
            at += pg_str_utf8(texts[i], at, to++);
    }
    *out_width = width;
    out->data = out->converted;
    return NULL;
}

/* Packed elements to one per byte, as numpy holds ml_dtypes' narrow types. */
static pg_status unpack(const pg_tensor *tensor, unsigned bits, pg_npy_image *out)
{
    uint64_t count = pg_tensor_count(tensor);
    uint8_t *to = malloc(PG_MAX(count, (uint64_t)1));
    if (to == NULL)
        return no_memory(count);
    const uint8_t *from = tensor->data;
    unsigned per_byte = 8 / bits;
    for (uint64_t i = 0; i < count; i++)
        to[i] = (uint8_t)(from[i / per_byte] >> (i % per_byte * bits) & ((1u << bits) - 1));
    out->data = out->converted = to;
    out->data_size = count;
    return NULL;
}

pg_status pg_npy_image_make(const pg_tensor *tensor, pg_npy_image *out)
{
    *out = (pg_npy_image){.data = tensor->data, .data_size = pg_tensor_bytes(tensor)};
    PG_ASSERT(tensor->layout == PG_ROW_MAJOR);
    const pg_dtype_info *info = pg_dtype_get(tensor->dtype);
    const char *descr = info->npy != NULL ? info->npy : tensor->dtype == PG_BF16 ? "<V2" : "<V1";
    char wide[32];
    if (tensor->dtype == PG_STRING) {
        uint64_t width = 0;
        PG_TRY(convert_texts(tensor, &width, out));
        snprintf(wide, sizeof wide, "<U%llu", (unsigned long long)width);
        descr = wide;
    } else if (info->bits < 8) {
        PG_TRY(unpack(tensor, info->bits, out));
    }
    pg_npy_header_text(descr, tensor->rank, tensor->dims, &out->header);
    return NULL;
}

void pg_npy_image_deinit(pg_npy_image *image)
{
    pg_buf_deinit(&image->header);
    free(image->converted);
    *image = (pg_npy_image){0};
}

void pg_npy_write(pg_writer *file, const pg_npy_image *image)
{
    pg_writer_add_str(file, pg_buf_str(&image->header));
    pg_writer_add(file, image->data, image->data_size);
}
