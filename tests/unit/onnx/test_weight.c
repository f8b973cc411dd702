#include "unit/harness.h"

#include <unistd.h>

#include "base/file.h"
#include "onnx/build.h"
#include "onnx/edit.h"
#include "onnx/save.h"

static pg_arena arena;
static char folder[64];

static pg_model *model_of(pg_wire_message *tensor)
{
    pg_model *model = NULL;
    pg_wire_message *graph = pg_build_graph(&arena, "g");
    pg_build_weight(&arena, graph, tensor);
    CHECK_OK(pg_model_from_wire(&arena, pg_build_model(&arena, graph, 17), NULL, "test", &model));
    return model;
}

static pg_wire_message *typed(pg_dtype dtype, int64_t dim, uint32_t field, size_t count,
                              const int64_t *values)
{
    pg_wire_message *tensor = pg_build_raw_tensor(&arena, "w", dtype, 1, &dim, PG_STR_EMPTY);
    pg_wire_remove(tensor, PG_PB_TENSOR_RAW);
    for (size_t i = 0; i < count; i++)
        pg_wire_add_int(&arena, tensor, field, values[i]);
    return tensor;
}

static void check_typed(pg_dtype dtype, int64_t dim, uint32_t field, size_t count, const int64_t *values,
                        const void *expected, size_t size)
{
    pg_model *model = model_of(typed(dtype, dim, field, count, values));
    pg_tensor tensor;
    CHECK_OK(pg_weight_load(model, model->graph->weights, &tensor));
    CHECK_INT(pg_tensor_bytes(&tensor), size);
    CHECK(pg_tensor_bytes(&tensor) == size && memcmp(tensor.data, expected, size) == 0);
    pg_tensor_deinit(&tensor);
    pg_model_unref(model);
}

TEST(typed_lists_hold_every_integer_like_type)
{
    int64_t values[] = {1, -2, 0x3c00};
    check_typed(PG_I32, 3, PG_PB_TENSOR_INT32S, 3, values, (int32_t[]){1, -2, 0x3c00}, 12);
    check_typed(PG_I16, 3, PG_PB_TENSOR_INT32S, 3, values, (int16_t[]){1, -2, 0x3c00}, 6);
    check_typed(PG_F16, 3, PG_PB_TENSOR_INT32S, 3, values, (uint16_t[]){1, 0xfffe, 0x3c00}, 6);
    check_typed(PG_BF16, 3, PG_PB_TENSOR_INT32S, 3, values, (uint16_t[]){1, 0xfffe, 0x3c00}, 6);
    check_typed(PG_I8, 3, PG_PB_TENSOR_INT32S, 3, values, (int8_t[]){1, -2, 0}, 3);
    check_typed(PG_F8E4M3FN, 3, PG_PB_TENSOR_INT32S, 3, values, (uint8_t[]){1, 0xfe, 0}, 3);
    check_typed(PG_BOOL, 2, PG_PB_TENSOR_INT32S, 2, (int64_t[]){1, 0}, (uint8_t[]){1, 0}, 2);
    check_typed(PG_I64, 3, PG_PB_TENSOR_INT64S, 3, values, values, 24);
    check_typed(PG_U64, 3, PG_PB_TENSOR_UINT64S, 3, values, values, 24);
    check_typed(PG_U32, 3, PG_PB_TENSOR_UINT64S, 3, values, (uint32_t[]){1, (uint32_t)-2, 0x3c00}, 12);
    check_typed(PG_U4, 3, PG_PB_TENSOR_INT32S, 2, (int64_t[]){0x21, 0x03}, (uint8_t[]){0x21, 0x03}, 2);
    check_typed(PG_I2, 5, PG_PB_TENSOR_INT32S, 2, (int64_t[]){0xe4, 0x01}, (uint8_t[]){0xe4, 0x01}, 2);
}

