/* Matrix products of float32, float64, bfloat16 and 8-bit integers, on all threads of pg_parallel_for.
 *
 * The right-hand matrix is packed first: once for constant weights, or per call into scratch memory. Packed
 * form: panels of at most three vectors of columns, rows of a panel contiguous, columns padded with zeros to
 * whole vectors; what a panel holds depends on the instruction set (native/simd), so packed bytes are never
 * stored in files.
 *
 *     uint64_t bytes = pg_gemm_packed_bytes(PG_F32, k, n);
 *     pg_gemm_pack(PG_F32, k, n, b, n, false, 1.0, packed);
 *     pg_gemm_run(&(pg_gemm){.dtype = PG_F32, .m = m, .n = n, .k = k, .a = a, .lda = k, .b = packed,
 *                            .c = c, .ldc = n});
 *
 * Products of float64 have compensated sums: they are right to the last bit or so, whatever cancels.
 *
 * Strides are in elements. Matrices are row-major. */
#ifndef PG_NATIVE_GEMM_H
#define PG_NATIVE_GEMM_H

#include "native/simd/simd.h"

/* True when n columns are too few for vectors of columns: such products sum along k instead, which is fast
 * when the rows of A (of each tap) are long. */
bool pg_gemm_is_narrow(pg_dtype dtype, size_t n);
/* Size of packed B; 64-byte alignment is best, not needed. UINT64_MAX on overflow. */
uint64_t pg_gemm_packed_bytes(pg_dtype dtype, uint64_t k, uint64_t n);
/* Packs alpha * op(B): `b` is k x n with row stride ldb, or n x k when `transposed`. f32 or f64; float32 may
 * lie at any address, as weights in a file do. */
void pg_gemm_pack(pg_dtype dtype, size_t k, size_t n, const void *b, size_t ldb, bool transposed,
                  double alpha, void *packed);

/* The same for the weights of a convolution: `b` is [n][depth][taps], and row tap * depth + i of the packed
 * matrix is element i of that tap. `scale` (float32 only) multiplies column j by scale[j]; NULL for 1. */
void pg_gemm_pack_taps(pg_dtype dtype, size_t taps, size_t depth, size_t n, const void *b, const float *scale,
                       void *packed);

typedef struct pg_gemm {
    pg_dtype dtype; /* PG_F32 or PG_F64 */
    size_t m, n, k;
    const void *a; /* m x k */
    size_t lda;
    const void *b; /* packed */
    void *c;       /* m x n; overwritten */
    size_t ldc;
    const void *bias; /* n elements added to every row, or NULL */
    const void *add;  /* m x n matrix added, or NULL; may be c */
    size_t ld_add;
    pg_act act;
    const pg_i8_result *i8; /* of 8-bit products only */
    /* PG_F16 or PG_BF16: the type of c and add where sums are float32; PG_UNDEFINED: they have the type of the
     * sums. k is then not cut, for what one part rounded the next would add to. */
    pg_dtype half;
} pg_gemm;
void pg_gemm_run(const pg_gemm *gemm);

/* The same with rows given by pointers, the general form behind matrix products and convolutions: row r of
 * tap t starts at fill's answer. `fill` writes for the results [first, first + count), count <= max_rows,
 * pointers in the order [tap][result]; it is called from several threads. */
typedef struct pg_gemm_rows {
    pg_dtype dtype;
    size_t m, n;
    size_t taps, depth; /* k = taps * depth */
    void (*fill)(const void *context, size_t first, size_t count, const void **rows);
    const void *context;
    const void *b; /* packed, k x n */
    void *c;
    size_t ldc;
    const void *bias, *add;
    size_t ld_add;
    pg_act act;
    const pg_i8_result *i8;
    pg_dtype half;
} pg_gemm_rows;
/* The pointers live on the stack, so taps are at most: */
enum { PG_GEMM_MAX_TAPS = 512 };
void pg_gemm_rows_run(const pg_gemm_rows *gemm);

