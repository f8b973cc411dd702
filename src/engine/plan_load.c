/* Reading plan files (plan_format.h). */
#include "base/alloc.h"
#include "base/checksum.h"
#include "engine/internal.h"
#include "engine/plan_format.h"
#include "engine/plan_text.h"
#include "log/log.h"

static const char *const part_names[PG_PLAN_PARTS] = {
    "description",    "network", "weights",         "list of packed weights",
    "packed weights", "model",   "model's weights", "model without weights"};

static pg_status damaged(const char *path, uint64_t offset, const char *what)
{
    return pg_err(PG_ERR_INVALID, "the plan file '%s' is damaged: %s (byte %llu); build the engine again",
                  path, what, (unsigned long long)offset);
}

static pg_status damaged_part(const char *path, const pg_plan_head *head, pg_plan_part part)
{
    char what[96];
    snprintf(what, sizeof what, "the checksum of its %s does not fit", part_names[part]);
    return damaged(path, head->parts[part].offset, what);
}

/* ---- The header ---- */

static pg_status check_kind(const pg_file_map *map)
{
    static const char ftrt[] = "ftrt", ptrt[] = "ptrt"; /* TensorRT's plans, old and new */
    uint32_t format = 0;
    if (map->size >= 4 && (memcmp(map->data, ftrt, 4) == 0 || memcmp(map->data, ptrt, 4) == 0))
        return pg_err(PG_ERR_UNSUPPORTED,
                      "'%s' is an engine of TensorRT: it runs with that library only ('--trt-library "
                      "tensorrt' or 'tensorrt-rtx')",
                      map->path);
    if (map->size < 16 || memcmp(map->data, PG_PLAN_MAGIC, 8) != 0)
        return pg_err(PG_ERR_INVALID, "'%s' is no plan file of the built-in engine (byte 0)", map->path);
    memcpy(&format, map->data + offsetof(pg_plan_head, format), sizeof format);
    if (format != PG_PLAN_FORMAT)
        return pg_err(PG_ERR_UNSUPPORTED,
                      "'%s' is a plan file of format %u (byte %zu); this program reads format %d: build the "
                      "engine again",
                      map->path, format, offsetof(pg_plan_head, format), PG_PLAN_FORMAT);
    return NULL;
}

static pg_status check_head(const pg_file_map *map, pg_plan_head *out)
{
    PG_TRY(check_kind(map));
    if (map->size < sizeof *out)
        return damaged(map->path, map->size, "it ends within its header");
    memcpy(out, map->data, sizeof *out);
    if (out->size != sizeof *out || pg_checksum(out, offsetof(pg_plan_head, checksum)) != out->checksum)
        return damaged(map->path, offsetof(pg_plan_head, checksum),
                       "the checksum of its header does not fit");
    if (out->file_size != map->size)
        return pg_err(
            PG_ERR_INVALID,
            "the plan file '%s' is damaged: it has %llu bytes, its header states %llu (byte %zu); build the "
            "engine again",
            map->path, (unsigned long long)map->size, (unsigned long long)out->file_size,
            offsetof(pg_plan_head, file_size));
    for (size_t i = 0; i < PG_PLAN_PARTS; i++) {
        const pg_plan_section *part = &out->parts[i];
        if (part->offset % PG_PLAN_ALIGNMENT != 0 || part->offset > map->size ||
            part->size > map->size - part->offset)
            return damaged(map->path, offsetof(pg_plan_head, parts) + i * sizeof *part,
                           "a part lies outside of the file");
    }
    return NULL;
}

static bool has(const pg_plan_head *head, pg_plan_part part)
{
    return head->parts[part].offset != 0;
}

static pg_status check_part(const pg_file_map *map, const pg_plan_head *head, pg_plan_part part)
{
    const pg_plan_section *at = &head->parts[part];
    return pg_checksum(map->data + at->offset, at->size) == at->checksum
               ? NULL
               : damaged_part(map->path, head, part);
}

