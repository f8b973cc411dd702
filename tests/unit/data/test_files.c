#include "data/files.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/child.h"
#include "unit/harness.h"

static char folder[] = "/tmp/pg-test-data-XXXXXX";
static pg_arena arena;

static const char *at(const char *name)
{
    return pg_arena_printf(&arena, "%s/%s", folder, name);
}

static const char *write_text(const char *name, const char *text)
{
    const char *path = at(name);
    CHECK_OK(pg_file_write(path, pg_str_c(text)));
    return path;
}

static pg_tensor counting(pg_dtype dtype, int64_t rows, int64_t columns)
{
    pg_tensor t;
    CHECK_OK(pg_tensor_alloc(&t, dtype, 2, (int64_t[]){rows, columns}));
    for (uint64_t i = 0; i < pg_tensor_bytes(&t); i++)
        ((uint8_t *)t.data)[i] = dtype == PG_BOOL ? i % 2 : (uint8_t)(i + 1);
    return t;
}

static bool same(const pg_tensor *a, const pg_tensor *b)
{
    return a->dtype == b->dtype && pg_tensor_same_shape(a, b) &&
           memcmp(a->data, b->data, pg_tensor_bytes(a)) == 0;
}

static pg_status load_one(const char *path, const pg_io_list *expected, pg_feed *out)
{
    pg_inputs *inputs;
    *out = (pg_feed){0};
    PG_TRY(pg_inputs_open(&path, 1, expected, &inputs));
    pg_status status = pg_inputs_count(inputs) == 1
                           ? pg_inputs_get(inputs, 0, out)
                           : pg_err(PG_ERR_INVALID, "%zu iterations", pg_inputs_count(inputs));
    pg_inputs_close(inputs);
    return status;
}

static void check_load_error(const char *path, pg_code code, const char *part)
{
    pg_feed feed;
    CHECK_ERR(load_one(path, NULL, &feed), code, part);
    pg_feed_deinit(&feed);
}

/* Each type that a format can hold comes back from it. */
static void every_type(const char *name, unsigned long refused)
{
    for (int d = 1; d < PG_DTYPE_COUNT; d++) {
        if (d == PG_STRING)
            continue;
        pg_tensor t = counting((pg_dtype)d, 2, 4), back = {0};
        const char *path = at(name);
        if ((refused >> d & 1) != 0) {
            CHECK_ERR(pg_data_save_tensor(path, PG_STR("x"), &t), PG_ERR_UNSUPPORTED,
                      pg_dtype_name((pg_dtype)d));
        } else {
            CHECK_OK(pg_data_save_tensor(path, PG_STR("x"), &t));
            CHECK_OK(pg_data_load_tensor(path, NULL, &back));
            if (!same(&t, &back))
                FAIL_TEST("%s in %s", pg_dtype_name((pg_dtype)d), name);
        }
        pg_tensor_deinit(&t);
        pg_tensor_deinit(&back);
    }
}

TEST(every_type_in_json)
{
    every_type("types.json", 0);
}

TEST(every_type_in_safetensors)
{
    every_type("types.safetensors",
               1ul << PG_C128 | 1ul << PG_U4 | 1ul << PG_I4 | 1ul << PG_U2 | 1ul << PG_I2);
}

TEST(every_type_in_pb)
{
    every_type("types.pb", 0);
}

