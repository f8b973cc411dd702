/* The engine of conversions. Elements travel in blocks: widened to one of six types that hold them exactly,
 * then narrowed to the target. Where the source or the target is itself such a type a step falls away, so
 * the common pairs are one loop. */
#include "tensor/dtype_convert.h"

#include "base/alloc.h"
#include "base/threads.h"
#include "tensor/internal.h"

const pg_cast_options pg_cast_onnx = {.saturate = true, .round_mode = PG_ROUND_UP};
const pg_cast_options pg_cast_numpy = {.numpy = true};

enum { BLOCK = 1024 }; /* elements; a multiple of every packing */

/* ---- Widening ---- */

/* The type that holds every value of `dtype` exactly and has narrowing loops. */
static pg_dtype wide_type(pg_dtype dtype)
{
    switch (dtype) {
    case PG_F64:
        return PG_F64;
    case PG_C64:
    case PG_C128:
        return PG_C128;
    case PG_U64:
        return PG_U64;
    case PG_I64:
    case PG_U32:
        return PG_I64;
    default:
        return pg_dtype_is_float(dtype) ? PG_F32 : PG_I32;
    }
}

#define WIDEN(name, source, target)                             \
    static void name(const void *in_, void *out_, size_t count) \
    {                                                           \
        const source *restrict in = in_;                        \
        target *restrict out = out_;                            \
        for (size_t i = 0; i < count; i++)                      \
            out[i] = (target)in[i];                             \
    }
WIDEN(widen_i8, int8_t, int32_t)
WIDEN(widen_u8, uint8_t, int32_t)
WIDEN(widen_i16, int16_t, int32_t)
WIDEN(widen_u16, uint16_t, int32_t)
WIDEN(widen_u32, uint32_t, int64_t)

static void widen_bool(const void *in, void *out, size_t count)
{
    const uint8_t *source = in;
    int32_t *target = out;
    for (size_t i = 0; i < count; i++)
        target[i] = source[i] != 0;
}

static void widen_c64(const void *in, void *out, size_t count)
{
    const float *source = in;
    double *target = out;
    for (size_t i = 0; i < 2 * count; i++)
        target[i] = (double)source[i];
}

/* `in` is at the block's first element; types below 8 bits come unpacked to bytes. */
static void widen(pg_dtype from, const void *in, void *out, size_t count)
{
    switch (from) {
    case PG_BOOL:
        widen_bool(in, out, count);
        break;
    case PG_I8:
    case PG_I4:
    case PG_I2:
        widen_i8(in, out, count);
        break;
    case PG_U8:
    case PG_U4:
    case PG_U2:
        widen_u8(in, out, count);
        break;
    case PG_I16:
        widen_i16(in, out, count);
        break;
    case PG_U16:
        widen_u16(in, out, count);
        break;
    case PG_U32:
        widen_u32(in, out, count);
        break;
    case PG_F16:
        pg_f16_to_f32_array(in, out, count);
        break;
    case PG_BF16:
        pg_bf16_to_f32_array(in, out, count);
        break;
    case PG_C64:
        widen_c64(in, out, count);
        break;
    default:
        pg_small_floats_to_f32(from, in, out, count);
        break;
    }
}

/* ---- Float to integer, as the x86 instructions do it, without undefined behaviour ---- */

static inline int32_t cut_i32(double x)
{
    return x > -2147483649.0 && x < 2147483648.0 ? (int32_t)x : INT32_MIN;
}
static inline int32_t cut_i32f(float x)
{
    return x >= -0x1p31f && x < 0x1p31f ? (int32_t)x : INT32_MIN;
}
static inline int64_t cut_i64(double x)
{
    return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN;
}
static inline uint32_t cut_u32(double x)
{
    return x >= 0x1p31 ? (uint32_t)cut_i32(x - 0x1p31) ^ 0x80000000u : (uint32_t)cut_i32(x);
}
static inline uint64_t cut_u64(double x)
{
    return x >= 0x1p63 ? (uint64_t)cut_i64(x - 0x1p63) ^ 0x8000000000000000u : (uint64_t)cut_i64(x);
}

