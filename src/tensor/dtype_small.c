/* Floats of 8 and 4 bits, and packing of elements below 8 bits. */
#include "tensor/internal.h"

/* sign | exponent | mantissa; `max` and `nan` are codes without sign. */
typedef struct small_format {
    uint8_t mantissa_bits;
    uint8_t max, infinity, nan; /* infinity: where an overflow goes without saturation */
    uint8_t sign;               /* the sign bit */
    bool fnuz;                  /* no -0; NaN is the sign bit alone */
    int16_t bias;
} small_format;

static const small_format formats[PG_DTYPE_COUNT] = {
    [PG_F8E4M3FN] = {3, 0x7e, 0x7f, 0x7f, 0x80, false, 7},
    [PG_F8E4M3FNUZ] = {3, 0x7f, 0x80, 0x80, 0x80, true, 8},
    [PG_F8E5M2] = {2, 0x7b, 0x7c, 0x7e, 0x80, false, 15},
    [PG_F8E5M2FNUZ] = {2, 0x7f, 0x80, 0x80, 0x80, true, 16},
    [PG_F4E2M1] = {1, 0x7, 0x7, 0x8, 0x8, false, 1},
};

static float decode(const small_format *format, uint8_t code)
{
    uint32_t magnitude = code & (format->sign - 1u);
    float sign = (code & format->sign) != 0 ? -1.0f : 1.0f;
    if (format->fnuz
            ? code == format->nan
            : magnitude > format->infinity || (magnitude == format->nan && format->nan == format->infinity))
        return pg_bits_f32(0x7fc00000 | (sign < 0 ? 0x80000000u : 0u));
    if (!format->fnuz && magnitude > format->max)
        return sign * pg_bits_f32(0x7f800000);
    uint32_t exponent = magnitude >> format->mantissa_bits;
    uint32_t mantissa = magnitude & ((1u << format->mantissa_bits) - 1);
    int power = (int)(exponent > 0 ? exponent : 1) - format->bias - format->mantissa_bits;
    if (exponent > 0)
        mantissa |= 1u << format->mantissa_bits;
    return sign * (float)mantissa * pg_bits_f32((uint32_t)(power + 127) << 23);
}

static uint8_t encode(const small_format *format, float value, bool saturate)
{
    uint32_t bits = pg_f32_bits(value), magnitude = bits & 0x7fffffff;
    uint32_t sign = bits >> 31 != 0 ? format->sign : 0;
    if (magnitude > 0x7f800000)
        return (uint8_t)(format->fnuz ? format->nan : format->nan ^ sign);
    int exponent = (int)(magnitude >> 23) - 127, lowest = 1 - format->bias;
    int shift = 23 - format->mantissa_bits + (exponent < lowest ? lowest - exponent : 0);
    uint32_t code = 0; /* values below half of the smallest subnormal, f32 subnormals among them */
    if (shift <= 24) {
        uint32_t mantissa = (magnitude & 0x7fffff) | 0x800000;
        uint32_t odd = mantissa >> shift & 1;
        code = (mantissa + (1u << (shift - 1)) - 1 + odd) >> shift;
        if (exponent > lowest)
            code += (uint32_t)(exponent - lowest) << format->mantissa_bits;
    }
    if (code > format->max)
        code = saturate ? format->max : format->infinity;
    if (format->fnuz && (code == 0 || code == format->nan))
        return (uint8_t)code;
    return (uint8_t)(code | sign);
}

/* ---- float8_e8m0: a power of two, 2^(code - 127); 255 is NaN ---- */

static float decode_e8m0(uint8_t code)
{
    if (code == 0xff)
        return pg_bits_f32(0x7fc00000);
    return code == 0 ? 0x1p-127f : pg_bits_f32((uint32_t)code << 23);
}

