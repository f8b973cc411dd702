#include "native/simd/simd.h"

#include <stdlib.h>

#include "native/simd/internal.h"

#if defined(__x86_64__)
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}
#endif

const pg_simd *pg_simd_named(pg_str name)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (pg_str_is(name, "avx512bf16") && has_avx512() && __builtin_cpu_supports("avx512bf16"))
        return &pg_simd_avx512bf16;
    if (pg_str_is(name, "avx512") && has_avx512())
        return &pg_simd_avx512;
    if (pg_str_is(name, "avx2") && has_avx2())
        return &pg_simd_avx2;
#endif
    return pg_str_is(name, "base") ? &pg_simd_base : NULL;
}

static const pg_simd *choose(void)
{
    const char *wish = getenv("POLYGRAPHY_SIMD");
    const pg_simd *table = wish != NULL ? pg_simd_named(pg_str_c(wish)) : NULL;
    static const char *const names[] = {"avx512bf16", "avx512", "avx2", "base"};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && table == NULL; i++)
        table = pg_simd_named(pg_str_c(names[i]));
    return table;
}

static _Atomic(const pg_simd *) best;

const pg_simd *pg_simd_best(void)
{
    /* Threads that race here store the same pointer. */
    const pg_simd *table = best;
    if (table == NULL)
        best = table = choose();
    return table;
}

void pg_simd_use(const pg_simd *table)
{
    best = table;
}
