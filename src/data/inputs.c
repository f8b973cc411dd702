/* Reading and writing inputs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "data/internal.h"
#include "data/spec.h"

/* ---- Reading ---- */

typedef struct source {
    pg_format format;    /* JSON, .npz or .safetensors; single arrays have no source of their own */
    char *path;          /* in the arena */
    pg_input_spec *spec; /* of a JSON file that describes inputs; else NULL */
} source;

/* One iteration: an element of a source, or a run of single files. */
typedef struct iteration {
    size_t source; /* SIZE_MAX: single files */
    size_t index;  /* in the source, or of the first single file */
    size_t count;  /* single files */
} iteration;

typedef struct single {
    pg_data_spec spec;
    pg_str name;
    const pg_type *type; /* of the model's input; may be NULL */
} single;

struct pg_inputs {
    pg_arena arena;
    const pg_io_list *expected;
    PG_VEC(source) sources;
    PG_VEC(iteration) iterations;
    PG_VEC(single) singles;
    size_t cached; /* which source is open */
    pg_json_doc doc;
    pg_archive archive;
    pg_archive_layout layout;
    pg_arena layout_arena;
};

static pg_status refuse_results(const char *path)
{
    return pg_err(
        PG_ERR_INVALID,
        "'%s' holds results of a run (RunResults), not inputs; convert it with 'polygraphy data merge'",
        path);
}

static void close_cached(pg_inputs *in)
{
    pg_json_close(&in->doc);
    pg_archive_close(&in->archive);
    pg_arena_deinit(&in->layout_arena);
    in->cached = SIZE_MAX;
}

static pg_status open_source(pg_inputs *in, size_t index)
{
    const source *from = &in->sources.items[index];
    if (in->cached == index)
        return NULL;
    close_cached(in);
    if (from->format == PG_FORMAT_JSON) {
        PG_TRY(pg_json_open(from->path, &in->doc));
    } else {
        PG_TRY(pg_archive_open(from->path, &in->archive));
        PG_TRY(pg_layout_parse(&in->archive, &in->layout_arena, &in->layout));
    }
    in->cached = index;
    return NULL;
}

static pg_status check_iteration(const pg_json_doc *doc, const pg_place *place, const pg_json *value)
{
    pg_str class = pg_data_class(value);
    if (pg_str_is(class, "RunResults"))
        return refuse_results(doc->map.path);
    if (class.len > 0 && !pg_str_is(class, "IterationResult"))
        return pg_place_err(PG_ERR_INVALID, doc, place, value,
                            "inputs were expected, arrays by name, found class '%" PG_STR_FMT "'",
                            PG_STR_ARG(class));
    if (value->kind != PG_JSON_OBJECT)
        return pg_place_err(PG_ERR_INVALID, doc, place, value,
                            "inputs were expected, arrays by name, found %s",
                            pg_json_kind_name((pg_json_kind)value->kind));
    return NULL;
}

static pg_status count_json(pg_inputs *in, size_t *out)
{
    const pg_json *root = &in->doc.root;
    *out = 1;
    if (root->kind != PG_JSON_ARRAY)
        return check_iteration(&in->doc, NULL, root);
    for (size_t i = 0; i < root->count; i++) {
        pg_place place = {.index = i};
        PG_TRY(check_iteration(&in->doc, &place, &root->items[i]));
    }
    *out = root->count;
    return NULL;
}

static pg_status add_source(pg_inputs *in, pg_format format, const char *path)
{
    size_t index = in->sources.len, count = 0;
    source *added = PG_VEC_ADD(&in->sources);
    added->format = format;
    added->path = pg_arena_cstr(&in->arena, pg_str_c(path));
    PG_TRY(open_source(in, index));
    if (format == PG_FORMAT_JSON && pg_input_spec_is(&in->doc.root)) {
        PG_TRY(pg_input_spec_open(path, &in->sources.items[index].spec));
        count = pg_input_spec_count(in->sources.items[index].spec);
    } else if (format == PG_FORMAT_JSON)
        PG_TRY(count_json(in, &count));
    else if (in->layout.results)
        return refuse_results(path);
    else
        count = in->layout.runners->iterations;
    for (size_t i = 0; i < count; i++)
        PG_VEC_PUSH(&in->iterations, ((iteration){.source = index, .index = i}));
    return NULL;
}