/* ---- Narrowing: one function per wide type ---- */

#define LOOP(type, expression)               \
    do {                                     \
        type *restrict target = out;         \
        for (size_t i = 0; i < count; i++) { \
            target[i] = (type)(expression);  \
        }                                    \
    } while (0);                             \
    return

/* A complex target is the real value and a zero. */
#define LOOP_COMPLEX(type, expression)          \
    do {                                        \
        type *restrict target = out;            \
        for (size_t i = 0; i < count; i++) {    \
            target[2 * i] = (type)(expression); \
            target[2 * i + 1] = 0;              \
        }                                       \
    } while (0);                                \
    return

/* The 8-bit and smaller floats: through float32. */
#define LOOP_SMALL(expression)                                   \
    do {                                                         \
        float values[BLOCK];                                     \
        for (size_t i = 0; i < count; i++)                       \
            values[i] = (float)(expression);                     \
        pg_f32_to_small_floats(to, values, out, count, options); \
    } while (0);                                                 \
    return

#define NARROW_INTEGER(name, source)                                                                        \
    static void name(const void *in_, pg_dtype to, void *out, size_t count, const pg_cast_options *options) \
    {                                                                                                       \
        const source *restrict in = in_;                                                                    \
        switch (to) {                                                                                       \
        case PG_BOOL:                                                                                       \
            LOOP(uint8_t, in[i] != 0);                                                                      \
        case PG_I2:                                                                                         \
        case PG_U2:                                                                                         \
        case PG_I4:                                                                                         \
        case PG_U4:                                                                                         \
        case PG_I8:                                                                                         \
        case PG_U8:                                                                                         \
            LOOP(uint8_t, in[i]);                                                                           \
        case PG_I16:                                                                                        \
        case PG_U16:                                                                                        \
            LOOP(uint16_t, in[i]);                                                                          \
        case PG_I32:                                                                                        \
        case PG_U32:                                                                                        \
            LOOP(uint32_t, in[i]);                                                                          \
        case PG_I64:                                                                                        \
        case PG_U64:                                                                                        \
            LOOP(uint64_t, in[i]);                                                                          \
        case PG_F32:                                                                                        \
            LOOP(float, in[i]);                                                                             \
        case PG_F64:                                                                                        \
            LOOP(double, in[i]);                                                                            \
        case PG_C64:                                                                                        \
            LOOP_COMPLEX(float, in[i]);                                                                     \
        case PG_C128:                                                                                       \
            LOOP_COMPLEX(double, in[i]);                                                                    \
        case PG_F16:                                                                                        \
            LOOP(uint16_t, pg_f32_to_f16((float)in[i]));                                                    \
        case PG_BF16:                                                                                       \
            LOOP(uint16_t, pg_bf16_round((float)in[i]));                                                    \
        default:                                                                                            \
            LOOP_SMALL(in[i]);                                                                              \
        }                                                                                                   \
    }

#define NARROW_FLOAT(name, source, value, cut32, half)                                                      \
    static void name(const void *in_, pg_dtype to, void *out, size_t count, const pg_cast_options *options) \
    {                                                                                                       \
        const source *restrict in = in_;                                                                    \
        switch (to) {                                                                                       \
        case PG_BOOL:                                                                                       \
            LOOP(uint8_t, value != 0);                                                                      \
        case PG_I2:                                                                                         \
        case PG_U2:                                                                                         \
        case PG_I4:                                                                                         \
        case PG_U4:                                                                                         \
        case PG_I8:                                                                                         \
        case PG_U8:                                                                                         \
            LOOP(uint8_t, cut32(value));                                                                    \
        case PG_I16:                                                                                        \
        case PG_U16:                                                                                        \
            LOOP(uint16_t, cut32(value));                                                                   \
        case PG_I32:                                                                                        \
            LOOP(int32_t, cut32(value));                                                                    \
        case PG_U32:                                                                                        \
            LOOP(uint32_t, cut_u32((double)value));                                                         \
        case PG_I64:                                                                                        \
            LOOP(int64_t, cut_i64((double)value));                                                          \
        case PG_U64:                                                                                        \
            LOOP(uint64_t, cut_u64((double)value));                                                         \
        case PG_F32:                                                                                        \
            LOOP(float, value);                                                                             \
        case PG_F64:                                                                                        \
            LOOP(double, value);                                                                            \
        case PG_C64:                                                                                        \
            LOOP_COMPLEX(float, value);                                                                     \
        case PG_C128:                                                                                       \
            LOOP_COMPLEX(double, value);                                                                    \
        case PG_F16:                                                                                        \
            LOOP(uint16_t, half(value));                                                                    \
        case PG_BF16:                                                                                       \
            LOOP(uint16_t, pg_bf16_round((float)value));                                                    \
        default:                                                                                            \
            LOOP_SMALL(value);                                                                              \
        }                                                                                                   \
    }

