#include "onnx/save.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "log/log.h"
#include "onnx/edit.h"
#include "onnx/internal.h"

enum {
    COPY_BY_SYSTEM = 1 << 20, /* spans of files from this size on are not read into memory */
    DEFAULT_THRESHOLD = 1024, /* bytes from which an initializer moves to an external file */
    LARGE_WEIGHT = 1 << 16,   /* from this size on offsets are aligned so that runtimes can map them */
    LARGE_ALIGNMENT = 4096,
    SMALL_ALIGNMENT = 64,
};

static pg_status visit_external(void *context, const pg_model *model, const pg_weight *weight)
{
    (void)model;
    if (weight->storage == PG_STORED_EXTERNAL)
        *(bool *)context = true;
    return NULL;
}

bool pg_model_has_external(const pg_model *model)
{
    bool found = false;
    pg_status_drop(pg_model_each_weight(model, visit_external, &found));
    return found;
}

uint64_t pg_model_serialized_size(const pg_model *model)
{
    return pg_wire_size(model->wire);
}

pg_status pg_model_serialize(const pg_model *model, pg_buf *scratch, pg_str *out)
{
    uint64_t size = pg_wire_size(model->wire);
    if (size > INT32_MAX)
        return pg_err(PG_ERR_LIMIT,
                      "the model takes %llu bytes, one piece of protobuf ends at 2 GiB: save its weights as "
                      "external data first",
                      (unsigned long long)size);
    if (!model->wire->edited) {
        *out = model->wire->span;
        return NULL;
    }
    pg_buf_clear(scratch);
    pg_wire_write_buf(model->wire, scratch);
    *out = pg_buf_str(scratch);
    return NULL;
}

/* Spans on their way to a file. Neighbours in memory are joined; large ones that lie in a mapped file are
 * copied from that file. */
typedef struct span_writer {
    pg_writer *writer;
    const pg_model *model;
    const char *start;
    uint64_t size;
} span_writer;

static bool map_holds(const pg_file_map *map, const char *start)
{
    return map->data != NULL && (uintptr_t)start >= (uintptr_t)map->data &&
           (uintptr_t)start - (uintptr_t)map->data < map->size;
}

static const pg_file_map *find_map(const pg_model *model, const char *start)
{
    for (; model != NULL; model = model->base) {
        if (map_holds(&model->map, start))
            return &model->map;
        const pg_file_map *map = pg_external_find_map(model->external, start);
        if (map != NULL)
            return map;
    }
    return NULL;
}

/* The file behind a map, if its path still leads to it; -1 otherwise. */
static int open_map(const pg_file_map *map)
{
    struct stat info;
    int fd = open(map->path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &info) != 0 || info.st_dev != map->device || info.st_ino != map->inode ||
                    (uint64_t)info.st_size != map->size)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void flush_span(span_writer *out)
{
    const pg_file_map *map = out->size >= COPY_BY_SYSTEM ? find_map(out->model, out->start) : NULL;
    int fd = map != NULL ? open_map(map) : -1;
    if (fd >= 0) {
        pg_writer_add_file_range(out->writer, fd, (uint64_t)(out->start - (const char *)map->data),
                                 out->size);
        close(fd);
    } else if (out->size > 0) {
        pg_writer_add(out->writer, out->start, out->size);
    }
    out->size = 0;
}

static void add_span(void *context, const void *bytes, uint64_t size)
{
    span_writer *out = context;
    if (out->size > 0 && out->start + out->size == (const char *)bytes) {
        out->size += size;
        return;
    }
    flush_span(out);
    out->start = bytes;
    out->size = size;
    /* Memory that the tree does not own (tags and lengths made on the way) is gone after this call. */
    if (find_map(out->model, bytes) == NULL)
        flush_span(out);
}

