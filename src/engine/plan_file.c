/* Plan files.
 *
 *     0    header (below), padded to ALIGNMENT
 *     ..   description: JSON, what `inspect` shows
 *     ..   model: an ONNX ModelProto whose larger weights are external data of the location "weights"
 *     ..   weights: their elements, each at a multiple of ALIGNMENT from the start of the file
 *     end  trailer: the checksum of the weights
 *
 * Numbers are little-endian. A file is refused by name when its head, its size or a checksum is wrong. */
#include <zlib.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "engine/internal.h"
#include "engine/plan_text.h"
#include "onnx/build.h"
#include "onnx/edit.h"
#include "onnx/save.h"

enum { FORMAT = 1, ALIGNMENT = 64, INLINE_LIMIT = 1024 };
#define MAGIC "\x89PGPLAN\n"
#define TRAILER_MAGIC "PGPLNEND"
#define LOCATION "weights"

typedef struct header {
    char magic[8];
    uint32_t format, size; /* of this struct */
    uint64_t file_size;
    uint64_t text_offset, text_size;
    uint64_t model_offset, model_size;
    uint64_t weights_offset, weights_size;
    uint32_t text_crc, model_crc;
    uint32_t head_crc; /* of all bytes before this field */
    uint32_t reserved;
} header;

typedef struct trailer {
    char magic[8];
    uint64_t checksum;
} trailer;

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "plan files are written as they lie in memory");

static uint64_t aligned(uint64_t offset)
{
    return (offset + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static uint32_t crc_of(const void *bytes, uint64_t size)
{
    uLong crc = crc32(0, NULL, 0);
    const uint8_t *at = bytes;
    for (uint64_t done = 0; done < size;) {
        uInt part = (uInt)PG_MIN(size - done, (uint64_t)1 << 30);
        crc = crc32(crc, at + done, part);
        done += part;
    }
    return (uint32_t)crc;
}

/* ---- The checksum of the weights ---- */

/* Per block of 1 MiB two sums over its 32-bit words, the second of the first's partial sums, in eight lanes so
 * that the compiler uses vectors; then the blocks' results are mixed in order. Weights are a multiple of
 * ALIGNMENT bytes. */
enum { LANES = 8, BLOCK = 1 << 20 };

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash ^= value + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2);
    return hash * 0xff51afd7ed558ccdu;
}

static uint64_t block_sum(const uint8_t *bytes, uint64_t size)
{
    uint64_t first[LANES] = {0}, second[LANES] = {0}, hash = size;
    for (uint64_t at = 0; at + LANES * sizeof(uint32_t) <= size; at += LANES * sizeof(uint32_t)) {
        uint32_t words[LANES];
        memcpy(words, bytes + at, sizeof words);
        for (unsigned l = 0; l < LANES; l++) {
            first[l] += words[l];
            second[l] += first[l];
        }
    }
    for (unsigned l = 0; l < LANES; l++)
        hash = mix(mix(hash, first[l]), second[l]);
    return hash;
}

typedef struct sums {
    const uint8_t *bytes;
    uint64_t size;
    uint64_t *of_block;
} sums;

static void sum_blocks(void *context, size_t begin, size_t end)
{
    const sums *s = context;
    for (size_t b = begin; b < end; b++) {
        uint64_t at = (uint64_t)b * BLOCK;
        s->of_block[b] = block_sum(s->bytes + at, PG_MIN(s->size - at, (uint64_t)BLOCK));
    }
}

static uint64_t checksum_of(const void *bytes, uint64_t size)
{
    size_t blocks = (size_t)((size + BLOCK - 1) / BLOCK);
    sums s = {bytes, size, pg_calloc(blocks + 1, sizeof(uint64_t))};
    pg_parallel_for(blocks, 4, sum_blocks, &s);
    uint64_t hash = size;
    for (size_t b = 0; b < blocks; b++)
        hash = mix(hash, s.of_block[b]);
    free(s.of_block);
    return hash;
}

/* ---- Writing ---- */

typedef struct plan_writer {
    const pg_model *model;
    pg_writer file;
    uint64_t base;                   /* offset of the weights in the file */
    PG_VEC(const pg_weight *) moved; /* in order of their offsets */
    uint64_t size;                   /* of the weights so far */
    PG_VEC(uint64_t) block_sums;
    uint8_t *block; /* BLOCK bytes on their way into the checksum */
    uint64_t blocked;
} plan_writer;

static bool moves(const pg_weight *weight, uint64_t *out_size)
{
    return weight->dtype != PG_STRING && pg_weight_bytes(weight, out_size) && *out_size >= INLINE_LIMIT;
}

