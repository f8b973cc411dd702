#include "tensor/dtype.h"

#include "base/alloc.h"

static const pg_dtype_info table[PG_DTYPE_COUNT] = {
    [PG_UNDEFINED] = {"UNDEFINED", "undefined", NULL, 0, PG_KIND_NONE},
    [PG_F32] = {"FLOAT", "float32", "<f4", 32, PG_KIND_FLOAT},
    [PG_U8] = {"UINT8", "uint8", "|u1", 8, PG_KIND_UINT},
    [PG_I8] = {"INT8", "int8", "|i1", 8, PG_KIND_INT},
    [PG_U16] = {"UINT16", "uint16", "<u2", 16, PG_KIND_UINT},
    [PG_I16] = {"INT16", "int16", "<i2", 16, PG_KIND_INT},
    [PG_I32] = {"INT32", "int32", "<i4", 32, PG_KIND_INT},
    [PG_I64] = {"INT64", "int64", "<i8", 64, PG_KIND_INT},
    [PG_STRING] = {"STRING", "object", NULL, 8 * sizeof(pg_str), PG_KIND_STRING},
    [PG_BOOL] = {"BOOL", "bool", "|b1", 8, PG_KIND_BOOL},
    [PG_F16] = {"FLOAT16", "float16", "<f2", 16, PG_KIND_FLOAT},
    [PG_F64] = {"DOUBLE", "float64", "<f8", 64, PG_KIND_FLOAT},
    [PG_U32] = {"UINT32", "uint32", "<u4", 32, PG_KIND_UINT},
    [PG_U64] = {"UINT64", "uint64", "<u8", 64, PG_KIND_UINT},
    [PG_C64] = {"COMPLEX64", "complex64", "<c8", 64, PG_KIND_COMPLEX},
    [PG_C128] = {"COMPLEX128", "complex128", "<c16", 128, PG_KIND_COMPLEX},
    [PG_BF16] = {"BFLOAT16", "bfloat16", NULL, 16, PG_KIND_FLOAT},
    [PG_F8E4M3FN] = {"FLOAT8E4M3FN", "float8_e4m3fn", NULL, 8, PG_KIND_FLOAT},
    [PG_F8E4M3FNUZ] = {"FLOAT8E4M3FNUZ", "float8_e4m3fnuz", NULL, 8, PG_KIND_FLOAT},
    [PG_F8E5M2] = {"FLOAT8E5M2", "float8_e5m2", NULL, 8, PG_KIND_FLOAT},
    [PG_F8E5M2FNUZ] = {"FLOAT8E5M2FNUZ", "float8_e5m2fnuz", NULL, 8, PG_KIND_FLOAT},
    [PG_U4] = {"UINT4", "uint4", NULL, 4, PG_KIND_UINT},
    [PG_I4] = {"INT4", "int4", NULL, 4, PG_KIND_INT},
    [PG_F4E2M1] = {"FLOAT4E2M1", "float4_e2m1fn", NULL, 4, PG_KIND_FLOAT},
    [PG_F8E8M0] = {"FLOAT8E8M0", "float8_e8m0fnu", NULL, 8, PG_KIND_FLOAT},
    [PG_U2] = {"UINT2", "uint2", NULL, 2, PG_KIND_UINT},
    [PG_I2] = {"INT2", "int2", NULL, 2, PG_KIND_INT},
};

const pg_dtype_info *pg_dtype_get(pg_dtype dtype)
{
    return &table[(unsigned)dtype < PG_DTYPE_COUNT ? dtype : PG_UNDEFINED];
}

bool pg_dtype_bytes(pg_dtype dtype, uint64_t count, uint64_t *out)
{
    unsigned bits = pg_dtype_get(dtype)->bits;
    if (bits == 0)
        return false;
    if (bits < 8) {
        unsigned per_byte = 8 / bits;
        *out = count / per_byte + (count % per_byte != 0);
        return true;
    }
    return !pg_mul_overflow(count, bits / 8, out);
}

pg_dtype pg_dtype_parse(pg_str name)
{
    for (int i = 1; i < PG_DTYPE_COUNT; i++)
        if (pg_str_is(name, table[i].name) || pg_str_is(name, table[i].onnx_name) ||
            (table[i].npy != NULL && pg_str_is(name, table[i].npy)))
            return (pg_dtype)i;
    return PG_UNDEFINED;
}