static pg_status write_message(const pg_model *model, const pg_wire_message *message, const char *path)
{
    pg_writer writer;
    PG_TRY(pg_writer_open(&writer, path));
    span_writer out = {.writer = &writer, .model = model};
    pg_wire_write(message, add_span, &out);
    flush_span(&out);
    return pg_writer_commit(&writer);
}

/* Rewriting: the model's tree with tensors moved in or out */

typedef struct pending_bytes {
    uint64_t offset;
    pg_str bytes;
} pending_bytes;

typedef struct external_target {
    pg_str name; /* relative to the model's folder */
    uint64_t size;
    PG_VEC(pending_bytes) parts;
} external_target;

typedef struct weight_mover {
    const pg_model *model;
    pg_arena arena;
    const pg_model_save_options *options;
    uint64_t threshold;
    pg_str external_name; /* of the one file */
    bool external;        /* move initializers out; everything else comes in */
    PG_VEC(external_target) targets;
} weight_mover;

static void free_rewriter(weight_mover *rewriter)
{
    for (size_t i = 0; i < rewriter->targets.len; i++)
        PG_VEC_FREE(&rewriter->targets.items[i].parts);
    PG_VEC_FREE(&rewriter->targets);
    pg_arena_deinit(&rewriter->arena);
}

static bool is_file_name(pg_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < 0x20 || strchr("<>:;,?\"*|/\\", name.ptr[i]) != NULL)
            return false;
    return name.len > 0 && name.len < 200 && !pg_str_is(name, ".") && !pg_str_is(name, "..");
}

static bool target_exists(const weight_mover *rewriter, pg_str name)
{
    for (size_t i = 0; i < rewriter->targets.len; i++)
        if (pg_str_eq(rewriter->targets.items[i].name, name))
            return true;
    return false;
}

static external_target *target_for(weight_mover *rewriter, const pg_weight *weight)
{
    if (!rewriter->options->per_tensor && rewriter->targets.len > 0)
        return &rewriter->targets.items[0];
    pg_str name = rewriter->external_name;
    if (rewriter->options->per_tensor) {
        name = weight->name;
        if (!is_file_name(name) || target_exists(rewriter, name))
            name = pg_str_c(pg_arena_printf(&rewriter->arena, "%" PG_STR_FMT ".%zu",
                                            PG_STR_ARG(rewriter->external_name), rewriter->targets.len));
    }
    external_target *target = PG_VEC_ADD(&rewriter->targets);
    target->name = name;
    return target;
}

static void add_pair(weight_mover *rewriter, pg_wire_message *tensor, const char *key, pg_str value)
{
    pg_wire_message *pair = pg_wire_new(&rewriter->arena, &pg_pb_pair);
    pg_wire_add_str(&rewriter->arena, pair, PG_PB_PAIR_KEY, pg_str_c(key));
    pg_wire_add_str(&rewriter->arena, pair, PG_PB_PAIR_VALUE, value);
    pg_wire_add_message(&rewriter->arena, tensor, PG_PB_TENSOR_EXTERNAL, pair);
}

static void move_out(weight_mover *rewriter, const pg_weight *weight, pg_wire_message *tensor, pg_str bytes)
{
    external_target *target = target_for(rewriter, weight);
    uint64_t alignment = bytes.len >= LARGE_WEIGHT ? LARGE_ALIGNMENT : SMALL_ALIGNMENT;
    target->size = (target->size + alignment - 1) / alignment * alignment;
    *PG_VEC_ADD(&target->parts) = (pending_bytes){target->size, bytes};
    add_pair(rewriter, tensor, "location", target->name);
    add_pair(rewriter, tensor, "offset",
             pg_str_c(pg_arena_printf(&rewriter->arena, "%llu", (unsigned long long)target->size)));
    add_pair(rewriter, tensor, "length", pg_str_c(pg_arena_printf(&rewriter->arena, "%zu", bytes.len)));
    pg_wire_add_int(&rewriter->arena, tensor, PG_PB_TENSOR_LOCATION, 1);
    target->size += bytes.len;
}

