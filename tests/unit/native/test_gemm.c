/* Matrix products against three plain loops, for every instruction set of this machine. */
#include "unit/harness.h"

#include "base/threads.h"
#include "native/gemm.h"

static uint32_t seed = 1;
static double draw(void) /* in [-1, 1) */
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(int32_t)seed / 2147483648.0;
}

static double get(pg_dtype dtype, const void *p, size_t i)
{
    return dtype == PG_F64 ? ((const double *)p)[i] : (double)((const float *)p)[i];
}
static void *random_matrix(pg_dtype dtype, size_t count)
{
    void *p = aligned_alloc(64, (count * 8 + 127) / 64 * 64);
    for (size_t i = 0; i < count; i++)
        if (dtype == PG_F64)
            ((double *)p)[i] = draw();
        else
            ((float *)p)[i] = (float)draw();
    return p;
}

static void check_product(pg_dtype dtype, size_t m, size_t n, size_t k, bool transposed, bool extras)
{
    const size_t lda = k + 3, ldc = n + 5;
    void *a = random_matrix(dtype, m * lda), *b = random_matrix(dtype, n * k),
         *c = random_matrix(dtype, m * ldc);
    void *bias = random_matrix(dtype, n), *add = random_matrix(dtype, m * n);
    void *packed = malloc(pg_gemm_packed_bytes(dtype, k, n) + 64);
    pg_gemm_pack(dtype, k, n, b, transposed ? k : n, transposed, 2.0, packed);
    const double guard = get(dtype, c, n);
    pg_gemm g = {dtype, m, n, k, a, lda, packed, c, ldc, NULL, NULL, 0, {0}};
    if (extras) {
        g.bias = bias;
        g.add = add;
        g.ld_add = n;
        g.act = (pg_act){PG_ACT_CLIP, -0.75f, 1.5f};
    }
    pg_gemm_run(&g);
    double worst = 0;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t p = 0; p < k; p++)
                sum += get(dtype, a, i * lda + p) * get(dtype, b, transposed ? j * k + p : p * n + j);
            sum *= 2;
            if (extras) {
                sum += get(dtype, bias, j) + get(dtype, add, i * n + j);
                sum = sum < -0.75 ? -0.75 : sum > 1.5 ? 1.5 : sum;
            }
            worst = fmax(worst, fabs(sum - get(dtype, c, i * ldc + j)));
        }
    CHECK_NEAR(worst, 0, (dtype == PG_F64 ? 1e-14 : 1e-6) * (4 + (double)k));
    CHECK(get(dtype, c, n) == guard); /* nothing beyond the row's end */
    free(a);
    free(b);
    free(c);
    free(bias);
    free(add);
    free(packed);
}

enum { N_SETS = 4 };
static const char *const sets[N_SETS] = {"base", "avx2", "avx512", "avx512bf16"};
static bool use_set(size_t i)
{
    const pg_simd *simd = pg_simd_named(pg_str_c(sets[i]));
    if (simd != NULL)
        pg_simd_use(simd);
    return simd != NULL;
}

TEST(float_products)
{
    static const size_t sizes[][3] = {{1, 1, 1},       {3, 5, 7},    {8, 48, 16},   {9, 49, 17},
                                      {17, 31, 33},    {64, 64, 64}, {1, 200, 300}, {70, 10, 27},
                                      {13, 130, 2500}, {5, 7, 0}};
    for (size_t s = 0; s < N_SETS; s++)
        if (use_set(s))
            for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
                for (int v = 0; v < 4; v++) {
                    check_product(PG_F32, sizes[i][0], sizes[i][1], sizes[i][2], v & 1, v & 2);
                    check_product(PG_F64, sizes[i][0], sizes[i][1], sizes[i][2], v & 1, v & 2);
                }
}