TEST(strings_are_elements)
{
    pg_wire_message *tensor = typed(PG_STRING, 2, 0, 0, NULL);
    pg_wire_add_str(&arena, tensor, PG_PB_TENSOR_STRINGS, PG_STR("first"));
    pg_wire_add_str(&arena, tensor, PG_PB_TENSOR_STRINGS, PG_STR_EMPTY);
    pg_model *model = model_of(tensor);
    pg_tensor loaded;
    CHECK_OK(pg_weight_load(model, model->graph->weights, &loaded));
    const pg_str *texts = loaded.data;
    CHECK(pg_str_is(texts[0], "first"));
    CHECK_INT(texts[1].len, 0);
    pg_tensor_deinit(&loaded);
    pg_model_unref(model);
}

static void check_load_error(pg_wire_message *tensor, pg_code code, const char *part)
{
    pg_model *model = model_of(tensor);
    pg_tensor loaded;
    CHECK_ERR(pg_weight_load(model, model->graph->weights, &loaded), code, part);
    CHECK(loaded.data == NULL);
    pg_model_unref(model);
}

TEST(sizes_that_do_not_fit_are_errors)
{
    int64_t dim = 3, huge[] = {INT64_MAX, INT64_MAX}, negative = -1;
    check_load_error(pg_build_raw_tensor(&arena, "w", PG_F32, 1, &dim, PG_STR("0123")), PG_ERR_INVALID,
                     "weight 'w' holds 4 bytes, its type FLOAT and shape (3,) need 12");
    check_load_error(typed(PG_I32, 3, PG_PB_TENSOR_INT32S, 1, &dim), PG_ERR_INVALID, "holds 1 values");
    check_load_error(typed(PG_STRING, 3, 0, 0, NULL), PG_ERR_INVALID, "holds 0 strings");
    check_load_error(pg_build_raw_tensor(&arena, "w", PG_F32, 2, huge, PG_STR("0123")), PG_ERR_LIMIT,
                     "overflow");
    check_load_error(typed(PG_F32, -1, PG_PB_TENSOR_FLOATS, 0, NULL), PG_ERR_INVALID,
                     "while loading weight 'w'");
    check_load_error(pg_build_raw_tensor(&arena, "w", PG_F32, 1, &negative, PG_STR("0123")), PG_ERR_INVALID,
                     "negative");
    check_load_error(pg_build_raw_tensor(&arena, "w", (pg_dtype)99, 1, &dim, PG_STR("0123")),
                     PG_ERR_UNSUPPORTED, "unknown number 99");
    check_load_error(pg_build_raw_tensor(&arena, "w", PG_STRING, 1, &dim, PG_STR("0123")), PG_ERR_INVALID,
                     "strings as raw bytes");
}

TEST(raw_bytes_are_borrowed_when_aligned)
{
    _Alignas(8) static const char bytes[17] = {0};
    int64_t dim = 2;
    for (int shift = 0; shift < 2; shift++) {
        pg_model *model =
            model_of(pg_build_raw_tensor(&arena, "w", PG_F64, 1, &dim, (pg_str){bytes + shift, 16}));
        pg_tensor loaded;
        CHECK_OK(pg_weight_load(model, model->graph->weights, &loaded));
        CHECK((loaded.data == bytes) == (shift == 0));
        pg_tensor_deinit(&loaded);
        pg_model_unref(model);
    }
}

TEST(tensor_files_round_trip)
{
    pg_tensor tensor, again;
    pg_buf bytes = {0};
    int16_t shorts[] = {1, -2, 3};
    char *name;
    CHECK_OK(pg_tensor_alloc_strings(&tensor, 1, (int64_t[]){2}, (pg_str[]){PG_STR("a"), PG_STR("bc")}));
    pg_tensor_write_pb(&tensor, PG_STR("texts"), &bytes);
    pg_tensor_deinit(&tensor);
    CHECK_OK(pg_tensor_parse_pb(bytes.ptr, bytes.len, "x.pb", &again, &name));
    CHECK_STR(name, "texts");
    CHECK(pg_str_is(((pg_str *)again.data)[1], "bc"));
    free(name);
    pg_tensor_deinit(&again);
    pg_buf_clear(&bytes);
    CHECK_OK(pg_tensor_borrow(&tensor, PG_I16, 2, (int64_t[]){1, 3}, shorts));
    pg_tensor_write_pb(&tensor, PG_STR_EMPTY, &bytes);
    CHECK_OK(pg_tensor_parse_pb(bytes.ptr, bytes.len, "x.pb", &again, NULL));
    CHECK(pg_tensor_same_shape(&tensor, &again) && memcmp(tensor.data, again.data, 6) == 0);
    pg_tensor_deinit(&again);
    CHECK_ERR(pg_tensor_parse_pb(bytes.ptr, bytes.len - 1, "x.pb", &again, NULL), PG_ERR_INVALID, "'x.pb'");
    pg_buf_deinit(&bytes);
}

