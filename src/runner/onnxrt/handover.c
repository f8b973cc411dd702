/* How a model reaches the runtime.
 *
 * A small model that stands as on disk: by path. Otherwise as bytes in memory. The runtime copies those, so
 * big weights are not among them: they are declared external, with the file that is mapped here as the place
 * of their bytes, and the runtime maps that file itself. That also carries models over the 2 GiB that a
 * protobuf message may have. With 500 MB of weights it took two thirds of the time and memory of loading by
 * path. */
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "onnx/proto.h"
#include "runner/onnxrt/internal.h"

enum { REFERENCE_FROM = 64 * 1024 }; /* bytes of a weight; below, a copy is cheaper than opening the file */
/* Bytes of weights from which references pay even where the path would do. */
#define REFERENCE_MODEL_FROM ((uint64_t)16 << 20)
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

static bool is_unchanged(const pg_file_map *map)
{
    struct stat info;
    return stat(map->path, &info) == 0 && S_ISREG(info.st_mode) && (uint64_t)info.st_dev == map->device &&
           (uint64_t)info.st_ino == map->inode && (uint64_t)info.st_size == map->size;
}

static bool has_external(const pg_graph *graph);

static bool attr_has_external(const pg_attr *attr)
{
    if (attr->type == PG_ATTR_TENSOR)
        return attr->tensor->storage == PG_STORED_EXTERNAL;
    if (attr->type == PG_ATTR_GRAPH)
        return has_external(attr->graph);
    for (size_t i = 0; attr->type == PG_ATTR_GRAPHS && i < attr->count; i++)
        if (has_external(attr->graphs[i]))
            return true;
    return false;
}

static bool has_external(const pg_graph *graph)
{
    for (size_t i = 0; i < graph->n_weights; i++)
        if (graph->weights[i].storage == PG_STORED_EXTERNAL)
            return true;
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t a = 0; a < graph->nodes[i].n_attrs; a++)
            if (attr_has_external(&graph->nodes[i].attrs[a]))
                return true;
    return false;
}

/* The folder and name under which the runtime finds the mapped file; false when it would not. The runtime
 * resolves links and refuses files outside the one folder it is given, where external data has to be as well.
 */
static bool find_place(const pg_model *model, const pg_file_map *map, pg_arena *arena, char **out_folder,
                       pg_str *out_name)
{
    char file[PATH_MAX], folder[PATH_MAX];
    if (map == NULL || map->path == NULL || !is_unchanged(map) || realpath(map->path, file) == NULL)
        return false;
    *out_folder = pg_path_dirname(arena, pg_str_c(file));
    *out_name = pg_arena_str(arena, pg_path_basename(pg_str_c(file)));
    return !has_external(model->graph) ||
           (model->data_dir != NULL && realpath(model->data_dir, folder) != NULL &&
            strcmp(folder, *out_folder) == 0);
}

/* ---- Weights as references ---- */

typedef struct referencer {
    pg_arena *arena;
    const pg_file_map *map;
    pg_str file_name;
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
    add_pair(self, tensor, "location", self->file_name);
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

/* What to give the runtime: the message itself, or one with references into a file in another folder. */
static pg_status prepare(const pg_model *model, pg_arena *arena, const pg_wire_message **out,
                         char **out_folder)
{
    const pg_file_map *map = source_map(model);
    char *folder;
    referencer self = {.arena = arena, .map = map};
    *out = model->wire;
    if (pg_wire_size(model->wire) < REFERENCE_FROM ||
        !find_place(model, map, arena, &folder, &self.file_name))
        return NULL;
    self.source.base = (const char *)map->data;
    pg_wire_message *edited;
    PG_TRY(refer_weights(&self, model->wire, &edited));
    if (self.replaced > 0) {
        *out = edited;
        *out_folder = folder;
    }
    return NULL;
}

pg_status pg_ort_model_bytes(const pg_model *model, pg_arena *arena, pg_ort_bytes *out)
{
    const pg_wire_message *message;
    *out = (pg_ort_bytes){.folder = model->data_dir};
    PG_TRY(prepare(model, arena, &message, &out->folder));
    uint64_t size = pg_wire_size(message);
    if (size > MESSAGE_LIMIT)
        return pg_err(
            PG_ERR_LIMIT,
            "ONNX Runtime reads at most 2 GiB of model beside external data, this one has %llu bytes: "
            "store its weights as external data",
            (unsigned long long)size);
    out->bytes = message->span;
    if (message->edited) {
        pg_wire_write_buf(message, &out->storage);
        out->bytes = pg_buf_str(&out->storage);
    }
    return NULL;
}

/* ---- Path or bytes ---- */

static uint64_t referable_bytes(const pg_graph *graph)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < graph->n_weights; i++)
        if (graph->weights[i].storage == PG_STORED_RAW && graph->weights[i].raw.len >= REFERENCE_FROM)
            sum += graph->weights[i].raw.len;
    return sum;
}

bool pg_ort_reads_path(const pg_model *model)
{
    if (model->path == NULL || model->wire->edited || pg_wire_size(model->wire) > MESSAGE_LIMIT ||
        referable_bytes(model->graph) >= REFERENCE_MODEL_FROM)
        return false;
    if (model->data_dir == NULL)
        return true;
    pg_arena arena = {0};
    bool same = strcmp(pg_path_dirname(&arena, pg_str_c(model->path)), model->data_dir) == 0;
    pg_arena_deinit(&arena);
    return same;
}