TEST(raw_bytes_take_type_and_shape_from_the_model)
{
    pg_tensor t = counting(PG_I16, 2, 4), back;
    pg_feed feed;
    const char *path = at("raw.bin");
    CHECK_OK(pg_data_save_tensor(path, PG_STR("x"), &t));
    CHECK_ERR(pg_data_load_tensor(path, NULL, &back), PG_ERR_INVALID, "does not say its element type");
    pg_dim dims[] = {{.name = PG_STR("n")}, {.has_value = true, .value = 4}};
    pg_io io = {.name = PG_STR("in"),
                .type = {.kind = PG_TYPE_TENSOR, .elem = PG_I16, .has_shape = true, .rank = 2, .dims = dims}};
    pg_io_list list = {&io, 1};
    CHECK_OK(load_one(path, &list, &feed));
    CHECK(feed.count == 1 && strcmp(feed.items[0].name, "in") == 0 && same(&feed.items[0].value.tensor, &t));
    pg_feed_deinit(&feed);
    dims[1].has_value = false;
    CHECK_ERR(load_one(path, &list, &feed), PG_ERR_INVALID, "leaves 2 dimensions open");
    dims[1] = (pg_dim){.has_value = true, .value = 3};
    CHECK_ERR(load_one(path, &list, &feed), PG_ERR_INVALID,
              "16 bytes, which its type (int16) and shape contradict");
    CHECK_OK(pg_data_load_tensor(pg_arena_printf(&arena, "%s:int16:2x4", path), NULL, &back));
    CHECK(same(&back, &t));
    pg_tensor_deinit(&back);
    CHECK_OK(pg_data_load_tensor(pg_arena_printf(&arena, "n:%s:uint8", path), NULL, &back));
    CHECK(back.rank == 1 && back.dims[0] == 16);
    pg_tensor_deinit(&back);
    pg_tensor_deinit(&t);
}

static pg_value nested(void)
{
    pg_value list = {.kind = PG_VALUE_SEQUENCE};
    list.sequence.items = pg_calloc(3, sizeof *list.sequence.items);
    list.sequence.count = 3;
    list.sequence.items[0] = pg_value_of_tensor(counting(PG_F32, 1, 2));
    pg_value *map = &list.sequence.items[1];
    map->kind = PG_VALUE_MAP;
    map->map.keys = PG_NEW(pg_tensor);
    CHECK_OK(pg_tensor_alloc(map->map.keys, PG_I64, 1, (int64_t[]){1}));
    ((int64_t *)map->map.keys->data)[0] = 7;
    map->map.items = pg_calloc(1, sizeof *map->map.items);
    map->map.items[0] = pg_value_of_tensor(counting(PG_BOOL, 1, 2));
    map->map.count = 1;
    return list;
}

TEST(sequences_maps_and_nothing_live_in_json)
{
    pg_feed feed = {0}, back;
    pg_feed_add(&feed, PG_STR("s"), nested());
    const char *path = at("nested.json");
    CHECK_OK(pg_inputs_save(path, &feed, 1));
    CHECK_OK(load_one(path, NULL, &back));
    CHECK(back.count == 1 && back.items[0].value.kind == PG_VALUE_SEQUENCE);
    const pg_value *items = back.items[0].value.sequence.items;
    CHECK(same(&items[0].tensor, &feed.items[0].value.sequence.items[0].tensor));
    CHECK(items[1].kind == PG_VALUE_MAP && pg_tensor_get_i64(items[1].map.keys, 0) == 7);
    CHECK(items[2].kind == PG_VALUE_NONE);
    CHECK_ERR(pg_inputs_save(at("nested.npz"), &feed, 1), PG_ERR_UNSUPPORTED, "'s' is not an array");
    CHECK_ERR(pg_inputs_save(at("nested.safetensors"), &feed, 1), PG_ERR_UNSUPPORTED, "'s' is not an array");
    CHECK_ERR(pg_inputs_save(at("nested.npy"), &feed, 1), PG_ERR_UNSUPPORTED, "'s' is not an array");
    CHECK(!pg_path_exists(at("nested.npz")));
    pg_feed_deinit(&feed);
    pg_feed_deinit(&back);
}

