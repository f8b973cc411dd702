#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "tensor/text.h"

struct polygraphy_array {
    atomic_int refs;
    pg_tensor tensor;
};

_Static_assert((int)POLYGRAPHY_INT2 + 1 == (int)PG_DTYPE_COUNT, "every element type has a public name");
_Static_assert((int)POLYGRAPHY_FLOAT16 == (int)PG_F16 && (int)POLYGRAPHY_BFLOAT16 == (int)PG_BF16 &&
                   (int)POLYGRAPHY_FLOAT4E2M1 == (int)PG_F4E2M1,
               "the public numbers are the internal ones");

const char *polygraphy_dtype_name(polygraphy_dtype dtype)
{
    return pg_dtype_name((pg_dtype)dtype);
}

polygraphy_array *pg_api_array_new(pg_tensor tensor)
{
    polygraphy_array *array = PG_NEW(polygraphy_array);
    array->refs = 1;
    array->tensor = tensor;
    return array;
}

/* ---- Making arrays ---- */

static pg_status check_type(polygraphy_dtype dtype)
{
    if (pg_dtype_kind_of((pg_dtype)dtype) == PG_KIND_NONE)
        return pg_err(PG_ERR_INVALID, "%d is no element type", (int)dtype);
    if (dtype == POLYGRAPHY_STRING)
        return pg_err(PG_ERR_INVALID, "arrays of strings are made with polygraphy_array_new_strings");
    return NULL;
}

static pg_status make(polygraphy_dtype dtype, size_t rank, const int64_t *dims, polygraphy_array **out)
{
    pg_tensor tensor = {0};
    PG_TRY(check_type(dtype));
    PG_TRY(pg_tensor_alloc(&tensor, (pg_dtype)dtype, rank, dims));
    *out = pg_api_array_new(tensor);
    return NULL;
}

polygraphy_code polygraphy_array_new(polygraphy_dtype dtype, size_t rank, const int64_t *dims,
                                     polygraphy_array **out)
{
    *out = NULL;
    pg_api_begin();
    return pg_api_end(make(dtype, rank, dims, out));
}

static pg_status make_strings(size_t rank, const int64_t *dims, const char *const *texts,
                              polygraphy_array **out)
{
    uint64_t count;
    pg_tensor tensor = {0};
    if (!pg_dims_count(rank, dims, &count))
        return pg_err(PG_ERR_INVALID, "the dimensions are negative or too large");
    pg_str *views = pg_calloc(count + 1, sizeof *views);
    for (uint64_t i = 0; i < count; i++)
        views[i] = pg_str_c(texts[i]);
    pg_status status = pg_tensor_alloc_strings(&tensor, rank, dims, views);
    free(views);
    PG_TRY(status);
    *out = pg_api_array_new(tensor);
    return NULL;
}

polygraphy_code polygraphy_array_new_strings(size_t rank, const int64_t *dims, const char *const *texts,
                                             polygraphy_array **out)
{
    *out = NULL;
    pg_api_begin();
    return pg_api_end(make_strings(rank, dims, texts, out));
}

/* The caller's memory as a counted buffer. */
typedef struct wrapped {
    pg_buffer buffer; /* first: released through it */
    void (*release)(void *context);
    void *context;
} wrapped;

static void release_wrapped(pg_buffer *buffer)
{
    wrapped *own = (wrapped *)buffer;
    if (own->release != NULL)
        own->release(own->context);
    free(own);
}

static pg_status wrap(polygraphy_dtype dtype, size_t rank, const int64_t *dims, const wrapped *memory,
                      polygraphy_array **out)
{
    pg_tensor tensor = {0};
    PG_TRY(check_type(dtype));
    PG_TRY(pg_tensor_borrow(&tensor, (pg_dtype)dtype, rank, dims, memory->buffer.data));
    if (memory->buffer.data == NULL && pg_tensor_bytes(&tensor) > 0)
        return pg_err(PG_ERR_INVALID, "an array with elements needs memory");
    wrapped *own = PG_NEW(wrapped);
    *own = *memory;
    own->buffer.refs = 1;
    own->buffer.release = release_wrapped;
    own->buffer.size = pg_tensor_bytes(&tensor);
    tensor.buffer = &own->buffer;
    *out = pg_api_array_new(tensor);
    return NULL;
}

polygraphy_code polygraphy_array_wrap(polygraphy_dtype dtype, size_t rank, const int64_t *dims, void *data,
                                      void (*release)(void *context), void *context, polygraphy_array **out)
{
    wrapped memory = {.buffer = {.data = data}, .release = release, .context = context};
    *out = NULL;
    pg_api_begin();
    return pg_api_end(wrap(dtype, rank, dims, &memory, out));
}

polygraphy_array *polygraphy_array_ref(polygraphy_array *array)
{
    atomic_fetch_add(&array->refs, 1);
    return array;
}

void polygraphy_array_unref(polygraphy_array *array)
{
    if (array == NULL || atomic_fetch_sub(&array->refs, 1) > 1)
        return;
    pg_tensor_deinit(&array->tensor);
    free(array);
}