/* Sums of float64 lose nothing where large terms cancel, and Inf and NaN come through. */
TEST(float64_sums_are_compensated)
{
    enum { K = 4, N = 20 };
    static const double cases[][K + 1] = {
        {1e16, 1, -1e16, 1, 2},        {1 + 0x1p-52, 1, -1 + 0x1p-40, -1, 0x1p-40 + 0x1p-52},
        {INFINITY, 1, 2, 3, INFINITY}, {1e308, 1e308, -1e308, 0, INFINITY},
        {NAN, 1, 2, 3, NAN},           {1e300, 1e-300, -1e300, 0, 1e-300},
    };
    double b[K * N], packed[K * 48 + 8], c[N];
    for (size_t i = 0; i < K * N; i++)
        b[i] = 1;
    for (size_t i = 0; i < N_SETS; i++) {
        if (!use_set(i))
            continue;
        pg_gemm_pack(PG_F64, K, N, b, N, false, 1.0, packed);
        for (size_t t = 0; t < sizeof cases / sizeof cases[0]; t++) {
            pg_gemm_run(&(pg_gemm){PG_F64, 1, N, K, cases[t], K, packed, c, N, NULL, NULL, 0, {0}});
            for (size_t j = 0; j < N; j++)
                CHECK(c[j] == cases[t][K] || (isnan(c[j]) && isnan(cases[t][K])));
        }
        /* The rounding of a product is kept too: (1 + u)^2 - 1 - 2u = u^2. */
        const double u = 0x1p-30, x[3] = {1 + u, 1, 1}, y[3] = {1 + u, -1, -2 * u};
        double wide[3 * 24];
        pg_gemm_pack(PG_F64, 3, 1, y, 1, false, 1.0, wide);
        pg_gemm_run(&(pg_gemm){PG_F64, 1, 1, 3, x, 3, wide, c, 1, NULL, NULL, 0, {0}});
        CHECK(c[0] == u * u);
    }
    pg_simd_use(NULL);
}

TEST(every_row_and_column_remainder)
{
    for (size_t s = 0; s < N_SETS; s++)
        if (use_set(s))
            for (size_t m = 1; m <= 9; m++)
                for (size_t n = 1; n <= 100; n++)
                    check_product(PG_F32, m, n, 3, n & 1, m & 1);
}

/* Weights as a file has them, [column][element][tap] at any address, with a factor per column. */
static void check_taps(size_t taps, size_t depth, size_t n, bool scaled)
{
    const size_t k = taps * depth, size = sizeof(float);
    float *b = random_matrix(PG_F32, n * k), *scale = random_matrix(PG_F32, n), *c = random_matrix(PG_F32, n);
    float *packed = malloc(pg_gemm_packed_bytes(PG_F32, k, n) + 64), *a = calloc(k, size);
    char *odd = malloc(n * k * size + 1);
    memcpy(odd + 1, b, n * k * size);
    pg_gemm_pack_taps(PG_F32, taps, depth, n, odd + 1, scaled ? scale : NULL, packed);
    size_t wrong = 0;
    for (size_t row = 0; row < k; row++) { /* row by row: the product with a unit vector */
        a[row] = 1;
        pg_gemm_run(&(pg_gemm){PG_F32, 1, n, k, a, k, packed, c, n, NULL, NULL, 0, {0}});
        a[row] = 0;
        for (size_t j = 0; j < n; j++)
            wrong += c[j] != b[j * k + row % depth * taps + row / depth] * (scaled ? scale[j] : 1);
    }
    CHECK_INT(wrong, 0);
    free(b);
    free(scale);
    free(c);
    free(packed);
    free(a);
    free(odd);
}

TEST(weights_from_a_file)
{
    for (size_t s = 0; s < 3; s++)
        if (use_set(s))
            for (size_t taps = 1; taps <= 9; taps += 2)
                for (size_t n = 1; n <= 70; n += taps == 1 ? 1 : 13)
                    check_taps(taps, 1 + n * 7 % 40, n, n & 1);
}

TEST(threads_agree)
{
    pg_threads_set(3);
    check_product(PG_F32, 200, 150, 90, false, true);
    check_product(PG_F32, 2, 1500, 90, false, true);
    pg_threads_set(1);
}