/* clang-format off */
NARROW_INTEGER(narrow_i32, int32_t)
NARROW_INTEGER(narrow_i64, int64_t)
NARROW_INTEGER(narrow_u64, uint64_t)
NARROW_FLOAT(narrow_f32, float, in[i], cut_i32f, pg_f32_to_f16)
NARROW_FLOAT(narrow_f64, double, in[i], cut_i32, pg_f64_to_f16)
NARROW_FLOAT(narrow_real, double, in[2 * i], cut_i32, pg_f64_to_f16)
/* clang-format on */

static void narrow_complex(const void *in, pg_dtype to, void *out, size_t count,
                           const pg_cast_options *options)
{
    const double *source = in;
    if (to == PG_C64) {
        float *target = out;
        for (size_t i = 0; i < 2 * count; i++)
            target[i] = (float)source[i];
    } else if (to == PG_BOOL) {
        uint8_t *target = out;
        for (size_t i = 0; i < count; i++)
            target[i] = source[2 * i] != 0 || source[2 * i + 1] != 0;
    } else {
        narrow_real(in, to, out, count, options);
    }
}

/* Half-precision infinities and NaN become 0 as uint32: they pass through the 64-bit instruction. */
static void narrow_half_to_u32(const float *in, uint32_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (uint32_t)cut_i64((double)in[i]);
}

static void narrow(pg_dtype wide, const void *in, pg_dtype to, void *out, size_t count,
                   const pg_cast_options *options)
{
    switch (wide) {
    case PG_I32:
        narrow_i32(in, to, out, count, options);
        break;
    case PG_I64:
        narrow_i64(in, to, out, count, options);
        break;
    case PG_U64:
        narrow_u64(in, to, out, count, options);
        break;
    case PG_F32:
        if (to == PG_F16)
            pg_f32_to_f16_array(in, out, count);
        else
            narrow_f32(in, to, out, count, options);
        break;
    case PG_F64:
        narrow_f64(in, to, out, count, options);
        break;
    default:
        narrow_complex(in, to, out, count, options);
        break;
    }
}

/* ---- Blocks ---- */

typedef struct conversion {
    pg_dtype from, to, wide;
    const uint8_t *in;
    uint8_t *out;
    uint64_t count;
    const pg_cast_options *options;
} conversion;

static void convert_block(const conversion *c, uint64_t first, size_t count)
{
    uint8_t unpacked[BLOCK], packed[BLOCK];
    double wide[2 * BLOCK];
    unsigned from_bits = pg_dtype_get(c->from)->bits, to_bits = pg_dtype_get(c->to)->bits;
    const void *in = c->in + first * (from_bits / 8);
    void *out = to_bits < 8 ? packed : c->out + first * (to_bits / 8);
    if (from_bits < 8) {
        pg_unpack(c->from, c->in, first, count, unpacked);
        in = unpacked;
    }
    if (c->from != c->wide) {
        void *target = c->to == c->wide ? out : wide;
        widen(c->from, in, target, count);
        in = target;
    }
    if (c->from == PG_F16 && c->to == PG_U32)
        narrow_half_to_u32(in, out, count);
    else if (in != out)
        narrow(c->wide, in, c->to, out, count, c->options);
    if (to_bits < 8)
        pg_pack(c->to, packed, c->out, first, count);
}