static void fill(pg_run_results *results)
{
    pg_runner_results *a = pg_run_results_add(results, PG_STR("a/b"));
    for (int i = 0; i < 2; i++) {
        pg_iteration *iteration = pg_runner_results_add(a);
        iteration->has_runtime = i == 1;
        iteration->runtime = i * 0.25;
        pg_feed_add(&iteration->outputs, PG_STR("y"), pg_value_of_tensor(counting(PG_F32, 2, 3 + i)));
        pg_feed_add(&iteration->outputs, PG_STR("0/z"), pg_value_of_tensor(counting(PG_U8, 1, 3)));
    }
    pg_runner_results *b = pg_run_results_add(results, PG_STR("a/b"));
    pg_feed_add(&pg_runner_results_add(b)->outputs, PG_STR("y"), pg_value_of_tensor(counting(PG_F64, 1, 1)));
    pg_run_results_add(results, PG_STR("empty"));
}

static void check_same_results(const pg_run_results *a, const pg_run_results *b)
{
    CHECK_INT(a->count, b->count);
    for (size_t r = 0; r < a->count; r++) {
        CHECK_STR(a->items[r].name, b->items[r].name);
        CHECK_INT(a->items[r].count, b->items[r].count);
        for (size_t i = 0; i < a->items[r].count; i++) {
            const pg_iteration *x = &a->items[r].items[i], *y = &b->items[r].items[i];
            CHECK(x->has_runtime == y->has_runtime && x->runtime == y->runtime);
            CHECK_INT(x->outputs.count, y->outputs.count);
            for (size_t k = 0; k < x->outputs.count; k++) {
                CHECK_STR(x->outputs.items[k].name, y->outputs.items[k].name);
                CHECK(same(&x->outputs.items[k].value.tensor, &y->outputs.items[k].value.tensor));
            }
        }
    }
}

TEST(results_survive_every_container)
{
    const char *const names[] = {"r.json", "r.npz", "r.safetensors"};
    pg_run_results results = {0};
    fill(&results);
    for (size_t i = 0; i < PG_COUNT(names); i++) {
        pg_run_results back = {0};
        pg_data_kind kind = PG_DATA_INPUTS;
        CHECK_OK(pg_results_save(at(names[i]), &results));
        CHECK_OK(pg_results_load(at(names[i]), &back));
        CHECK_OK(pg_data_kind_of(at(names[i]), &kind));
        CHECK_INT(kind, PG_DATA_RESULTS);
        check_same_results(&results, &back);
        check_load_error(at(names[i]), PG_ERR_INVALID, "polygraphy data merge");
        pg_run_results_deinit(&back);
    }
    CHECK_ERR(pg_results_save(at("r.npy"), &results), PG_ERR_UNSUPPORTED,
              "holds one array, these results are 5");
    pg_run_results_deinit(&results);
}

TEST(folders_join_equal_names)
{
    pg_run_results results = {0}, back = {0};
    fill(&results);
    CHECK_OK(pg_results_save(at("rfolder"), &results));
    CHECK(pg_path_exists(at("rfolder/0000000001.json")) && !pg_path_exists(at("rfolder/0000000002.json")));
    CHECK_OK(pg_results_load(at("rfolder"), &back));
    CHECK_INT(back.count, 1);
    CHECK_INT(back.items[0].count, 3);
    CHECK_ERR(pg_results_save(at("rfolder"), &results), PG_ERR_INVALID,
              "is not empty (it holds '0000000000.json')");
    CHECK_OK(pg_path_make_dirs(at("nothing")));
    CHECK_ERR(pg_results_load(at("nothing"), &back), PG_ERR_NOT_FOUND, "holds no .json files");
    CHECK_INT(back.count, 1); /* kept */
    write_text("plainfile", "[]");
    CHECK_ERR(pg_results_save(at("plainfile"), &results), PG_ERR_INVALID, "is a file");
    pg_run_results_deinit(&results);
    pg_run_results_deinit(&back);
}

#define NPY "\"polygraphy_class\": \"ndarray\""

static void check_results_error(const char *text, pg_code code, const char *part)
{
    pg_run_results results = {0};
    CHECK_ERR(pg_results_load(write_text("bad.json", text), &results), code, part);
    CHECK_INT(results.count, 0);
}

