/* Files of one array: .npy, TensorProto .pb, raw bytes. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "data/internal.h"

static pg_status load_npy(const char *path, pg_buffer *file, pg_tensor *out)
{
    PG_TRY_CTX(pg_npy_read(file->data, file->size, file, out), "'%s'", path);
    return NULL;
}

static pg_status load_pb(const char *path, pg_buffer *file, pg_tensor *out, char **out_name)
{
    pg_tensor borrowed = {0};
    char *name = NULL;
    PG_TRY(pg_tensor_parse_pb(file->data, file->size, path, &borrowed, &name));
    if (borrowed.buffer == NULL && borrowed.data != NULL)
        borrowed.buffer = pg_buffer_ref(file);
    *out = borrowed;
    if (out_name != NULL)
        *out_name = name;
    else
        free(name);
    return NULL;
}

/* Type and dims from the words around the path first, then from the model's input. One unknown dim follows
 * from the file's size. */
static pg_status describe_raw(const pg_data_spec *spec, const pg_type *expected, uint64_t size,
                              pg_dtype *out_dtype, size_t *out_rank, int64_t *dims)
{
    bool known = expected != NULL && expected->kind == PG_TYPE_TENSOR;
    *out_dtype = spec->dtype != PG_UNDEFINED ? spec->dtype : known ? expected->elem : PG_UNDEFINED;
    if (*out_dtype == PG_UNDEFINED || *out_dtype == PG_STRING)
        return pg_err(
            PG_ERR_INVALID,
            "the raw file '%s' does not say its element type; write it behind the path: '%s:float32:[1,3]'",
            spec->path, spec->path);
    size_t unknown = SIZE_MAX, n_unknown = 0;
    *out_rank = 1;
    dims[0] = -1;
    if (spec->has_shape) {
        *out_rank = spec->rank;
        memcpy(dims, spec->dims, sizeof spec->dims);
    } else if (known && expected->has_shape && expected->rank <= PG_MAX_RANK) {
        *out_rank = expected->rank;
        for (size_t i = 0; i < *out_rank; i++)
            dims[i] =
                expected->dims[i].has_value && expected->dims[i].value >= 0 ? expected->dims[i].value : -1;
    }
    uint64_t rest = 1, bytes;
    for (size_t i = 0; i < *out_rank; i++)
        if (dims[i] < 0) {
            unknown = i;
            n_unknown++;
        } else if (pg_mul_overflow(rest, (uint64_t)dims[i], &rest)) {
            return pg_err(PG_ERR_LIMIT, "the shape given for the raw file '%s' overflows", spec->path);
        }
    if (n_unknown > 1)
        return pg_err(PG_ERR_INVALID,
                      "the raw file '%s' does not say its shape, and the model leaves %zu dimensions open; "
                      "write it behind the path: '%s:%s:[1,3]'",
                      spec->path, n_unknown, spec->path, pg_dtype_name(*out_dtype));
    uint64_t elements = size * 8 / pg_dtype_get(*out_dtype)->bits;
    if (n_unknown == 1)
        dims[unknown] = rest > 0 ? (int64_t)(elements / rest) : 0;
    uint64_t count;
    if (!pg_dims_count(*out_rank, dims, &count) || !pg_dtype_bytes(*out_dtype, count, &bytes) ||
        bytes != size)
        return pg_err(PG_ERR_INVALID,
                      "the raw file '%s' has %llu bytes, which its type (%s) and shape contradict",
                      spec->path, (unsigned long long)size, pg_dtype_name(*out_dtype));
    return NULL;
}

static pg_status load_raw(const pg_data_spec *spec, const pg_type *expected, pg_buffer *file, pg_tensor *out)
{
    pg_dtype dtype;
    size_t rank = 0;
    int64_t dims[PG_MAX_RANK];
    PG_TRY(describe_raw(spec, expected, file->size, &dtype, &rank, dims));
    if (dtype == PG_BOOL) {
        PG_TRY(pg_tensor_alloc(out, dtype, rank, dims));
        for (uint64_t i = 0; i < file->size; i++)
            ((uint8_t *)out->data)[i] = ((const uint8_t *)file->data)[i] != 0;
        return NULL;
    }
    PG_TRY(pg_tensor_borrow(out, dtype, rank, dims, file->data));
    out->buffer = pg_buffer_ref(file);
    return NULL;
}