/* *out stays NULL when the tensor is right as it is. */
static pg_status rewrite_tensor(weight_mover *rewriter, const pg_wire_message *message, bool initializer,
                                pg_wire_message **out)
{
    pg_parser parser = {.arena = &rewriter->arena};
    pg_wire_field from = {
        .kind = PG_WIRE_BYTES, .bytes = message->span, .message = (pg_wire_message *)message};
    pg_weight weight = {0};
    PG_TRY(pg_parse_weight(&parser, &from, &weight));
    pg_str bytes = weight.raw;
    if (weight.storage == PG_STORED_EXTERNAL)
        PG_TRY(pg_weight_external_bytes(rewriter->model, &weight, &bytes));
    bool move = rewriter->external && initializer && weight.storage != PG_STORED_TYPED &&
                bytes.len >= rewriter->threshold;
    if (!move && weight.storage != PG_STORED_EXTERNAL)
        return NULL;
    PG_TRY(pg_wire_edit(&rewriter->arena, parser.source, message, out));
    pg_wire_remove(*out, PG_PB_TENSOR_RAW);
    pg_wire_remove(*out, PG_PB_TENSOR_EXTERNAL);
    pg_wire_remove(*out, PG_PB_TENSOR_LOCATION);
    if (move)
        move_out(rewriter, &weight, *out, bytes);
    else
        pg_wire_add_str(&rewriter->arena, *out, PG_PB_TENSOR_RAW, bytes);
    return NULL;
}

static bool may_hold_tensors(const pg_wire_type *type)
{
    static const pg_wire_type *const types[] = {&pg_pb_graph,        &pg_pb_node,     &pg_pb_attr,
                                                &pg_pb_training,     &pg_pb_function, &pg_pb_tensor,
                                                &pg_pb_sparse_tensor};
    for (size_t i = 0; i < PG_COUNT(types); i++)
        if (types[i] == type)
            return true;
    return false;
}

static pg_status rewrite(weight_mover *rewriter, const pg_wire_message *message, unsigned depth,
                         pg_wire_message **out);

static pg_status rewrite_child(weight_mover *rewriter, const pg_wire_message *parent,
                               const pg_wire_field *field, unsigned depth, pg_wire_message **out)
{
    const pg_wire_type *type = pg_wire_child_type(parent->type, field->number);
    *out = NULL;
    if (field->kind != PG_WIRE_BYTES || !may_hold_tensors(type))
        return NULL;
    pg_wire_message child = pg_wire_sub(field, type);
    if (type == &pg_pb_tensor)
        return rewrite_tensor(rewriter, &child,
                              parent->type == &pg_pb_graph && field->number == PG_PB_GRAPH_WEIGHT, out);
    return rewrite(rewriter, &child, depth + 1, out);
}

/* A copy of the message with every tensor where it belongs; *out stays NULL when nothing changes. */
static pg_status rewrite(weight_mover *rewriter, const pg_wire_message *message, unsigned depth,
                         pg_wire_message **out)
{
    pg_wire_source source = {0};
    uint32_t index = 0;
    *out = NULL;
    if (depth > PG_WIRE_MAX_DEPTH)
        return pg_err(PG_ERR_LIMIT, "messages nested more than %d deep", PG_WIRE_MAX_DEPTH);
    pg_wire_cursor cursor = pg_wire_open_message(source, message);
    for (pg_wire_field field; pg_wire_next(&cursor, &field); index++) {
        pg_wire_message *child;
        PG_TRY(rewrite_child(rewriter, message, &field, depth, &child));
        if (child == NULL)
            continue;
        if (*out == NULL)
            PG_TRY(pg_wire_edit(&rewriter->arena, source, message, out));
        (*out)->fields[index].message = child;
    }
    return cursor.status;
}

