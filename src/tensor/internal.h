/* Shared among the files of this folder. */
#ifndef PG_TENSOR_INTERNAL_H
#define PG_TENSOR_INTERNAL_H

#include <string.h>

#include "base/buf.h"
#include "tensor/dtype_convert.h"

static inline uint32_t pg_f32_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
static inline float pg_bits_f32(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline uint64_t pg_f64_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
static inline double pg_bits_f64(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* f32 -> bf16 on the bits: round to nearest even; a NaN stays one, quiet. */
static inline uint16_t pg_bf16_round(float value)
{
    uint32_t bits = pg_f32_bits(value);
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? bits >> 16 | 0x40 : rounded);
}

/* Arrays of small float codes, one byte per element. */
void pg_small_floats_to_f32(pg_dtype dtype, const uint8_t *in, float *out, size_t count);
void pg_f32_to_small_floats(pg_dtype dtype, const float *in, uint8_t *out, size_t count,
                            const pg_cast_options *options);

/* The cases of pg_tensor_cast where one side is a string; `out` is allocated or is made here. */
PG_MUST_USE pg_status pg_cast_from_strings(const pg_tensor *in, const pg_cast_options *options,
                                           pg_tensor *out);
PG_MUST_USE pg_status pg_cast_to_strings(const pg_tensor *in, pg_tensor *out);

/* ---- The common format of an array's floats (text_float.c) ---- */

/* Filled by one pass over the values to be shown, then used to write each of them. */
typedef struct pg_float_format {
    pg_dtype dtype; /* PG_F16, PG_F32 or PG_F64 */
    bool plus;      /* write "+" before positive values */
    bool scientific;
    int digits; /* scientific: after the point, the same for all */
    int exponent_digits;
    int left, right; /* characters before and after the point */
} pg_float_format;
void pg_float_format_init(pg_float_format *format, pg_dtype dtype, bool plus, const double *values,
                          size_t count);
void pg_float_format_put(const pg_float_format *format, pg_buf *out, double value);

#endif
