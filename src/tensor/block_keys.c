#include "tensor/block_keys.h"

#include "base/status.h"

enum { SIGN_SHIFT = 63 };
#define SIGN (UINT64_C(1) << SIGN_SHIFT)

bool pg_stat_key_is_nan(pg_dtype dtype, uint64_t key)
{
    if (dtype == PG_F32)
        return key < PG_KEY_F32_LOWEST || key > PG_KEY_F32_HIGHEST;
    return dtype == PG_F64 && (key < PG_KEY_F64_LOWEST || key > PG_KEY_F64_HIGHEST);
}

static double f64_of_key(uint64_t key)
{
    uint64_t bits = key & SIGN ? key & ~SIGN : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

int64_t pg_stat_key_i64(pg_dtype dtype, uint64_t key)
{
    switch (dtype) {
    case PG_I32:
    case PG_I64:
        return (int64_t)(key ^ SIGN);
    case PG_U64:
    case PG_BOOL:
        return (int64_t)key;
    default:
        return 0;
    }
}

double pg_stat_key_f64(pg_dtype dtype, uint64_t key)
{
    switch (dtype) {
    case PG_F32:
        return pg_stat_key_f32(key);
    case PG_F64:
        return f64_of_key(key);
    case PG_U64:
    case PG_BOOL:
        return (double)key;
    default:
        return (double)pg_stat_key_i64(dtype, key);
    }
}

#define EACH(type, expression)                   \
    for (size_t i = 0; i < n; i++) {             \
        const type v = ((const type *)block)[i]; \
        out[i] = (expression);                   \
    }                                            \
    return

void pg_stat_to_keys(pg_dtype dtype, const void *block, size_t n, uint64_t *out)
{
    switch (dtype) {
    case PG_F32:
        EACH(float, pg_stat_f32_key(v));
    case PG_F64:
        EACH(double, pg_stat_f64_key(v));
    case PG_I32:
        EACH(int32_t, (uint64_t)(int64_t)v ^ SIGN);
    case PG_I64:
        EACH(int64_t, (uint64_t)v ^ SIGN);
    case PG_U64:
        EACH(uint64_t, v);
    case PG_BOOL:
        EACH(uint8_t, v != 0);
    default:
        PG_BUG("no statistics of %s blocks", pg_dtype_name(dtype));
    }
}

void pg_stat_to_f32(pg_dtype dtype, const void *block, size_t n, float *out)
{
    switch (dtype) {
    case PG_F32:
        EACH(float, v);
    case PG_F64:
        EACH(double, (float)v);
    case PG_I32:
        EACH(int32_t, (float)v);
    case PG_I64:
        EACH(int64_t, (float)v);
    case PG_U64:
        EACH(uint64_t, (float)v);
    case PG_BOOL:
        EACH(uint8_t, v != 0 ? 1.0f : 0.0f);
    default:
        PG_BUG("no statistics of %s blocks", pg_dtype_name(dtype));
    }
}

void pg_stat_to_f64(pg_dtype dtype, const void *block, size_t n, double *out)
{
    switch (dtype) {
    case PG_F32:
        EACH(float, v);
    case PG_F64:
        EACH(double, v);
    case PG_I32:
        EACH(int32_t, v);
    case PG_I64:
        EACH(int64_t, (double)v);
    case PG_U64:
        EACH(uint64_t, (double)v);
    case PG_BOOL:
        EACH(uint8_t, v != 0);
    default:
        PG_BUG("no statistics of %s blocks", pg_dtype_name(dtype));
    }
}
