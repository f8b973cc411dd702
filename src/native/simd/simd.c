#include "native/simd/simd.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "native/simd/internal.h"

/* What the tables need of the processor: each the first so many features. */
static const struct {
    const char *name;
    const pg_simd *table;
    size_t features;
} tables[] = {
#if defined(__x86_64__)
    {"avx512bf16", &pg_simd_avx512bf16, 9},
    {"avx512", &pg_simd_avx512, 8},
    {"avx2", &pg_simd_avx2, 3},
#endif
    {"base", &pg_simd_base, 0},
};

#if defined(__x86_64__)
#if defined(__clang__) && __clang_major__ < 15
#define HAS_F16C true /* this clang has no name for it; every processor with AVX2 has it */
#else
#define HAS_F16C (__builtin_cpu_supports("f16c") != 0)
#endif

static const char *const features[] = {"avx2",     "fma",      "f16c",       "avx512f",   "avx512bw",
                                       "avx512dq", "avx512vl", "avx512vnni", "avx512bf16"};

static bool has_feature(size_t i)
{
    __builtin_cpu_init();
    const bool has[] = {__builtin_cpu_supports("avx2") != 0,
                        __builtin_cpu_supports("fma") != 0,
                        HAS_F16C,
                        __builtin_cpu_supports("avx512f") != 0,
                        __builtin_cpu_supports("avx512bw") != 0,
                        __builtin_cpu_supports("avx512dq") != 0,
                        __builtin_cpu_supports("avx512vl") != 0,
                        __builtin_cpu_supports("avx512vnni") != 0,
                        __builtin_cpu_supports("avx512bf16") != 0};
    return has[i];
}
#else
static const char *const features[] = {""};

static bool has_feature(size_t i)
{
    (void)i;
    return true;
}
#endif

void pg_simd_lacking(pg_str name, char *out, size_t room)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t t = 0; t < PG_COUNT(tables); t++)
        for (size_t i = 0; i < tables[t].features && pg_str_is(name, tables[t].name); i++)
            if (!has_feature(i) && used < room)
                used += (size_t)snprintf(out + used, room - used, "%s%s", used > 0 ? " " : "", features[i]);
}

const pg_simd *pg_simd_named(pg_str name)
{
    char lacking[256];
    for (size_t t = 0; t < PG_COUNT(tables); t++)
        if (pg_str_is(name, tables[t].name)) {
            pg_simd_lacking(name, lacking, sizeof lacking);
            return lacking[0] == '\0' ? tables[t].table : NULL;
        }
    return NULL;
}

static const pg_simd *choose(void)
{
    const char *wish = getenv("POLYGRAPHY_SIMD");
    const pg_simd *table = wish != NULL ? pg_simd_named(pg_str_c(wish)) : NULL;
    for (size_t t = 0; t < PG_COUNT(tables) && table == NULL; t++)
        table = pg_simd_named(pg_str_c(tables[t].name));
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
