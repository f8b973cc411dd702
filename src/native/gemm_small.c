/* Packing B of products whose depth steps lie side by side: pairs of bfloat16, fours of 8-bit codes. */
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "native/gemm.h"

enum { MIN_PACKED = 64 * 1024 }; /* elements worth a thread */

typedef struct small_job {
    pg_small_matrix b;
    size_t lanes;
    char *packed;
    int32_t *sums;
    float alpha;
} small_job;

/* Columns [first, first + width) of B, at their place in the packed matrix. */
static void pack_codes(const small_job *job, size_t first, size_t width)
{
    const pg_small_matrix *b = &job->b;
    const size_t fours = (b->depth + 3) / 4, valid = PG_MIN(width, b->n - first);
    uint8_t *out = (uint8_t *)job->packed + first * b->taps * fours * 4;
    const uint8_t flip = b->dtype == PG_U8 ? 0x80 : 0;
    const uint8_t *from = (const uint8_t *)b->data + first * b->column;
    uint32_t sums[3 * 16 + 16] = {0};
    const bool by_rows = b->column == 1 && b->taps == 1;
    for (size_t k = 0; k < fours; k++) {
        const size_t count = PG_MIN((size_t)4, b->depth - 4 * k);
        if (by_rows && count == 4) {
            const uint8_t *x = from + 4 * k * b->step,
                          *rows[] = {x, x + b->step, x + 2 * b->step, x + 3 * b->step};
            uint8_t *to = out + k * width * 4;
            pg_simd_best()->four_rows(rows, flip, to, sums, valid);
            memset(to + 4 * valid, 0, (width - valid) * 4);
            continue;
        }
        for (size_t t = 0; t < b->taps; t++) {
            uint8_t *to = out + (t * fours + k) * width * 4;
            const uint8_t *x = from + 4 * k * b->step + t * b->tap;
            for (size_t j = 0; j < valid; j++, x += b->column, to += 4) {
                uint8_t four[4] = {0};
                for (size_t i = 0; i < count; i++) {
                    four[i] = x[i * b->step] ^ flip;
                    sums[j] += (uint32_t)(int32_t)(int8_t)four[i];
                }
                memcpy(to, four, sizeof four);
            }
            memset(to, 0, (width - valid) * 4);
        }
    }
    for (size_t j = 0; j < valid; j++)
        job->sums[first + j] = (int32_t)sums[j];
}

static void pack_halves(const small_job *job, size_t first, size_t width)
{
    const pg_small_matrix *b = &job->b;
    const size_t pairs = (b->depth + 1) / 2, valid = PG_MIN(width, b->n - first);
    const pg_simd *simd = pg_simd_best();
    uint16_t *out = (uint16_t *)(void *)job->packed + first * b->taps * pairs * 2;
    const float *from = (const float *)b->data + first * b->column;
    for (size_t k = 0; k < pairs; k++) {
        const size_t count = PG_MIN((size_t)2, b->depth - 2 * k);
        for (size_t t = 0; t < b->taps; t++) {
            float row[2 * 3 * 16] = {0};
            const float *x = from + 2 * k * b->step + t * b->tap;
            for (size_t j = 0; j < valid; j++, x += b->column)
                for (size_t i = 0; i < count; i++)
                    row[2 * j + i] = job->alpha * x[i * b->step];
            simd->bf16_of_f32(row, out + (t * pairs + k) * width * 2, 2 * width);
        }
    }
}

/* Panels [begin, end), in steps of three vectors; the last ones as pg_panel_vectors has them. */
static void pack_panels(void *context, size_t begin, size_t end)
{
    const small_job *job = context;
    const size_t vectors = (job->b.n + job->lanes - 1) / job->lanes;
    for (size_t first = 0, i = 0; first < vectors; i++) {
        const size_t wide = pg_panel_vectors(vectors - first);
        if (i >= begin && i < end)
            (job->b.dtype == PG_F32 ? pack_halves : pack_codes)(job, first * job->lanes, wide * job->lanes);
        first += wide;
    }
}

static void pack(small_job *job)
{
    job->lanes = pg_simd_best()->lanes_f32;
    size_t panels = 0;
    for (size_t left = (job->b.n + job->lanes - 1) / job->lanes; left > 0; left -= pg_panel_vectors(left))
        panels++;
    const size_t each = job->b.taps * job->b.depth * 3 * job->lanes;
    pg_parallel_for(panels, MIN_PACKED / (each + 1) + 1, pack_panels, job);
}

typedef struct halves_job {
    const float *x;
    uint16_t *y;
} halves_job;

static void halve_range(void *context, size_t begin, size_t end)
{
    const halves_job *job = context;
    pg_simd_best()->bf16_of_f32(job->x + begin, job->y + begin, end - begin);
}

void pg_gemm_halves(const float *x, uint16_t *y, size_t count)
{
    pg_parallel_for(count, MIN_PACKED, halve_range, &(halves_job){x, y});
}

void pg_gemm_pack_bf16(const pg_small_matrix *b, double alpha, void *packed)
{
    pack(&(small_job){.b = *b, .packed = packed, .alpha = (float)alpha});
}

void pg_gemm_pack_codes(const pg_small_matrix *b, void *packed, int32_t *sums)
{
    pack(&(small_job){.b = *b, .packed = packed, .sums = sums});
}

void pg_gemm_code_terms(size_t n, size_t k, int32_t zero_a, const int32_t *sums, const int32_t *zeros,
                        int32_t *terms)
{
    const uint32_t z = (uint32_t)zero_a, kz = (uint32_t)k * z;
    for (size_t j = 0; j < n; j++)
        terms[j] = (int32_t)((zeros != NULL ? kz * (uint32_t)zeros[j] : 0) - z * (uint32_t)sums[j]);
}
