/* The tables of the instruction sets. */
#ifndef PG_NATIVE_SIMD_INTERNAL_H
#define PG_NATIVE_SIMD_INTERNAL_H

#include "base/alloc.h"
#include "native/simd/simd.h"

extern const pg_simd pg_simd_base;
#if defined(__x86_64__)
extern const pg_simd pg_simd_avx2;
extern const pg_simd pg_simd_avx512;
extern const pg_simd pg_simd_avx512bf16;
#endif

#endif
