/* The float32 differences: AVX2 where the processor has it, the same bits in portable C. */
#include <math.h>

#include "compare/internal.h"
#include "tensor/block_stats.h"

static const float EPSILON = 2.220446049250313e-16f;

static void diff_rest(const float *a, const float *b, size_t begin, size_t n, float *abs, float *rel)
{
    for (size_t i = begin; i < n; i++) {
        float d = fabsf(a[i] - b[i]), reference = b[i] == 0 ? EPSILON : fabsf(b[i]);
        abs[i] = d;
        rel[i] = d / reference;
    }
}

static void diff_portable(const float *a, const float *b, size_t n, float *abs, float *rel)
{
    diff_rest(a, b, 0, n, abs, rel);
}

static size_t exceed_rest(const float *abs, const float *rel, size_t begin, size_t n, float atol, float rtol)
{
    size_t count = 0;
    for (size_t i = begin; i < n; i++)
        count += !(abs[i] <= atol) & !(rel[i] <= rtol);
    return count;
}

static size_t exceed_portable(const float *abs, const float *rel, size_t n, float atol, float rtol)
{
    return exceed_rest(abs, rel, 0, n, atol, rtol);
}

#if defined(__x86_64__)
#include <immintrin.h>
enum { LANES = 8 };

__attribute__((target("avx2"))) static void diff_avx2(const float *a, const float *b, size_t n, float *abs,
                                                      float *rel)
{
    const __m256 no_sign = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    const __m256 epsilon = _mm256_set1_ps(EPSILON), zero = _mm256_setzero_ps();
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256 reference = _mm256_loadu_ps(b + i);
        __m256 d = _mm256_and_ps(_mm256_sub_ps(_mm256_loadu_ps(a + i), reference), no_sign);
        __m256 is_zero = _mm256_cmp_ps(reference, zero, _CMP_EQ_OQ);
        reference = _mm256_blendv_ps(_mm256_and_ps(reference, no_sign), epsilon, is_zero);
        _mm256_storeu_ps(abs + i, d);
        _mm256_storeu_ps(rel + i, _mm256_div_ps(d, reference));
    }
    diff_rest(a, b, i, n, abs, rel);
}

__attribute__((target("avx2,popcnt"))) static size_t exceed_avx2(const float *abs, const float *rel, size_t n,
                                                                 float atol, float rtol)
{
    const __m256 most_abs = _mm256_set1_ps(atol), most_rel = _mm256_set1_ps(rtol);
    size_t count = 0, i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256 over_abs = _mm256_cmp_ps(_mm256_loadu_ps(abs + i), most_abs, _CMP_NLE_UQ);
        __m256 over_rel = _mm256_cmp_ps(_mm256_loadu_ps(rel + i), most_rel, _CMP_NLE_UQ);
        count += (size_t)__builtin_popcount((unsigned)_mm256_movemask_ps(_mm256_and_ps(over_abs, over_rel)));
    }
    return count + exceed_rest(abs, rel, i, n, atol, rtol);
}

static bool use_avx2(void)
{
    return strcmp(pg_block_stats_isa(), "avx2") == 0;
}

pg_diff_f32_fn pg_diff_f32(void)
{
    return use_avx2() ? diff_avx2 : diff_portable;
}

pg_exceed_f32_fn pg_exceed_f32(void)
{
    return use_avx2() ? exceed_avx2 : exceed_portable;
}
#else
pg_diff_f32_fn pg_diff_f32(void)
{
    return diff_portable;
}

pg_exceed_f32_fn pg_exceed_f32(void)
{
    return exceed_portable;
}
#endif