TEST(integer_products)
{
    static const size_t sizes[][3] = {{1, 1, 1},   {3, 5, 7},    {4, 32, 16},
                                      {9, 49, 17}, {17, 31, 33}, {2, 3, 0}};
    for (size_t s = 0; s < N_SETS; s++) {
        if (!use_set(s))
            continue;
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            const size_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2], row = pg_igemm_row(k);
            uint8_t a[17 * 33 + 1];
            int8_t b[64 * 64];
            int16_t wide[17 * 34 + 1];
            int32_t c[17 * 64], zero_a[17], zero_b[64];
            for (size_t j = 0; j < m * k; j++)
                a[j] = (uint8_t)(draw() * 128 + 128);
            for (size_t j = 0; j < n * k; j++)
                b[j] = (int8_t)(draw() * 127);
            for (size_t j = 0; j < m; j++)
                zero_a[j] = (int32_t)(draw() * 127 + 128);
            for (size_t j = 0; j < n; j++)
                zero_b[j] = (int32_t)(draw() * 127);
            void *packed = malloc(pg_igemm_packed_bytes(k, n) + 64);
            pg_igemm_pack(PG_I8, k, n, b, n, false, zero_b, n, packed);
            pg_igemm_widen(PG_U8, m, k, a, k, zero_a, m, wide);
            pg_igemm_run(m, n, k, wide, packed, c, n);
            for (size_t r = 0; r < m; r++)
                for (size_t j = 0; j < n; j++) {
                    int32_t sum = 0;
                    for (size_t p = 0; p < k; p++)
                        sum += (a[r * k + p] - zero_a[r]) * (b[p * n + j] - zero_b[j]);
                    CHECK_INT(c[r * n + j], sum);
                }
            (void)row;
            free(packed);
        }
    }
}

typedef struct code_rows {
    const uint8_t *a;
    size_t k, depth, taps;
} code_rows;
static void fill_code_rows(const void *context, size_t first, size_t count, const void **rows)
{
    const code_rows *r = context;
    for (size_t t = 0; t < r->taps; t++)
        for (size_t i = 0; i < count; i++)
            rows[t * count + i] = r->a + (first + i) * r->k + t * r->depth;
}

/* Sums of codes, and what they become, for rows of several taps. */
static void check_codes(size_t m, size_t n, size_t taps, size_t depth, pg_dtype of_a, pg_dtype of_b,
                        bool zeros)
{
    enum { M = 17, N = 70, K = 90 };
    const size_t k = taps * depth;
    uint8_t a[M * K + 1], b[N * K + 1];
    int32_t zero_b[N + 48] = {0}, terms[N + 48] = {0}, sums[N], c[M * N + 1];
    float scale[N + 48] = {0}, shift[N + 48] = {0}, real[M * N + 1];
    uint8_t codes[M * N + 1];
    const int32_t zero_a = of_a == PG_U8 ? 117 : -9;
    for (size_t i = 0; i < m * k; i++)
        a[i] = (uint8_t)(int)(128 + 128 * draw());
    for (size_t i = 0; i < n * k; i++)
        b[i] = (uint8_t)(int)(128 + 128 * draw());
    for (size_t j = 0; j < n; j++) {
        zero_b[j] = zeros ? (int32_t)(9 * draw()) : 0;
        scale[j] = 0x1p-9f;
        shift[j] = (float)j / 8;
    }
    void *packed = malloc(pg_gemm_taps_bytes(PG_U8, taps, depth, n) + 64);
    const pg_small_matrix from = {of_b, b, taps, depth, n, k, 1, depth};
    pg_gemm_pack_codes(&from, packed, sums);
    pg_gemm_code_terms(n, k, zero_a + (of_a == PG_I8 ? 128 : 0), sums, zeros ? zero_b : NULL, terms);
    pg_i8_result result = {.dtype = PG_I32,
                           .flip = of_a == PG_I8 ? 0x80808080u : 0,
                           .terms = terms,
                           .zeros = zeros ? zero_b : NULL,
                           .scale = scale,
                           .shift = shift,
                           .lo = -90,
                           .hi = 37,
                           .zero = 90};
    pg_gemm_rows g = {.dtype = of_a,
                      .m = m,
                      .n = n,
                      .taps = taps,
                      .depth = depth,
                      .b = packed,
                      .c = c,
                      .ldc = n,
                      .i8 = &result};
    code_rows rows = {a, k, depth, taps};
    g.fill = fill_code_rows;
    g.context = &rows;
    pg_gemm_rows_run(&g);
    result.dtype = PG_F32;
    g.c = real;
    pg_gemm_rows_run(&g);
    result.dtype = PG_U8;
    g.c = codes;
    pg_gemm_rows_run(&g);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            int32_t sum = 0;
            for (size_t p = 0; p < k; p++) {
                const int32_t x = of_a == PG_U8 ? a[i * k + p] : (int8_t)a[i * k + p];
                const int32_t y = of_b == PG_U8 ? b[j * k + p] - 128 : (int8_t)b[j * k + p];
                sum += (x - zero_a) * (y - zero_b[j]);
            }
            CHECK_INT(c[i * n + j], sum);
            const double want = fmin(fmax(ldexp(sum, -9) + shift[j], -90), 37);
            CHECK_NEAR(real[i * n + j], want, 1e-4);
            CHECK_NEAR(codes[i * n + j], rint((double)real[i * n + j]) + 90, 0);
        }
    free(packed);
}

