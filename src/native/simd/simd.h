/* The inner loops of the heavy operators, compiled once per instruction set and chosen when the program runs.
 *
 * Every loop exists for AVX-512, AVX2 with FMA, and the compiler's baseline (which is also the only one on
 * other processors); pg_simd() answers the best that this machine has. The environment variable
 * POLYGRAPHY_SIMD=avx512bf16|avx512|avx2|base asks for a lesser one (for tests). Results of different instruction sets
 * agree within rounding, not bit for bit: sums are fused or grouped differently.
 *
 * Nothing here allocates, checks or starts threads: that is the callers' part. Strides are in elements. */
#ifndef PG_NATIVE_SIMD_SIMD_H
#define PG_NATIVE_SIMD_SIMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/dtype.h"

/* Functions applied to results while they are still in registers or cache. */
typedef enum pg_act_kind {
    PG_ACT_NONE = 0,
    PG_ACT_RELU,
    PG_ACT_CLIP,        /* alpha = lowest, beta = highest */
    PG_ACT_LEAKY,       /* x < 0 ? alpha x : x */
    PG_ACT_HARDSIGMOID, /* clip(alpha x + beta, 0, 1) */
    PG_ACT_HARDSWISH,   /* x clip(x / 6 + 0.5, 0, 1) */
    PG_ACT_SIGMOID,
    PG_ACT_SILU, /* x sigmoid(alpha x) */
    PG_ACT_TANH,
    PG_ACT_GELU,      /* x/2 (1 + erf(x / sqrt 2)) */
    PG_ACT_GELU_TANH, /* the tanh approximation of it */
    PG_ACT_MISH,      /* x tanh(log(1 + e^x)) */
    PG_ACT_PRELU, /* x < 0 ? slopes[i] x : x, where i is the column of a product, the channel of a pixel */
    PG_ACT_COUNT
} pg_act_kind;

typedef struct pg_act {
    pg_act_kind kind;
    float alpha, beta;
    bool affine; /* then act(x) * scale + shift */
    float scale, shift;
    const void *slopes; /* of PG_ACT_PRELU: as many as there are columns, of their type; borrowed */
} pg_act;

enum {
    PG_TILE_MAX_ROWS = 8,
    PG_TILE_MAX_VECTORS = 3,
};

/* What becomes of the int32 sums of an 8-bit product. With s = sum + terms[j] - zeros[j] * (sum of row r of A),
 * the result is s (dtype PG_I32), x = clip(act(s * scale[j] + shift[j]), lo, hi) (PG_F32), or the code x rounded to
 * even, plus zero (PG_U8, PG_I8). Arrays hold whole vectors. act(x) is slopes[j] * x of a negative x where there
 * are slopes, act_scale * x * clip(x / 6 + 1/2, 0, 1) + act_shift with swish, else x. */
typedef struct pg_i8_result {
    pg_dtype dtype;
    uint32_t flip;                /* 0x80808080 when A is signed: its codes are read as code + 128 */
    const int32_t *terms, *zeros; /* zeros: NULL for none */
    const float *scale, *shift;   /* shift: NULL for none */
    float lo, hi;
    int32_t zero;
    const float *slopes; /* NULL for none */
    bool swish;
    float act_scale, act_shift;
} pg_i8_result;

/* One tile of a product: up to max_rows rows of C, one panel of columns.
 *
 *     c[r][j] = clip(sum over tap, k of rows[tap * mr + r][k] * b[(tap * depth + k) * ldb + j]
 *                    + bias[j] + add[r][j], lo, hi)
 *
 * A plain matrix product has one tap; a convolution has one per kernel position, its rows are pixels. */
typedef struct pg_tile {
    const void *const *rows; /* [taps][mr] */
    size_t taps, depth;
    const void *b;
    size_t ldb;
    void *c;
    size_t ldc;
    size_t mr, cols;  /* cols: at most 3 vectors; b has whole vectors */
    const void *bias; /* `cols` elements, or NULL */
    const void *add;  /* NULL, or a matrix of c's size; may be c itself */
    size_t ld_add;
    const void *slopes; /* `cols` elements that multiply negative results, or NULL */
    double lo, hi;      /* after that; -inf and inf for no clipping */
    bool swish;         /* after that: x -> scale * x * clip(x / 6 + 1/2, 0, 1) + shift */
    double scale, shift;
    const pg_i8_result *i8;  /* of 8-bit products, which have no bias, addend or activation of their own */
    size_t first_column;     /* where the tile's columns begin in the arrays of i8 */
    const int32_t *row_sums; /* [mr], when i8->zeros is set */
} pg_tile;

/* Weights of a product from their file: `columns` <= lanes_f32 rows become columns of a packed panel.
 *
 *     out[(t * depth + i) * ldo + j] = scale[j] * rows[j * ldb + i * taps + t]
 *
 * Whole vectors are stored, zeros beyond `columns`. */