pg_status pg_single_load(const pg_data_spec *spec, const pg_type *expected, pg_tensor *out, char **out_name)
{
    pg_file_map map;
    *out = (pg_tensor){0};
    PG_TRY(pg_file_map_open(spec->path, &map));
    pg_buffer *file = pg_buffer_from_map(&map);
    pg_status status;
    switch (pg_format_of(spec->path)) {
    case PG_FORMAT_NPY:
        status = load_npy(spec->path, file, out);
        break;
    case PG_FORMAT_PB:
        status = load_pb(spec->path, file, out, out_name);
        break;
    default:
        status = load_raw(spec, expected, file, out);
        break;
    }
    pg_buffer_unref(file);
    return status;
}

static pg_status save_npy(const char *path, const pg_tensor *tensor)
{
    pg_npy_image image;
    pg_writer file;
    PG_TRY(pg_npy_image_make(tensor, &image));
    pg_status status = pg_writer_open(&file, path);
    if (status == NULL) {
        pg_npy_write(&file, &image);
        status = pg_writer_commit(&file);
    }
    pg_npy_image_deinit(&image);
    return status;
}

pg_status pg_single_save(const char *path, pg_str name, const pg_value *value)
{
    pg_format format = pg_format_of(path);
    if (value->kind != PG_VALUE_TENSOR)
        return pg_err(PG_ERR_UNSUPPORTED,
                      "'%" PG_STR_FMT "' is not an array, which %s cannot hold; use .json", PG_STR_ARG(name),
                      pg_format_name(format));
    const pg_tensor *tensor = &value->tensor;
    if (format == PG_FORMAT_NPY)
        return save_npy(path, tensor);
    if (format == PG_FORMAT_PB) {
        pg_buf bytes = {0};
        pg_tensor_write_pb(tensor, name, &bytes);
        pg_status status = pg_file_write(path, pg_buf_str(&bytes));
        pg_buf_deinit(&bytes);
        return status;
    }
    if (tensor->dtype == PG_STRING)
        return pg_err(PG_ERR_UNSUPPORTED, "'%" PG_STR_FMT "' holds texts, which a raw file cannot; use .json",
                      PG_STR_ARG(name));
    return pg_file_write(path, (pg_str){tensor->data, pg_tensor_bytes(tensor)});
}

pg_status pg_data_save_tensor(const char *path, pg_str name, const pg_tensor *tensor)
{
    pg_value value = pg_value_of_tensor(*tensor); /* borrowed: not deinitialised */
    if (pg_format_is_single(pg_format_of(path)))
        return pg_single_save(path, name, &value);
    char *text = pg_strndup(name.ptr, name.len);
    pg_feed feed = {.items = &(pg_named_value){text, value}, .count = 1};
    pg_status status = pg_inputs_save(path, &feed, 1);
    free(text);
    return status;
}

/* The only array of an iteration. */
static pg_status take_only(const char *path, pg_feed *feed, pg_tensor *out)
{
    if (feed->count != 1 || feed->items[0].value.kind != PG_VALUE_TENSOR)
        return pg_err(PG_ERR_INVALID, "'%s' holds %zu values, exactly one array was expected", path,
                      feed->count);
    *out = pg_tensor_share(&feed->items[0].value.tensor);
    return NULL;
}

pg_status pg_data_load_tensor(const char *path, const pg_type *expected, pg_tensor *out)
{
    pg_arena arena = {0};
    pg_data_spec spec;
    *out = (pg_tensor){0};
    pg_status status = pg_spec_parse(path, &arena, &spec);
    if (status == NULL && pg_format_is_single(pg_format_of(spec.path))) {
        status = pg_single_load(&spec, expected, out, NULL);
    } else if (status == NULL) {
        pg_inputs *inputs = NULL;
        pg_feed feed = {0};
        status = pg_inputs_open(&path, 1, NULL, &inputs);
        if (status == NULL && pg_inputs_count(inputs) != 1)
            status = pg_err(PG_ERR_INVALID, "'%s' holds %zu iterations, one array was expected", path,
                            pg_inputs_count(inputs));
        if (status == NULL)
            status = pg_inputs_get(inputs, 0, &feed);
        if (status == NULL)
            status = take_only(path, &feed, out);
        pg_feed_deinit(&feed);
        pg_inputs_close(inputs);
    }
    pg_arena_deinit(&arena);
    return status;
}