static uint8_t encode_e8m0_onnx(uint32_t bits, const pg_cast_options *options)
{
    uint32_t exponent = bits >> 23 & 0xff, fraction = bits & 0x7fffff;
    bool up = false;
    if (exponent == 0xff)
        return 0xff;
    if (options->round_mode == PG_ROUND_UP)
        up = fraction > 0;
    else if (options->round_mode == PG_ROUND_NEAREST) /* a tie goes up unless it would leave code 0 */
        up = exponent > 0 ? fraction >= 0x400000 : fraction > 0x400000;
    if (up && !(options->saturate && exponent == 0xfe))
        exponent++;
    return (uint8_t)exponent;
}

/* To nearest, ties up; the domain is the positive numbers. Below 2^-126 ml_dtypes takes whatever is above the
 * smallest code up. */
static uint8_t encode_e8m0_numpy(uint32_t bits)
{
    if (bits == 0 || bits >= 0x7f800000)
        return 0xff;
    if (bits < 0x800000) /* a subnormal float32; 0x400000 is 2^-127, the smallest code */
        return bits > 0x400000;
    return (uint8_t)((bits + 0x400000) >> 23);
}

/* ---- Arrays ---- */

void pg_small_floats_to_f32(pg_dtype dtype, const uint8_t *in, float *out, size_t count)
{
    float table[256];
    unsigned n_codes = 1u << pg_dtype_get(dtype)->bits;
    if (count < n_codes) {
        for (size_t i = 0; i < count; i++)
            out[i] = pg_small_float_to_f32(dtype, in[i]);
        return;
    }
    for (unsigned code = 0; code < n_codes; code++)
        table[code] = pg_small_float_to_f32(dtype, (uint8_t)code);
    for (size_t i = 0; i < count; i++)
        out[i] = table[in[i] & (n_codes - 1)];
}

void pg_f32_to_small_floats(pg_dtype dtype, const float *in, uint8_t *out, size_t count,
                            const pg_cast_options *options)
{
    if (dtype == PG_F8E8M0) {
        for (size_t i = 0; i < count; i++)
            out[i] = options->numpy ? encode_e8m0_numpy(pg_f32_bits(in[i]))
                                    : encode_e8m0_onnx(pg_f32_bits(in[i]), options);
        return;
    }
    const small_format format = formats[dtype];
    for (size_t i = 0; i < count; i++)
        out[i] = encode(&format, in[i], options->saturate);
}

float pg_small_float_to_f32(pg_dtype dtype, uint8_t code)
{
    return dtype == PG_F8E8M0 ? decode_e8m0(code) : decode(&formats[dtype], code);
}

uint8_t pg_f32_to_small_float(pg_dtype dtype, float value, const pg_cast_options *options)
{
    uint8_t code;
    pg_f32_to_small_floats(dtype, &value, &code, 1, options != NULL ? options : &pg_cast_onnx);
    return code;
}

/* ---- Packing ---- */

void pg_unpack(pg_dtype dtype, const void *in, uint64_t first, uint64_t count, uint8_t *out)
{
    const uint8_t *bytes = in;
    unsigned bits = pg_dtype_get(dtype)->bits, mask = (1u << bits) - 1;
    /* Flipping the sign bit and subtracting it extends the sign. */
    unsigned flip = pg_dtype_kind_of(dtype) == PG_KIND_INT ? 1u << (bits - 1) : 0;
    unsigned per_byte_log2 = bits == 4 ? 1 : 2;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t element = first + i;
        unsigned shift = (unsigned)(element & ((1u << per_byte_log2) - 1)) * bits;
        out[i] = (uint8_t)(((bytes[element >> per_byte_log2] >> shift & mask) ^ flip) - flip);
    }
}

void pg_pack(pg_dtype dtype, const uint8_t *in, void *out, uint64_t first, uint64_t count)
{
    unsigned bits = pg_dtype_get(dtype)->bits, mask = (1u << bits) - 1, per_byte = 8 / bits;
    uint8_t *bytes = (uint8_t *)out + first / per_byte;
    PG_ASSERT(first % per_byte == 0);
    for (uint64_t i = 0; i < count; i += per_byte) {
        unsigned byte = 0;
        for (unsigned k = 0; k < per_byte && i + k < count; k++)
            byte |= (in[i + k] & mask) << (k * bits);
        bytes[i / per_byte] = (uint8_t)byte;
    }
}
