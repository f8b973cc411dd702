#include "unit/harness.h"

#include "onnx/proto.h"

static pg_wire_cursor open_bytes(const void *bytes, size_t size)
{
    pg_wire_message message = {.span = {bytes, size}};
    return pg_wire_open_message((pg_wire_source){bytes, size}, &message);
}

static pg_status walk(const void *bytes, size_t size, size_t *out_fields)
{
    pg_wire_cursor cursor = open_bytes(bytes, size);
    *out_fields = 0;
    for (pg_wire_field field; pg_wire_next(&cursor, &field);)
        (*out_fields)++;
    return cursor.status;
}

TEST(reads_every_kind_of_field)
{
    static const char bytes[] = "\x08\x96\x01"                         /* 1: varint 150 */
                                "\x11\x01\x00\x00\x00\x00\x00\x00\x80" /* 2: fixed64 */
                                "\x1a\x03"
                                "abc"                  /* 3: bytes */
                                "\x25\x00\x00\x80\x3f" /* 4: fixed32 */
                                "\x2b\x08\x01\x2c";    /* 5: a group */
    pg_wire_cursor cursor = open_bytes(bytes, sizeof bytes - 1);
    pg_wire_field fields[5];
    for (size_t i = 0; i < 5; i++) {
        CHECK(pg_wire_next(&cursor, &fields[i]));
        CHECK_INT(fields[i].number, i + 1);
    }
    CHECK_INT(fields[0].value, 150);
    CHECK_INT(fields[1].value, INT64_MIN + 1);
    CHECK(pg_str_is(fields[2].bytes, "abc"));
    CHECK_INT(fields[3].value, 0x3f800000);
    CHECK_INT(fields[4].span.len, 4);
    CHECK(!pg_wire_next(&cursor, &fields[0]));
    CHECK_OK(cursor.status);
}

TEST(reports_damage_with_its_offset)
{
    size_t n;
    CHECK_ERR(walk("\x08\x96", 2, &n), PG_ERR_INVALID, "ends early at byte 1");
    CHECK_ERR(walk("\x08\x01\x1a\x05"
                   "ab",
                   6, &n),
              PG_ERR_INVALID, "a field of 5 bytes where 2 are left at byte 3");
    CHECK_ERR(walk("\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, &n), PG_ERR_INVALID,
              "where 0 are left");
    CHECK_ERR(walk("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, &n), PG_ERR_INVALID,
              "more than ten");
    CHECK_ERR(walk("\x00\x01", 2, &n), PG_ERR_INVALID, "field number at byte 0");
    CHECK_ERR(walk("\x0f", 1, &n), PG_ERR_INVALID, "invalid kind");
    CHECK_ERR(walk("\x2b\x08\x01", 3, &n), PG_ERR_INVALID, "without an end");
    CHECK_ERR(walk("\x2b\x34", 2, &n), PG_ERR_INVALID, "not open");
    CHECK_ERR(walk("\x25\x00\x00", 3, &n), PG_ERR_INVALID, "ends early");
    CHECK_OK(walk("", 0, &n));
}

TEST(limits_the_nesting_of_groups)
{
    char bytes[300];
    size_t n;
    memset(bytes, 0x2b, sizeof bytes);
    CHECK_ERR(walk(bytes, sizeof bytes, &n), PG_ERR_INVALID, "too deep");
}

TEST(reads_packed_and_unpacked_numbers)
{
    static const char bytes[] = "\x08\x05"
                                "\x0a\x03\x06\x96\x01"
                                "\x10\x09"
                                "\x08\x07";
    const pg_wire_message message = {.span = {bytes, sizeof bytes - 1}}, cut = {.span = {"\x0a\x01\x80", 3}};
    pg_wire_source source = {bytes, sizeof bytes - 1};
    uint64_t count;
    int64_t values[4] = {0};
    CHECK_OK(pg_wire_count_numbers(source, &message, 1, PG_WIRE_VARINT, &count));
    CHECK_INT(count, 4);
    CHECK_OK(pg_wire_read_numbers(source, &message, 1, PG_WIRE_VARINT, 8, values, 4));
    CHECK_INT(values[0], 5);
    CHECK_INT(values[1], 6);
    CHECK_INT(values[2], 150);
    CHECK_INT(values[3], 7);
    uint8_t small[4];
    CHECK_OK(pg_wire_read_numbers(source, &message, 1, PG_WIRE_VARINT, 1, small, 4));
    CHECK_INT(small[2], 150);
    CHECK_ERR(pg_wire_count_numbers(source, &cut, 1, PG_WIRE_VARINT, &count), PG_ERR_INVALID,
              "part of a number");
    CHECK_ERR(pg_wire_count_numbers(source, &cut, 1, PG_WIRE_FIXED32, &count), PG_ERR_INVALID,
              "part of a number");
}

TEST(edits_keep_untouched_fields)
{
    /* An over-long varint and an unknown field survive an edit of another one. */
    static const char bytes[] = "\x08\x81\x00"
                                "\x9a\x06\x01z"
                                "\x12\x01"
                                "a";
    pg_arena arena = {0};
    pg_wire_message original = {.span = {bytes, sizeof bytes - 1}}, *edited;
    CHECK_OK(pg_wire_edit(&arena, (pg_wire_source){bytes, sizeof bytes - 1}, &original, &edited));
    pg_buf out = {0};
    pg_wire_write_buf(edited, &out);
    CHECK_INT(out.len, sizeof bytes - 1);
    CHECK(memcmp(out.ptr, bytes, out.len) == 0);
    pg_buf_clear(&out);
    CHECK_INT(pg_wire_remove(edited, 2), 1);
    pg_wire_message *child = pg_wire_new(&arena, NULL);
    pg_wire_add_int(&arena, child, 1, -1);
    pg_wire_add_float(&arena, child, 2, 1.0f);
    pg_wire_add_message(&arena, edited, 3, child);
    pg_wire_write_buf(edited, &out);
    CHECK_INT(out.len, pg_wire_size(edited));
    static const char expected[] =
        "\x08\x81\x00\x9a\x06\x01z\x1a\x10\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
        "\x15\x00\x00\x80\x3f";
    CHECK_INT(out.len, sizeof expected - 1);
    CHECK(out.len == sizeof expected - 1 && memcmp(out.ptr, expected, out.len) == 0);
    pg_buf_deinit(&out);
    pg_arena_deinit(&arena);
}

TEST_MAIN(RUN(reads_every_kind_of_field); RUN(reports_damage_with_its_offset);
          RUN(limits_the_nesting_of_groups); RUN(reads_packed_and_unpacked_numbers);
          RUN(edits_keep_untouched_fields);)