/* The model with its larger weights named as external; their places in the file follow from the order. */
static pg_status rewrite(plan_writer *w, pg_model **out)
{
    pg_arena arena = {0};
    pg_wire_message *root, *graph;
    const pg_graph *from = w->model->graph;
    pg_status status = pg_wire_edit(&arena, (pg_wire_source){0}, w->model->wire, &root);
    if (status == NULL)
        status = pg_wire_edit(&arena, (pg_wire_source){0}, from->wire, &graph);
    if (status != NULL) {
        pg_arena_deinit(&arena);
        return status;
    }
    for (uint32_t i = 0; i < root->n_fields; i++)
        if (root->fields[i].number == PG_PB_MODEL_GRAPH && root->fields[i].kind == PG_WIRE_BYTES)
            root->fields[i].message = graph;
    pg_wire_remove(graph, PG_PB_GRAPH_WEIGHT);
    for (size_t i = 0; i < from->n_weights; i++) {
        const pg_weight *weight = &from->weights[i];
        pg_wire_message *tensor = (pg_wire_message *)weight->wire;
        uint64_t size;
        if (moves(weight, &size)) {
            tensor = pg_build_external_tensor(&arena, pg_arena_cstr(&arena, weight->name), weight->dtype,
                                              weight->rank, weight->dims, LOCATION, w->size, size);
            w->size = aligned(w->size + size);
            PG_VEC_PUSH(&w->moved, weight);
        }
        pg_wire_add_message(&arena, graph, PG_PB_GRAPH_WEIGHT, tensor);
    }
    return pg_model_from_wire(&arena, root, w->model, "plan", out);
}

static void add_weight_bytes(plan_writer *w, const uint8_t *bytes, uint64_t size)
{
    pg_writer_add(&w->file, bytes, size);
    while (size > 0) {
        uint64_t part = PG_MIN(size, BLOCK - w->blocked);
        memcpy(w->block + w->blocked, bytes, part);
        w->blocked += part;
        bytes += part;
        size -= part;
        if (w->blocked == BLOCK) {
            PG_VEC_PUSH(&w->block_sums, block_sum(w->block, BLOCK));
            w->blocked = 0;
        }
    }
}

static pg_status write_weights(plan_writer *w)
{
    static const uint8_t zeros[ALIGNMENT];
    for (size_t i = 0; i < w->moved.len; i++) {
        pg_tensor tensor;
        PG_TRY(pg_weight_load(w->model, w->moved.items[i], &tensor));
        uint64_t size = pg_tensor_bytes(&tensor);
        add_weight_bytes(w, tensor.data, size);
        add_weight_bytes(w, zeros, aligned(size) - size);
        pg_tensor_deinit(&tensor);
    }
    if (w->blocked > 0)
        PG_VEC_PUSH(&w->block_sums, block_sum(w->block, w->blocked));
    trailer end = {.magic = TRAILER_MAGIC, .checksum = w->size};
    for (size_t b = 0; b < w->block_sums.len; b++)
        end.checksum = mix(end.checksum, w->block_sums.items[b]);
    pg_writer_add(&w->file, &end, sizeof end);
    return NULL;
}

static pg_status write_all(plan_writer *w, const pg_engine *engine)
{
    pg_model *model;
    pg_buf text = {0}, scratch = {0};
    pg_str bytes;
    PG_TRY(rewrite(w, &model));
    pg_engine_describe(engine, &text);
    pg_status status = pg_model_serialize(model, &scratch, &bytes);
    if (status == NULL) {
        header head = {.magic = MAGIC, .format = FORMAT, .size = sizeof head};
        head.text_offset = aligned(sizeof head);
        head.text_size = text.len;
        head.model_offset = aligned(head.text_offset + head.text_size);
        head.model_size = bytes.len;
        head.weights_offset = aligned(head.model_offset + head.model_size);
        head.weights_size = w->size;
        head.file_size = head.weights_offset + head.weights_size + sizeof(trailer);
        head.text_crc = crc_of(text.ptr, text.len);
        head.model_crc = crc_of(bytes.ptr, bytes.len);
        head.head_crc = crc_of(&head, offsetof(header, head_crc));
        pg_writer_add(&w->file, &head, sizeof head);
        pg_writer_align(&w->file, ALIGNMENT);
        pg_writer_add(&w->file, text.ptr, text.len);
        pg_writer_align(&w->file, ALIGNMENT);
        pg_writer_add(&w->file, bytes.ptr, bytes.len);
        pg_writer_align(&w->file, ALIGNMENT);
        status = write_weights(w);
    }
    pg_buf_deinit(&text);
    pg_buf_deinit(&scratch);
    pg_model_unref(model);
    return status;
}

