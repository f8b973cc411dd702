/* Facts about conversions that need no oracle; tests/parity/test_dtypes.py compares every pair with NumPy. */
#include "unit/harness.h"

#include "tensor/dtype_convert.h"

/* The value by the definition of the format, computed another way than the code does. */
static double half_by_definition(uint16_t h)
{
    double sign = (h & 0x8000) != 0 ? -1 : 1, mantissa = h & 0x3ff;
    int exponent = h >> 10 & 0x1f;
    if (exponent == 31)
        return mantissa != 0 ? NAN : sign * INFINITY;
    return exponent == 0 ? sign * ldexp(mantissa, -24) : sign * ldexp(1024 + mantissa, exponent - 25);
}

TEST(half_widens_every_pattern)
{
    for (uint32_t h = 0; h < 65536; h++) {
        double expected = half_by_definition((uint16_t)h);
        float found = pg_f16_to_f32((uint16_t)h);
        if (isnan(expected) ? !isnan(found)
                            : (double)found != expected || !signbit(found) != !signbit(expected))
            FAIL_TEST("%04x gives %g", (unsigned)h, (double)found);
    }
}

TEST(half_narrows_to_the_nearest_even)
{
    for (uint32_t h = 0; h < 0x7c00; h++) {
        double low = half_by_definition((uint16_t)h);
        double high = h == 0x7bff ? 65536 : half_by_definition((uint16_t)(h + 1));
        double middle = (low + high) / 2;
        unsigned even = h + (h & 1);
        CHECK_INT(pg_f32_to_f16((float)low), h);
        CHECK_INT(pg_f32_to_f16((float)-low), h | 0x8000);
        CHECK_INT(pg_f32_to_f16((float)middle), even);
        CHECK_INT(pg_f32_to_f16(nextafterf((float)middle, INFINITY)), h + 1);
        CHECK_INT(pg_f32_to_f16(nextafterf((float)middle, 0)), h);
        CHECK_INT(pg_f64_to_f16(middle), even);
        CHECK_INT(pg_f64_to_f16(nextafter(middle, INFINITY)), h + 1);
        CHECK_INT(pg_f64_to_f16(nextafter(middle, 0)), h);
    }
    CHECK_INT(pg_f32_to_f16(INFINITY), 0x7c00);
    CHECK_INT(pg_f32_to_f16(1e30f), 0x7c00);
    CHECK((pg_f32_to_f16(NAN) & 0x7fff) > 0x7c00);
    CHECK((pg_f64_to_f16((double)NAN) & 0x7fff) > 0x7c00);
}

