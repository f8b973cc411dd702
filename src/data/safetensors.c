/* .safetensors: a length, a JSON header, then the bytes of all arrays without gaps. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "data/internal.h"

enum { LENGTH_SIZE = 8, MOST_HEADER = 100 * 1000 * 1000, DATA_ALIGNMENT = 64 };

static const struct {
    const char *name;
    pg_dtype dtype;
} types[] = {
    {"F32", PG_F32},
    {"F16", PG_F16},
    {"BF16", PG_BF16},
    {"F64", PG_F64},
    {"I64", PG_I64},
    {"I32", PG_I32},
    {"I16", PG_I16},
    {"I8", PG_I8},
    {"U64", PG_U64},
    {"U32", PG_U32},
    {"U16", PG_U16},
    {"U8", PG_U8},
    {"BOOL", PG_BOOL},
    {"C64", PG_C64},
    {"F8_E4M3", PG_F8E4M3FN},
    {"F8_E5M2", PG_F8E5M2},
    {"F8_E8M0", PG_F8E8M0},
    {"F4", PG_F4E2M1},
    {"F8_E4M3FNUZ", PG_F8E4M3FNUZ},
    {"F8_E5M2FNUZ", PG_F8E5M2FNUZ},
};

static const char *type_name(pg_dtype dtype)
{
    for (size_t i = 0; i < PG_COUNT(types); i++)
        if (types[i].dtype == dtype)
            return types[i].name;
    return NULL;
}

static pg_dtype find_type(pg_str name)
{
    for (size_t i = 0; i < PG_COUNT(types); i++)
        if (pg_str_is(name, types[i].name))
            return types[i].dtype;
    return PG_UNDEFINED;
}

static bool get_dims(const pg_json *shape, pg_st_entry *out)
{
    if (shape == NULL || shape->kind != PG_JSON_ARRAY || shape->count > PG_MAX_RANK)
        return false;
    out->rank = shape->count;
    for (size_t i = 0; i < out->rank; i++)
        if (!pg_json_i64(&shape->items[i], &out->dims[i]) || out->dims[i] < 0)
            return false;
    return true;
}

static bool get_offsets(const pg_json *offsets, uint64_t *begin, uint64_t *end)
{
    int64_t from, to;
    if (offsets == NULL || offsets->kind != PG_JSON_ARRAY || offsets->count != 2 ||
        !pg_json_i64(&offsets->items[0], &from) || !pg_json_i64(&offsets->items[1], &to) || from < 0 ||
        to < from)
        return false;
    *begin = (uint64_t)from;
    *end = (uint64_t)to;
    return true;
}

/* `data` is where the elements start in the file. */
static pg_status read_entry(const pg_json_member *member, const char *file, uint64_t data, uint64_t size,
                            pg_arena *arena, pg_st_entry *out)
{
    const pg_json *value = &member->value, *dtype = pg_json_find(value, "dtype");
    pg_str text = PG_STR_EMPTY;
    *out = (pg_st_entry){.name = member->key};
#define ENTRY "array '%" PG_STR_FMT "' of '%s' "
#define ENTRY_ARGS PG_STR_ARG(member->key), file
    if (!pg_json_text(dtype, arena, &text) || (out->dtype = find_type(text)) == PG_UNDEFINED)
        return pg_err(PG_ERR_UNSUPPORTED, ENTRY "has the element type '%" PG_STR_FMT "', which is not known",
                      ENTRY_ARGS, PG_STR_ARG(text));
    if (!get_dims(pg_json_find(value, "shape"), out))
        return pg_err(PG_ERR_INVALID,
                      ENTRY "has a bad \"shape\" (header byte %llu); at most %d dimensions are read",
                      ENTRY_ARGS, (unsigned long long)(value->offset + LENGTH_SIZE), PG_MAX_RANK);
    uint64_t begin, end, count, bytes;
    if (!get_offsets(pg_json_find(value, "data_offsets"), &begin, &end))
        return pg_err(PG_ERR_INVALID, ENTRY "has bad \"data_offsets\" (header byte %llu)", ENTRY_ARGS,
                      (unsigned long long)(value->offset + LENGTH_SIZE));
    if (end > size - data)
        return pg_err(PG_ERR_INVALID, ENTRY "ends at byte %llu of its data, which has only %llu", ENTRY_ARGS,
                      (unsigned long long)end, (unsigned long long)(size - data));
    if (!pg_dims_count(out->rank, out->dims, &count) || !pg_dtype_bytes(out->dtype, count, &bytes) ||
        bytes != end - begin)
        return pg_err(PG_ERR_INVALID, ENTRY "has %llu bytes, which its type and shape contradict", ENTRY_ARGS,
                      (unsigned long long)(end - begin));
#undef ENTRY
#undef ENTRY_ARGS
    out->offset = data + begin;
    return NULL;
}