typedef struct pg_turn {
    const void *rows; /* float32; may not be aligned */
    size_t ldb, columns, taps, depth;
    const float *scale; /* lanes_f32 elements, or NULL for 1 */
    float *out;
    size_t ldo;
} pg_turn;
/* Loops over 8-bit codes; flip is 0x80 for signed ones, which are read as code + 128, and the zero point is
 * counted the same way: real = ((code ^ flip) - zero) * scale. */
typedef struct pg_codes {
    uint8_t flip;
    float scale, zero;
} pg_codes;

/* Products with few columns: sums along rows of A and rows of transposed B.
 *
 *     c[r][j] = sum over tap, k of rows[tap * m + r][k] * b[j * ldb + tap * depth + k] */
typedef struct pg_dots {
    const float *const *rows; /* [taps][m] */
    size_t taps, depth, m, n;
    const float *b;
    size_t ldb;
    float *c;
    size_t ldc;
} pg_dots;

/* A tile of an integer product: c[r][j] = (or +=) sum over pairs p of a[r][2p] b[p][j][0] + a[r][2p+1]
 * b[p][j][1]; b holds for each pair of depth steps and each column two int16 side by side. */
typedef struct pg_tile_i16 {
    const int16_t *const *rows; /* [mr]; `pairs` * 2 elements each */
    size_t pairs;
    const int16_t *b; /* [pairs][ldb][2] */
    size_t ldb;
    int32_t *c;
    size_t ldc;
    size_t mr, cols;
    bool accumulate;
} pg_tile_i16;

/* Depthwise convolution of `pixels` neighbouring results, channels-last. taps[t] is the input pixel under the
 * t-th kernel position of the first result; positions that lie in the padding are left out. */
typedef struct pg_depthwise {
    const float *const *taps;
    const float *const *weights; /* of each tap: `channels` values */
    size_t n_taps, channels;
    size_t pixels, step; /* elements between the input pixels of neighbouring results */
    const float *bias;   /* [channels] or NULL */
    float *out;          /* results lie `channels` apart */
    float lo, hi;
    bool swish; /* as in pg_tile */
    float scale, shift;
} pg_depthwise;

/* One row of results of a depthwise convolution of 8-bit codes. A window has n_rows rows (its depth and height
 * together), each with `kernel` positions; input rows above or below the image are NULL. Weights: for each four
 * rows, each position and each channel (ldw of them, whole vectors) four int8, zeros beyond the last row. */
typedef struct pg_depthwise_codes {
    const uint8_t *const *rows; /* [n_rows]: the first pixel */
    size_t n_rows, channels, width;
    size_t results, kernel;
    int64_t pad, stride, dilation; /* pad: pixels before the row */
    uint8_t pad_code;              /* as stored */
    const int8_t *weights;
    size_t ldw;
    const pg_i8_result *i8;
    void *y;
    uint32_t *room; /* pg_depthwise_codes_room elements */
} pg_depthwise_codes;
/* Pixels that windows of one row of results touch, from the first one's begin to the last one's end. */
static inline size_t pg_depthwise_columns(size_t results, int64_t stride, size_t kernel, int64_t dilation)
{
    return (results - 1) * (size_t)stride + (kernel - 1) * (size_t)dilation + 1;
}

/* Winograd convolution of one tile: sums of its input pixels (`samples` of them: 36 in a square of 6 by 6, or 6
 * or 8 in a line), each kind of which is then multiplied as a matrix over channels by weights that
 * were transformed alike; and the results (16 in a square, or 4 in a line) from those products. The points
 * that stand behind the sums are in winograd.inc. */
typedef struct pg_winograd_in {
    size_t samples, channels;
    const float *const *pixels; /* [samples] */
    float *out;                 /* sum s begins at out + s * stride */
    size_t stride;
} pg_winograd_in;
typedef struct pg_winograd_out {
    size_t samples, channels;
    const float *in; /* products, as in pg_winograd_in */
    size_t stride;
    float *const *results; /* NULL: outside */
    const float *bias;     /* [channels] or NULL */
    const float *add;      /* added to result p: add + (p - base); NULL for none */
    const float *base;
    float lo, hi;
    bool swish; /* as in pg_tile */
    float scale, shift;
} pg_winograd_out;

