#include "json/json.h"

#include "base/alloc.h"
#include "unit/harness.h"

static pg_status parse(const char *text, pg_arena *arena, pg_json *out)
{
    return pg_json_parse(text, strlen(text), "t.json", arena, out);
}

static void check_error(const char *text, pg_code code, const char *part)
{
    pg_arena arena = {0};
    pg_json root;
    CHECK_ERR(parse(text, &arena, &root), code, part);
    pg_arena_deinit(&arena);
}

TEST(reads_every_kind)
{
    pg_arena arena = {0};
    pg_json root;
    CHECK_OK(
        parse(" {\"a\": [1, -2.5e3, true, false, null, \"x\"], \"b\": {}, \"c\": [], \"a\\u0062\": NaN} \n",
              &arena, &root));
    CHECK_INT(root.kind, PG_JSON_OBJECT);
    CHECK_INT(root.count, 4);
    const pg_json *a = pg_json_find(&root, "a");
    CHECK(a != NULL && a->kind == PG_JSON_ARRAY && a->count == 6);
    int64_t i;
    double f;
    CHECK(pg_json_i64(&a->items[0], &i) && i == 1);
    CHECK(!pg_json_i64(&a->items[1], &i));
    CHECK(pg_json_f64(&a->items[1], &f) && f == -2500.0);
    CHECK(a->items[2].truth && !a->items[3].truth);
    CHECK_INT(a->items[4].kind, PG_JSON_NULL);
    CHECK(pg_json_is(&a->items[5], "x"));
    CHECK(pg_json_f64(pg_json_find(&root, "ab"), &f) && isnan(f));
    CHECK(pg_json_find(&root, "nope") == NULL && pg_json_find(a, "a") == NULL);
    CHECK_INT(a->items[1].offset, 11);
    pg_arena_deinit(&arena);
}

TEST(last_of_equal_keys_wins)
{
    pg_arena arena = {0};
    pg_json root;
    int64_t i = 0;
    CHECK_OK(parse("{\"k\": 1, \"k\": 2}", &arena, &root));
    CHECK(pg_json_i64(pg_json_find(&root, "k"), &i) && i == 2);
    pg_arena_deinit(&arena);
}

TEST(resolves_escapes)
{
    pg_arena arena = {0};
    pg_json root;
    pg_str text;
    CHECK_OK(parse("\"a\\n\\/\\\"\\\\\\u00e9\\ud83d\\ude00\\udcff\\b\\f\\r\\t\"", &arena, &root));
    CHECK(root.escaped);
    CHECK(pg_json_text(&root, &arena, &text));
    CHECK_STR(text.ptr, "a\n/\"\\\xc3\xa9\xf0\x9f\x98\x80\xff\b\f\r\t");
    pg_arena_deinit(&arena);
}

TEST(special_numbers)
{
    pg_arena arena = {0};
    pg_json root;
    double f;
    CHECK_OK(parse("[Infinity, -Infinity, 0, -0, 1e400]", &arena, &root));
    CHECK(pg_json_f64(&root.items[0], &f) && f == INFINITY);
    CHECK(pg_json_f64(&root.items[1], &f) && f == -INFINITY);
    CHECK(pg_json_f64(&root.items[3], &f) && f == 0 && signbit(f));
    CHECK(pg_json_f64(&root.items[4], &f) && f == INFINITY);
    pg_arena_deinit(&arena);
}

TEST(very_long_number)
{
    pg_arena arena = {0};
    pg_json root;
    double f = 0;
    char text[1200];
    memset(text, '3', sizeof text);
    memcpy(text, "0.", 2);
    memcpy(text + 1000, "e2", 3);
    CHECK_OK(parse(text, &arena, &root));
    CHECK(pg_json_f64(&root, &f));
    CHECK_NEAR(f, 100.0 / 3, 1e-13);
    pg_arena_deinit(&arena);
}

TEST(errors_have_a_place)
{
    check_error("", PG_ERR_INVALID, "is empty");
    check_error("[1,\n 2", PG_ERR_INVALID, "',' or ']' was expected at byte 6 (line 2), the end of the file");
    check_error("[1 2]", PG_ERR_INVALID, "',' or ']' was expected at byte 3 (line 1)");
    check_error("[1,]", PG_ERR_INVALID, "a value was expected at byte 3");
    check_error("{\"a\" 1}", PG_ERR_INVALID, "':' was expected at byte 5");
    check_error("{a: 1}", PG_ERR_INVALID, "a key in quotes was expected at byte 1");
    check_error("{\"a\": 1,}", PG_ERR_INVALID, "a key in quotes was expected at byte 8");
    check_error("\"abc", PG_ERR_INVALID, "without its closing quote at byte 4");
    check_error("\"a\nb\"", PG_ERR_INVALID, "a control character in a string at byte 2");
    check_error("\"\\q\"", PG_ERR_INVALID, "an unknown escape in a string at byte 1");
    check_error("\"\\u12g4\"", PG_ERR_INVALID, "four hexadecimal digits at byte 1");
    check_error("\"\\", PG_ERR_INVALID, "closing quote");
    check_error("01", PG_ERR_INVALID, "leading zero");
    check_error("1.", PG_ERR_INVALID, "after its point");
    check_error("1e", PG_ERR_INVALID, "in its exponent");
    check_error("+1", PG_ERR_INVALID, "a value was expected at byte 0");
    check_error("tru", PG_ERR_INVALID, "a value was expected");
    check_error("1 2", PG_ERR_INVALID, "more text after the document's end at byte 2");
}

