/* Arrays and other values in the peer's JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "data/internal.h"
#include "json/base64.h"

/* ---- Classes ---- */

static const char marker[] = "polygraphy_class", old_prefix[] = "__polygraphy_encoded_",
                  old_value[] = "polygraphy_serialized_json_type";

pg_str pg_data_class(const pg_json *value)
{
    if (value == NULL || value->kind != PG_JSON_OBJECT)
        return PG_STR_EMPTY;
    pg_str class = PG_STR_EMPTY;
    const pg_json *tag = pg_json_find(value, marker);
    if (tag != NULL && tag->kind == PG_JSON_STRING)
        class = (pg_str){tag->text, tag->count};
    for (size_t i = 0; i < value->count && class.len == 0; i++) {
        pg_str key = value->members[i].key;
        if (pg_str_starts(key, pg_str_c(old_prefix)) && pg_json_is(&value->members[i].value, old_value))
            class = pg_str_sub(key, sizeof old_prefix - 1, key.len);
    }
    return pg_str_is(class, "LazyNumpyArray") ? PG_STR("LazyArray") : class;
}

/* ---- Reading arrays ---- */

typedef struct payload {
    pg_json_doc *doc;
    const pg_place *place;
    const pg_json *json; /* the string, for messages */
    pg_str text;         /* base64 */
    uint64_t size;       /* bytes it stands for */
    pg_dtype hint;       /* from "dtype" beside it, or PG_UNDEFINED */
} payload;

static pg_status bad_base64(const payload *p, uint64_t at)
{
    uint64_t offset = p->json->offset + 1 + at;
    if (p->json->escaped)
        return pg_place_err(PG_ERR_INVALID, p->doc, p->place, p->json, "bad base64: character %llu",
                            (unsigned long long)at);
    return pg_place_err(PG_ERR_INVALID, p->doc, p->place, p->json,
                        "bad base64: character 0x%02x at byte %llu", (unsigned char)p->text.ptr[at],
                        (unsigned long long)offset);
}

static pg_status decode_range(const payload *p, uint64_t begin, uint64_t size, void *out)
{
    uint64_t bad;
    return pg_base64_decode(p->text.ptr, p->text.len, begin, size, out, &bad) ? NULL : bad_base64(p, bad);
}

static pg_status decode_header(const payload *p, pg_npy_header *out)
{
    char prefix[PG_NPY_PREFIX];
    uint64_t known = PG_MIN(p->size, (uint64_t)PG_NPY_PREFIX), size = 0;
    PG_TRY(decode_range(p, 0, known, prefix));
    pg_status status = pg_npy_header_size(prefix, known, &size);
    if (status == NULL) {
        size = PG_MIN(size, p->size);
        char *header = pg_realloc(NULL, size, 1);
        status = decode_range(p, 0, size, header);
        if (status == NULL) {
            status = pg_npy_parse_header(header, size, out);
        } else {
            free(header);
            return status; /* it has its place already */
        }
        free(header);
    }
    if (status == NULL && out->data_size > p->size - out->size)
        status =
            pg_err(PG_ERR_INVALID, "the array is cut short: its elements take %llu bytes, %llu are there",
                   (unsigned long long)out->data_size, (unsigned long long)(p->size - out->size));
    return pg_place_context(status, p->doc, p->place, p->json);
}

static pg_status decode_npy(const payload *p, pg_tensor *out)
{
    pg_npy_header header;
    PG_TRY(decode_header(p, &header));
    if (p->hint != PG_UNDEFINED && pg_npy_is_ambiguous(&header) && pg_dtype_get(p->hint)->bits <= 8)
        header.dtype = p->hint;
    pg_status status;
    if (pg_npy_is_plain(&header)) {
        status = pg_tensor_alloc(out, header.dtype, header.rank, header.dims);
        if (status != NULL)
            return pg_place_context(status, p->doc, p->place, p->json);
        status = decode_range(p, header.size, header.data_size, out->data);
    } else {
        void *bytes = malloc(PG_MAX(header.data_size, (uint64_t)1));
        if (bytes == NULL)
            return pg_place_err(PG_ERR_NO_MEMORY, p->doc, p->place, p->json, "no memory for %llu bytes",
                                (unsigned long long)header.data_size);
        status = decode_range(p, header.size, header.data_size, bytes);
        if (status == NULL)
            status = pg_place_context(pg_npy_decode(&header, bytes, out), p->doc, p->place, p->json);
        free(bytes);
    }
    if (status != NULL)
        pg_tensor_deinit(out);
    return status;
}

