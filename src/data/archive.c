/* .npz and .safetensors behind one interface, and the note about runners and iterations that we keep in them:
 * in the comment of the one, in the metadata of the other. Programs that do not know it still see named
 * arrays. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "data/internal.h"

/* Members of other kinds than arrays are left out. */
static void keep_arrays(pg_npz *npz)
{
    size_t kept = 0;
    for (size_t i = 0; i < npz->count; i++)
        if (npz->members[i].is_array)
            npz->members[kept++] = npz->members[i];
    npz->count = kept;
}

pg_status pg_archive_open(const char *path, pg_archive *out)
{
    *out = (pg_archive){.format = pg_format_of(path)};
    if (out->format == PG_FORMAT_NPZ) {
        PG_TRY(pg_npz_open(path, &out->npz));
        keep_arrays(&out->npz);
        out->count = out->npz.count;
        if (pg_str_starts(out->npz.comment, PG_STR("{\"polygraphy\"")))
            out->metadata = out->npz.comment;
    } else {
        PG_TRY(pg_safetensors_open(path, &out->safetensors));
        out->count = out->safetensors.count;
        out->metadata = out->safetensors.metadata;
    }
    out->path = pg_strndup(path, strlen(path));
    return NULL;
}

pg_str pg_archive_name(const pg_archive *archive, size_t index)
{
    return archive->format == PG_FORMAT_NPZ ? archive->npz.members[index].name
                                            : archive->safetensors.entries[index].name;
}

pg_status pg_archive_read(const pg_archive *archive, size_t index, pg_tensor *out)
{
    return archive->format == PG_FORMAT_NPZ
               ? pg_npz_read(&archive->npz, &archive->npz.members[index], out)
               : pg_safetensors_read(&archive->safetensors, &archive->safetensors.entries[index], out);
}

void pg_archive_close(pg_archive *archive)
{
    pg_npz_close(&archive->npz);
    pg_safetensors_close(&archive->safetensors);
    free(archive->path);
    *archive = (pg_archive){0};
}

static pg_status check_items(const char *path, pg_format format, const pg_named_value *items, size_t count,
                             pg_str metadata)
{
    for (size_t i = 0; i < count; i++)
        if (items[i].value.kind != PG_VALUE_TENSOR)
            return pg_err(PG_ERR_UNSUPPORTED,
                          "'%s' is not an array, which %s cannot hold; save as .json instead of '%s'",
                          items[i].name, pg_format_name(format), path);
    if (format == PG_FORMAT_NPZ && metadata.len > PG_NPZ_MAX_COMMENT)
        return pg_err(PG_ERR_LIMIT, "too many iterations for '%s'; use a folder (a path without extension)",
                      path);
    return NULL;
}

static pg_status write_npz(pg_writer *file, const pg_named_value *items, size_t count, pg_str metadata)
{
    pg_npz_writer npz;
    pg_status status = NULL;
    pg_npz_begin(&npz, file);
    for (size_t i = 0; i < count && status == NULL; i++)
        status = pg_npz_add(&npz, pg_str_c(items[i].name), &items[i].value.tensor);
    if (status == NULL)
        pg_npz_end(&npz, metadata);
    pg_npz_writer_deinit(&npz);
    return status;
}

pg_status pg_archive_write(const char *path, const pg_named_value *items, size_t count, pg_str metadata)
{
    pg_format format = pg_format_of(path);
    pg_writer file;
    PG_TRY(check_items(path, format, items, count, metadata));
    PG_TRY(pg_writer_open(&file, path));
    pg_status status = format == PG_FORMAT_NPZ ? write_npz(&file, items, count, metadata)
                                               : pg_safetensors_write(&file, items, count, metadata);
    if (status == NULL)
        return pg_writer_commit(&file);
    pg_writer_abandon(&file);
    return pg_status_context(status, "while writing '%s'", path);
}

/* ---- The note ----
 * {"polygraphy": "results", "plain": false, "runners": [{"name": "r", "runtimes": [0.1, null]}]} */

void pg_layout_name(pg_archive_layout *layout, pg_arena *arena)
{
    for (size_t r = 0; r < layout->n_runners; r++) {
        pg_layout_runner *runner = &layout->runners[r];
        bool repeated = false;
        for (size_t before = 0; before < r; before++)
            repeated |= pg_str_eq(layout->runners[before].name, runner->name);
        runner->prefix = !layout->results ? ""
                         : repeated
                             ? pg_arena_printf(arena, "%" PG_STR_FMT "#%zu/", PG_STR_ARG(runner->name), r)
                             : pg_arena_printf(arena, "%" PG_STR_FMT "/", PG_STR_ARG(runner->name));
    }
}

static pg_status bad_note(const pg_archive *archive)
{
    return pg_err(PG_ERR_INVALID, "'%s' describes its runners or iterations in a way that is not understood",
                  archive->path);
}