static pg_status add_folder(pg_inputs *in, const char *folder)
{
    char **paths;
    size_t count;
    PG_TRY(pg_folder_list(folder, &in->arena, &paths, &count));
    for (size_t i = 0; i < count; i++)
        PG_TRY(add_source(in, PG_FORMAT_JSON, paths[i]));
    return NULL;
}

static const pg_type *expected_type(const pg_inputs *in, pg_str name)
{
    for (size_t i = 0; in->expected != NULL && i < in->expected->count; i++)
        if (pg_str_eq(in->expected->items[i].name, name))
            return &in->expected->items[i].type;
    return NULL;
}

/* True when the last iteration is one of single files that still lacks `name`. */
static bool last_lacks(const pg_inputs *in, pg_str name)
{
    const iteration *last = in->iterations.len > 0 ? &in->iterations.items[in->iterations.len - 1] : NULL;
    if (last == NULL || last->source != SIZE_MAX)
        return false;
    for (size_t i = 0; i < last->count; i++)
        if (pg_str_eq(in->singles.items[last->index + i].name, name))
            return false;
    return true;
}

static void add_single(pg_inputs *in, const pg_data_spec *spec)
{
    pg_str name = spec->name;
    if (name.len == 0)
        name = in->expected != NULL && in->expected->count == 1 ? in->expected->items[0].name
                                                                : pg_path_stem(spec->path);
    bool joins = last_lacks(in, name);
    single added = {.spec = *spec, .name = name, .type = expected_type(in, name)};
    PG_VEC_PUSH(&in->singles, added);
    if (joins)
        in->iterations.items[in->iterations.len - 1].count++;
    else
        PG_VEC_PUSH(&in->iterations,
                    ((iteration){.source = SIZE_MAX, .index = in->singles.len - 1, .count = 1}));
}

static pg_status add_path(pg_inputs *in, const char *text)
{
    pg_data_spec spec;
    PG_TRY(pg_spec_parse(text, &in->arena, &spec));
    pg_format format = pg_path_is_dir(spec.path) ? PG_FORMAT_FOLDER : pg_format_of(spec.path);
    if (format == PG_FORMAT_FOLDER && !pg_path_is_dir(spec.path))
        format = PG_FORMAT_JSON; /* an existing file without an extension */
    if (pg_format_is_single(format)) {
        add_single(in, &spec);
        return NULL;
    }
    if (pg_is_picture_path(spec.path))
        return pg_err(
            PG_ERR_INVALID,
            "'%s' is a picture: how it becomes an input (size, layout, mean, ...) is said in a JSON "
            "file, as in {\"input_spec\": 1, \"inputs\": {\"NAME\": {\"from\": \"%s\", \"resize\": "
            "[224, 224]}}}; see 'Input specs' in docs/formats.md",
            spec.path, spec.path);
    if (spec.name.len > 0 || spec.dtype != PG_UNDEFINED)
        return pg_err(PG_ERR_INVALID,
                      "'%s': a name or type before or after the path needs a file of one array, "
                      "'%s' is %s",
                      text, spec.path, pg_format_name(format));
    return format == PG_FORMAT_FOLDER ? add_folder(in, spec.path) : add_source(in, format, spec.path);
}

pg_status pg_inputs_open(const char *const *paths, size_t n_paths, const pg_io_list *expected,
                         pg_inputs **out)
{
    pg_inputs *in = PG_NEW(pg_inputs);
    in->expected = expected;
    in->cached = SIZE_MAX;
    pg_status status = NULL;
    for (size_t i = 0; i < n_paths && status == NULL; i++)
        status = add_path(in, paths[i]);
    if (status != NULL) {
        pg_inputs_close(in);
        in = NULL;
    }
    *out = in;
    return status;
}

size_t pg_inputs_count(const pg_inputs *in)
{
    return in->iterations.len;
}

static pg_status get_json(pg_inputs *in, size_t index, pg_feed *out)
{
    const pg_json *root = &in->doc.root, *value = root;
    pg_place place = {.index = index}, inner = {.up = &place, .key = PG_STR("outputs")};
    const pg_place *at = NULL;
    if (root->kind == PG_JSON_ARRAY) {
        value = &root->items[index];
        at = &place;
    } else {
        inner.up = NULL;
    }
    if (pg_str_is(pg_data_class(value), "IterationResult")) {
        const pg_json *outputs = pg_json_find(value, "outputs");
        if (outputs == NULL)
            return pg_place_err(PG_ERR_INVALID, &in->doc, at, value,
                                "an IterationResult without \"outputs\"");
        return pg_json_get_feed(&in->doc, &inner, outputs, out);
    }
    return pg_json_get_feed(&in->doc, at, value, out);
}