/* The first array of a zip archive in memory: what early versions of the peer stored. */
static pg_status read_zipped(pg_buffer *bytes, pg_tensor *out)
{
    pg_npz npz;
    PG_TRY(pg_npz_open_memory(bytes->data, bytes->size, bytes, "array", &npz));
    const pg_npz_member *first = NULL;
    for (size_t i = npz.count; i-- > 0;)
        if (npz.members[i].is_array)
            first = &npz.members[i];
    pg_status status = first != NULL ? pg_npz_read(&npz, first, out)
                                     : pg_err(PG_ERR_INVALID, "the zipped payload holds no array");
    pg_npz_close(&npz);
    return status;
}

static pg_status read_bytes(const payload *p, pg_buffer *bytes, pg_tensor *out)
{
    bool zipped = bytes->size >= 2 && memcmp(bytes->data, "PK", 2) == 0;
    pg_status status = zipped ? read_zipped(bytes, out) : pg_npy_read(bytes->data, bytes->size, NULL, out);
    return pg_place_context(status, p->doc, p->place, p->json);
}

static pg_status decode_whole(const payload *p, pg_tensor *out)
{
    pg_buffer *bytes = pg_buffer_new(p->size);
    if (bytes == NULL)
        return pg_place_err(PG_ERR_NO_MEMORY, p->doc, p->place, p->json, "no memory for %llu bytes",
                            (unsigned long long)p->size);
    pg_status status = decode_range(p, 0, p->size, bytes->data);
    if (status == NULL)
        status = read_bytes(p, bytes, out);
    pg_buffer_unref(bytes);
    return status;
}

/* Each character stands for one byte: how early versions stored arrays. */
static pg_status decode_latin1(const payload *p, pg_tensor *out)
{
    pg_buffer *bytes = pg_buffer_new(p->text.len);
    if (bytes == NULL)
        return pg_place_err(PG_ERR_NO_MEMORY, p->doc, p->place, p->json, "no memory for %zu bytes",
                            p->text.len);
    uint8_t *to = bytes->data;
    pg_status status = NULL;
    for (size_t i = 0; i < p->text.len && status == NULL; i++) {
        uint8_t c = (uint8_t)p->text.ptr[i];
        bool pair = (c == 0xc2 || c == 0xc3) && i + 1 < p->text.len;
        if (c >= 0x80 && !pair)
            status = pg_place_err(PG_ERR_INVALID, p->doc, p->place, p->json,
                                  "a character beyond U+00FF in an array stored as text");
        *to++ = pair ? (uint8_t)(c << 6 | ((uint8_t)p->text.ptr[++i] & 63)) : c;
    }
    bytes->size = (uint64_t)(to - (uint8_t *)bytes->data);
    if (status == NULL)
        status = read_bytes(p, bytes, out);
    pg_buffer_unref(bytes);
    return status;
}

static pg_status read_array(pg_json_doc *doc, const pg_place *place, const pg_json *object, pg_tensor *out)
{
    const pg_json *array = pg_json_find(object, "array"), *dtype = pg_json_find(object, "dtype");
    payload p = {.doc = doc, .place = place, .json = array};
    pg_str hint;
    if (array == NULL)
        return pg_place_err(PG_ERR_INVALID, doc, place, object, "an array without its \"array\"");
    if (!pg_json_text(array, &doc->arena, &p.text))
        return pg_place_err(PG_ERR_INVALID, doc, place, array, "\"array\" is %s, base64 was expected",
                            pg_json_kind_name((pg_json_kind)array->kind));
    if (pg_json_text(dtype, &doc->arena, &hint))
        p.hint = pg_dtype_parse(hint);
    if (pg_str_starts(p.text, PG_STR("\xc2\x93NUMPY")) || pg_str_starts(p.text, PG_STR("PK\x03\x04")))
        return decode_latin1(&p, out);
    if (!pg_base64_decoded_size(p.text.ptr, p.text.len, &p.size))
        return pg_place_err(PG_ERR_INVALID, doc, place, array,
                            "bad base64: %zu characters, which is no multiple of 4 (is the file cut short?)",
                            p.text.len);
    return pg_str_starts(p.text, PG_STR("UEs")) ? decode_whole(&p, out) : decode_npy(&p, out);
}

