#include "npy/npy.h"

#include "base/alloc.h"
#include "unit/harness.h"

/* A version 1.0 file of a dictionary and its elements. */
static void make(pg_buf *out, const char *dictionary, const void *data, size_t size)
{
    pg_buf_clear(out);
    pg_buf_add(out, "\x93NUMPY\x01\x00", 8);
    pg_buf_putc(out, (char)strlen(dictionary));
    pg_buf_putc(out, '\0');
    pg_buf_puts(out, dictionary);
    pg_buf_add(out, data, size);
}

static pg_status read_made(const char *dictionary, const void *data, size_t size, pg_tensor *out)
{
    pg_buf file = {0};
    make(&file, dictionary, data, size);
    pg_status status = pg_npy_read(file.ptr, file.len, NULL, out);
    pg_buf_deinit(&file);
    return status;
}

TEST(header_is_numpys)
{
    float values[] = {0, 1, 2};
    pg_tensor t;
    pg_npy_image image;
    CHECK_OK(pg_tensor_borrow(&t, PG_F32, 1, (int64_t[]){3}, values));
    CHECK_OK(pg_npy_image_make(&t, &image));
    CHECK_INT(image.header.len, 128);
    CHECK(memcmp(image.header.ptr,
                 "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 67) == 0);
    CHECK(image.header.ptr[127] == '\n' && image.header.ptr[126] == ' ');
    CHECK(image.data == values && image.data_size == 12);
    pg_npy_image_deinit(&image);
    int64_t ones[16];
    for (int i = 0; i < 16; i++)
        ones[i] = 1;
    CHECK_OK(pg_tensor_borrow(&t, PG_F32, 16, ones, values));
    CHECK_OK(pg_npy_image_make(&t, &image));
    CHECK_INT(image.header.len, 192);
    pg_npy_image_deinit(&image);
}

static void round_trip(pg_dtype dtype, pg_dtype back)
{
    uint8_t bytes[96];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = dtype == PG_BOOL ? i % 2 : (uint8_t)(i * 3);
    pg_tensor t, r;
    pg_npy_image image;
    CHECK_OK(pg_tensor_borrow(&t, dtype, 2, (int64_t[]){2, 3}, bytes));
    CHECK_OK(pg_npy_image_make(&t, &image));
    pg_buf_add(&image.header, image.data, image.data_size);
    pg_npy_header header;
    CHECK_OK(pg_npy_parse_header(image.header.ptr, image.header.len, &header));
    CHECK_INT(header.dtype, back);
    CHECK_INT(pg_npy_is_ambiguous(&header), !pg_npy_keeps_type(dtype));
    header.dtype = dtype;
    CHECK_OK(pg_npy_decode(&header, image.header.ptr + header.size, &r));
    CHECK(r.dtype == dtype && r.rank == 2 && r.dims[0] == 2 && r.dims[1] == 3);
    CHECK(memcmp(r.data, bytes, pg_tensor_bytes(&t)) == 0);
    pg_tensor_deinit(&r);
    pg_npy_image_deinit(&image);
}

TEST(every_type_round_trips)
{
    for (int dtype = 1; dtype < PG_DTYPE_COUNT; dtype++)
        if (dtype != PG_STRING)
            round_trip((pg_dtype)dtype, pg_npy_keeps_type((pg_dtype)dtype) ? (pg_dtype)dtype : PG_U8);
}

TEST(strings_round_trip)
{
    pg_str texts[] = {PG_STR("ab"), PG_STR("cd\xc3\xa9"), PG_STR(""), PG_STR("\xff\xf0\x9f\x98\x80")};
    pg_tensor t, r;
    pg_npy_image image;
    CHECK_OK(pg_tensor_alloc_strings(&t, 2, (int64_t[]){2, 2}, texts));
    CHECK_OK(pg_npy_image_make(&t, &image));
    CHECK(strstr(image.header.ptr + 10, "'<U3'") != NULL);
    CHECK_INT(image.data_size, 48);
    pg_buf_add(&image.header, image.data, image.data_size);
    CHECK_OK(pg_npy_read(image.header.ptr, image.header.len, NULL, &r));
    for (int i = 0; i < 4; i++)
        CHECK(pg_str_eq(((pg_str *)r.data)[i], texts[i]));
    pg_tensor_deinit(&r);
    pg_tensor_deinit(&t);
    pg_npy_image_deinit(&image);
}

TEST(byte_strings_and_big_endian)
{
    pg_tensor t;
    CHECK_OK(read_made("{'descr': '|S3', 'fortran_order': False, 'shape': (2,)}", "ab\0cde", 6, &t));
    CHECK(pg_str_is(((pg_str *)t.data)[0], "ab") && pg_str_is(((pg_str *)t.data)[1], "cde"));
    pg_tensor_deinit(&t);
    CHECK_OK(
        read_made("{\"shape\": (1L,), 'fortran_order': False, 'descr': '>i4', }  \n", "\0\0\1\2", 4, &t));
    CHECK_INT(((int32_t *)t.data)[0], 258);
    pg_tensor_deinit(&t);
    CHECK_OK(
        read_made("{'descr': '>c8', 'fortran_order': False, 'shape': ()}", "\x3f\x80\0\0\x40\0\0\0", 8, &t));
    CHECK_NEAR(((float *)t.data)[0], 1, 0);
    CHECK_NEAR(((float *)t.data)[1], 2, 0);
    pg_tensor_deinit(&t);
    CHECK_OK(read_made("{'descr': '>U1', 'fortran_order': False, 'shape': (1,)}", "\0\0\0A", 4, &t));
    CHECK(pg_str_is(((pg_str *)t.data)[0], "A"));
    pg_tensor_deinit(&t);
}

TEST(fortran_order_is_converted)
{
    int16_t columns[24], expected[24];
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 4; k++) {
                expected[i * 12 + j * 4 + k] = (int16_t)(100 * i + 10 * j + k);
                columns[i + 2 * j + 6 * k] = (int16_t)(100 * i + 10 * j + k);
            }
    pg_tensor t;
    CHECK_OK(read_made("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3, 4)}", columns, 48, &t));
    CHECK(memcmp(t.data, expected, sizeof expected) == 0);
    pg_tensor_deinit(&t);
}

TEST(bools_are_made_clean)
{
    pg_tensor t;
    CHECK_OK(read_made("{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", "\x00\x01\x7f", 3, &t));
    CHECK(memcmp(t.data, "\0\1\1", 3) == 0);
    pg_tensor_deinit(&t);
}

TEST(versions_2_and_3)
{
    const char *text = "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}";
    for (char version = 2; version <= 3; version++) {
        pg_buf file = {0};
        pg_tensor t;
        pg_buf_add(&file, "\x93NUMPY", 6);
        pg_buf_putc(&file, version);
        pg_buf_add(&file, (char[]){0, (char)strlen(text), 0, 0, 0}, 5);
        pg_buf_puts(&file, text);
        pg_buf_putc(&file, 'x');
        CHECK_OK(pg_npy_read(file.ptr, file.len, NULL, &t));
        CHECK_INT(*(uint8_t *)t.data, 'x');
        pg_tensor_deinit(&t);
        pg_buf_deinit(&file);
    }
}

static void check_error(const char *dictionary, pg_code code, const char *part)
{
    pg_tensor t;
    CHECK_ERR(read_made(dictionary, "12345678", 8, &t), code, part);
}

TEST(errors)
{
    pg_tensor t;
    CHECK_ERR(pg_npy_read("\x93NUMP", 5, NULL, &t), PG_ERR_INVALID, "first bytes");
    CHECK_ERR(pg_npy_read("\x93NUMPY\x01", 7, NULL, &t), PG_ERR_INVALID, "cut short in its header");
    CHECK_ERR(pg_npy_read("\x93NUMPY\x02\0\x10\0", 10, NULL, &t), PG_ERR_INVALID, "cut short in its header");
    CHECK_ERR(pg_npy_read("\x93NUMPY\x07\0\x10\0\0\0", 12, NULL, &t), PG_ERR_UNSUPPORTED, "version 7.0");
    CHECK_ERR(pg_npy_read("\x93NUMPY\x01\0\x76\0{'descr'", 18, NULL, &t), PG_ERR_INVALID,
              "its header takes 128");
    CHECK_ERR(pg_npy_read("\x93NUMPY\x02\0\0\0\0\x7f", 12, NULL, &t), PG_ERR_LIMIT, "header of");
    check_error("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", PG_ERR_INVALID,
                "its elements take 12 bytes from byte 65 on, 8 are there");
    check_error("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", PG_ERR_UNSUPPORTED, "pickled");
    check_error("{'descr': '|O8', 'fortran_order': False, 'shape': (1,)}", PG_ERR_UNSUPPORTED, "pickled");
    check_error("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", PG_ERR_UNSUPPORTED,
                "structured elements cannot be read: [('a', '<f4')]");
    check_error("{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (1,)}", PG_ERR_UNSUPPORTED, "dates");
    check_error("{'descr': '<f16', 'fortran_order': False, 'shape': (1,)}", PG_ERR_UNSUPPORTED, "extended");
    check_error("{'descr': '|V3', 'fortran_order': False, 'shape': (1,)}", PG_ERR_UNSUPPORTED, "'|V3'");
    check_error("{'descr': '', 'fortran_order': False, 'shape': (1,)}", PG_ERR_UNSUPPORTED, "''");
    check_error("{'descr': '<f4', 'shape': (1,)}", PG_ERR_INVALID, "is missing");
    check_error("{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}", PG_ERR_INVALID, "repeated key");
    check_error("{'descr': '<f4', 'fortran_order': 1, 'shape': (1,)}", PG_ERR_INVALID, "True or False");
    check_error("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", PG_ERR_INVALID, "a dimension");
    check_error("{'descr': '<f4', 'fortran_order': False, 'shape': 3}", PG_ERR_INVALID, "tuple");
    check_error("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} x", PG_ERR_INVALID, "more text");
    check_error("{'descr': '<f4, 'fortran_order': False, 'shape': (3,)}", PG_ERR_UNSUPPORTED, "<f4, ");
    check_error("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4)}", PG_ERR_LIMIT,
                "overflows");
    check_error("{'descr': '<U0', 'fortran_order': False, 'shape': (99999999999,)}", PG_ERR_LIMIT,
                "empty texts");
    check_error("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)}",
                PG_ERR_LIMIT, "more than 16 dimensions");
    CHECK_ERR(read_made("{'descr': '<U1', 'fortran_order': False, 'shape': (1,)}", "\xff\xff\xff\xff", 4, &t),
              PG_ERR_INVALID, "no character");
}

TEST(views_share_their_owner)
{
    float values[] = {1, 2, 3, 4};
    pg_tensor t, r;
    pg_npy_image image;
    CHECK_OK(pg_tensor_borrow(&t, PG_F32, 1, (int64_t[]){4}, values));
    CHECK_OK(pg_npy_image_make(&t, &image));
    pg_buffer *owner = pg_buffer_new(image.header.len + image.data_size);
    memcpy(owner->data, image.header.ptr, image.header.len);
    memcpy((char *)owner->data + image.header.len, values, sizeof values);
    CHECK_OK(pg_npy_read(owner->data, owner->size, owner, &r));
    CHECK(r.buffer == owner && r.data == (char *)owner->data + 128);
    pg_buffer_unref(owner);
    CHECK_NEAR(((float *)r.data)[3], 4, 0);
    pg_tensor_deinit(&r);
    pg_npy_image_deinit(&image);
}

TEST_MAIN(RUN(header_is_numpys); RUN(every_type_round_trips); RUN(strings_round_trip);
          RUN(byte_strings_and_big_endian); RUN(fortran_order_is_converted); RUN(bools_are_made_clean);
          RUN(versions_2_and_3); RUN(errors); RUN(views_share_their_owner);)
