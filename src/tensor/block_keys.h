/* 64-bit keys in the order of the values of a block, and a block's values as floats. Private to tensor/. */
#ifndef PG_TENSOR_BLOCK_KEYS_H
#define PG_TENSOR_BLOCK_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tensor/dtype.h"

/* Keys of -infinity and +infinity; NaN lies outside. */
#define PG_KEY_F64_LOWEST UINT64_C(0x000FFFFFFFFFFFFF)
#define PG_KEY_F64_HIGHEST UINT64_C(0xFFF0000000000000)
#define PG_KEY_F32_LOWEST UINT64_C(0x007FFFFF)
#define PG_KEY_F32_HIGHEST UINT64_C(0xFF800000)

/* Both zeros have one key. */
static inline uint64_t pg_stat_f32_key(float value)
{
    uint32_t bits;
    value += 0.0f;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 31 ? (uint32_t)~bits : bits | 0x80000000u;
}
/* Keys beyond 32 bits become the largest: NaN, above all. */
static inline float pg_stat_key_f32(uint64_t key)
{
    uint32_t small = key < PG_KEY_F32_LOWEST ? PG_KEY_F32_LOWEST : (uint32_t)key;
    if (key > PG_KEY_F32_HIGHEST)
        small = PG_KEY_F32_HIGHEST;
    uint32_t bits = small >> 31 ? small & 0x7fffffffu : ~small;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static inline uint64_t pg_stat_f64_key(double value)
{
    uint64_t bits;
    value += 0.0;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

bool pg_stat_key_is_nan(pg_dtype dtype, uint64_t key);
/* The value behind a key; 0 for the integer of a float type. */
double pg_stat_key_f64(pg_dtype dtype, uint64_t key);
int64_t pg_stat_key_i64(pg_dtype dtype, uint64_t key);

/* Whole blocks; dtype is one that pg_stat_stream allows. */
void pg_stat_to_keys(pg_dtype dtype, const void *block, size_t n, uint64_t *out);
void pg_stat_to_f32(pg_dtype dtype, const void *block, size_t n, float *out);
void pg_stat_to_f64(pg_dtype dtype, const void *block, size_t n, double *out);

#endif
