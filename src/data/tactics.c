#include "data/tactics.h"

#include "data/internal.h"

/* Texts must outlive the document they are read from. */
static bool copy_text(pg_json_doc *doc, const pg_json *json, pg_arena *arena, pg_str *out)
{
    pg_str text;
    if (json == NULL || !pg_json_text(json, &doc->arena, &text))
        return false;
    *out = pg_arena_str(arena, text);
    return true;
}

/* ---- Reading ---- */

static pg_status get_number(pg_json_doc *doc, const pg_place *place, const pg_json *json, const char *key,
                            int64_t *out)
{
    const pg_json *member = pg_json_find(json, key);
    if (member == NULL || !pg_json_i64(member, out))
        return pg_place_err(PG_ERR_INVALID, doc, place, member != NULL ? member : json,
                            "\"%s\" is no 64-bit integer", key);
    return NULL;
}

/* A number that may be null or missing. */
static pg_status get_maybe(pg_json_doc *doc, const pg_place *place, const pg_json *json, const char *key,
                           bool *out_has, int64_t *out)
{
    const pg_json *member = pg_json_find(json, key);
    *out_has = member != NULL && member->kind != PG_JSON_NULL;
    return *out_has ? get_number(doc, place, json, key, out) : NULL;
}

static pg_status get_strides(pg_json_doc *doc, const pg_place *place, const pg_json *json, pg_arena *arena,
                             pg_tactic_tensor *out)
{
    const pg_json *list = pg_json_find(json, "strides");
    if (list == NULL || list->kind != PG_JSON_ARRAY)
        return pg_place_err(PG_ERR_INVALID, doc, place, json, "\"strides\" is no list of integers");
    int64_t *strides = PG_ARENA_ARRAY(arena, int64_t, list->count + 1);
    for (size_t i = 0; i < list->count; i++)
        if (!pg_json_i64(&list->items[i], &strides[i]))
            return pg_place_err(PG_ERR_INVALID, doc, place, &list->items[i],
                                "\"strides\" holds what is no integer");
    out->strides = strides;
    out->n_strides = list->count;
    return NULL;
}

static pg_status get_tensor(pg_json_doc *doc, const pg_place *place, const pg_json *json, pg_arena *arena,
                            pg_tactic_tensor *out)
{
    if (!pg_str_is(pg_data_class(json), "TensorInfo"))
        return pg_place_err(PG_ERR_INVALID, doc, place, json, "a TensorInfo was expected");
    if (!copy_text(doc, pg_json_find(json, "dtype"), arena, &out->dtype))
        return pg_place_err(PG_ERR_INVALID, doc, place, json, "a TensorInfo without \"dtype\"");
    PG_TRY(get_strides(doc, place, json, arena, out));
    PG_TRY(get_maybe(doc, place, json, "vectorized_dim", &out->has_vectorized_dim, &out->vectorized_dim));
    return get_maybe(doc, place, json, "components_per_element", &out->has_components,
                     &out->components_per_element);
}

static pg_status get_tensors(pg_json_doc *doc, const pg_place *place, const pg_json *json, const char *key,
                             pg_arena *arena, const pg_tactic_tensor **out, size_t *out_count)
{
    const pg_json *list = pg_json_find(json, key);
    pg_place at = {.up = place, .key = pg_str_c(key)};
    if (list == NULL || list->kind != PG_JSON_ARRAY)
        return pg_place_err(PG_ERR_INVALID, doc, place, json, "\"%s\" is no list", key);
    pg_tactic_tensor *items = PG_ARENA_ARRAY(arena, pg_tactic_tensor, list->count + 1);
    for (size_t i = 0; i < list->count; i++) {
        pg_place item = {.up = &at, .index = i};
        PG_TRY(get_tensor(doc, &item, &list->items[i], arena, &items[i]));
    }
    *out = items;
    *out_count = list->count;
    return NULL;
}

static pg_status get_tactic(pg_json_doc *doc, const pg_place *place, const pg_json *json, pg_arena *arena,
                            pg_tactic *out)
{
    if (!pg_str_is(pg_data_class(json), "Algorithm"))
        return pg_place_err(PG_ERR_INVALID, doc, place, json, "an Algorithm was expected");
    PG_TRY(get_number(doc, place, json, "implementation", &out->implementation));
    PG_TRY(get_number(doc, place, json, "tactic", &out->tactic));
    PG_TRY(get_tensors(doc, place, json, "inputs", arena, &out->inputs, &out->n_inputs));
    return get_tensors(doc, place, json, "outputs", arena, &out->outputs, &out->n_outputs);
}

static pg_status get_replay(pg_json_doc *doc, pg_arena *arena, pg_tactic_replay *out)
{
    pg_place at = {.key = PG_STR("replay")};
    pg_str class = pg_data_class(&doc->root);
    const pg_json *layers = pg_json_find(&doc->root, "replay");
    if (!pg_str_is(class, "TacticReplayData"))
        return pg_place_err(PG_ERR_INVALID, doc, NULL, &doc->root,
                            "a tactic replay (TacticReplayData) was expected, found %s%s%" PG_STR_FMT "%s",
                            pg_json_kind_name((pg_json_kind)doc->root.kind),
                            class.len > 0 ? " of class '" : "", PG_STR_ARG(class), class.len > 0 ? "'" : "");
    if (layers == NULL || layers->kind != PG_JSON_OBJECT)
        return pg_place_err(PG_ERR_INVALID, doc, &at, &doc->root, "an object of layers was expected");
    pg_tactic *items = PG_ARENA_ARRAY(arena, pg_tactic, layers->count + 1);
    for (size_t i = 0; i < layers->count; i++) {
        const pg_json_member *member = &layers->members[i];
        pg_place place = {.up = &at, .key = member->key};
        items[i].layer = pg_arena_str(arena, member->key);
        PG_TRY(get_tactic(doc, &place, &member->value, arena, &items[i]));
    }
    *out = (pg_tactic_replay){items, layers->count};
    return NULL;
}

pg_status pg_tactics_load(const char *path, pg_arena *arena, pg_tactic_replay *out)
{
    pg_json_doc doc;
    PG_TRY(pg_json_open(path, &doc));
    pg_status status = get_replay(&doc, arena, out);
    pg_json_close(&doc);
    return status;
}