TEST(products_of_codes)
{
    static const size_t sizes[][4] = {{1, 1, 1, 1},   {3, 5, 1, 7},    {8, 48, 1, 16},
                                      {9, 49, 2, 17}, {17, 31, 9, 5},  {5, 70, 3, 8},
                                      {2, 3, 1, 0},   {17, 16, 1, 90}, {8, 64, 4, 3}};
    for (size_t s = 0; s < N_SETS; s++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && use_set(s); i++)
            for (int v = 0; v < 8; v++)
                check_codes(sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3], v & 1 ? PG_I8 : PG_U8,
                            v & 2 ? PG_I8 : PG_U8, v & 4);
}

/* bfloat16 holds 8 bits of a number: against the product of the rounded numbers. */
static float rounded(float x)
{
    uint16_t half;
    uint32_t bits;
    pg_simd_best()->bf16_of_f32(&x, &half, 1);
    bits = (uint32_t)half << 16;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void check_halves(size_t m, size_t n, size_t k, bool transposed, bool extras)
{
    float *a = random_matrix(PG_F32, m * k), *b = random_matrix(PG_F32, n * k),
          *c = random_matrix(PG_F32, m * n), *bias = random_matrix(PG_F32, n);
    uint16_t *halves = malloc(m * k * 2 + 2);
    void *packed = malloc(pg_gemm_taps_bytes(PG_BF16, 1, k, n) + 64);
    pg_simd_best()->bf16_of_f32(a, halves, m * k);
    pg_gemm_pack(PG_BF16, k, n, b, transposed ? k : n, transposed, 2.0, packed);
    pg_gemm g = {
        .dtype = PG_BF16, .m = m, .n = n, .k = k, .a = halves, .lda = k, .b = packed, .c = c, .ldc = n};
    if (extras) {
        g.bias = bias;
        g.act = (pg_act){.kind = PG_ACT_RELU};
    }
    pg_gemm_run(&g);
    double worst = 0;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = extras ? (double)bias[j] : 0;
            for (size_t p = 0; p < k; p++)
                sum += (double)rounded(a[i * k + p]) *
                       (double)rounded(2 * b[transposed ? j * k + p : p * n + j]);
            if (extras && sum < 0)
                sum = 0;
            worst = fmax(worst, fabs(sum - (double)c[i * n + j]));
        }
    CHECK_NEAR(worst, 0, 1e-6 * (4 + (double)k));
    free(a);
    free(b);
    free(c);
    free(bias);
    free(halves);
    free(packed);
}

