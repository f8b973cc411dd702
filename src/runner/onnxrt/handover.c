/* How a model reaches the runtime.
 *
 * As it stands on disk: by path. Otherwise as bytes in memory; the runtime copies those, so big weights are
 * not among them: they are declared external, with the file that is mapped here as the place of their bytes.
 * The runtime maps that file itself. This also carries models over the 2 GiB that a protobuf message may
 * have. */
#include <stdio.h>
#include <sys/stat.h>

#include "onnx/proto.h"
#include "runner/onnxrt/internal.h"

enum { REFERENCE_FROM = 64 * 1024 }; /* bytes of a weight; below, a copy is cheaper than opening the file */
#define MESSAGE_LIMIT ((uint64_t)INT32_MAX)

/* ---- The file behind a model ---- */

/* The map whose bytes the model was read from, also through edits; NULL for a model made in memory. */
static const pg_file_map *source_map(const pg_model *model)
{
    for (; model != NULL; model = model->base)
        if (model->map.data != NULL)
            return &model->map;
    return NULL;
}

/* A plain file in the data folder that still is what was mapped. */
static bool can_be_referenced(const pg_model *model, const pg_file_map *map)
{
    struct stat info;
    if (map == NULL || map->path == NULL || model->data_dir == NULL)
        return false;
    pg_arena arena = {0};
    bool same_folder = strcmp(pg_path_dirname(&arena, pg_str_c(map->path)), model->data_dir) == 0;
    pg_arena_deinit(&arena);
    return same_folder && lstat(map->path, &info) == 0 && S_ISREG(info.st_mode) &&
           (uint64_t)info.st_dev == map->device && (uint64_t)info.st_ino == map->inode &&
           (uint64_t)info.st_size == map->size;
}

/* ---- Weights as references ---- */

typedef struct referencer {
    pg_arena *arena;
    const pg_file_map *map;
    pg_wire_source source;
    size_t replaced;
} referencer;

static bool lies_in_map(const referencer *self, pg_str bytes)
{
    const char *begin = (const char *)self->map->data;
    return bytes.ptr >= begin && bytes.ptr + bytes.len <= begin + self->map->size;
}

static const pg_wire_message *child_of(referencer *self, const pg_wire_field *field, const pg_wire_type *type)
{
    if (field->message != NULL)
        return field->message;
    pg_wire_message *child = PG_ARENA_NEW(self->arena, pg_wire_message);
    *child = (pg_wire_message){.type = type, .span = field->bytes};
    return child;
}

static void add_pair(referencer *self, pg_wire_message *tensor, const char *key, pg_str value)
{
    pg_wire_message *pair = pg_wire_new(self->arena, &pg_pb_pair);
    pg_wire_add_str(self->arena, pair, PG_PB_PAIR_KEY, pg_str_c(key));
    pg_wire_add_str(self->arena, pair, PG_PB_PAIR_VALUE, value);
    pg_wire_add_message(self->arena, tensor, PG_PB_TENSOR_EXTERNAL, pair);
}

static void make_external(referencer *self, pg_wire_message *tensor, pg_str raw)
{
    unsigned long long offset = (unsigned long long)(raw.ptr - (const char *)self->map->data);
    pg_wire_remove(tensor, PG_PB_TENSOR_RAW);
    add_pair(self, tensor, "location", pg_path_basename(pg_str_c(self->map->path)));
    add_pair(self, tensor, "offset", pg_str_c(pg_arena_printf(self->arena, "%llu", offset)));
    add_pair(self, tensor, "length", pg_str_c(pg_arena_printf(self->arena, "%zu", raw.len)));
    pg_wire_add_int(self->arena, tensor, PG_PB_TENSOR_LOCATION, 1);
    self->replaced++;
}

/* Replaces the field's tensor when its bytes are many and in the map. */
static pg_status refer_weight(referencer *self, pg_wire_field *field)
{
    const pg_wire_message *tensor = child_of(self, field, &pg_pb_tensor);
    if (pg_wire_size(tensor) < REFERENCE_FROM)
        return NULL;
    pg_wire_message *edited;
    PG_TRY(pg_wire_edit(self->arena, self->source, tensor, &edited));
    for (uint32_t i = 0; i < edited->n_fields; i++) {
        const pg_wire_field *part = &edited->fields[i];
        if (part->number != PG_PB_TENSOR_RAW || part->kind != PG_WIRE_BYTES ||
            part->bytes.len < REFERENCE_FROM || !lies_in_map(self, part->bytes))
            continue;
        make_external(self, edited, part->bytes);
        field->message = edited;
        break;
    }
    return NULL;
}

static pg_status refer_weights(referencer *self, const pg_wire_message *root, pg_wire_message **out)
{
    pg_wire_message *graph;
    PG_TRY(pg_wire_edit(self->arena, self->source, root, out));
    for (uint32_t i = 0; i < (*out)->n_fields; i++) {
        pg_wire_field *field = &(*out)->fields[i];
        if (field->number != PG_PB_MODEL_GRAPH || field->kind != PG_WIRE_BYTES)
            continue;
        PG_TRY(pg_wire_edit(self->arena, self->source, child_of(self, field, &pg_pb_graph), &graph));
        for (uint32_t g = 0; g < graph->n_fields; g++)
            if (graph->fields[g].number == PG_PB_GRAPH_WEIGHT && graph->fields[g].kind == PG_WIRE_BYTES)
                PG_TRY(refer_weight(self, &graph->fields[g]));
        field->message = graph;
    }
    return NULL;
}

/* ---- Bytes ---- */

/* What to give the runtime: the message itself, or one with references. */
static pg_status prepare(const pg_model *model, pg_arena *arena, const pg_wire_message **out)
{
    const pg_file_map *map = source_map(model);
    *out = model->wire;
    if (pg_wire_size(model->wire) < REFERENCE_FROM || !can_be_referenced(model, map))
        return NULL;
    referencer self = {.arena = arena, .map = map, .source = {(const char *)map->data}};
    pg_wire_message *edited;
    PG_TRY(refer_weights(&self, model->wire, &edited));
    if (self.replaced > 0)
        *out = edited;
    return NULL;
}

pg_status pg_ort_model_bytes(const pg_model *model, pg_buf *storage, pg_str *out)
{
    pg_arena arena = {0};
    const pg_wire_message *message;
    pg_status status = NULL;
    PG_TRY_GOTO(status, prepare(model, &arena, &message));
    uint64_t size = pg_wire_size(message);
    if (size > MESSAGE_LIMIT) {
        status = pg_err(PG_ERR_LIMIT,
                        "ONNX Runtime reads at most 2 GiB of model beside external data, this one has %llu "
                        "bytes: store its weights as external data",
                        (unsigned long long)size);
    } else if (message->edited) {
        pg_wire_write_buf(message, storage);
        *out = pg_buf_str(storage);
    } else {
        *out = message->span;
    }
done:
    pg_arena_deinit(&arena);
    return status;
}

bool pg_ort_reads_path(const pg_model *model)
{
    if (model->path == NULL || model->wire->edited || pg_wire_size(model->wire) > MESSAGE_LIMIT)
        return false;
    if (model->data_dir == NULL)
        return true;
    pg_arena arena = {0};
    bool same = strcmp(pg_path_dirname(&arena, pg_str_c(model->path)), model->data_dir) == 0;
    pg_arena_deinit(&arena);
    return same;
}