/* External data */

static char *path_of(const char *name)
{
    static char text[256];
    snprintf(text, sizeof text, "%s/%s", folder, name);
    return text;
}

static pg_model *external_model(const char *location, uint64_t offset, uint64_t length)
{
    int64_t dim = 2;
    pg_model *model =
        model_of(pg_build_external_tensor(&arena, "w", PG_F32, 1, &dim, location, offset, length));
    model->data_dir = strdup(folder);
    return model;
}

static void check_external_error(const char *location, uint64_t offset, uint64_t length, pg_code code,
                                 const char *part)
{
    pg_model *model = external_model(location, offset, length);
    pg_tensor loaded;
    CHECK_ERR(pg_model_check_external(model), code, part);
    CHECK_ERR(pg_weight_load(model, model->graph->weights, &loaded), code, part);
    pg_model_unref(model);
}

TEST(external_data_is_found_and_checked)
{
    float values[] = {0, 1, 2, 3};
    CHECK_OK(pg_file_write(path_of("data.bin"), (pg_str){(char *)values, sizeof values}));
    pg_model *model = external_model("data.bin", 4, 8);
    pg_tensor loaded;
    CHECK_OK(pg_model_check_external(model));
    CHECK_OK(pg_weight_load(model, model->graph->weights, &loaded));
    CHECK(((float *)loaded.data)[1] == 2 && loaded.buffer == NULL);
    pg_tensor_deinit(&loaded);
    model->ignore_external_data = true;
    CHECK_ERR(pg_weight_load(model, model->graph->weights, &loaded), PG_ERR_INVALID, "without external data");
    pg_model_unref(model);
    check_external_error("data.bin", 12, 8, PG_ERR_INVALID, "which has 16 bytes");
    check_external_error("data.bin", UINT64_MAX, 8, PG_ERR_INVALID, "which has 16 bytes");
    check_external_error("data.bin", 0, 12, PG_ERR_INVALID, "needs 8 bytes, its external data states 12");
    check_external_error("missing.bin", 0, 8, PG_ERR_NOT_FOUND, "external data of weight 'w'");
    check_external_error("../data.bin", 0, 8, PG_ERR_INVALID, "not inside the model's folder");
    check_external_error("a/../../data.bin", 0, 8, PG_ERR_INVALID, "not inside the model's folder");
    check_external_error("/etc/passwd", 0, 8, PG_ERR_INVALID, "not inside the model's folder");
    check_external_error("", 0, 8, PG_ERR_INVALID, "not inside the model's folder");
}

/* Writes a model whose weights have 2 and 1024 floats. */
static void write_two_weights(const char *path)
{
    static float values[1024];
    pg_wire_message *graph = pg_build_graph(&arena, "g");
    for (size_t i = 0; i < 1024; i++)
        values[i] = (float)i;
    pg_build_weight(
        &arena, graph,
        pg_build_raw_tensor(&arena, "small", PG_F32, 1, (int64_t[]){2}, (pg_str){(char *)values, 8}));
    pg_build_weight(&arena, graph,
                    pg_build_raw_tensor(&arena, "large", PG_F32, 1, (int64_t[]){1024},
                                        (pg_str){(char *)values, sizeof values}));
    pg_model *model = NULL;
    CHECK_OK(pg_model_from_wire(&arena, pg_build_model(&arena, graph, 17), NULL, "two", &model));
    CHECK_OK(pg_model_save(model, path, NULL));
    pg_model_unref(model);
}

