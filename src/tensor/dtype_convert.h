/* Conversions between element types, for whole arrays and tensors.
 *
 * Every pair of types is covered. The rules are those of ONNX's Cast:
 *  - to a float: round to nearest, ties to even. float16 is rounded once from float64; bfloat16 and the 8 and
 *    4-bit floats are rounded from float32, as everywhere in the field.
 *  - overflow: float16, bfloat16 and float32 go to infinity. The float8 types follow `saturate`: true gives
 *    the largest finite value, for infinities too; false gives infinity (float8_e5m2) or NaN. float4_e2m1
 *    always saturates and turns NaN into -0.0, having neither infinity nor NaN.
 *  - float8_e8m0 keeps the exponent of the magnitude only and rounds it as `round_mode` says.
 *  - float to integer: toward zero. What ONNX leaves undefined (out of range, NaN) is what ONNX Runtime and
 *    NumPy answer on x86: the 32-bit conversion instruction (0x80000000 out of its range) cut to 8, 4 or 2
 *    bits; int64 gives INT64_MIN; the unsigned types are converted around 2^31 and 2^63.
 *  - integer to a narrower integer: the low bits.
 *  - to bool: not equal to zero (NaN is true); for strings, the number they state.
 *  - complex to real: the real part.
 *  - string to number: the whole text is a decimal number, inf or nan (blanks around it are fine); an integer
 *    type also takes "1.5" and cuts it. Number to string: the shortest text that reads back as the same
 * value, as str() of a NumPy scalar; bool: "True" and "False". With `numpy` set, ndarray.astype's rules hold
 * where they differ: float8_e8m0 as ml_dtypes rounds it (to nearest, ties up; zero and negative values are
 * NaN), string to integer takes integers only, and string to bool is "not empty".
 *
 * Types below 8 bits are packed, first element in the low bits; unused bits of the last byte are zero. */
#ifndef PG_TENSOR_DTYPE_CONVERT_H
#define PG_TENSOR_DTYPE_CONVERT_H

#include "tensor/tensor.h"

typedef enum pg_round_mode {
    PG_ROUND_UP, /* ONNX's default */
    PG_ROUND_DOWN,
    PG_ROUND_NEAREST,
} pg_round_mode;

typedef struct pg_cast_options {
    bool saturate;            /* float8 targets */
    pg_round_mode round_mode; /* float8_e8m0 targets */
    bool numpy;               /* astype's rules where they differ from Cast's */
} pg_cast_options;

/* saturate = 1, round_mode = "up": what an attribute-less Cast does. */
extern const pg_cast_options pg_cast_onnx;
/* ndarray.astype: no saturation. */
extern const pg_cast_options pg_cast_numpy;

/* A new tensor of type `to` with the shape and layout of `in`; NULL options are pg_cast_onnx. The same type
 * shares the bytes. PG_ERR_NO_MEMORY, or PG_ERR_INVALID for a string that is no number (the error names the
 * element and the text). On error `out` is zeroed. */
PG_MUST_USE pg_status pg_tensor_cast(const pg_tensor *in, pg_dtype to, const pg_cast_options *options,
                                     pg_tensor *out);

/* `count` elements between arrays that do not overlap; neither type may be PG_STRING. Runs on the pool's
 * threads when it is large. */
void pg_convert(pg_dtype from, const void *in, pg_dtype to, void *out, uint64_t count,
                const pg_cast_options *options);

/* Elements [first, first + count) of a packed array of 4- or 2-bit elements, one byte each, and back. `out`
 * of pack holds whole bytes: first must lie on a byte boundary. Signed types come out sign-extended. */
void pg_unpack(pg_dtype dtype, const void *in, uint64_t first, uint64_t count, uint8_t *out);
void pg_pack(pg_dtype dtype, const uint8_t *in, void *out, uint64_t first, uint64_t count);

/* The hot pairs, on the calling thread. */
void pg_f16_to_f32_array(const uint16_t *in, float *out, size_t count);
void pg_f32_to_f16_array(const float *in, uint16_t *out, size_t count);
void pg_bf16_to_f32_array(const uint16_t *in, float *out, size_t count);
void pg_f32_to_bf16_array(const float *in, uint16_t *out, size_t count);
/* Rounded once, unlike float64 to float32 to float16. */
uint16_t pg_f64_to_f16(double value);

/* One value of an 8- or 4-bit float type (float4 in the low 4 bits of the code). */
float pg_small_float_to_f32(pg_dtype dtype, uint8_t code);
uint8_t pg_f32_to_small_float(pg_dtype dtype, float value, const pg_cast_options *options);

#endif