/* ---- bfloat16 and 8-bit codes ----
 *
 * Both run as pg_gemm and pg_gemm_rows of dtype PG_BF16 (rows of A in bfloat16; bias, addend and result in
 * float32) and PG_U8 or PG_I8 (rows of 8-bit codes; `i8` says what the sums become). In rows of several taps,
 * depth is counted within one tap. */

/* Where the elements of B are: element i of tap t of column j is data[j * column + i * step + t * tap]. */
typedef struct pg_small_matrix {
    pg_dtype dtype; /* PG_F32 for bfloat16 products; PG_U8 or PG_I8 */
    const void *data;
    size_t taps, depth, n, column, step, tap;
} pg_small_matrix;

static inline bool pg_gemm_is_8bit(pg_dtype dtype)
{
    return dtype == PG_U8 || dtype == PG_I8;
}
/* Size of B packed for A of `dtype`; UINT64_MAX on overflow. */
uint64_t pg_gemm_taps_bytes(pg_dtype dtype, uint64_t taps, uint64_t depth, uint64_t n);
/* On all threads. */
void pg_gemm_halves(const float *x, uint16_t *y, size_t count);
void pg_gemm_pack_bf16(const pg_small_matrix *b, double alpha, void *packed);
/* Codes of PG_U8 become signed by subtracting 128, and so must their zero points. sums[j]: of column j. */
void pg_gemm_pack_codes(const pg_small_matrix *b, void *packed, int32_t *sums);
/* terms[j] of pg_i8_result: with zero points zero_a (of codes as the tile reads them: unsigned) and zeros[j] (of
 * packed codes; NULL for none), sum of (a - zero_a)(b - zeros[j]) over k products. */
void pg_gemm_code_terms(size_t n, size_t k, int32_t zero_a, const int32_t *sums, const int32_t *zeros,
                        int32_t *terms);
/* Elements that arrays of pg_i8_result for n columns need. */
static inline size_t pg_gemm_whole_columns(size_t n)
{
    return n + 3 * 16;
}
static inline size_t pg_gemm_i8_size(pg_dtype dtype)
{
    return pg_gemm_is_8bit(dtype) ? 1 : 4;
}

/* Splits act into what tiles do (bounds) and what is left to do over the finished tile. */
pg_act pg_act_split(pg_act act, double *lo, double *hi);
/* y = act(x), f32 or f64, x may be y; one thread. Slopes are those of element 0 and on. */
void pg_act_apply(pg_dtype dtype, pg_act act, const void *x, void *y, size_t count);

/* Integers: C (int32, wrapping) = A B, where A and B were widened to int16 after their zero points were
 * subtracted (|value| <= 255, so pairs never overflow). */
uint64_t pg_igemm_packed_bytes(uint64_t k, uint64_t n);
/* `b` is k x n with row stride ldb and column stride 1 (transposed: n x k), of PG_U8 or PG_I8; zero[j] is
 * column j's zero point, or zero[0] of all when n_zero is 1. */
void pg_igemm_pack(pg_dtype dtype, size_t k, size_t n, const void *b, size_t ldb, bool transposed,
                   const int32_t *zero, size_t n_zero, void *packed);
/* Elements of one widened row of A: k rounded up to even. */
static inline size_t pg_igemm_row(size_t k)
{
    return (k + 1) & ~(size_t)1;
}
/* Widens rows of A (PG_U8 or PG_I8): out[r][0..k) = a[r][i] - zero[r or 0], then zeros up to the row's
 * length. */
void pg_igemm_widen(pg_dtype dtype, size_t rows, size_t k, const void *a, size_t lda, const int32_t *zero,
                    size_t n_zero, int16_t *out);
void pg_igemm_run(size_t m, size_t n, size_t k, const int16_t *a, const void *packed, int32_t *c, size_t ldc);

#endif
