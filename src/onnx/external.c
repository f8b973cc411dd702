#include "onnx/internal.h"

struct pg_external_file {
    pg_str location; /* the text in the model; owned by `text` */
    char *text;
    pg_file_map map;
    uint64_t begin, size; /* the part of the map that offsets count in */
};

pg_external *pg_external_new(void)
{
    pg_external *external = PG_NEW(pg_external);
    pthread_mutex_init(&external->lock, NULL);
    return external;
}

void pg_external_free(pg_external *external)
{
    if (external == NULL)
        return;
    for (size_t i = 0; i < external->files.len; i++) {
        pg_file_map_close(&external->files.items[i]->map);
        free(external->files.items[i]->text);
        free(external->files.items[i]);
    }
    PG_VEC_FREE(&external->files);
    pthread_mutex_destroy(&external->lock);
    free(external);
}

const pg_file_map *pg_external_find_map(pg_external *external, const char *address)
{
    const pg_file_map *found = NULL;
    pthread_mutex_lock(&external->lock);
    for (size_t i = 0; i < external->files.len && found == NULL; i++) {
        const pg_file_map *map = &external->files.items[i]->map;
        if ((uintptr_t)address >= (uintptr_t)map->data &&
            (uintptr_t)address - (uintptr_t)map->data < map->size)
            found = map;
    }
    pthread_mutex_unlock(&external->lock);
    return found;
}

/* The text of a location may not lead out of the data folder. Links inside the folder are the user's own:
 * model caches are made of them. */
static bool stays_inside(pg_str location)
{
    pg_str rest = location, part;
    if (location.len == 0 || location.ptr[0] == '/' || memchr(location.ptr, '\0', location.len) != NULL)
        return false;
    while (pg_str_split(&rest, '/', &part))
        if (pg_str_is(part, ".."))
            return false;
    return true;
}

static void add_file(const pg_model *model, pg_str location, struct pg_external_file *file)
{
    file->text = pg_strndup(location.ptr, location.len);
    file->location = (pg_str){file->text, location.len};
    *PG_VEC_ADD(&model->external->files) = file;
}

static pg_status open_file(const pg_model *model, pg_str location, struct pg_external_file **out)
{
    pg_arena arena = {0};
    struct pg_external_file *file = PG_NEW(struct pg_external_file);
    const char *path = pg_path_join(&arena, pg_str_c(model->data_dir), location);
    pg_status status = pg_file_map_open(path, &file->map);
    pg_arena_deinit(&arena);
    if (status != NULL) {
        free(file);
        return status;
    }
    file->size = file->map.size;
    add_file(model, location, file);
    *out = file;
    return NULL;
}

void pg_model_attach(pg_model *model, const char *location, pg_file_map map, uint64_t begin, uint64_t size)
{
    struct pg_external_file *file = PG_NEW(struct pg_external_file);
    *file = (struct pg_external_file){.map = map, .begin = begin, .size = size};
    if (model->external == NULL)
        model->external = pg_external_new();
    if (model->data_dir == NULL)
        model->data_dir = pg_strndup(".", 1);
    pthread_mutex_lock(&model->external->lock);
    add_file(model, pg_str_c(location), file);
    pthread_mutex_unlock(&model->external->lock);
}

static pg_status find_file(const pg_model *model, pg_str location, struct pg_external_file **out)
{
    pg_external *external = model->external;
    pg_status status = NULL;
    *out = NULL;
    pthread_mutex_lock(&external->lock);
    for (size_t i = 0; i < external->files.len && *out == NULL; i++)
        if (pg_str_eq(external->files.items[i]->location, location))
            *out = external->files.items[i];
    if (*out == NULL)
        status = open_file(model, location, out);
    pthread_mutex_unlock(&external->lock);
    return status;
}

static pg_status check_request(const pg_model *model, const pg_weight *weight)
{
    if (model->ignore_external_data)
        return pg_err(PG_ERR_INVALID,
                      "the elements of weight '%" PG_STR_FMT "' are in the external file '%" PG_STR_FMT
                      "', and the model was loaded without external data",
                      PG_STR_ARG(weight->name), PG_STR_ARG(weight->location));
    if (model->data_dir == NULL)
        return pg_err(PG_ERR_INVALID,
                      "weight '%" PG_STR_FMT "' is in the external file '%" PG_STR_FMT
                      "', and a model read from memory has no folder: name one",
                      PG_STR_ARG(weight->name), PG_STR_ARG(weight->location));
    if (!stays_inside(weight->location))
        return pg_err(PG_ERR_INVALID,
                      "the external file '%" PG_STR_FMT "' of weight '%" PG_STR_FMT
                      "' is not inside the model's folder",
                      PG_STR_ARG(weight->location), PG_STR_ARG(weight->name));
    return NULL;
}

pg_status pg_weight_external_bytes(const pg_model *model, const pg_weight *weight, pg_str *out)
{
    uint64_t need, end;
    struct pg_external_file *file;
    PG_TRY(check_request(model, weight));
    if (!pg_weight_bytes(weight, &need))
        return pg_err(PG_ERR_INVALID, "weight '%" PG_STR_FMT "' has no valid type and shape",
                      PG_STR_ARG(weight->name));
    if (weight->length != UINT64_MAX && weight->length != need)
        return pg_err(PG_ERR_INVALID,
                      "weight '%" PG_STR_FMT "' needs %llu bytes, its external data states %llu",
                      PG_STR_ARG(weight->name), (unsigned long long)need, (unsigned long long)weight->length);
    PG_TRY_CTX(find_file(model, weight->location, &file), "external data of weight '%" PG_STR_FMT "'",
               PG_STR_ARG(weight->name));
    if (pg_add_overflow(weight->offset, need, &end) || end > file->size)
        return pg_err(PG_ERR_INVALID,
                      "weight '%" PG_STR_FMT "' lies at bytes %llu to %llu of '%s', which has %llu bytes",
                      PG_STR_ARG(weight->name), (unsigned long long)weight->offset,
                      (unsigned long long)(weight->offset + need), file->map.path,
                      (unsigned long long)file->size);
    *out = (pg_str){need > 0 ? (const char *)file->map.data + file->begin + weight->offset : NULL, need};
    return NULL;
}

static pg_status check_one(void *context, const pg_model *model, const pg_weight *weight)
{
    pg_str bytes;
    (void)context;
    if (weight->storage != PG_STORED_EXTERNAL)
        return NULL;
    return pg_weight_external_bytes(model, weight, &bytes);
}

pg_status pg_model_check_external(const pg_model *model)
{
    return pg_model_each_weight(model, check_one, NULL);
}