static pg_status read_header(const uint8_t *bytes, uint64_t size, const char *name, pg_safetensors *out)
{
    uint64_t length = 0;
    if (size < LENGTH_SIZE)
        return pg_err(PG_ERR_INVALID, "'%s' is too short for a .safetensors file (%llu bytes)", name,
                      (unsigned long long)size);
    for (int i = LENGTH_SIZE; i-- > 0;)
        length = length << 8 | bytes[i];
    if (length > MOST_HEADER || length > size - LENGTH_SIZE)
        return pg_err(PG_ERR_INVALID,
                      "'%s' is no .safetensors file or is cut short: it states a header of %llu bytes", name,
                      (unsigned long long)length);
    pg_json root;
    PG_TRY_CTX(pg_json_parse(bytes + LENGTH_SIZE, length, name, &out->arena, &root),
               "its header, from byte 8 on");
    if (root.kind != PG_JSON_OBJECT)
        return pg_err(PG_ERR_INVALID, "the header of '%s' is %s, an object was expected", name,
                      pg_json_kind_name((pg_json_kind)root.kind));
    (void)pg_json_text(pg_json_find(pg_json_find(&root, "__metadata__"), "polygraphy"), &out->arena,
                       &out->metadata);
    out->entries = PG_ARENA_ARRAY(&out->arena, pg_st_entry, root.count);
    pg_map names = {0};
    pg_status status = NULL;
    for (size_t i = 0; i < root.count && status == NULL; i++) {
        const pg_json_member *member = &root.members[i];
        if (pg_str_is(member->key, "__metadata__"))
            continue;
        if (!pg_map_put(&names, member->key, NULL))
            status = pg_err(PG_ERR_INVALID, "'%s' holds two arrays called '%" PG_STR_FMT "'", name,
                            PG_STR_ARG(member->key));
        else
            status = read_entry(member, name, LENGTH_SIZE + length, size, &out->arena,
                                &out->entries[out->count++]);
    }
    pg_map_deinit(&names);
    return status;
}

pg_status pg_safetensors_open_memory(const void *bytes, uint64_t size, pg_buffer *owner, const char *name,
                                     pg_safetensors *out)
{
    *out = (pg_safetensors){.file = pg_buffer_ref(owner)};
    pg_status status = read_header(bytes, size, name, out);
    if (status != NULL)
        pg_safetensors_close(out);
    return status;
}

pg_status pg_safetensors_open(const char *path, pg_safetensors *out)
{
    pg_file_map map;
    *out = (pg_safetensors){0};
    PG_TRY(pg_file_map_open(path, &map));
    pg_buffer *file = pg_buffer_from_map(&map);
    pg_status status = pg_safetensors_open_memory(file->data, file->size, file, path, out);
    pg_buffer_unref(file);
    return status;
}

pg_status pg_safetensors_read(const pg_safetensors *file, const pg_st_entry *entry, pg_tensor *out)
{
    const uint8_t *data = (const uint8_t *)file->file->data + entry->offset;
    unsigned bits = pg_dtype_get(entry->dtype)->bits,
             unit = entry->dtype == PG_C64 ? 4 : PG_MAX(bits / 8, 1u);
    if (entry->dtype != PG_BOOL && (uintptr_t)data % unit == 0) {
        PG_TRY(pg_tensor_borrow(out, entry->dtype, entry->rank, entry->dims, data));
        out->buffer = pg_buffer_ref(file->file);
        return NULL;
    }
    PG_TRY(pg_tensor_alloc(out, entry->dtype, entry->rank, entry->dims));
    uint64_t size = pg_tensor_bytes(out);
    uint8_t *to = out->data;
    if (entry->dtype == PG_BOOL)
        for (uint64_t i = 0; i < size; i++)
            to[i] = data[i] != 0;
    else if (size > 0)
        memcpy(to, data, size);
    return NULL;
}