static pg_status get_tensor(pg_json_doc *doc, const pg_place *place, const pg_json *value, pg_tensor *out)
{
    pg_str class = pg_data_class(value);
    if (pg_str_is(class, "ndarray"))
        return read_array(doc, place, value, out);
    if (pg_str_is(class, "Tensor"))
        return pg_place_err(PG_ERR_UNSUPPORTED, doc, place, value,
                            "a torch tensor is a pickle, which is never read; save it as a numpy array");
    if (class.len > 0)
        return pg_place_err(PG_ERR_INVALID, doc, place, value,
                            "an array was expected, found class '%" PG_STR_FMT "'", PG_STR_ARG(class));
    return pg_place_err(PG_ERR_INVALID, doc, place, value, "an array was expected, found %s",
                        pg_json_kind_name((pg_json_kind)value->kind));
}

pg_status pg_data_get_tensor(const pg_json_doc *doc, const pg_json *value, const char *where, pg_tensor *out)
{
    pg_place place = {.key = pg_str_c(where)};
    *out = (pg_tensor){0};
    return get_tensor((pg_json_doc *)doc, where[0] != '\0' ? &place : NULL, value, out);
}

/* ---- Reading other values ---- */

enum { MOST_NESTED = 48 }; /* so that what is read can be written again, some levels deeper */

static unsigned place_depth(const pg_place *place)
{
    unsigned depth = 0;
    for (; place != NULL; place = place->up)
        depth++;
    return depth;
}

static pg_status get_items(pg_json_doc *doc, const pg_place *place, const pg_json *list, pg_value **out_items,
                           size_t *out_count)
{
    if (list == NULL || list->kind != PG_JSON_ARRAY)
        return pg_place_err(PG_ERR_INVALID, doc, place, list != NULL ? list : &doc->root,
                            "a list was expected");
    if (place_depth(place) > MOST_NESTED)
        return pg_place_err(PG_ERR_LIMIT, doc, place, list, "values nested deeper than %d levels",
                            MOST_NESTED);
    *out_items = pg_calloc(list->count, sizeof **out_items);
    *out_count = list->count;
    for (size_t i = 0; i < list->count; i++) {
        pg_place item = {.up = place, .index = i};
        PG_TRY(pg_json_get_value(doc, &item, &list->items[i], &(*out_items)[i]));
    }
    return NULL;
}

static pg_status get_map(pg_json_doc *doc, const pg_place *place, const pg_json *object, pg_value *out)
{
    const pg_json *keys = pg_json_find(object, "map_keys");
    pg_place at_keys = {.up = place, .key = PG_STR("map_keys")},
             at_values = {.up = place, .key = PG_STR("map_values")};
    *out = (pg_value){.kind = PG_VALUE_MAP};
    out->map.keys = PG_NEW(pg_tensor);
    PG_TRY(get_tensor(doc, &at_keys, keys, out->map.keys));
    PG_TRY(get_items(doc, &at_values, pg_json_find(object, "map_values"), &out->map.items, &out->map.count));
    if (out->map.keys->rank != 1 || pg_tensor_count(out->map.keys) != out->map.count)
        return pg_place_err(PG_ERR_INVALID, doc, place, object,
                            "a map whose keys and values differ in number");
    return NULL;
}