static const char *with_output(const char *value)
{
    return pg_arena_printf(
        &arena,
        "{\"lst\": [[\"r\", [\n{\"outputs\": {\"y\": {\"values\": %s,\n\"polygraphy_class\": "
        "\"LazyNumpyArray\"}}, \"runtime\": null, \"runner_name\": \"r\", \"polygraphy_class\": "
        "\"IterationResult\"}]]], \"polygraphy_class\": \"RunResults\"}",
        value);
}

TEST(errors_name_the_place)
{
    check_results_error(with_output("{\"array\": \"k05VT*BZ\", " NPY "}"), PG_ERR_INVALID,
                        "bad base64: character 0x2a at byte");
    check_results_error(with_output("{\"array\": \"k05VT*BZ\", " NPY "}"), PG_ERR_INVALID,
                        "bad.json': lst[0][1][0].outputs.y, value at byte 56, line 2");
    check_results_error(with_output("{\"array\": \"k05\", " NPY "}"), PG_ERR_INVALID, "no multiple of 4");
    check_results_error(with_output("{\"array\": \"k05VTVBZ\", " NPY "}"), PG_ERR_INVALID,
                        "cut short in its header");
    check_results_error(with_output("{\"array\": 3, " NPY "}"), PG_ERR_INVALID, "\"array\" is a number");
    check_results_error(with_output("{" NPY "}"), PG_ERR_INVALID, "without its \"array\"");
    check_results_error(with_output("{\"tensor\": \"\", \"polygraphy_class\": \"Tensor\"}"),
                        PG_ERR_UNSUPPORTED, "pickle");
    check_results_error(with_output("{\"polygraphy_class\": \"Nope\"}"), PG_ERR_INVALID,
                        "found class 'Nope'");
    check_results_error(with_output("{\"x\": 1}"), PG_ERR_INVALID, "an array was expected, found an object");
    check_results_error(
        "{\"lst\": [[\"r\", [{\"polygraphy_class\": \"L2Result\"}]]], \"polygraphy_class\": \"RunResults\"}",
        PG_ERR_INVALID, "an IterationResult was expected");
    check_results_error("{\"lst\": [[\"r\"]], \"polygraphy_class\": \"RunResults\"}", PG_ERR_INVALID,
                        "lst[0]");
    check_results_error("{\"lst\": 3, \"polygraphy_class\": \"RunResults\"}", PG_ERR_INVALID,
                        "list of runners");
    check_results_error("[]", PG_ERR_INVALID, "RunResults) were expected, found a list");
    check_results_error("{\"polygraphy_class\": \"AccuracyResults\"}", PG_ERR_INVALID,
                        "of class 'AccuracyResults'");
    check_results_error("{\"lst\": [", PG_ERR_INVALID, "is not valid JSON");
    check_load_error(write_text("bad.json", "[{\"a b\": 5}]"), PG_ERR_INVALID, "[0]['a b'], value at byte 9");
    check_load_error(write_text("bad.json", "[5]"), PG_ERR_INVALID, "inputs were expected");
    check_load_error(at("absent.json"), PG_ERR_NOT_FOUND, "absent.json");
    char *deep = pg_arena_alloc(&arena, 300, 1);
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    check_results_error(with_output(deep), PG_ERR_LIMIT, "nested deeper");
}

