/* Conversions between strings and numbers. */
#include <math.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "tensor/internal.h"
#include "tensor/text.h"

/* The number a text states, in the widest type of the target's kind. */
typedef struct parsed {
    int64_t i64;
    uint64_t u64;
    double f64;
    bool is_integer; /* i64 or u64 hold it, modulo 2^64 */
} parsed;

static bool parse_integer(pg_str text, parsed *out)
{
    if (pg_str_to_i64(text, &out->i64)) {
        out->u64 = (uint64_t)out->i64;
        return true;
    }
    if (!pg_str_to_u64(text, &out->u64))
        return false;
    out->i64 = (int64_t)out->u64;
    return true;
}

static bool parse(pg_str text, pg_dtype to, const pg_cast_options *options, parsed *out)
{
    if (to == PG_BOOL && options->numpy) {
        *out = (parsed){.i64 = text.len > 0, .u64 = text.len > 0, .is_integer = true};
        return true;
    }
    bool whole = pg_dtype_is_integer(to) || to == PG_BOOL;
    if (whole && parse_integer(text, out)) {
        out->is_integer = true;
        return true;
    }
    out->is_integer = false;
    if ((whole && options->numpy) || !pg_str_to_f64(text, &out->f64))
        return false;
    return !whole || isfinite(out->f64);
}

pg_status pg_cast_from_strings(const pg_tensor *in, const pg_cast_options *options, pg_tensor *out)
{
    const pg_str *texts = in->data;
    uint64_t count = pg_tensor_count(in);
    unsigned bits = pg_dtype_get(out->dtype)->bits;
    uint8_t *codes = bits < 8 ? pg_calloc(count + 8 / bits, 1) : out->data;
    size_t size = bits < 8 ? 1 : bits / 8;
    for (uint64_t i = 0; i < count; i++) {
        parsed value;
        if (!parse(texts[i], out->dtype, options, &value)) {
            if (bits < 8)
                free(codes);
            return pg_err(PG_ERR_INVALID, "element %llu, '%" PG_STR_FMT "', is not a number of type %s",
                          (unsigned long long)i, PG_STR_ARG(pg_str_sub(texts[i], 0, 80)),
                          pg_dtype_name(out->dtype));
        }
        /* One element at a time; packed types are converted one to a byte and packed at the end. */
        uint8_t element[16];
        if (value.is_integer)
            pg_convert(PG_I64, &value.i64, out->dtype, element, 1, options);
        else
            pg_convert(PG_F64, &value.f64, out->dtype, element, 1, options);
        memcpy(codes + i * size, element, size);
    }
    if (bits < 8) {
        pg_pack(out->dtype, codes, out->data, 0, count);
        free(codes);
    }
    return NULL;
}

pg_status pg_cast_to_strings(const pg_tensor *in, pg_tensor *out)
{
    uint64_t count = pg_tensor_count(in);
    pg_buf text = {0};
    size_t *ends = pg_calloc(count + 1, sizeof *ends);
    pg_str *texts = pg_calloc(count + 1, sizeof *texts);
    for (uint64_t i = 0; i < count; i++) {
        pg_tensor_text_element(&text, in, i);
        ends[i] = text.len;
    }
    for (uint64_t i = 0; i < count; i++) {
        size_t begin = i > 0 ? ends[i - 1] : 0;
        texts[i] = (pg_str){text.ptr + begin, ends[i] - begin};
    }
    pg_status status = pg_tensor_alloc_strings(out, in->rank, in->dims, texts);
    free(ends);
    free(texts);
    pg_buf_deinit(&text);
    return status;
}