static bool parse_runner(const pg_json *json, pg_arena *arena, pg_layout_runner *out)
{
    const pg_json *runtimes = pg_json_find(json, "runtimes");
    if (!pg_json_text(pg_json_find(json, "name"), arena, &out->name) || runtimes == NULL ||
        runtimes->kind != PG_JSON_ARRAY)
        return false;
    out->iterations = runtimes->count;
    out->runtimes = PG_ARENA_ARRAY(arena, double, runtimes->count);
    for (size_t i = 0; i < runtimes->count; i++)
        if (!pg_json_f64(&runtimes->items[i], &out->runtimes[i])) {
            if (runtimes->items[i].kind != PG_JSON_NULL)
                return false;
            out->runtimes[i] = NAN;
        }
    return true;
}

pg_status pg_layout_parse(const pg_archive *archive, pg_arena *arena, pg_archive_layout *out)
{
    *out = (pg_archive_layout){.plain = true, .n_runners = 1};
    if (archive->metadata.len == 0) {
        out->runners = PG_ARENA_NEW(arena, pg_layout_runner);
        *out->runners = (pg_layout_runner){.name = pg_path_stem(archive->path),
                                           .prefix = "",
                                           .iterations = 1,
                                           .runtimes = PG_ARENA_NEW(arena, double)};
        out->runners->runtimes[0] = NAN;
        return NULL;
    }
    pg_json root;
    PG_TRY(pg_json_parse(archive->metadata.ptr, archive->metadata.len, archive->path, arena, &root));
    const pg_json *runners = pg_json_find(&root, "runners"), *plain = pg_json_find(&root, "plain");
    out->results = pg_json_is(pg_json_find(&root, "polygraphy"), "results");
    out->plain = plain != NULL && plain->truth;
    if (runners == NULL || runners->kind != PG_JSON_ARRAY || runners->count > 4096)
        return bad_note(archive);
    out->n_runners = runners->count;
    out->runners = PG_ARENA_ARRAY(arena, pg_layout_runner, runners->count);
    for (size_t r = 0; r < runners->count; r++)
        if (!parse_runner(&runners->items[r], arena, &out->runners[r]))
            return bad_note(archive);
    if ((out->plain || !out->results) &&
        (out->n_runners != 1 || (out->plain && out->runners->iterations != 1)))
        return bad_note(archive);
    pg_layout_name(out, arena);
    return NULL;
}

/* "12/name" -> 12 and "name". */
static bool cut_index(pg_str *text, size_t *out)
{
    size_t slash = pg_str_find(*text, '/');
    uint64_t index;
    if (slash == SIZE_MAX || slash == 0 || text->ptr[0] < '0' || text->ptr[0] > '9' ||
        !pg_str_to_u64(pg_str_sub(*text, 0, slash), &index))
        return false;
    *out = (size_t)index;
    *text = pg_str_sub(*text, slash + 1, text->len);
    return true;
}

pg_status pg_layout_place(const pg_archive *archive, const pg_archive_layout *layout, size_t index,
                          size_t *out_runner, size_t *out_iteration, pg_str *out_name)
{
    pg_str name = pg_archive_name(archive, index);
    size_t best = 0;
    bool found = false;
    *out_runner = *out_iteration = 0;
    *out_name = name;
    if (layout->plain)
        return NULL;
    for (size_t r = 0; r < layout->n_runners; r++) {
        const pg_layout_runner *runner = &layout->runners[r];
        size_t length = strlen(runner->prefix), iteration;
        pg_str rest = pg_str_sub(name, length, name.len);
        if (!pg_str_starts(name, pg_str_c(runner->prefix)) || !cut_index(&rest, &iteration) ||
            iteration >= runner->iterations || (found && length < best))
            continue;
        found = true;
        best = length;
        *out_runner = r;
        *out_iteration = iteration;
        *out_name = rest;
    }
    return found
               ? NULL
               : pg_err(PG_ERR_INVALID, "array '%" PG_STR_FMT "' of '%s' belongs to no runner and iteration",
                        PG_STR_ARG(name), archive->path);
}

void pg_layout_write(const pg_archive_layout *layout, pg_buf *out)
{
    pg_json_writer w;
    pg_json_to_memory(&w, out, -1);
    pg_json_begin_object(&w);
    pg_json_field_str(&w, "polygraphy", layout->results ? PG_STR("results") : PG_STR("inputs"));
    pg_json_field_bool(&w, "plain", layout->plain);
    pg_json_key(&w, "runners");
    pg_json_begin_array(&w);
    for (size_t r = 0; r < layout->n_runners; r++) {
        pg_json_begin_object(&w);
        pg_json_field_str(&w, "name", layout->runners[r].name);
        pg_json_key(&w, "runtimes");
        pg_json_begin_array(&w);
        for (size_t i = 0; i < layout->runners[r].iterations; i++) {
            double runtime = layout->runners[r].runtimes[i];
            if (isnan(runtime))
                pg_json_put_null(&w);
            else
                pg_json_put_f64(&w, runtime);
        }
        pg_json_end_array(&w);
        pg_json_end_object(&w);
    }
    pg_json_end_array(&w);
    pg_json_end_object(&w);
}