TEST(safetensors_errors)
{
    static const struct {
        const char *header, *part;
    } rows[] = {
        {"[]", "an object was expected"},
        {"{\"x\": {\"dtype\": \"F33\", \"shape\": [1], \"data_offsets\": [0, 4]}}",
         "'F33', which is not known"},
        {"{\"x\": {\"dtype\": \"F32\", \"shape\": [-1], \"data_offsets\": [0, 4]}}", "bad \"shape\""},
        {"{\"x\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 0]}}", "bad \"data_offsets\""},
        {"{\"x\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 400]}}", "ends at byte 400"},
        {"{\"x\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 4]}}", "contradict"},
        {"{\"x\": {\"dtype\": \"F32\", \"shape\": [4611686018427387904, 8], \"data_offsets\": [0, 4]}}",
         "contradict"},
        {"{\"x\": {\"dtype\": \"U8\", \"shape\": [1], \"data_offsets\": [0, 1]}, \"x\": {}}",
         "two arrays called 'x'"},
        {"{", "is not valid JSON"},
    };
    for (size_t i = 0; i < PG_COUNT(rows); i++) {
        pg_buf file = {0};
        pg_buf_add(&file, (char[]){(char)strlen(rows[i].header), 0, 0, 0, 0, 0, 0, 0}, 8);
        pg_buf_puts(&file, rows[i].header);
        pg_buf_puts(&file, "1234");
        CHECK_OK(pg_file_write(at("bad.safetensors"), pg_buf_str(&file)));
        pg_feed feed;
        pg_status status = load_one(at("bad.safetensors"), NULL, &feed);
        if (status == NULL || strstr(pg_status_message(status), rows[i].part) == NULL)
            FAIL_TEST("\"%s\" without \"%s\"", pg_status_message(status), rows[i].part);
        pg_status_drop(status);
        pg_feed_deinit(&feed);
        pg_buf_deinit(&file);
    }
    check_load_error(write_text("bad.safetensors", "short"), PG_ERR_INVALID, "too short");
    check_load_error(write_text("bad.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff"), PG_ERR_INVALID,
                     "cut short");
}

TEST(report_is_readable)
{
    pg_run_results results = {0};
    pg_buf text = {0};
    pg_iteration *iteration = pg_runner_results_add(pg_run_results_add(&results, PG_STR("r")));
    pg_tensor t;
    CHECK_OK(pg_tensor_alloc(&t, PG_F32, 2, (int64_t[]){1, 2}));
    ((float *)t.data)[0] = 0.1f;
    ((float *)t.data)[1] = NAN;
    pg_feed_add(&iteration->outputs, PG_STR("y"), pg_value_of_tensor(t));
    pg_report_row row = {PG_STR("y"), 0.001, 0.0001, true};
    CHECK_OK(pg_results_save_report(at("report.json"), &results, &row, 1));
    CHECK_OK(pg_file_read(at("report.json"), 1 << 20, &text));
    CHECK_STR(pg_buf_cstr(&text),
              "{\n  \"inference_results\": {\n    \"r\": {\n      \"y\": [[0.1, NaN]]\n    }\n  },\n"
              "  \"comparison_results\": {\n    \"y\": {\n      \"max_error\": 0.001,\n"
              "      \"mean_error\": 0.0001,\n      \"passed\": true\n    }\n  }\n}");
    pg_buf_deinit(&text);
    pg_run_results_deinit(&results);
}

TEST(abandoned_writers_leave_nothing)
{
    pg_inputs_writer *writer;
    CHECK_OK(pg_inputs_create(at("gone.json"), &writer));
    pg_inputs_abandon(writer);
    CHECK(!pg_path_exists(at("gone.json")));
    CHECK_ERR(pg_inputs_create("/proc/nope/x.json", &writer), PG_ERR_IO, "/proc/nope");
}

int main(int argc, char **argv)
{
    pg_test_only = argc > 1 ? argv[1] : NULL;
    if (mkdtemp(folder) == NULL)
        return 1;
    RUN(every_type_in_json);
    RUN(every_type_in_safetensors);
    RUN(every_type_in_pb);
    RUN(raw_bytes_take_type_and_shape_from_the_model);
    RUN(sequences_maps_and_nothing_live_in_json);
    RUN(results_survive_every_container);
    RUN(folders_join_equal_names);
    RUN(errors_name_the_place);
    RUN(safetensors_errors);
    RUN(report_is_readable);
    RUN(abandoned_writers_leave_nothing);
    pg_child_result clean_up = {0};
    pg_status_drop(pg_child_run((const char *const[]){"rm", "-r", folder, NULL}, &clean_up));
    pg_child_result_deinit(&clean_up);
    pg_arena_deinit(&arena);
    printf("1..%d\n", pg_test_number);
    return pg_test_failures > 0;
}