/* Rows of half types, widened and rounded, bit for bit as single numbers are. */
TEST(rows_of_halves)
{
    enum { ROWS_HERE = 3, MOST = 41, LD = 50 };
    float x[ROWS_HERE * LD], back[ROWS_HERE * LD];
    uint16_t y[ROWS_HERE * LD];
    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
        x[i] = ldexpf((float)(int)(i * 2654435761u >> 8 & 0xffff) - 32768, (int)(i % 40) - 30);
    x[0] = NAN, x[1] = INFINITY, x[2] = -INFINITY, x[3] = 65520, x[4] = 65519.9f, x[5] = 1 + 0x1p-8f,
    x[6] = 1 + 0x3p-8f, x[7] = 0x1p-25f, x[8] = -0.0f;
    for (size_t s = 0; s < N_SETS; s++)
        for (size_t count = 1; count <= MOST && use_set(s); count += 5)
            for (int k = 0; k < 2; k++) {
                const pg_dtype half = k == 0 ? PG_F16 : PG_BF16;
                memset(y, 0xee, sizeof y);
                memset(back, 0, sizeof back);
                pg_simd_best()->round_rows(half, x, LD, y, LD, ROWS_HERE, count);
                pg_simd_best()->widen_rows(half, y, LD, back, LD, ROWS_HERE, count);
                size_t wrong = 0;
                for (size_t r = 0; r < ROWS_HERE; r++)
                    for (size_t i = 0; i < LD; i++) {
                        const float from = x[r * LD + i];
                        const uint16_t found = y[r * LD + i];
                        const uint16_t expected = i >= count ? 0xeeee
                                                  : k == 0   ? pg_f32_to_f16(from)
                                                             : pg_f32_to_bf16(from);
                        const float wide = i >= count ? 0
                                           : k == 0   ? pg_f16_to_f32(found)
                                                      : pg_bf16_to_f32(found);
                        wrong += expected != found || memcmp(&wide, &back[r * LD + i], sizeof wide) != 0;
                    }
                CHECK_INT(wrong, 0);
            }
}

/* Results and addends of a half type: those of float32, rounded. */
static void check_half_results(pg_dtype half, size_t m, size_t n, size_t k, pg_act act)
{
    float *a = random_matrix(PG_F32, m * k), *b = random_matrix(PG_F32, n * k),
          *add = random_matrix(PG_F32, m * n), *bias = random_matrix(PG_F32, n),
          *c = random_matrix(PG_F32, m * n), *rounded_c = calloc(m * n + 1, sizeof *c);
    uint16_t *half_c = malloc(m * n * 2 + 2), *half_add = malloc(m * n * 2 + 2);
    void *packed = malloc(pg_gemm_packed_bytes(PG_F32, k, n) + 64);
    pg_gemm_pack(PG_F32, k, n, b, n, false, 1, packed);
    pg_simd_best()->round_rows(half, add, 0, half_add, 0, 1, m * n);
    pg_simd_best()->widen_rows(half, half_add, 0, add, 0, 1, m * n);
    pg_gemm g = {.dtype = PG_F32, .m = m, .n = n, .k = k, .a = a, .lda = k, .b = packed, .c = c, .ldc = n};
    g.bias = bias;
    g.add = add;
    g.ld_add = n;
    g.act = act;
    pg_gemm_run(&g);
    pg_simd_best()->round_rows(half, c, 0, half_c, 0, 1, m * n);
    pg_simd_best()->widen_rows(half, half_c, 0, c, 0, 1, m * n);
    g.half = half;
    g.add = half_add;
    g.c = half_c;
    pg_gemm_run(&g);
    pg_simd_best()->widen_rows(half, half_c, 0, rounded_c, 0, 1, m * n);
    CHECK(memcmp(c, rounded_c, m * n * sizeof *c) == 0);
    free(a);
    free(b);
    free(add);
    free(bias);
    free(c);
    free(rounded_c);
    free(half_c);
    free(half_add);
    free(packed);
}

TEST(results_of_half_types)
{
    static const size_t sizes[][3] = {{1, 1, 1},    {3, 17, 5},   {20, 100, 33}, {9, 4, 12},
                                      {70, 48, 64}, {8, 130, 90}, {5, 7, 0},     {130, 20, 200}};
    static const pg_act acts[] = {{.kind = PG_ACT_NONE}, {.kind = PG_ACT_RELU}, {.kind = PG_ACT_GELU}};
    for (size_t s = 0; s < N_SETS; s++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && use_set(s); i++)
            for (size_t j = 0; j < 6; j++)
                check_half_results(j < 3 ? PG_F16 : PG_BF16, sizes[i][0], sizes[i][1], sizes[i][2],
                                   acts[j % 3]);
}