/* ---- What they hold ---- */

polygraphy_dtype polygraphy_array_dtype(const polygraphy_array *array)
{
    return (polygraphy_dtype)array->tensor.dtype;
}

size_t polygraphy_array_rank(const polygraphy_array *array)
{
    return array->tensor.rank;
}

const int64_t *polygraphy_array_dims(const polygraphy_array *array)
{
    return array->tensor.dims;
}

uint64_t polygraphy_array_count(const polygraphy_array *array)
{
    return pg_tensor_count(&array->tensor);
}

uint64_t polygraphy_array_bytes(const polygraphy_array *array)
{
    return array->tensor.dtype == PG_STRING ? 0 : pg_tensor_bytes(&array->tensor);
}

void *polygraphy_array_data(const polygraphy_array *array)
{
    return array->tensor.dtype == PG_STRING ? NULL : array->tensor.data;
}

const char *polygraphy_array_string(const polygraphy_array *array, uint64_t index, size_t *out_length)
{
    *out_length = 0;
    if (array->tensor.dtype != PG_STRING || index >= pg_tensor_count(&array->tensor))
        return NULL;
    pg_str text = ((const pg_str *)array->tensor.data)[index];
    *out_length = text.len;
    return text.ptr != NULL ? text.ptr : "";
}

polygraphy_code polygraphy_array_text(const polygraphy_array *array, char **out)
{
    pg_buf text = {0};
    pg_api_begin();
    pg_buf_reserve(&text, 1);
    pg_tensor_text(&text, &array->tensor, NULL);
    *out = text.ptr;
    return pg_api_end(NULL);
}

polygraphy_code polygraphy_array_load(const char *path, polygraphy_array **out)
{
    pg_tensor tensor = {0};
    *out = NULL;
    pg_api_begin();
    pg_status status = pg_data_load_tensor(path, NULL, &tensor);
    if (status == NULL)
        *out = pg_api_array_new(tensor);
    return pg_api_end(status);
}

polygraphy_code polygraphy_array_save(const polygraphy_array *array, const char *path, const char *name)
{
    pg_api_begin();
    return pg_api_end(pg_data_save_tensor(path, pg_str_c(name), &array->tensor));
}

/* ---- Feeds ---- */

polygraphy_feed *pg_api_feed_new(pg_feed feed)
{
    polygraphy_feed *own = PG_NEW(polygraphy_feed);
    own->feed = feed;
    return own;
}

polygraphy_code polygraphy_feed_new(polygraphy_feed **out)
{
    pg_api_begin();
    *out = pg_api_feed_new((pg_feed){0});
    return pg_api_end(NULL);
}

void polygraphy_feed_free(polygraphy_feed *feed)
{
    if (feed == NULL)
        return;
    pg_feed_deinit(&feed->feed);
    free(feed);
}

polygraphy_code polygraphy_feed_set(polygraphy_feed *feed, const char *name, const polygraphy_array *array)
{
    pg_api_begin();
    pg_value value = pg_value_of_tensor(pg_tensor_share(&array->tensor));
    pg_value *there = pg_feed_find(&feed->feed, pg_str_c(name));
    if (there != NULL) {
        pg_value_deinit(there);
        *there = value;
    } else {
        pg_feed_add(&feed->feed, pg_str_c(name), value);
    }
    return pg_api_end(NULL);
}

size_t polygraphy_feed_count(const polygraphy_feed *feed)
{
    return feed->feed.count;
}

const char *polygraphy_feed_name(const polygraphy_feed *feed, size_t index)
{
    return index < feed->feed.count ? feed->feed.items[index].name : NULL;
}

static pg_status get(const char *name, const pg_value *value, polygraphy_array **out)
{
    if (value->kind != PG_VALUE_TENSOR)
        return pg_err(PG_ERR_UNSUPPORTED, "'%s' is no array but a sequence or map, or absent", name);
    *out = pg_api_array_new(pg_tensor_share(&value->tensor));
    return NULL;
}

polygraphy_code polygraphy_feed_get(const polygraphy_feed *feed, const char *name, polygraphy_array **out)
{
    *out = NULL;
    pg_api_begin();
    const pg_value *value = pg_feed_find(&feed->feed, pg_str_c(name));
    if (value == NULL)
        return pg_api_end(pg_err(PG_ERR_NOT_FOUND, "there is no value named '%s'", name));
    return pg_api_end(get(name, value, out));
}

polygraphy_code polygraphy_feed_at(const polygraphy_feed *feed, size_t index, polygraphy_array **out)
{
    *out = NULL;
    pg_api_begin();
    if (index >= feed->feed.count)
        return pg_api_end(
            pg_err(PG_ERR_NOT_FOUND, "there is no value %zu: the feed has %zu", index, feed->feed.count));
    return pg_api_end(get(feed->feed.items[index].name, &feed->feed.items[index].value, out));
}