typedef struct pg_simd {
    const char *name;
    size_t lanes_f32, lanes_f64, lanes_i16; /* columns per vector of a tile; i16: int32 columns */
    size_t max_rows, max_rows_i8;           /* of a tile; i8: of 8-bit codes and of bfloat16 */
    bool fast_bf16;                         /* instructions of its own for bfloat16 */
    void (*tile_f32)(const pg_tile *tile);
    void (*tile_f64)(const pg_tile *tile); /* sums are compensated: see tile_f64.inc */
    void (*tile_i16)(const pg_tile_i16 *tile);
    void (*turn_f32)(const pg_turn *job);
    /* Rows of 8-bit codes; b holds for each four depth steps and each column four int8 side by side, every tap
     * beginning a new four. */
    void (*tile_i8)(const pg_tile *tile);
    /* Rows of bfloat16, float32 sums; b holds pairs of depth steps in the same manner. */
    void (*tile_bf16)(const pg_tile *tile);
    void (*bf16_of_f32)(const float *x, uint16_t *y, size_t count);
    /* Rows of `half`, PG_F16 or PG_BF16, as float32, and float32 rounded to even; rows lie ldx and ldy apart. The
     * instruction for bfloat16 makes 0 of numbers below 2^-126. */
    void (*widen_rows)(pg_dtype half, const uint16_t *x, size_t ldx, float *y, size_t ldy, size_t rows,
                       size_t count);
    void (*round_rows)(pg_dtype half, const float *x, size_t ldx, uint16_t *y, size_t ldy, size_t rows,
                       size_t count);
    /* Codes of float32 numbers, rounded to even, within [lo, hi] counted from the zero point. */
    void (*quantize_f32)(const float *x, pg_codes to, float lo, float hi, uint8_t *y, size_t count);
    void (*dequantize_f32)(const uint8_t *x, pg_codes from, float *y, size_t count);
    /* The codes of a + b or a * b. */
    void (*add_codes)(const uint8_t *a, pg_codes of_a, const uint8_t *b, pg_codes of_b, pg_codes to, float lo,
                      float hi, uint8_t *y, size_t count);
    void (*mul_codes)(const uint8_t *a, pg_codes of_a, const uint8_t *b, pg_codes of_b, pg_codes to, float lo,
                      float hi, uint8_t *y, size_t count);
    /* y[i] = the largest code over r of rows[r][i] (of code ^ flip); n_rows > 0 */
    void (*max_codes)(const uint8_t *const *rows, size_t n_rows, uint8_t flip, uint8_t *y, size_t count);
    /* y[i] += x[i] ^ flip */
    void (*sum_codes)(const uint8_t *x, uint8_t flip, uint32_t *y, size_t count);
    /* out[4j + i] = rows[i][j] ^ flip, and sums[j] += their sum as signed numbers; out does not overlap rows. */
    void (*four_rows)(const uint8_t *const *rows, uint8_t flip, uint8_t *out, uint32_t *sums, size_t count);
    void (*depthwise_codes)(const pg_depthwise_codes *job);
    void (*dots_f32)(const pg_dots *job);
    void (*depthwise_f32)(const pg_depthwise *job);
    void (*winograd_in_f32)(const pg_winograd_in *job);
    void (*winograd_out_f32)(const pg_winograd_out *job);
    /* to[c * ld_to + r] = from[r * ld_from + c] for elements of four bytes. */
    void (*transpose_32)(const uint32_t *from, size_t ld_from, uint32_t *to, size_t ld_to, size_t rows,
                         size_t columns);
    /* y[i] = act(x[i]); x may be y. */
    void (*act_f32)(const pg_act *act, const float *x, float *y, size_t count);
    void (*exp_f32)(const float *x, float *y, size_t count);
    void (*erf_f32)(const float *x, float *y, size_t count);
    /* y[i] = e^(x[i] - shift), of which it answers the sum; shift is no smaller than any x. y may be x. */
    float (*exp_sum_f32)(const float *x, float shift, float *y, size_t count);
    /* The largest or smallest of count > 0 numbers; NaN when one is NaN. */
    float (*max_f32)(const float *x, size_t count);
    float (*min_f32)(const float *x, size_t count);
    /* y[i] = max or sum over r of rows[r][i]; n_rows > 0. */
    void (*max_rows_f32)(const float *const *rows, size_t n_rows, float *y, size_t count);
    void (*sum_rows_f32)(const float *const *rows, size_t n_rows, float *y, size_t count);
    /* y[i] = clip(x[i] * scale[i] + shift[i], lo, hi) */
    void (*affine_f32)(const float *x, const float *scale, const float *shift, float *y, size_t count,
                       float lo, float hi);
    /* y[i] += a * x[i] */
    void (*axpy_f32)(float a, const float *x, float *y, size_t count);
    float (*dot_f32)(const float *a, const float *b, size_t count);
    float (*sum_f32)(const float *x, size_t count);
    /* sum of (x - mean)^2 */
    float (*sum_squares_f32)(const float *x, float mean, size_t count);
    /* y[i] = (x[i] - mean) * inverse * scale[i] + shift[i]; scale and shift may be NULL */
    void (*normalize_f32)(const float *x, float mean, float inverse, const float *scale, const float *shift,
                          float *y, size_t count);
} pg_simd;

const pg_simd *pg_simd_best(void);
/* By name; NULL when this machine does not have it. */
const pg_simd *pg_simd_named(pg_str name);
/* The features of the processor that such a table needs and that are not there, "avx512f avx512vl"; "" when all are. */
void pg_simd_lacking(pg_str name, char *out, size_t room);
/* For tests: what pg_simd_best answers from now on. Packed matrices made before are void. */
void pg_simd_use(const pg_simd *table);

/* Vectors in the next panel when `left` are left: three by three, but never one after a three. */
static inline size_t pg_panel_vectors(size_t left)
{
    return left == 4 ? 2 : left < 3 ? left : 3;
}

static inline pg_act pg_act_none(void)
{
    return (pg_act){.kind = PG_ACT_NONE};
}
static inline bool pg_act_is_set(pg_act act)
{
    return act.kind != PG_ACT_NONE || act.affine;
}

#endif