static void check_large(const char *path, pg_storage storage, const char *location)
{
    pg_model *model = NULL;
    pg_tensor loaded;
    CHECK_OK(pg_model_load(path, NULL, &model));
    const pg_weight *weight = &model->graph->weights[1];
    CHECK_INT(model->graph->weights[0].storage, PG_STORED_RAW);
    CHECK_INT(weight->storage, storage);
    CHECK(pg_str_is(weight->location, location));
    CHECK_OK(pg_weight_load(model, weight, &loaded));
    CHECK(((float *)loaded.data)[1023] == 1023);
    pg_tensor_deinit(&loaded);
    pg_model_unref(model);
}

TEST(weights_move_out_and_in_again)
{
    char *plain = strdup(path_of("plain.onnx")), *out = strdup(path_of("sub/out.onnx")),
         *in = strdup(path_of("in.onnx"));
    write_two_weights(plain);
    pg_model *model = NULL;
    CHECK_OK(pg_model_load(plain, NULL, &model));
    CHECK_OK(pg_model_save(model, out, &(pg_model_save_options){.external = true}));
    check_large(out, PG_STORED_EXTERNAL, "out.onnx.data");
    CHECK_OK(pg_model_save(model, out, &(pg_model_save_options){.external = true, .external_name = "w.bin"}));
    check_large(out, PG_STORED_EXTERNAL, "w.bin");
    CHECK_OK(pg_model_save(model, out, &(pg_model_save_options){.external = true, .per_tensor = true}));
    check_large(out, PG_STORED_EXTERNAL, "large");
    CHECK_OK(pg_model_save(
        model, out,
        &(pg_model_save_options){.external = true, .has_threshold = true, .size_threshold = 5000}));
    check_large(out, PG_STORED_RAW, "");
    CHECK_ERR(pg_model_save(model, out, &(pg_model_save_options){.external = true, .external_name = "../w"}),
              PG_ERR_INVALID, "relative to the model's folder");
    CHECK_OK(pg_model_save(model, out, &(pg_model_save_options){.external = true}));
    pg_model_unref(model);
    CHECK_OK(pg_model_load(out, NULL, &model));
    CHECK_OK(pg_model_save(model, in, NULL));
    pg_model_unref(model);
    check_large(in, PG_STORED_RAW, "");
    free(plain);
    free(out);
    free(in);
}

TEST(a_model_may_be_saved_over_itself)
{
    char *path = strdup(path_of("self.onnx"));
    write_two_weights(path);
    pg_model *model = NULL, *selected = NULL;
    CHECK_OK(pg_model_load(path, NULL, &model));
    CHECK_OK(pg_model_save(model, path, NULL));
    CHECK_OK(pg_model_save(model, path, &(pg_model_save_options){.external = true}));
    CHECK_OK(pg_model_save(model, path, &(pg_model_save_options){.external = true}));
    pg_model_unref(model);
    check_large(path, PG_STORED_EXTERNAL, "self.onnx.data");
    CHECK_OK(pg_model_load(path, NULL, &model));
    CHECK_OK(pg_model_save(model, path, &(pg_model_save_options){.external = true}));
    pg_model_unref(model);
    pg_model_unref(selected);
    check_large(path, PG_STORED_EXTERNAL, "self.onnx.data");
    free(path);
}

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/pg-test-weight-XXXXXX");
    if (mkdtemp(folder) == NULL)
        FAIL_TEST("no temporary folder");
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        printf("# could not remove %s\n", folder);
}

TEST_MAIN(make_folder(); RUN(typed_lists_hold_every_integer_like_type); RUN(strings_are_elements);
          RUN(sizes_that_do_not_fit_are_errors); RUN(raw_bytes_are_borrowed_when_aligned);
          RUN(tensor_files_round_trip); RUN(external_data_is_found_and_checked);
          RUN(weights_move_out_and_in_again); RUN(a_model_may_be_saved_over_itself); remove_folder();)