/* ---- Models ---- */

/* Maps the file once more, for the model to keep. */
static pg_status read_model(pg_engine *engine, const pg_plan_head *head, pg_plan_part part, pg_model **out)
{
    const char *path = engine->map.path;
    const pg_plan_section *at = &head->parts[part], *weights = &head->parts[part + 1];
    pg_file_map map;
    uint64_t checksum;
    PG_TRY(check_part(&engine->map, head, part));
    PG_TRY(pg_file_map_open(path, &map));
    if (map.size != engine->map.size || map.inode != engine->map.inode || map.device != engine->map.device) {
        pg_file_map_close(&map);
        return pg_err(PG_ERR_INVALID, "the plan file '%s' was replaced while it was read", path);
    }
    pg_status status = pg_model_parse(map.data + at->offset, at->size, path, out);
    if (status != NULL) {
        pg_file_map_close(&map);
        return status;
    }
    pg_model_attach(*out, PG_PLAN_LOCATION, map, weights->offset, weights->size);
    status = pg_plan_weights_checksum(*out, &checksum);
    if (status == NULL && checksum != weights->checksum)
        status = damaged_part(path, head, part + 1);
    return status;
}

/* ---- Packed weights ---- */

static pg_status bad_index(const pg_engine *engine, const pg_plan_section *list, uint64_t at)
{
    return damaged(engine->map.path, list->offset + at, "its list of packed weights is not valid");
}

static pg_status read_forms(pg_engine *engine, const pg_plan_head *head)
{
    const pg_plan_section *list = &head->parts[PG_PLAN_FORMS], *packed = &head->parts[PG_PLAN_PACKED];
    const uint8_t *bytes = engine->map.data + list->offset;
    pg_forms *forms = &engine->forms;
    uint32_t last = 0;
    PG_TRY(check_part(&engine->map, head, PG_PLAN_FORMS));
    forms->path = engine->map.path;
    forms->items = PG_ARENA_ARRAY(&engine->arena, pg_form, list->size / sizeof(pg_plan_form) + 1);
    for (uint64_t at = 0; at < list->size;) {
        pg_plan_form entry;
        if (list->size - at < sizeof entry)
            return bad_index(engine, list, at);
        memcpy(&entry, bytes + at, sizeof entry);
        const uint64_t kind = at + sizeof entry, next = kind + pg_plan_aligned(entry.kind_size, 8);
        if (next > list->size || entry.node < last || entry.offset % PG_PLAN_ALIGNMENT != 0 ||
            entry.offset > packed->size || entry.size > packed->size - entry.offset)
            return bad_index(engine, list, at);
        forms->items[forms->count++] = (pg_form){.node = entry.node,
                                                 .kind = {(const char *)bytes + kind, entry.kind_size},
                                                 .size = entry.size,
                                                 .bytes = engine->map.data + packed->offset + entry.offset,
                                                 .checksum = entry.checksum};
        last = entry.node;
        at = next;
    }
    return NULL;
}

/* ---- Which of the two models ---- */

/* Why the packed weights cannot be read here; NULL when they can. */
static const char *obstacle(pg_engine *engine)
{
    char lacking[256];
    if (pg_str_is(engine->layout, pg_forms_layout()))
        return NULL;
    pg_forms_lacking(engine->layout, lacking, sizeof lacking);
    if (lacking[0] != '\0')
        return pg_arena_printf(&engine->arena,
                               "weights packed for '%" PG_STR_FMT "', and this processor lacks %s",
                               PG_STR_ARG(engine->layout), lacking);
    return pg_arena_printf(&engine->arena,
                           "weights packed for '%" PG_STR_FMT "', and this program packs for '%s' here",
                           PG_STR_ARG(engine->layout), pg_forms_layout());
}

