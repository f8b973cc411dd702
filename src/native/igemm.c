/* Integer products: rows of A widened to int16, B packed in pairs of rows. Panels are two vectors wide. */
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/gemm.h"

enum { TILE_ROWS = 4, MIN_WORK = 512 * 1024 };

static size_t panel_columns(const pg_simd *simd)
{
    return 2 * simd->lanes_i16;
}

uint64_t pg_igemm_packed_bytes(uint64_t k, uint64_t n)
{
    uint64_t width = panel_columns(pg_simd_best()), bytes;
    if (k > UINT64_MAX - 1 || n > UINT64_MAX - width ||
        pg_mul_overflow((n + width - 1) / width * width, (k + 1) / 2 * 2, &bytes) ||
        pg_mul_overflow(bytes, sizeof(int16_t), &bytes))
        return UINT64_MAX;
    return bytes;
}

static int32_t element(pg_dtype dtype, const void *data, size_t i)
{
    return dtype == PG_U8 ? ((const uint8_t *)data)[i] : ((const int8_t *)data)[i];
}

void pg_igemm_pack(pg_dtype dtype, size_t k, size_t n, const void *b, size_t ldb, bool transposed,
                   const int32_t *zero, size_t n_zero, void *packed)
{
    const size_t width = panel_columns(pg_simd_best()), pairs = (k + 1) / 2;
    int16_t *out = packed;
    for (size_t first = 0; first < n; first += width)
        for (size_t p = 0; p < pairs; p++)
            for (size_t j = first; j < first + width; j++)
                for (size_t half = 0; half < 2; half++) {
                    const size_t row = 2 * p + half;
                    int32_t x = 0;
                    if (row < k && j < n)
                        x = element(dtype, b, transposed ? j * ldb + row : row * ldb + j) -
                            zero[n_zero == 1 ? 0 : j];
                    *out++ = (int16_t)x;
                }
}

void pg_igemm_widen(pg_dtype dtype, size_t rows, size_t k, const void *a, size_t lda, const int32_t *zero,
                    size_t n_zero, int16_t *out)
{
    const size_t length = pg_igemm_row(k);
    for (size_t r = 0; r < rows; r++, out += length) {
        const int16_t z = (int16_t)zero[n_zero == 1 ? 0 : r];
        if (dtype == PG_U8) {
            const uint8_t *x = (const uint8_t *)a + r * lda;
            for (size_t i = 0; i < k; i++)
                out[i] = (int16_t)(x[i] - z);
        } else {
            const int8_t *x = (const int8_t *)a + r * lda;
            for (size_t i = 0; i < k; i++)
                out[i] = (int16_t)(x[i] - z);
        }
        if (length > k)
            out[k] = 0;
    }
}

typedef struct igemm_job {
    size_t m, n, k, ldc, width;
    const int16_t *a, *b;
    int32_t *c;
    const pg_simd *simd;
} igemm_job;

static void run_tiles(void *context, size_t begin, size_t end)
{
    const igemm_job *job = context;
    const size_t length = pg_igemm_row(job->k);
    for (size_t first = 0; first < job->n; first += job->width) {
        for (size_t t = begin; t < end; t++) {
            const size_t r = t * TILE_ROWS;
            const int16_t *rows[TILE_ROWS];
            const size_t mr = PG_MIN((size_t)TILE_ROWS, job->m - r);
            for (size_t i = 0; i < mr; i++)
                rows[i] = job->a + (r + i) * length;
            job->simd->tile_i16(&(pg_tile_i16){
                .rows = rows,
                .pairs = length / 2,
                .b = job->b + first * length,
                .ldb = job->width,
                .c = job->c + r * job->ldc + first,
                .ldc = job->ldc,
                .mr = mr,
                .cols = PG_MIN(job->width, job->n - first),
            });
        }
    }
}

void pg_igemm_run(size_t m, size_t n, size_t k, const int16_t *a, const void *packed, int32_t *c, size_t ldc)
{
    const pg_simd *simd = pg_simd_best();
    igemm_job job = {m, n, k, ldc, panel_columns(simd), a, packed, c, simd};
    pg_parallel_for((m + TILE_ROWS - 1) / TILE_ROWS, MIN_WORK / (TILE_ROWS * n * k + 1) + 1, run_tiles, &job);
}