void pg_safetensors_close(pg_safetensors *file)
{
    pg_buffer_unref(file->file);
    pg_arena_deinit(&file->arena);
    *file = (pg_safetensors){0};
}

/* Offsets of the items' bytes when laid out from the widest elements to the narrowest. */
static uint64_t lay_out(const pg_named_value *items, size_t count, uint64_t *offsets, size_t *order)
{
    static const unsigned widths[] = {64, 32, 16, 8, 4};
    uint64_t at = 0;
    size_t done = 0;
    for (size_t w = 0; w < PG_COUNT(widths); w++)
        for (size_t i = 0; i < count; i++)
            if (pg_dtype_get(items[i].value.tensor.dtype)->bits == widths[w]) {
                offsets[i] = at;
                order[done++] = i;
                at += pg_tensor_bytes(&items[i].value.tensor);
            }
    return at;
}

static void put_entry(pg_json_writer *w, const pg_named_value *item, uint64_t offset)
{
    const pg_tensor *tensor = &item->value.tensor;
    pg_json_key(w, item->name);
    pg_json_begin_object(w);
    pg_json_field_str(w, "dtype", pg_str_c(type_name(tensor->dtype)));
    pg_json_key(w, "shape");
    pg_json_begin_array(w);
    for (size_t i = 0; i < tensor->rank; i++)
        pg_json_put_i64(w, tensor->dims[i]);
    pg_json_end_array(w);
    pg_json_key(w, "data_offsets");
    pg_json_begin_array(w);
    pg_json_put_u64(w, offset);
    pg_json_put_u64(w, offset + pg_tensor_bytes(tensor));
    pg_json_end_array(w);
    pg_json_end_object(w);
}

static void put_header(const pg_named_value *items, size_t count, const uint64_t *offsets, pg_str metadata,
                       pg_buf *out)
{
    pg_json_writer w;
    pg_json_to_memory(&w, out, -1);
    pg_json_begin_object(&w);
    if (metadata.len > 0) {
        pg_json_key(&w, "__metadata__");
        pg_json_begin_object(&w);
        pg_json_field_str(&w, "polygraphy", metadata);
        pg_json_end_object(&w);
    }
    for (size_t i = 0; i < count; i++)
        put_entry(&w, &items[i], offsets[i]);
    pg_json_end_object(&w);
    pg_buf_pad(out, ' ', (DATA_ALIGNMENT - (LENGTH_SIZE + out->len) % DATA_ALIGNMENT) % DATA_ALIGNMENT);
}

pg_status pg_safetensors_write(pg_writer *file, const pg_named_value *items, size_t count, pg_str metadata)
{
    for (size_t i = 0; i < count; i++)
        if (type_name(items[i].value.tensor.dtype) == NULL)
            return pg_err(PG_ERR_UNSUPPORTED,
                          "'%s' has the element type %s, which a .safetensors file cannot hold; use .json",
                          items[i].name, pg_dtype_name(items[i].value.tensor.dtype));
    uint64_t *offsets = pg_calloc(count, sizeof *offsets);
    size_t *order = pg_calloc(count, sizeof *order);
    pg_buf header = {0};
    (void)lay_out(items, count, offsets, order);
    put_header(items, count, offsets, metadata, &header);
    pg_status status = NULL;
    if (header.len > MOST_HEADER)
        status = pg_err(PG_ERR_LIMIT, "a .safetensors header of %zu bytes; readers take at most %d",
                        header.len, MOST_HEADER);
    uint8_t length[LENGTH_SIZE];
    for (int i = 0; i < LENGTH_SIZE; i++)
        length[i] = (uint8_t)((uint64_t)header.len >> (8 * i));
    pg_writer_add(file, length, sizeof length);
    pg_writer_add_str(file, pg_buf_str(&header));
    for (size_t i = 0; i < count && status == NULL; i++) {
        const pg_tensor *tensor = &items[order[i]].value.tensor;
        pg_writer_add(file, tensor->data, pg_tensor_bytes(tensor));
    }
    free(offsets);
    free(order);
    pg_buf_deinit(&header);
    return status;
}