TEST(bfloat16_products)
{
    static const size_t sizes[][3] = {{1, 1, 1},    {3, 5, 7},     {8, 48, 16},    {9, 49, 17}, {17, 31, 33},
                                      {64, 64, 64}, {1, 200, 300}, {13, 30, 2501}, {5, 7, 0}};
    for (size_t s = 0; s < N_SETS; s++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && use_set(s); i++)
            for (int v = 0; v < 4; v++)
                check_halves(sizes[i][0], sizes[i][1], sizes[i][2], v & 1, v & 2);
    CHECK(isnan(rounded(NAN)) && isinf(rounded(INFINITY)));
    CHECK(rounded(1 + 0x1p-8f) == 1 && rounded(1 + 0x3p-8f) == 1 + 0x1p-6f);
}

TEST(transpositions)
{
    enum { MOST = 37 };
    uint32_t from[MOST * MOST], to[MOST * MOST];
    for (uint32_t i = 0; i < MOST * MOST; i++)
        from[i] = i;
    for (size_t s = 0; s < 3; s++) {
        const pg_simd *simd = pg_simd_named(pg_str_c(sets[s]));
        for (size_t size = 0; simd != NULL && size < MOST * MOST; size++) {
            const size_t rows = size / MOST + 1, columns = size % MOST + 1;
            size_t wrong = 0;
            memset(to, 0xff, sizeof to);
            simd->transpose_32(from, MOST, to, MOST, rows, columns);
            for (size_t i = 0; i < MOST * MOST; i++) {
                const size_t c = i / MOST, r = i % MOST;
                wrong += to[i] != (r < rows && c < columns ? from[r * MOST + c] : UINT32_MAX);
            }
            if (wrong > 0)
                FAIL_TEST("%s: %zu x %zu has %zu wrong elements", sets[s], rows, columns, wrong);
        }
    }
}

TEST(activations)
{
    for (size_t s = 0; s < N_SETS; s++) {
        if (!use_set(s))
            continue;
        for (int kind = 0; kind < PG_ACT_COUNT; kind++) {
            pg_act act = {kind, kind == PG_ACT_SILU ? 1.0f : 0.2f, 0.5f};
            if (kind == PG_ACT_CLIP)
                act.alpha = -1;
            pg_act wide = act;
            act.slopes = &(const float){0.25f};
            wide.slopes = &(const double){0.25};
            for (int i = -4000; i <= 4000; i++) {
                float x = (float)i / 200, y;
                double want = (double)x, exact;
                pg_act_apply(PG_F64, wide, &want, &exact, 1);
                pg_act_apply(PG_F32, act, &x, &y, 1);
                if (!(fabs((double)y - exact) <= 1e-6 * fmax(fabs(exact), 0.5)))
                    FAIL_TEST("%s: activation %d of %g is %.9g, expected %.9g", sets[s], kind, (double)x,
                              (double)y, exact);
            }
        }
        const float odd[] = {NAN, INFINITY, -INFINITY, 88.7f, -103.0f, -200.0f, 200.0f};
        float e[7];
        pg_simd_best()->exp_f32(odd, e, 7);
        CHECK(isnan(e[0]) && isinf(e[1]) && e[2] == 0 && e[5] == 0 && isinf(e[6]));
        CHECK_NEAR(e[3] / expf(88.7f), 1, 1e-6);
        CHECK(e[4] > 0 && e[4] < 1e-44f);
        pg_act_apply(PG_F32, (pg_act){PG_ACT_RELU, 0, 0}, odd, e, 3);
        CHECK(isnan(e[0]) && isinf(e[1]) && e[2] == 0);
    }
}

TEST_MAIN(RUN(float_products); RUN(float64_sums_are_compensated); RUN(every_row_and_column_remainder);
          RUN(weights_from_a_file); RUN(threads_agree); RUN(integer_products); RUN(products_of_codes);
          RUN(bfloat16_products); RUN(rows_of_halves); RUN(results_of_half_types); RUN(transpositions);
          RUN(activations);)