static pg_status get_archive(pg_inputs *in, size_t index, pg_feed *out)
{
    for (size_t i = 0; i < in->archive.count; i++) {
        size_t runner, at;
        pg_str name;
        PG_TRY(pg_layout_place(&in->archive, &in->layout, i, &runner, &at, &name));
        if (at != index)
            continue;
        pg_tensor tensor;
        PG_TRY(pg_archive_read(&in->archive, i, &tensor));
        pg_feed_add(out, name, pg_value_of_tensor(tensor));
    }
    return NULL;
}

static pg_status get_singles(pg_inputs *in, const iteration *which, pg_feed *out)
{
    for (size_t i = 0; i < which->count; i++) {
        const single *from = &in->singles.items[which->index + i];
        pg_tensor tensor;
        PG_TRY(pg_single_load(&from->spec, from->type, &tensor, NULL));
        pg_feed_add(out, from->name, pg_value_of_tensor(tensor));
    }
    return NULL;
}

static pg_status get_iteration(pg_inputs *in, const iteration *which, pg_feed *out)
{
    if (which->source == SIZE_MAX)
        return get_singles(in, which, out);
    if (in->sources.items[which->source].spec != NULL)
        return pg_input_spec_get(in->sources.items[which->source].spec, which->index, out);
    PG_TRY(open_source(in, which->source));
    bool json = in->sources.items[which->source].format == PG_FORMAT_JSON;
    bool there = !json || which->index == 0 ||
                 (in->doc.root.kind == PG_JSON_ARRAY && which->index < in->doc.root.count);
    if (!there || (json && in->doc.root.kind == PG_JSON_ARRAY && in->doc.root.count == 0))
        return pg_err(PG_ERR_IO, "'%s' changed while it was being read", in->doc.map.path);
    return json ? get_json(in, which->index, out) : get_archive(in, which->index, out);
}

pg_status pg_inputs_get(pg_inputs *in, size_t index, pg_feed *out)
{
    PG_ASSERT(index < in->iterations.len);
    *out = (pg_feed){0};
    pg_status status = get_iteration(in, &in->iterations.items[index], out);
    if (status != NULL)
        pg_feed_deinit(out);
    return status;
}

void pg_inputs_close(pg_inputs *in)
{
    if (in == NULL)
        return;
    close_cached(in);
    for (size_t i = 0; i < in->sources.len; i++)
        pg_input_spec_close(in->sources.items[i].spec);
    PG_VEC_FREE(&in->sources);
    PG_VEC_FREE(&in->iterations);
    PG_VEC_FREE(&in->singles);
    pg_arena_deinit(&in->arena);
    free(in);
}

/* ---- Writing ---- */

struct pg_inputs_writer {
    char *path;
    pg_format format;
    size_t count;
    pg_writer file; /* JSON */
    pg_json_writer json;
    PG_VEC(pg_feed) kept; /* formats that are written at the end */
};

pg_status pg_inputs_create(const char *path, pg_inputs_writer **out)
{
    pg_inputs_writer *w = PG_NEW(pg_inputs_writer);
    w->path = pg_strndup(path, strlen(path));
    w->format = pg_format_of(path);
    w->file.fd = -1;
    pg_status status = NULL;
    if (w->format == PG_FORMAT_FOLDER) {
        status = pg_folder_prepare(path);
    } else if (w->format == PG_FORMAT_JSON) {
        status = pg_writer_open(&w->file, path);
        pg_json_to_file(&w->json, &w->file, 4);
        if (status == NULL)
            pg_json_begin_array(&w->json);
    } else {
        status = pg_file_check_writable(path);
    }
    if (status != NULL) {
        pg_inputs_abandon(w);
        w = NULL;
    }
    *out = w;
    return status;
}

static pg_status put_feed(pg_json_writer *json, const pg_feed *feed)
{
    pg_json_begin_object(json);
    for (size_t i = 0; i < feed->count; i++) {
        pg_json_key(json, feed->items[i].name);
        PG_TRY(pg_json_put_value(json, &feed->items[i].value));
    }
    pg_json_end_object(json);
    return NULL;
}