static pg_status write_target(const weight_mover *rewriter, const char *model_path,
                              const external_target *target)
{
    pg_arena arena = {0};
    pg_writer writer;
    const char *folder = pg_path_dirname(&arena, pg_str_c(model_path));
    const char *path = pg_path_join(&arena, pg_str_c(folder), target->name);
    pg_status status = pg_writer_open(&writer, path);
    pg_arena_deinit(&arena);
    PG_TRY(status);
    for (size_t i = 0; i < target->parts.len; i++) {
        const pending_bytes *part = &target->parts.items[i];
        span_writer out = {&writer, rewriter->model, part->bytes.ptr, part->bytes.len};
        pg_writer_align(&writer, part->bytes.len >= LARGE_WEIGHT ? LARGE_ALIGNMENT : SMALL_ALIGNMENT);
        PG_ASSERT(writer.offset == part->offset);
        flush_span(&out);
    }
    return pg_writer_commit(&writer);
}

static pg_status write_rewritten(weight_mover *rewriter, const char *path)
{
    pg_wire_message *root;
    PG_TRY(rewrite(rewriter, rewriter->model->wire, 0, &root));
    for (size_t i = 0; i < rewriter->targets.len; i++)
        PG_TRY(write_target(rewriter, path, &rewriter->targets.items[i]));
    return write_message(rewriter->model, root != NULL ? root : rewriter->model->wire, path);
}

static pg_status add_size(void *context, const pg_model *model, const pg_weight *weight)
{
    uint64_t bytes;
    (void)model;
    if (weight->storage == PG_STORED_EXTERNAL && pg_weight_bytes(weight, &bytes))
        *(uint64_t *)context += bytes;
    return NULL;
}

static bool too_large_for_one_file(const pg_model *model)
{
    uint64_t size = pg_wire_size(model->wire);
    if (!model->ignore_external_data) /* else references stay as they are */
        pg_status_drop(pg_model_each_weight(model, add_size, &size));
    if (size < PG_MODEL_INLINE_LIMIT)
        return false;
    PG_LOG_WARNING(
        "Model size (%.1f MiB) exceeds protobuf size threshold (%llu MiB). Will save weight data to an "
        "external file.\nTo control the location of this file, use --external-data-path",
        (double)size / (1 << 20), PG_MODEL_INLINE_LIMIT >> 20);
    return true;
}

static pg_status check_external_name(pg_str name)
{
    pg_str rest = name, part;
    bool good = name.len > 0 && name.ptr[0] != '/';
    while (good && pg_str_split(&rest, '/', &part))
        good = !pg_str_is(part, "..");
    if (good)
        return NULL;
    return pg_err(PG_ERR_INVALID,
                  "the external data file '%" PG_STR_FMT "' must be a name relative to the model's folder",
                  PG_STR_ARG(name));
}

pg_status pg_model_save(const pg_model *model, const char *path, const pg_model_save_options *options)
{
    static const pg_model_save_options defaults;
    weight_mover rewriter = {.model = model, .options = options != NULL ? options : &defaults};
    rewriter.external = rewriter.options->external || too_large_for_one_file(model);
    if (!rewriter.external && (model->ignore_external_data || !pg_model_has_external(model)))
        return write_message(model, model->wire, path);
    rewriter.threshold =
        rewriter.options->has_threshold ? rewriter.options->size_threshold : DEFAULT_THRESHOLD;
    const char *name = rewriter.options->external_name;
    rewriter.external_name = name != NULL && name[0] != '\0'
                                 ? pg_str_c(name)
                                 : pg_str_c(pg_arena_printf(&rewriter.arena, "%" PG_STR_FMT ".data",
                                                            PG_STR_ARG(pg_path_basename(pg_str_c(path)))));
    pg_status status = check_external_name(rewriter.external_name);
    if (status == NULL)
        status = write_rewritten(&rewriter, path);
    free_rewriter(&rewriter);
    return pg_status_context(status, "while saving the model '%s'", path);
}
