#include "unit/harness.h"

#include "cli/values.h"

static pg_arena arena;

static pg_arg_list list_of(size_t count, const char **words)
{
    return (pg_arg_list){true, words, count};
}
#define LIST(...) \
    list_of(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

TEST(integers)
{
    int64_t v = 0;
    CHECK(pg_value_int(PG_STR(" 1_000 "), &v) && v == 1000);
    CHECK(pg_value_int(PG_STR("-7"), &v) && v == -7);
    CHECK(!pg_value_int(PG_STR("1__0"), &v));
    CHECK(!pg_value_int(PG_STR("_1"), &v));
    CHECK(!pg_value_int(PG_STR("1_"), &v));
    CHECK(!pg_value_int(PG_STR("0x10"), &v));
    CHECK(!pg_value_int(PG_STR("1.0"), &v));
    CHECK(!pg_value_int(PG_STR(""), &v));
}

TEST(floats)
{
    double v = 0;
    CHECK(pg_value_float(PG_STR("1e-5"), &v) && v == 1e-5);
    CHECK(pg_value_float(PG_STR("-inf"), &v) && v == -INFINITY);
    CHECK(pg_value_float(PG_STR("nan"), &v) && isnan(v));
    CHECK(pg_value_float(PG_STR("1_0.5"), &v) && v == 10.5);
    CHECK(!pg_value_float(PG_STR("0x1p3"), &v));
    CHECK(!pg_value_float(PG_STR("1.5f"), &v));
}

TEST(scalars)
{
    CHECK_INT(pg_value_scalar(PG_STR("12"), &arena).integer, 12);
    CHECK_INT(pg_value_scalar(PG_STR("1.5"), &arena).kind, PG_SCALAR_FLOAT);
    CHECK_INT(pg_value_scalar(PG_STR("True"), &arena).kind, PG_SCALAR_TEXT);
    pg_scalar text = pg_value_scalar(PG_STR("'a b'"), &arena);
    CHECK(text.kind == PG_SCALAR_TEXT && pg_str_is(text.text, "a b"));
    pg_scalar list = pg_value_scalar(PG_STR(" [1, 2.5,x,]"), &arena);
    CHECK_INT(list.kind, PG_SCALAR_LIST);
    CHECK_INT(list.count, 4);
    CHECK_INT(list.items[0].integer, 1);
    CHECK_NEAR(list.items[1].number, 2.5, 0);
    CHECK(pg_str_is(list.items[2].text, "x"));
    CHECK(list.items[3].kind == PG_SCALAR_TEXT && list.items[3].text.len == 0);
    CHECK_INT(pg_value_scalar(PG_STR("[]"), &arena).count, 1);
}

TEST(names)
{
    pg_name_value v = pg_value_split(PG_STR("a:0:1e-5"));
    CHECK(pg_str_is(v.name, "a:0") && pg_str_is(v.value, "1e-5"));
    v = pg_value_split(PG_STR("1e-5"));
    CHECK(v.name.len == 0 && pg_str_is(v.value, "1e-5"));
    pg_name_value *items;
    size_t count;
    pg_arg_list list = LIST("1", "a:2", "b:3");
    CHECK_OK(pg_values_by_name("--x", &list, &arena, &items, &count));
    CHECK_INT(count, 3);
    list = LIST("max", "mean");
    CHECK_ERR(pg_values_by_name("--x", &list, &arena, &items, &count), PG_ERR_INVALID,
              "'--x' has two values");
    list = LIST("a:1", "a:2");
    CHECK_ERR(pg_values_by_name("--x", &list, &arena, &items, &count), PG_ERR_INVALID, "for 'a'");
}

static pg_status shapes(pg_arg_list list, pg_name_shape **out, size_t *count)
{
    return pg_values_shapes("--input-shapes", &list, &arena, out, count);
}

TEST(shape_spellings)
{
    pg_name_shape *s;
    size_t n;
    CHECK_OK(
        shapes(LIST("x:[1,3,224]", "y:2x3", "z:5", "s:[]", "t:[1,]", "a:0:[ 7 , -1 ]", "b:1,3"), &s, &n));
    CHECK_INT(n, 7);
    CHECK(pg_str_is(s[0].name, "x") && s[0].rank == 3 && s[0].dims[2] == 224);
    CHECK(s[1].rank == 2 && s[1].dims[0] == 2 && s[1].dims[1] == 3);
    CHECK(s[2].rank == 1 && s[2].dims[0] == 5);
    CHECK_INT(s[3].rank, 0);
    CHECK_INT(s[4].rank, 1);
    CHECK(pg_str_is(s[5].name, "a:0") && s[5].dims[0] == 7 && s[5].dims[1] == -1);
    CHECK(s[6].rank == 2 && s[6].dims[1] == 3);
}

TEST(shape_errors)
{
    pg_name_shape *s;
    size_t n;
    CHECK_ERR(shapes(LIST("x:[batch,3]"), &s, &n), PG_ERR_INVALID, "dim 'batch' of 'x:[batch,3]'");
    CHECK_ERR(shapes(LIST("x:[1,-3]"), &s, &n), PG_ERR_INVALID, "dim '-3'");
    CHECK_ERR(shapes(LIST("x:[1,3"), &s, &n), PG_ERR_INVALID, "is not 'name:[d0,d1,...]'");
    CHECK_ERR(shapes(LIST("x:"), &s, &n), PG_ERR_INVALID, "is not 'name:[d0,d1,...]'");
    CHECK_ERR(shapes(LIST("x:[1]", "x:[2]"), &s, &n), PG_ERR_INVALID, "two values for 'x'");
    CHECK_ERR(shapes(LIST("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"), &s, &n), PG_ERR_LIMIT, "more than 16");
    CHECK_ERR(shapes(LIST("x:[99999999999999999999]"), &s, &n), PG_ERR_INVALID, "9999");
}

TEST(bytes)
{
    int64_t v = 0;
    CHECK_OK(pg_value_bytes("--x", PG_STR("16M"), &v));
    CHECK_INT(v, 16 << 20);
    CHECK_OK(pg_value_bytes("--x", PG_STR("1.5k"), &v));
    CHECK_INT(v, 1536);
    CHECK_OK(pg_value_bytes("--x", PG_STR("16e6"), &v));
    CHECK_INT(v, 16000000);
    CHECK_OK(pg_value_bytes("--x", PG_STR("7.9"), &v));
    CHECK_INT(v, 7);
    CHECK_ERR(pg_value_bytes("--x", PG_STR("16MB"), &v), PG_ERR_INVALID, "'--x': '16MB'");
    CHECK_ERR(pg_value_bytes("--x", PG_STR("1e30"), &v), PG_ERR_INVALID, "1e30");
    CHECK_ERR(pg_value_bytes("--x", PG_STR("nan"), &v), PG_ERR_INVALID, "nan");
    CHECK_ERR(pg_value_bytes("--x", PG_STR("K"), &v), PG_ERR_INVALID, "'K'");
}

TEST(scripts)
{
    pg_str path, function;
    pg_value_script(PG_STR("a/b.py:load"), &path, &function);
    CHECK(pg_str_is(path, "a/b.py") && pg_str_is(function, "load"));
    pg_value_script(PG_STR("b.py"), &path, &function);
    CHECK(pg_str_is(path, "b.py") && function.len == 0);
}

int main(int argc, char **argv)
{
    pg_test_only = argc > 1 ? argv[1] : NULL;
    RUN(integers);
    RUN(floats);
    RUN(scalars);
    RUN(names);
    RUN(shape_spellings);
    RUN(shape_errors);
    RUN(bytes);
    RUN(scripts);
    pg_arena_deinit(&arena);
    printf("1..%d\n", pg_test_number);
    return pg_test_failures > 0;
}
