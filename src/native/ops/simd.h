/* How loops over elements ask to be compiled for the vector units of the processor that runs them.
 *
 *     PG_SIMD static void add(float *z, const float *x, const float *y, size_t n)
 *     {
 *         PG_IVDEP
 *         for (size_t i = 0; i < n; i++)
 *             z[i] = x[i] + y[i];
 *     }
 *
 * PG_SIMD compiles a function once per instruction set and picks at load time. All versions give the same
 * bits: no version fuses a multiplication with an addition. PG_IVDEP states that iterations are independent,
 * which holds in place too: element i is read before it is written. */
#ifndef PG_NATIVE_OPS_SIMD_H
#define PG_NATIVE_OPS_SIMD_H

/* Sanitizers run before the loader's choice would be safe, and a build without optimisation gains nothing. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__OPTIMIZE__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define PG_SIMD __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define PG_SIMD
#endif

#if defined(__GNUC__) && !defined(__clang__)
#define PG_IVDEP _Pragma("GCC ivdep")
#else
#define PG_IVDEP
#endif

#define PG_INLINE static inline __attribute__((always_inline))

/* Elements per range of a parallel loop: large enough to hide the hand-over to another thread. */
enum { PG_GRAIN_CHEAP = 32768, PG_GRAIN_COSTLY = 12288 };

#endif