static pg_status save_in_folder(const pg_inputs_writer *w, const pg_feed *feed)
{
    pg_arena arena = {0};
    pg_writer file;
    pg_json_writer json;
    pg_status status = pg_writer_open(&file, pg_folder_file(w->path, w->count, &arena));
    if (status == NULL) {
        pg_json_to_file(&json, &file, 4);
        status = put_feed(&json, feed);
        if (status == NULL)
            status = pg_writer_commit(&file);
        else
            pg_writer_abandon(&file);
    }
    pg_arena_deinit(&arena);
    return status;
}

pg_status pg_inputs_add(pg_inputs_writer *w, const pg_feed *feed)
{
    if (w->format == PG_FORMAT_FOLDER)
        PG_TRY(save_in_folder(w, feed));
    else if (w->format == PG_FORMAT_JSON)
        PG_TRY(put_feed(&w->json, feed));
    else
        PG_VEC_PUSH(&w->kept, pg_feed_share(feed));
    w->count++;
    return NULL;
}

static pg_status finish_single(const pg_inputs_writer *w)
{
    if (w->kept.len != 1 || w->kept.items[0].count != 1)
        return pg_err(
            PG_ERR_UNSUPPORTED,
            "%s holds one array, these inputs are %zu iterations of %zu; use .npz, .safetensors or .json "
            "instead of '%s'",
            pg_format_name(w->format), w->kept.len, w->kept.len > 0 ? w->kept.items[0].count : 0, w->path);
    const pg_named_value *only = &w->kept.items[0].items[0];
    return pg_single_save(w->path, pg_str_c(only->name), &only->value);
}

/* One iteration keeps its names; several get "<iteration>/" before them and a note. */
static pg_status finish_archive(const pg_inputs_writer *w)
{
    pg_arena arena = {0};
    pg_buf note = {0};
    size_t total = 0, at = 0;
    for (size_t i = 0; i < w->kept.len; i++)
        total += w->kept.items[i].count;
    pg_named_value *items = PG_ARENA_ARRAY(&arena, pg_named_value, total);
    for (size_t i = 0; i < w->kept.len; i++)
        for (size_t k = 0; k < w->kept.items[i].count; k++, at++) {
            items[at] = w->kept.items[i].items[k];
            if (w->kept.len > 1)
                items[at].name = pg_arena_printf(&arena, "%zu/%s", i, items[at].name);
        }
    if (w->kept.len != 1) {
        pg_layout_runner runner = {.iterations = w->kept.len,
                                   .runtimes = PG_ARENA_ARRAY(&arena, double, w->kept.len)};
        for (size_t i = 0; i < w->kept.len; i++)
            runner.runtimes[i] = (double)NAN;
        pg_archive_layout layout = {.runners = &runner, .n_runners = 1};
        pg_layout_write(&layout, &note);
    }
    pg_status status = pg_archive_write(w->path, items, total, pg_buf_str(&note));
    pg_buf_deinit(&note);
    pg_arena_deinit(&arena);
    return status;
}

pg_status pg_inputs_finish(pg_inputs_writer *w)
{
    pg_status status = NULL;
    if (w->format == PG_FORMAT_JSON) {
        pg_json_end_array(&w->json);
        status = pg_writer_commit(&w->file);
    } else if (pg_format_is_single(w->format)) {
        status = finish_single(w);
    } else if (w->format != PG_FORMAT_FOLDER) {
        status = finish_archive(w);
    }
    pg_inputs_abandon(w);
    return status;
}

void pg_inputs_abandon(pg_inputs_writer *w)
{
    if (w == NULL)
        return;
    pg_writer_abandon(&w->file);
    for (size_t i = 0; i < w->kept.len; i++)
        pg_feed_deinit(&w->kept.items[i]);
    PG_VEC_FREE(&w->kept);
    free(w->path);
    free(w);
}

pg_status pg_inputs_save(const char *path, const pg_feed *feeds, size_t count)
{
    pg_inputs_writer *writer;
    PG_TRY(pg_inputs_create(path, &writer));
    for (size_t i = 0; i < count; i++) {
        pg_status status = pg_inputs_add(writer, &feeds[i]);
        if (status != NULL) {
            pg_inputs_abandon(writer);
            return status;
        }
    }
    return pg_inputs_finish(writer);
}