static void convert_blocks(void *context, size_t begin, size_t end)
{
    const conversion *c = context;
    for (size_t block = begin; block < end; block++) {
        uint64_t first = (uint64_t)block * BLOCK;
        convert_block(c, first, (size_t)PG_MIN((uint64_t)BLOCK, c->count - first));
    }
}

void pg_convert(pg_dtype from, const void *in, pg_dtype to, void *out, uint64_t count,
                const pg_cast_options *options)
{
    uint64_t bytes;
    PG_ASSERT(from != PG_STRING && to != PG_STRING && from != PG_UNDEFINED && to != PG_UNDEFINED);
    if (count == 0)
        return;
    if (from == to) {
        (void)pg_dtype_bytes(from, count, &bytes);
        memcpy(out, in, bytes);
        return;
    }
    conversion c = {.from = from,
                    .to = to,
                    .wide = wide_type(from),
                    .in = in,
                    .out = out,
                    .count = count,
                    .options = options != NULL ? options : &pg_cast_onnx};
    pg_parallel_for((size_t)((count + BLOCK - 1) / BLOCK), 32, convert_blocks, &c);
}

pg_status pg_tensor_cast(const pg_tensor *in, pg_dtype to, const pg_cast_options *options, pg_tensor *out)
{
    if (options == NULL)
        options = &pg_cast_onnx;
    if (in->dtype == to) {
        *out = pg_tensor_share(in);
        return NULL;
    }
    if (to == PG_STRING)
        return pg_cast_to_strings(in, out);
    PG_TRY(pg_tensor_alloc(out, to, in->rank, in->dims));
    out->layout = in->layout;
    if (in->dtype == PG_STRING) {
        pg_status status = pg_cast_from_strings(in, options, out);
        if (status != NULL)
            pg_tensor_deinit(out);
        return status;
    }
    pg_convert(in->dtype, in->data, to, out->data, pg_tensor_count(in), options);
    return NULL;
}

/* ---- Single elements ---- */

/* Element `index` alone, as the wide type. */
static pg_dtype load_wide(const pg_tensor *tensor, uint64_t index, void *out)
{
    unsigned bits = pg_dtype_get(tensor->dtype)->bits;
    const uint8_t *element = (const uint8_t *)tensor->data + index * (bits / 8);
    pg_dtype wide = wide_type(tensor->dtype);
    uint8_t unpacked;
    if (bits < 8) {
        pg_unpack(tensor->dtype, tensor->data, index, 1, &unpacked);
        element = &unpacked;
    }
    if (wide == tensor->dtype)
        memcpy(out, element, bits / 8);
    else
        widen(tensor->dtype, element, out, 1);
    return wide;
}

double pg_tensor_get_f64(const pg_tensor *tensor, uint64_t index)
{
    union {
        float f32;
        double f64[2];
        int32_t i32;
        int64_t i64;
        uint64_t u64;
    } x;
    pg_dtype_kind kind = pg_dtype_kind_of(tensor->dtype);
    if (kind == PG_KIND_STRING || kind == PG_KIND_COMPLEX || kind == PG_KIND_NONE)
        return 0;
    switch (load_wide(tensor, index, &x)) {
    case PG_F32:
        return (double)x.f32;
    case PG_F64:
        return x.f64[0];
    case PG_I32:
        return x.i32;
    case PG_I64:
        return (double)x.i64;
    default:
        return (double)x.u64;
    }
}

int64_t pg_tensor_get_i64(const pg_tensor *tensor, uint64_t index)
{
    union {
        int32_t i32;
        int64_t i64;
        uint64_t u64;
    } x;
    PG_ASSERT(pg_dtype_is_integer(tensor->dtype) || tensor->dtype == PG_BOOL);
    switch (load_wide(tensor, index, &x)) {
    case PG_I32:
        return x.i32;
    case PG_I64:
        return x.i64;
    default:
        return (int64_t)x.u64;
    }
}