pg_status pg_engine_save(const pg_engine *engine, const char *path)
{
    plan_writer w = {.model = engine->model, .block = pg_calloc(1, BLOCK)};
    pg_status status = pg_writer_open(&w.file, path);
    if (status == NULL) {
        status = write_all(&w, engine);
        if (status == NULL)
            status = pg_writer_commit(&w.file);
        else
            pg_writer_abandon(&w.file);
    }
    PG_VEC_FREE(&w.moved);
    PG_VEC_FREE(&w.block_sums);
    free(w.block);
    return pg_status_context(status, "while saving the engine '%s'", path);
}

/* ---- Reading ---- */

static pg_status damaged(const char *path, const char *what)
{
    return pg_err(PG_ERR_INVALID, "the plan file '%s' is damaged: %s; build the engine again", path, what);
}

static bool lies_inside(uint64_t offset, uint64_t size, uint64_t file_size)
{
    return offset % ALIGNMENT == 0 && offset <= file_size && size <= file_size - offset;
}

static pg_status check_head(const pg_file_map *map, header *out)
{
    static const char ftrt[] = "ftrt", ptrt[] = "ptrt"; /* TensorRT's plans, old and new */
    if (map->size >= 4 && (memcmp(map->data, ftrt, 4) == 0 || memcmp(map->data, ptrt, 4) == 0))
        return pg_err(PG_ERR_UNSUPPORTED,
                      "'%s' is an engine of TensorRT: it runs with that library only ('--trt-library "
                      "tensorrt' or 'tensorrt-rtx')",
                      map->path);
    if (map->size < sizeof *out || memcmp(map->data, MAGIC, 8) != 0)
        return pg_err(PG_ERR_INVALID, "'%s' is no plan file of the built-in engine", map->path);
    memcpy(out, map->data, sizeof *out);
    if (out->format != FORMAT)
        return pg_err(
            PG_ERR_UNSUPPORTED,
            "'%s' is a plan file of format %u; this program reads format %d: build the engine again",
            map->path, out->format, FORMAT);
    if (out->size != sizeof *out || crc_of(out, offsetof(header, head_crc)) != out->head_crc)
        return damaged(map->path, "the checksum of its header does not fit");
    if (out->file_size != map->size)
        return pg_err(PG_ERR_INVALID,
                      "the plan file '%s' is damaged: it has %llu bytes, its header states %llu", map->path,
                      (unsigned long long)map->size, (unsigned long long)out->file_size);
    if (!lies_inside(out->text_offset, out->text_size, map->size) ||
        !lies_inside(out->model_offset, out->model_size, map->size) ||
        !lies_inside(out->weights_offset, out->weights_size, map->size) ||
        out->weights_offset + out->weights_size + sizeof(trailer) != map->size)
        return damaged(map->path, "a part lies outside of the file");
    return NULL;
}

static pg_status check_parts(const pg_file_map *map, const header *head)
{
    trailer end;
    const uint8_t *weights = map->data + head->weights_offset;
    memcpy(&end, weights + head->weights_size, sizeof end);
    if (crc_of(map->data + head->text_offset, head->text_size) != head->text_crc)
        return damaged(map->path, "the checksum of its description does not fit");
    if (crc_of(map->data + head->model_offset, head->model_size) != head->model_crc)
        return damaged(map->path, "the checksum of its model does not fit");
    if (memcmp(end.magic, TRAILER_MAGIC, 8) != 0 || checksum_of(weights, head->weights_size) != end.checksum)
        return damaged(map->path, "the checksum of its weights does not fit");
    return NULL;
}

static pg_status read_parts(pg_file_map *map, pg_engine *engine)
{
    header head;
    PG_TRY(check_head(map, &head));
    PG_TRY(check_parts(map, &head));
    pg_file_map part = *map; /* the model keeps the whole file and finds its weights in a part of it */
    char *path = pg_arena_printf(&engine->arena, "%s", map->path);
    PG_TRY(pg_engine_read_description(map->data + head.text_offset, head.text_size, path, engine));
    PG_TRY(pg_model_parse(map->data + head.model_offset, head.model_size, path, &engine->model));
    *map = (pg_file_map){0};
    pg_model_attach(engine->model, LOCATION, part, head.weights_offset, head.weights_size);
    return NULL;
}

pg_status pg_engine_load(const char *path, pg_engine **out)
{
    pg_file_map map = {0};
    pg_engine *engine = PG_NEW(pg_engine);
    engine->refs = 1;
    pg_status status = pg_file_map_open(path, &map);
    if (status == NULL)
        status = read_parts(&map, engine);
    pg_file_map_close(&map);
    if (status != NULL) {
        pg_engine_unref(engine);
        return status;
    }
    *out = engine;
    return NULL;
}

bool pg_engine_is_plan(const char *path)
{
    char start[sizeof MAGIC] = {0};
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    bool plan = fread(start, 1, sizeof MAGIC - 1, file) == sizeof MAGIC - 1 && strcmp(start, MAGIC) == 0;
    fclose(file);
    return plan;
}