TEST(depth_is_limited)
{
    char text[2 * PG_JSON_MAX_DEPTH + 4] = {0};
    memset(text, '[', PG_JSON_MAX_DEPTH);
    memset(text + PG_JSON_MAX_DEPTH, ']', PG_JSON_MAX_DEPTH);
    pg_arena arena = {0};
    pg_json root;
    CHECK_OK(parse(text, &arena, &root));
    pg_arena_deinit(&arena);
    memset(text, '[', sizeof text - 1);
    check_error(text, PG_ERR_LIMIT, "nesting deeper than 128 levels at byte 128");
}

TEST(long_strings_are_scanned_exactly)
{
    for (size_t length = 0; length < 70; length++) {
        char text[80];
        memset(text, 'x', sizeof text);
        text[0] = '"';
        text[length + 1] = '"';
        pg_arena arena = {0};
        pg_json root;
        CHECK_OK(pg_json_parse(text, length + 2, "t", &arena, &root));
        CHECK_INT(root.count, length);
        pg_arena_deinit(&arena);
    }
}

static void check_f64(double value, const char *expected)
{
    char text[PG_JSON_NUMBER_SIZE];
    pg_json_f64_text(value, text);
    CHECK_STR(text, expected);
}

TEST(numbers_print_as_repr)
{
    check_f64(0.0, "0.0");
    check_f64(-0.0, "-0.0");
    check_f64(1.0, "1.0");
    check_f64(0.1, "0.1");
    check_f64(-123.456, "-123.456");
    check_f64(1e-5, "1e-05");
    check_f64(0.0001, "0.0001");
    check_f64(1e15, "1000000000000000.0");
    check_f64(1e16, "1e+16");
    check_f64(1.2345678901234568e17, "1.2345678901234568e+17");
    check_f64(9007199254740993.0, "9007199254740992.0");
    check_f64(5e-324, "5e-324");
    check_f64(0x1p-77, "6.617444900424222e-24");
    check_f64(2.2250738585072014e-308, "2.2250738585072014e-308");
    check_f64(1.7976931348623157e308, "1.7976931348623157e+308");
    check_f64(0.004392862319946289, "0.004392862319946289");
    check_f64(1.0 / 3, "0.3333333333333333");
    check_f64(NAN, "NaN");
    check_f64(-INFINITY, "-Infinity");
    char text[PG_JSON_NUMBER_SIZE];
    pg_json_f32_text(0.1f, text);
    CHECK_STR(text, "0.1");
    pg_json_f32_text(16777216.0f, text);
    CHECK_STR(text, "16777216.0");
    pg_json_f32_text(1e-45f, text);
    CHECK_STR(text, "1e-45");
}

TEST(writes_as_python_does)
{
    pg_buf out = {0};
    pg_json_writer w;
    pg_json_to_memory(&w, &out, 4);
    pg_json_begin_object(&w);
    pg_json_key(&w, "a");
    pg_json_begin_array(&w);
    pg_json_put_i64(&w, -1);
    pg_json_put_f64(&w, 0.5);
    pg_json_begin_array(&w);
    pg_json_end_array(&w);
    pg_json_end_array(&w);
    pg_json_key(&w, "o");
    pg_json_begin_object(&w);
    pg_json_end_object(&w);
    pg_json_field_str(&w, "s", PG_STR("\"\\/\b\x7f\x01\xc3\xa9\xf0\x9f\x98\x80\xff"));
    pg_json_field_bool(&w, "t", true);
    pg_json_end_object(&w);
    CHECK_STR(pg_buf_cstr(&out),
              "{\n    \"a\": [\n        -1,\n        0.5,\n        []\n    ],\n    \"o\": {},\n"
              "    \"s\": \"\\\"\\\\/\\b\\u007f\\u0001\\u00e9\\ud83d\\ude00\\udcff\",\n"
              "    \"t\": true\n}");
    pg_buf_clear(&out);
    pg_json_to_memory(&w, &out, -1);
    pg_json_begin_array(&w);
    pg_json_put_null(&w);
    pg_json_begin_object(&w);
    pg_json_field_i64(&w, "k", 1);
    pg_json_field_f64(&w, "l", 2);
    pg_json_end_object(&w);
    pg_json_end_array(&w);
    CHECK_STR(pg_buf_cstr(&out), "[null, {\"k\": 1, \"l\": 2.0}]");
    pg_buf_deinit(&out);
}

TEST(streams_base64_in_pieces)
{
    uint8_t bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    pg_buf whole = {0}, pieces = {0};
    pg_json_writer w;
    pg_json_to_memory(&w, &whole, 4);
    pg_json_begin_base64(&w);
    pg_json_add_base64(&w, bytes, sizeof bytes - 1);
    pg_json_end_base64(&w);
    pg_json_to_memory(&w, &pieces, 4);
    pg_json_begin_base64(&w);
    for (size_t at = 0, step = 0; at < sizeof bytes - 1; at += step, step = (step + 1) % 7) {
        step = PG_MIN(step, sizeof bytes - 1 - at);
        pg_json_add_base64(&w, bytes + at, step);
    }
    pg_json_end_base64(&w);
    CHECK_STR(pg_buf_cstr(&pieces), pg_buf_cstr(&whole));
    pg_buf_deinit(&whole);
    pg_buf_deinit(&pieces);
}

TEST_MAIN(RUN(reads_every_kind); RUN(last_of_equal_keys_wins); RUN(resolves_escapes); RUN(special_numbers);
          RUN(very_long_number); RUN(errors_have_a_place); RUN(depth_is_limited);
          RUN(long_strings_are_scanned_exactly); RUN(numbers_print_as_repr); RUN(writes_as_python_does);
          RUN(streams_base64_in_pieces);)
