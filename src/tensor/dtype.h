/* Element types: one table row each. The numbers are ONNX's TensorProto.DataType. */
#ifndef PG_TENSOR_DTYPE_H
#define PG_TENSOR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

typedef enum pg_dtype {
    PG_UNDEFINED = 0,
    PG_F32 = 1,
    PG_U8 = 2,
    PG_I8 = 3,
    PG_U16 = 4,
    PG_I16 = 5,
    PG_I32 = 6,
    PG_I64 = 7,
    PG_STRING = 8,
    PG_BOOL = 9,
    PG_F16 = 10,
    PG_F64 = 11,
    PG_U32 = 12,
    PG_U64 = 13,
    PG_C64 = 14,  /* two f32 */
    PG_C128 = 15, /* two f64 */
    PG_BF16 = 16,
    PG_F8E4M3FN = 17,
    PG_F8E4M3FNUZ = 18,
    PG_F8E5M2 = 19,
    PG_F8E5M2FNUZ = 20,
    PG_U4 = 21,
    PG_I4 = 22,
    PG_F4E2M1 = 23,
    PG_F8E8M0 = 24,
    PG_U2 = 25,
    PG_I2 = 26,
    PG_DTYPE_COUNT
} pg_dtype;

typedef enum pg_dtype_kind {
    PG_KIND_NONE,
    PG_KIND_FLOAT,
    PG_KIND_INT,  /* signed */
    PG_KIND_UINT, /* unsigned */
    PG_KIND_BOOL,
    PG_KIND_COMPLEX,
    PG_KIND_STRING,
} pg_dtype_kind;

typedef struct pg_dtype_info {
    const char *onnx_name; /* "FLOAT" */
    const char *name;      /* numpy's or ml_dtypes' name: "float32", "bfloat16", "float8_e4m3fn", "int4" */
    const char *npy;       /* descriptor in a .npy header, "<f4"; NULL where numpy has none */
    uint8_t bits; /* per element in memory; below 8: packed as ONNX packs, first element in the low bits;
                     strings: bits of a pg_str */
    uint8_t kind; /* pg_dtype_kind */
} pg_dtype_info;

/* Row of a type; the row of PG_UNDEFINED for numbers outside the table. */
const pg_dtype_info *pg_dtype_get(pg_dtype dtype);
static inline const char *pg_dtype_name(pg_dtype dtype)
{
    return pg_dtype_get(dtype)->name;
}
static inline pg_dtype_kind pg_dtype_kind_of(pg_dtype dtype)
{
    return (pg_dtype_kind)pg_dtype_get(dtype)->kind;
}
static inline bool pg_dtype_is_float(pg_dtype dtype) /* real floating point of any width */
{
    return pg_dtype_kind_of(dtype) == PG_KIND_FLOAT;
}
static inline bool pg_dtype_is_integer(pg_dtype dtype) /* signed or unsigned, not bool */
{
    return pg_dtype_kind_of(dtype) == PG_KIND_INT || pg_dtype_kind_of(dtype) == PG_KIND_UINT;
}
/* Bytes that `count` elements take, sub-byte types rounded up. False on overflow or for PG_UNDEFINED. */
bool pg_dtype_bytes(pg_dtype dtype, uint64_t count, uint64_t *out);
/* From numpy's name, ONNX's name or a .npy descriptor; PG_UNDEFINED when unknown. */
pg_dtype pg_dtype_parse(pg_str name);

/* Single-value conversions. To narrow floats: round to nearest even; overflow per type as ONNX's Cast with
 * saturate=1 states (see dtype_convert.h for whole arrays and the other modes). */
float pg_f16_to_f32(uint16_t half);
uint16_t pg_f32_to_f16(float value);
static inline float pg_bf16_to_f32(uint16_t bits)
{
    union {
        uint32_t u;
        float f;
    } x = {(uint32_t)bits << 16};
    return x.f;
}
uint16_t pg_f32_to_bf16(float value); /* NaN stays NaN */

#endif