/* What refitting starts from; all there is in a stripped file. */
static pg_status read_bare(pg_engine *engine, const pg_plan_head *head)
{
    const pg_plan_section *at = &head->parts[PG_PLAN_BARE];
    const char *path = engine->map.path;
    PG_TRY(check_part(&engine->map, head, PG_PLAN_BARE));
    if (engine->recipe == NULL)
        return damaged(path, head->parts[PG_PLAN_TEXT].offset, "its description has no 'recipe'");
    char *bytes = PG_ARENA_ARRAY(&engine->arena, char, at->size + 1);
    memcpy(bytes, engine->map.data + at->offset, at->size);
    PG_TRY(pg_model_parse(bytes, at->size, path, &engine->bare));
    if (has(head, PG_PLAN_NET) || has(head, PG_PLAN_MODEL))
        return NULL;
    engine->stripped = true;
    engine->model = pg_model_ref(engine->bare);
    engine->unusable = pg_arena_printf(&engine->arena,
                                       "the plan file '%s' has no weights (it was built with --strip-plan): "
                                       "give them with --refit-from MODEL.onnx",
                                       path);
    return NULL;
}

static pg_status read_models(pg_engine *engine, const pg_plan_head *head)
{
    const char *why = has(head, PG_PLAN_NET) ? obstacle(engine) : NULL;
    if (has(head, PG_PLAN_BARE)) {
        PG_TRY(read_bare(engine, head));
        if (engine->stripped)
            return NULL;
    } else if (engine->recipe != NULL) {
        return damaged(engine->map.path, offsetof(pg_plan_head, parts), "it has no model to be refitted");
    }
    if (!has(head, PG_PLAN_NET) && !has(head, PG_PLAN_MODEL))
        return damaged(engine->map.path, offsetof(pg_plan_head, parts), "it has no network");
    if (has(head, PG_PLAN_NET) && (why == NULL || !has(head, PG_PLAN_MODEL))) {
        PG_TRY(read_model(engine, head, PG_PLAN_NET, &engine->model));
        engine->lowered = true;
        if (why != NULL)
            engine->unusable =
                pg_arena_printf(&engine->arena,
                                "the plan file '%s' has %s; build it here, or with --version-compatible or "
                                "--hardware-compatibility-level ampere_plus, which keep plain weights",
                                engine->map.path, why);
        return read_forms(engine, head);
    }
    if (why != NULL)
        PG_LOG_INFO("The engine has %s: its plain weights are packed anew.", why);
    return read_model(engine, head, PG_PLAN_MODEL, &engine->model);
}

static pg_status read_parts(const char *path, pg_engine *engine)
{
    pg_plan_head head;
    PG_TRY(pg_file_map_open(path, &engine->map));
    PG_TRY(check_head(&engine->map, &head));
    PG_TRY(check_part(&engine->map, &head, PG_PLAN_TEXT));
    PG_TRY(pg_engine_read_description(engine->map.data + head.parts[PG_PLAN_TEXT].offset,
                                      head.parts[PG_PLAN_TEXT].size, engine->map.path, engine));
    PG_TRY(read_models(engine, &head));
    pg_border_open(engine);
    return NULL;
}

pg_status pg_engine_load(const char *path, pg_engine **out)
{
    pg_engine *engine = pg_engine_new();
    pg_status status = read_parts(path, engine);
    if (status != NULL) {
        pg_engine_unref(engine);
        return status;
    }
    *out = engine;
    return NULL;
}

pg_status pg_engine_check(pg_engine *engine)
{
    for (size_t i = 0; i < engine->forms.count; i++)
        PG_TRY(pg_forms_check(&engine->forms, &engine->forms.items[i]));
    return NULL;
}

bool pg_engine_is_plan(const char *path)
{
    char start[sizeof PG_PLAN_MAGIC] = {0};
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    bool plan = fread(start, 1, sizeof PG_PLAN_MAGIC - 1, file) == sizeof PG_PLAN_MAGIC - 1 &&
                strcmp(start, PG_PLAN_MAGIC) == 0;
    fclose(file);
    return plan;
}