static pg_status get_value(pg_json_doc *doc, const pg_place *place, const pg_json *json, pg_value *out)
{
    if (json->kind == PG_JSON_NULL)
        return NULL;
    if (json->kind == PG_JSON_ARRAY) {
        out->kind = PG_VALUE_SEQUENCE;
        PG_TRY(get_items(doc, place, json, &out->sequence.items, &out->sequence.count));
        if (out->sequence.count > 0)
            out->elem = out->sequence.items[0].elem;
        return NULL;
    }
    pg_str class = pg_data_class(json);
    if (pg_str_is(class, "LazyArray")) {
        const pg_json *values = pg_json_find(json, "values");
        if (values == NULL)
            return pg_place_err(PG_ERR_INVALID, doc, place, json, "a LazyArray without \"values\"");
        return get_value(doc, place, values, out);
    }
    if (class.len == 0 && pg_json_find(json, "map_keys") != NULL)
        return get_map(doc, place, json, out);
    pg_tensor tensor = {0};
    PG_TRY(get_tensor(doc, place, json, &tensor));
    *out = pg_value_of_tensor(tensor);
    return NULL;
}

pg_status pg_json_get_value(pg_json_doc *doc, const pg_place *place, const pg_json *json, pg_value *out)
{
    *out = (pg_value){0};
    pg_status status = get_value(doc, place, json, out);
    if (status != NULL)
        pg_value_deinit(out);
    return status;
}

pg_status pg_json_get_feed(pg_json_doc *doc, const pg_place *place, const pg_json *json, pg_feed *out)
{
    *out = (pg_feed){0};
    if (json->kind != PG_JSON_OBJECT)
        return pg_place_err(PG_ERR_INVALID, doc, place, json, "arrays by name were expected, found %s",
                            pg_json_kind_name((pg_json_kind)json->kind));
    pg_map names = {0};
    pg_status status = NULL;
    for (size_t i = 0; i < json->count && status == NULL; i++) {
        const pg_json_member *member = &json->members[i];
        pg_place at = {.up = place, .key = member->key};
        if (at.key.ptr == NULL)
            at.key.ptr = "";
        pg_value value;
        status = pg_json_get_value(doc, &at, &member->value, &value);
        if (status != NULL)
            break;
        size_t known = pg_map_index(&names, member->key);
        if (known == SIZE_MAX) {
            pg_map_put(&names, member->key, NULL);
            pg_feed_add(out, member->key, value);
        } else {
            pg_value_deinit(&out->items[known].value);
            out->items[known].value = value;
        }
    }
    pg_map_deinit(&names);
    if (status != NULL)
        pg_feed_deinit(out);
    return status;
}

/* ---- Writing ---- */

pg_status pg_data_put_tensor(pg_json_writer *w, const pg_tensor *tensor)
{
    pg_npy_image image;
    PG_TRY(pg_npy_image_make(tensor, &image));
    pg_json_begin_object(w);
    pg_json_key(w, "array");
    pg_json_begin_base64(w);
    pg_json_add_base64(w, image.header.ptr, image.header.len);
    pg_json_add_base64(w, image.data, image.data_size);
    pg_json_end_base64(w);
    if (!pg_npy_keeps_type(tensor->dtype))
        pg_json_field_str(w, "dtype", pg_str_c(pg_dtype_name(tensor->dtype)));
    pg_json_field_str(w, marker, PG_STR("ndarray"));
    pg_json_end_object(w);
    pg_npy_image_deinit(&image);
    return NULL;
}

static pg_status put_items(pg_json_writer *w, const pg_value *items, size_t count)
{
    pg_json_begin_array(w);
    for (size_t i = 0; i < count; i++)
        PG_TRY(pg_json_put_value(w, &items[i]));
    pg_json_end_array(w);
    return NULL;
}

pg_status pg_json_put_value(pg_json_writer *w, const pg_value *value)
{
    switch (value->kind) {
    case PG_VALUE_NONE:
        pg_json_put_null(w);
        break;
    case PG_VALUE_TENSOR:
        return pg_data_put_tensor(w, &value->tensor);
    case PG_VALUE_SEQUENCE:
        return put_items(w, value->sequence.items, value->sequence.count);
    case PG_VALUE_MAP:
        pg_json_begin_object(w);
        pg_json_key(w, "map_keys");
        PG_TRY(pg_data_put_tensor(w, value->map.keys));
        pg_json_key(w, "map_values");
        PG_TRY(put_items(w, value->map.items, value->map.count));
        pg_json_end_object(w);
        break;
    }
    return NULL;
}