TEST(half_arrays_agree_with_single_values)
{
    enum { COUNT = 65536 + 5 };
    static uint16_t halves[COUNT], back[COUNT];
    static float floats[COUNT];
    for (uint32_t i = 0; i < COUNT; i++)
        halves[i] = (uint16_t)i;
    pg_f16_to_f32_array(halves, floats, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        float one = pg_f16_to_f32(halves[i]);
        if (memcmp(&one, &floats[i], sizeof one) != 0)
            FAIL_TEST("%04x", halves[i]);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        floats[i] += floats[i] * 0.0004f;
    pg_f32_to_f16_array(floats, back, COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        if (back[i] != pg_f32_to_f16(floats[i]))
            FAIL_TEST("%a gives %04x", (double)floats[i], back[i]);
}

TEST(bf16_rounds_to_even_and_keeps_nan)
{
    for (uint32_t b = 0; b < 0x7f80; b++) {
        float low = pg_bf16_to_f32((uint16_t)b);
        uint32_t bits = b << 16 | 0x8000;
        float middle;
        memcpy(&middle, &bits, sizeof middle);
        CHECK_INT(pg_f32_to_bf16(low), b);
        CHECK_INT(pg_f32_to_bf16(middle), b + (b & 1));
        CHECK_INT(pg_f32_to_bf16(nextafterf(middle, INFINITY)), b + 1);
        CHECK_INT(pg_f32_to_bf16(nextafterf(middle, 0)), b);
    }
    for (uint32_t b = 0x7f81; b < 0x8000; b++)
        CHECK(isnan(pg_bf16_to_f32(pg_f32_to_bf16(pg_bf16_to_f32((uint16_t)b)))));
}

TEST(small_floats_round_trip)
{
    static const pg_dtype types[] = {PG_F8E4M3FN,   PG_F8E4M3FNUZ, PG_F8E5M2,
                                     PG_F8E5M2FNUZ, PG_F4E2M1,     PG_F8E8M0};
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
        for (unsigned code = 0; code < 1u << pg_dtype_get(types[t])->bits; code++) {
            float value = pg_small_float_to_f32(types[t], (uint8_t)code);
            uint8_t back = pg_f32_to_small_float(types[t], value, &pg_cast_numpy);
            if (isnan(value) ? !isnan(pg_small_float_to_f32(types[t], back)) : back != code)
                FAIL_TEST("%s %02x is %g and comes back as %02x", pg_dtype_name(types[t]), code,
                          (double)value, back);
        }
}

static const struct {
    pg_dtype dtype;
    float in, saturated, not_saturated;
} overflows[] = {
    {PG_F8E4M3FN, 464, 448, 448},
    {PG_F8E4M3FN, 465, 448, NAN},
    {PG_F8E4M3FN, INFINITY, 448, NAN},
    {PG_F8E4M3FN, -INFINITY, -448, NAN},
    {PG_F8E4M3FNUZ, 248, 240, NAN},
    {PG_F8E4M3FNUZ, 247, 240, 240},
    {PG_F8E5M2, 61439, 57344, 57344},
    {PG_F8E5M2, 61440, 57344, INFINITY},
    {PG_F8E5M2, INFINITY, 57344, INFINITY},
    {PG_F8E5M2FNUZ, 61440, 57344, NAN},
    {PG_F4E2M1, 100, 6, 6},
    {PG_F4E2M1, -INFINITY, -6, -6},
};

TEST(small_floats_overflow_as_cast_states)
{
    pg_cast_options loose = pg_cast_onnx;
    loose.saturate = false;
    for (size_t i = 0; i < sizeof overflows / sizeof overflows[0]; i++) {
        pg_dtype dtype = overflows[i].dtype;
        float a = pg_small_float_to_f32(dtype, pg_f32_to_small_float(dtype, overflows[i].in, NULL));
        float b = pg_small_float_to_f32(dtype, pg_f32_to_small_float(dtype, overflows[i].in, &loose));
        if (a != overflows[i].saturated)
            FAIL_TEST("%s of %g saturates to %g", pg_dtype_name(dtype), (double)overflows[i].in, (double)a);
        if (isnan(overflows[i].not_saturated) ? !isnan(b) : b != overflows[i].not_saturated)
            FAIL_TEST("%s of %g gives %g", pg_dtype_name(dtype), (double)overflows[i].in, (double)b);
    }
}

TEST(e8m0_rounds_by_mode)
{
    pg_cast_options options = pg_cast_onnx;
    CHECK_INT(pg_f32_to_small_float(PG_F8E8M0, 4.5f, &options), 130);
    options.round_mode = PG_ROUND_DOWN;
    CHECK_INT(pg_f32_to_small_float(PG_F8E8M0, 7.9f, &options), 129);
    options.round_mode = PG_ROUND_NEAREST;
    CHECK_INT(pg_f32_to_small_float(PG_F8E8M0, 5.9f, &options), 129);
    CHECK_INT(pg_f32_to_small_float(PG_F8E8M0, 6.1f, &options), 130);
    CHECK_INT(pg_f32_to_small_float(PG_F8E8M0, 3e38f, &options), 254);
    options.saturate = false;
    CHECK_INT(pg_f32_to_small_float(PG_F8E8M0, 3e38f, &options), 255);
    CHECK_INT(pg_f32_to_small_float(PG_F8E8M0, 0.0f, &options), 0);
}

TEST(packing_puts_the_first_element_in_the_low_bits)
{
    const uint8_t codes[5] = {1, 0xf, 2, 0xe, 3};
    uint8_t packed[3], out[5];
    pg_pack(PG_I4, codes, packed, 0, 5);
    CHECK_INT(packed[0], 0xf1);
    CHECK_INT(packed[1], 0xe2);
    CHECK_INT(packed[2], 0x03);
    pg_unpack(PG_I4, packed, 1, 4, out);
    CHECK_INT((int8_t)out[0], -1);
    CHECK_INT((int8_t)out[2], -2);
    CHECK_INT((int8_t)out[3], 3);
    pg_unpack(PG_U4, packed, 1, 1, out);
    CHECK_INT(out[0], 15);
    const uint8_t quarters[5] = {3, 0, 1, 2, 1};
    pg_pack(PG_U2, quarters, packed, 0, 5);
    CHECK_INT(packed[0], 0x93);
    CHECK_INT(packed[1], 1);
    pg_unpack(PG_I2, packed, 0, 5, out);
    CHECK_INT((int8_t)out[0], -1);
    CHECK_INT((int8_t)out[3], -2);
    CHECK_INT((int8_t)out[4], 1);
}

TEST(float_to_integer_out_of_range)
{
    const float in[] = {NAN, INFINITY, -INFINITY, 3e9f, -3e9f, 300.7f, -1.9f};
    int32_t i32[7];
    int64_t i64[7];
    int8_t i8[7];
    uint32_t u32[7];
    pg_convert(PG_F32, in, PG_I32, i32, 7, NULL);
    pg_convert(PG_F32, in, PG_I64, i64, 7, NULL);
    pg_convert(PG_F32, in, PG_I8, i8, 7, NULL);
    pg_convert(PG_F32, in, PG_U32, u32, 7, NULL);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(i32[i], INT32_MIN);
        CHECK_INT(i8[i], 0);
    }
    for (int i = 0; i < 3; i++)
        CHECK_INT(i64[i], INT64_MIN);
    CHECK_INT(i64[4], -3000000000);
    CHECK_INT(u32[3], 3000000000);
    CHECK_INT(i8[5], 44);
    CHECK_INT(i8[6], -1);
}

TEST(tensor_cast_of_a_large_tensor)
{
    pg_tensor in, out, back;
    CHECK_OK(pg_tensor_alloc(&in, PG_I8, 2, (int64_t[]){333, 1111}));
    uint64_t count = pg_tensor_count(&in);
    for (uint64_t i = 0; i < count; i++)
        ((int8_t *)in.data)[i] = (int8_t)((i * 7) % 16 - 8);
    CHECK_OK(pg_tensor_cast(&in, PG_I4, NULL, &out));
    CHECK_INT(pg_tensor_bytes(&out), (count + 1) / 2);
    for (uint64_t i = 0; i < count; i += 97)
        CHECK_INT(pg_tensor_get_i64(&out, i), ((const int8_t *)in.data)[i]);
    CHECK_OK(pg_tensor_cast(&out, PG_F16, NULL, &back));
    CHECK(pg_tensor_same_shape(&in, &back));
    for (uint64_t i = 0; i < count; i++)
        if (pg_tensor_get_f64(&back, i) != ((const int8_t *)in.data)[i])
            FAIL_TEST("element %llu", (unsigned long long)i);
    pg_tensor_deinit(&back);
    pg_tensor_deinit(&out);
    CHECK_OK(pg_tensor_cast(&in, PG_I8, NULL, &out));
    CHECK(out.data == in.data);
    pg_tensor_deinit(&out);
    pg_tensor_deinit(&in);
}

TEST(cast_of_empty_and_rank_0)
{
    pg_tensor in, out;
    CHECK_OK(pg_tensor_alloc(&in, PG_F32, 1, (int64_t[]){0}));
    CHECK_OK(pg_tensor_cast(&in, PG_U4, NULL, &out));
    CHECK_INT(pg_tensor_count(&out), 0);
    pg_tensor_deinit(&in);
    pg_tensor_deinit(&out);
    uint64_t big = UINT64_MAX;
    CHECK_OK(pg_tensor_borrow(&in, PG_U64, 0, NULL, &big));
    CHECK_OK(pg_tensor_cast(&in, PG_C64, NULL, &out));
    CHECK(((float *)out.data)[0] == 0x1p64f && ((float *)out.data)[1] == 0);
    CHECK_NEAR(pg_tensor_get_f64(&in, 0), 0x1p64, 0);
    pg_tensor_deinit(&out);
}

TEST(strings_to_numbers)
{
    const pg_str texts[] = {PG_STR("7"), PG_STR(" -3 "), PG_STR("1.9"), PG_STR("300")};
    pg_tensor in, out;
    CHECK_OK(pg_tensor_borrow(&in, PG_STRING, 1, (int64_t[]){4}, texts));
    CHECK_OK(pg_tensor_cast(&in, PG_U8, NULL, &out));
    CHECK(memcmp(out.data, (uint8_t[]){7, 253, 1, 44}, 4) == 0);
    pg_tensor_deinit(&out);
    CHECK_OK(pg_tensor_cast(&in, PG_I4, NULL, &out));
    CHECK_INT(((uint8_t *)out.data)[0], 0xd7);
    pg_tensor_deinit(&out);
    CHECK_OK(pg_tensor_cast(&in, PG_F16, NULL, &out));
    CHECK_NEAR(pg_tensor_get_f64(&out, 3), 300, 0);
    pg_tensor_deinit(&out);
    CHECK_ERR(pg_tensor_cast(&in, PG_I32, &pg_cast_numpy, &out), PG_ERR_INVALID, "element 2, '1.9'");
    CHECK(out.data == NULL);
    const pg_str special[] = {PG_STR("NaN"), PG_STR("-INF"), PG_STR("18446744073709551615"), PG_STR("")};
    CHECK_OK(pg_tensor_borrow(&in, PG_STRING, 1, (int64_t[]){2}, special));
    CHECK_OK(pg_tensor_cast(&in, PG_F64, NULL, &out));
    CHECK(isnan(pg_tensor_get_f64(&out, 0)) && pg_tensor_get_f64(&out, 1) == -(double)INFINITY);
    pg_tensor_deinit(&out);
    CHECK_ERR(pg_tensor_cast(&in, PG_I32, NULL, &out), PG_ERR_INVALID,
              "'NaN', is not a number of type int32");
    CHECK_OK(pg_tensor_borrow(&in, PG_STRING, 1, (int64_t[]){2}, special + 2));
    CHECK_ERR(pg_tensor_cast(&in, PG_U64, NULL, &out), PG_ERR_INVALID, "element 1, ''");
    in.dims[0] = 1;
    CHECK_OK(pg_tensor_cast(&in, PG_U64, NULL, &out));
    CHECK(((uint64_t *)out.data)[0] == UINT64_MAX);
    pg_tensor_deinit(&out);
    in.dims[0] = 2;
    CHECK_OK(pg_tensor_cast(&in, PG_BOOL, &pg_cast_numpy, &out));
    CHECK(memcmp(out.data, (uint8_t[]){1, 0}, 2) == 0);
    pg_tensor_deinit(&out);
}

TEST(numbers_to_strings)
{
    const float values[] = {0.1f, -2, 1e-7f, INFINITY};
    pg_tensor in, out;
    CHECK_OK(pg_tensor_borrow(&in, PG_F32, 2, (int64_t[]){2, 2}, values));
    CHECK_OK(pg_tensor_cast(&in, PG_STRING, NULL, &out));
    const pg_str *texts = out.data;
    CHECK(pg_str_is(texts[0], "0.1") && pg_str_is(texts[1], "-2.0"));
    CHECK(pg_str_is(texts[2], "1e-07") && pg_str_is(texts[3], "inf"));
    CHECK_INT(out.rank, 2);
    pg_tensor_deinit(&out);
}

TEST_MAIN(RUN(strings_to_numbers); RUN(numbers_to_strings); RUN(half_widens_every_pattern);
          RUN(half_narrows_to_the_nearest_even); RUN(half_arrays_agree_with_single_values);
          RUN(bf16_rounds_to_even_and_keeps_nan); RUN(small_floats_round_trip);
          RUN(small_floats_overflow_as_cast_states); RUN(e8m0_rounds_by_mode);
          RUN(packing_puts_the_first_element_in_the_low_bits); RUN(float_to_integer_out_of_range);
          RUN(tensor_cast_of_a_large_tensor); RUN(cast_of_empty_and_rank_0);)
