/* Texts of numbers and arrays whose form is known; tests/parity/test_array_text.py compares thousands. */
#include "unit/harness.h"

#include <float.h>

#include "tensor/number_text.h"
#include "tensor/text.h"

static pg_buf text;

static const char *g5(double value)
{
    pg_buf_clear(&text);
    pg_text_g(&text, value, 5);
    return pg_buf_cstr(&text);
}

static const char *repr(double value)
{
    pg_buf_clear(&text);
    pg_text_repr(&text, value);
    return pg_buf_cstr(&text);
}

TEST(g_rounds_half_to_even_and_strips_zeros)
{
    CHECK_STR(g5(0.3009812345), "0.30098");
    CHECK_STR(g5(12345.5), "12346");
    CHECK_STR(g5(12346.5), "12346");
    CHECK_STR(g5(99999.5), "1e+05");
    CHECK_STR(g5(0.0001), "0.0001");
    CHECK_STR(g5(0.00001), "1e-05");
    CHECK_STR(g5(-0.0), "-0");
    CHECK_STR(g5(100), "100");
    CHECK_STR(g5(1e300), "1e+300");
    CHECK_STR(g5((double)NAN), "nan");
    CHECK_STR(g5(-(double)INFINITY), "-inf");
}

TEST(repr_is_the_shortest_text)
{
    CHECK_STR(repr(0.1), "0.1");
    CHECK_STR(repr(1), "1.0");
    CHECK_STR(repr(0x1p-44), "5.684341886080802e-14");
    CHECK_STR(repr(5e-324), "5e-324");
    CHECK_STR(repr(1e16), "1e+16");
    CHECK_STR(repr(9999999999999998.0), "9999999999999998.0");
    CHECK_STR(repr(DBL_MAX), "1.7976931348623157e+308");
    CHECK_STR(repr(1e23), "1e+23");
}

TEST(repr_reads_back)
{
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        double value;
        memcpy(&value, &state, sizeof value);
        if (isfinite(value) && strtod(repr(value), NULL) != value)
            FAIL_TEST("%a became %s", value, repr(value));
    }
}

TEST(float32_scalars)
{
    pg_buf_clear(&text);
    pg_text_float(&text, PG_F32, (double)0.1f);
    pg_buf_putc(&text, ' ');
    pg_text_float(&text, PG_F32, (double)FLT_MAX);
    pg_buf_putc(&text, ' ');
    pg_text_float(&text, PG_F32, 16777216);
    pg_buf_putc(&text, ' ');
    pg_text_complex(&text, PG_F32, -1.5, (double)0.1f);
    CHECK_STR(pg_buf_cstr(&text), "0.1 3.4028235e+38 1.6777216e+07 (-1.5+0.1j)");
}

static const char *array(pg_dtype dtype, size_t rank, const int64_t *dims, const void *data,
                         const pg_text_options *options)
{
    pg_tensor t;
    CHECK_OK(pg_tensor_borrow(&t, dtype, rank, dims, data));
    pg_buf_clear(&text);
    pg_tensor_text(&text, &t, options);
    return pg_buf_cstr(&text);
}

TEST(arrays)
{
    const float f[] = {0.1f, 0.12345678f, -3, 1e6f};
    CHECK_STR(array(PG_F32, 1, (int64_t[]){2}, f, NULL), "[0.1        0.12345678]");
    CHECK_STR(array(PG_F32, 2, (int64_t[]){2, 2}, f, NULL),
              "[[ 1.0000000e-01  1.2345678e-01]\n [-3.0000000e+00  1.0000000e+06]]");
    const float special[] = {NAN, -INFINITY, 1};
    CHECK_STR(array(PG_F32, 1, (int64_t[]){3}, special, NULL), "[ nan -inf   1.]");
    const int8_t i[] = {1, -20, 3, 4, 5, 6};
    CHECK_STR(array(PG_I8, 3, (int64_t[]){2, 1, 3}, i, NULL), "[[[  1 -20   3]]\n\n [[  4   5   6]]]");
    const uint8_t b[] = {1, 0};
    CHECK_STR(array(PG_BOOL, 1, (int64_t[]){2}, b, NULL), "[ True False]");
    CHECK_STR(array(PG_BOOL, 0, NULL, b, NULL), "True");
    const pg_str s[] = {PG_STR("a"), PG_STR("it's"), PG_STR("x\n\xc3\xa9\xff")};
    CHECK_STR(array(PG_STRING, 1, (int64_t[]){3}, s, NULL), "['a' \"it's\" 'x\\n\xc3\xa9\\xff']");
    CHECK_STR(array(PG_STRING, 0, NULL, s, NULL), "a");
    CHECK_STR(array(PG_F32, 2, (int64_t[]){0, 3}, f, NULL), "[]");
    const uint8_t packed[] = {0xf1, 0x08};
    CHECK_STR(array(PG_I4, 1, (int64_t[]){3}, packed, NULL), "[1 -1 -8]");
}

TEST(summaries_and_lines)
{
    int32_t values[1200];
    for (int i = 0; i < 1200; i++)
        values[i] = i;
    CHECK_STR(array(PG_I32, 1, (int64_t[]){1200}, values, NULL), "[   0    1    2 ... 1197 1198 1199]");
    CHECK_STR(array(PG_I32, 2, (int64_t[]){3, 400}, values, &(pg_text_options){1000, 1, 12}),
              "[[   0 ...\n   399]\n ...\n [ 800 ...\n  1199]]");
    CHECK_STR(array(PG_I32, 1, (int64_t[]){1200}, values, &(pg_text_options){1000, 0, -1}), "[... 1199]");
    CHECK_STR(array(PG_I32, 1, (int64_t[]){6}, values, &(pg_text_options){1000, 3, 8}), "[0 1 2\n 3 4 5]");
    size_t lines = 0;
    for (const char *p = array(PG_I32, 1, (int64_t[]){1200}, values, &(pg_text_options){1000, -1, 75}); *p;
         p++)
        lines += *p == '\n';
    CHECK_INT(lines, 85);
}

TEST(indentation_keeps_blanks_on_empty_lines)
{
    pg_buf_clear(&text);
    pg_text_indent(&text, PG_STR("a\n\nb\n"), 1);
    CHECK_STR(pg_buf_cstr(&text), "    a\n    \n    b");
    pg_buf_clear(&text);
    pg_text_indent(&text, PG_STR(""), 1);
    CHECK_STR(pg_buf_cstr(&text), "    ");
}

TEST_MAIN(RUN(g_rounds_half_to_even_and_strips_zeros); RUN(repr_is_the_shortest_text); RUN(repr_reads_back);
          RUN(float32_scalars); RUN(arrays); RUN(summaries_and_lines);
          RUN(indentation_keeps_blanks_on_empty_lines); pg_buf_deinit(&text);)
