/* Results of runs, read and written. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "data/internal.h"

/* ---- Joining ---- */

static pg_runner_results *find_runner(const pg_run_results *results, const char *name)
{
    for (size_t r = 0; r < results->count; r++)
        if (strcmp(results->items[r].name, name) == 0)
            return &results->items[r];
    return NULL;
}

static void move_iterations(pg_runner_results *into, pg_runner_results *from)
{
    for (size_t i = 0; i < from->count; i++)
        *pg_runner_results_add(into) = from->items[i];
    from->count = 0;
}

void pg_results_concat(pg_run_results *into, pg_run_results *from)
{
    for (size_t r = 0; r < from->count; r++) {
        pg_runner_results *runner = find_runner(into, from->items[r].name);
        if (runner == NULL)
            runner = pg_run_results_add(into, pg_str_c(from->items[r].name));
        move_iterations(runner, &from->items[r]);
    }
    pg_run_results_deinit(from);
}

/* Adds runners as they are, equal names included. */
static void append(pg_run_results *into, pg_run_results *from)
{
    for (size_t r = 0; r < from->count; r++)
        move_iterations(pg_run_results_add(into, pg_str_c(from->items[r].name)), &from->items[r]);
    pg_run_results_deinit(from);
}

/* ---- JSON ---- */

static pg_status get_iteration(pg_json_doc *doc, const pg_place *place, const pg_json *json,
                               pg_iteration *out)
{
    pg_place at = {.up = place, .key = PG_STR("outputs")};
    pg_str name;
    if (!pg_str_is(pg_data_class(json), "IterationResult"))
        return pg_place_err(PG_ERR_INVALID, doc, place, json,
                            "an IterationResult was expected, found %s '%" PG_STR_FMT "'",
                            pg_json_kind_name((pg_json_kind)json->kind), PG_STR_ARG(pg_data_class(json)));
    const pg_json *outputs = pg_json_find(json, "outputs"), *runtime = pg_json_find(json, "runtime"),
                  *runner = pg_json_find(json, "runner_name");
    if (outputs == NULL)
        return pg_place_err(PG_ERR_INVALID, doc, place, json, "an IterationResult without \"outputs\"");
    if (outputs->kind != PG_JSON_NULL)
        PG_TRY(pg_json_get_feed(doc, &at, outputs, &out->outputs));
    out->has_runtime = pg_json_f64(runtime, &out->runtime);
    if (!out->has_runtime && runtime != NULL && runtime->kind != PG_JSON_NULL) {
        at.key = PG_STR("runtime");
        return pg_place_err(PG_ERR_INVALID, doc, &at, runtime,
                            "the runtime is %s, seconds or null were expected",
                            pg_json_kind_name((pg_json_kind)runtime->kind));
    }
    if (pg_json_text(runner, &doc->arena, &name))
        out->runner_name = pg_strndup(name.ptr, name.len);
    return NULL;
}

static pg_status get_runner(pg_json_doc *doc, const pg_place *place, const pg_json *json, pg_run_results *out)
{
    pg_str name;
    pg_place list = {.up = place, .index = 1};
    if (json->kind != PG_JSON_ARRAY || json->count != 2 ||
        !pg_json_text(&json->items[0], &doc->arena, &name) || json->items[1].kind != PG_JSON_ARRAY)
        return pg_place_err(PG_ERR_INVALID, doc, place, json,
                            "a runner's name and its list of iterations were expected");
    pg_runner_results *runner = pg_run_results_add(out, name);
    const pg_json *iterations = &json->items[1];
    for (size_t i = 0; i < iterations->count; i++) {
        pg_place at = {.up = &list, .index = i};
        PG_TRY(get_iteration(doc, &at, &iterations->items[i], pg_runner_results_add(runner)));
    }
    return NULL;
}

pg_status pg_json_get_results(pg_json_doc *doc, pg_run_results *out)
{
    pg_str class = pg_data_class(&doc->root);
    pg_place at = {.key = PG_STR("lst")};
    if (!pg_str_is(class, "RunResults"))
        return pg_place_err(PG_ERR_INVALID, doc, NULL, &doc->root,
                            "results of a run (RunResults) were expected, found %s%s%" PG_STR_FMT "%s",
                            pg_json_kind_name((pg_json_kind)doc->root.kind),
                            class.len > 0 ? " of class '" : "", PG_STR_ARG(class), class.len > 0 ? "'" : "");
    const pg_json *list = pg_json_find(&doc->root, "lst");
    if (list == NULL || list->kind != PG_JSON_ARRAY)
        return pg_place_err(PG_ERR_INVALID, doc, &at, &doc->root, "a list of runners was expected");
    for (size_t r = 0; r < list->count; r++) {
        pg_place place = {.up = &at, .index = r};
        PG_TRY(get_runner(doc, &place, &list->items[r], out));
    }
    return NULL;
}

static pg_status load_json(const char *path, pg_run_results *out)
{
    pg_json_doc doc;
    PG_TRY(pg_json_open(path, &doc));
    pg_status status = pg_json_get_results(&doc, out);
    pg_json_close(&doc);
    return status;
}

static pg_status load_folder(const char *folder, pg_run_results *out)
{
    pg_arena arena = {0};
    char **paths;
    size_t count = 0;
    pg_status status = pg_folder_list(folder, &arena, &paths, &count);
    for (size_t i = 0; i < count && status == NULL; i++) {
        pg_run_results one = {0};
        status = load_json(paths[i], &one);
        pg_results_concat(out, &one);
    }
    pg_arena_deinit(&arena);
    return status;
}

/* ---- Archives and single arrays ---- */

static pg_status fill_from_archive(const pg_archive *archive, pg_arena *arena, pg_run_results *out)
{
    pg_archive_layout layout;
    PG_TRY(pg_layout_parse(archive, arena, &layout));
    for (size_t r = 0; r < layout.n_runners; r++) {
        const pg_layout_runner *from = &layout.runners[r];
        pg_runner_results *runner =
            pg_run_results_add(out, layout.results ? from->name : pg_path_stem(archive->path));
        for (size_t i = 0; i < from->iterations; i++) {
            pg_iteration *iteration = pg_runner_results_add(runner);
            iteration->runner_name = pg_strndup(runner->name, strlen(runner->name));
            iteration->has_runtime = !isnan(from->runtimes[i]);
            iteration->runtime = iteration->has_runtime ? from->runtimes[i] : 0;
        }
    }
    for (size_t i = 0; i < archive->count; i++) {
        size_t runner, iteration;
        pg_str name;
        pg_tensor tensor;
        PG_TRY(pg_layout_place(archive, &layout, i, &runner, &iteration, &name));
        PG_TRY(pg_archive_read(archive, i, &tensor));
        pg_feed_add(&out->items[runner].items[iteration].outputs, name, pg_value_of_tensor(tensor));
    }
    return NULL;
}

static pg_status load_archive(const char *path, pg_run_results *out)
{
    pg_archive archive;
    pg_arena arena = {0};
    PG_TRY(pg_archive_open(path, &archive));
    pg_status status = fill_from_archive(&archive, &arena, out);
    pg_archive_close(&archive);
    pg_arena_deinit(&arena);
    return status;
}

static pg_status load_single(const pg_data_spec *spec, pg_run_results *out)
{
    pg_tensor tensor;
    char *inner_name = NULL;
    pg_str stem = pg_path_stem(spec->path);
    PG_TRY(pg_single_load(spec, NULL, &tensor, &inner_name));
    pg_runner_results *runner = pg_run_results_add(out, stem);
    pg_iteration *iteration = pg_runner_results_add(runner);
    iteration->runner_name = pg_strndup(stem.ptr, stem.len);
    pg_str name = spec->name.len > 0                            ? spec->name
                  : inner_name != NULL && inner_name[0] != '\0' ? pg_str_c(inner_name)
                                                                : stem;
    pg_feed_add(&iteration->outputs, name, pg_value_of_tensor(tensor));
    free(inner_name);
    return NULL;
}

static pg_status load_any(const pg_data_spec *spec, pg_run_results *out)
{
    if (pg_path_is_dir(spec->path))
        return load_folder(spec->path, out);
    pg_format format = pg_format_of(spec->path);
    if (pg_format_is_single(format))
        return load_single(spec, out);
    return format == PG_FORMAT_NPZ || format == PG_FORMAT_SAFETENSORS ? load_archive(spec->path, out)
                                                                      : load_json(spec->path, out);
}

pg_status pg_results_load(const char *path, pg_run_results *io)
{
    pg_arena arena = {0};
    pg_data_spec spec;
    pg_run_results loaded = {0};
    pg_status status = pg_spec_parse(path, &arena, &spec);
    if (status == NULL)
        status = load_any(&spec, &loaded);
    if (status == NULL)
        append(io, &loaded);
    pg_run_results_deinit(&loaded);
    pg_arena_deinit(&arena);
    return status;
}

/* ---- Saving ---- */

static pg_status put_iteration(pg_json_writer *w, const pg_iteration *iteration, const char *runner_name)
{
    pg_json_begin_object(w);
    pg_json_key(w, "outputs");
    pg_json_begin_object(w);
    for (size_t i = 0; i < iteration->outputs.count; i++) {
        const pg_named_value *item = &iteration->outputs.items[i];
        pg_json_key(w, item->name);
        pg_json_begin_object(w);
        pg_json_key(w, "values");
        PG_TRY(pg_json_put_value(w, &item->value));
        pg_json_field_str(w, "polygraphy_class", PG_STR("LazyArray"));
        pg_json_end_object(w);
    }
    pg_json_end_object(w);
    pg_json_key(w, "runtime");
    if (iteration->has_runtime)
        pg_json_put_f64(w, iteration->runtime);
    else
        pg_json_put_null(w);
    pg_json_field_str(w, "runner_name",
                      pg_str_c(iteration->runner_name != NULL ? iteration->runner_name : runner_name));
    pg_json_field_str(w, "polygraphy_class", PG_STR("IterationResult"));
    pg_json_end_object(w);
    return NULL;
}

/* Iterations [begin, end) of every runner; runners that have none of them are left out when `skip_empty`. */
static pg_status put_range(pg_json_writer *w, const pg_run_results *results, size_t begin, size_t end,
                           bool skip_empty)
{
    pg_json_begin_object(w);
    pg_json_key(w, "lst");
    pg_json_begin_array(w);
    for (size_t r = 0; r < results->count; r++) {
        const pg_runner_results *runner = &results->items[r];
        if (skip_empty && runner->count <= begin)
            continue;
        pg_json_begin_array(w);
        pg_json_put_cstr(w, runner->name);
        pg_json_begin_array(w);
        for (size_t i = begin; i < end && i < runner->count; i++)
            PG_TRY(put_iteration(w, &runner->items[i], runner->name));
        pg_json_end_array(w);
        pg_json_end_array(w);
    }
    pg_json_end_array(w);
    pg_json_field_str(w, "polygraphy_class", PG_STR("RunResults"));
    pg_json_end_object(w);
    return NULL;
}

pg_status pg_data_put_results(pg_json_writer *w, const pg_run_results *results)
{
    return put_range(w, results, 0, SIZE_MAX, false);
}

static pg_status save_json(const char *path, const pg_run_results *results, size_t begin, size_t end,
                           bool skip_empty)
{
    pg_writer file;
    pg_json_writer json;
    PG_TRY(pg_writer_open(&file, path));
    pg_json_to_file(&json, &file, 4);
    pg_status status = put_range(&json, results, begin, end, skip_empty);
    if (status == NULL)
        return pg_writer_commit(&file);
    pg_writer_abandon(&file);
    return pg_status_context(status, "while writing '%s'", path);
}

static pg_status save_folder(const char *folder, const pg_run_results *results)
{
    size_t most = 0;
    PG_TRY(pg_folder_prepare(folder));
    for (size_t r = 0; r < results->count; r++)
        most = PG_MAX(most, results->items[r].count);
    for (size_t i = 0; i < most; i++) {
        pg_arena arena = {0};
        pg_status status = save_json(pg_folder_file(folder, i, &arena), results, i, i + 1, true);
        pg_arena_deinit(&arena);
        PG_TRY(status);
    }
    return NULL;
}

static void describe(const pg_run_results *results, pg_arena *arena, pg_archive_layout *out)
{
    *out = (pg_archive_layout){.results = true, .n_runners = results->count};
    out->plain = results->count == 1 && results->items[0].count == 1;
    out->runners = PG_ARENA_ARRAY(arena, pg_layout_runner, results->count);
    for (size_t r = 0; r < results->count; r++) {
        const pg_runner_results *from = &results->items[r];
        pg_layout_runner *runner = &out->runners[r];
        runner->name = pg_str_c(from->name);
        runner->iterations = from->count;
        runner->runtimes = PG_ARENA_ARRAY(arena, double, from->count);
        for (size_t i = 0; i < from->count; i++)
            runner->runtimes[i] = from->items[i].has_runtime ? from->items[i].runtime : (double)NAN;
    }
    pg_layout_name(out, arena);
}

static pg_status save_archive(const char *path, const pg_run_results *results)
{
    pg_arena arena = {0};
    pg_archive_layout layout;
    PG_VEC(pg_named_value) items = {0};
    pg_buf note = {0};
    describe(results, &arena, &layout);
    for (size_t r = 0; r < results->count; r++)
        for (size_t i = 0; i < results->items[r].count; i++) {
            const pg_feed *outputs = &results->items[r].items[i].outputs;
            for (size_t k = 0; k < outputs->count; k++) {
                pg_named_value item = outputs->items[k]; /* borrowed */
                if (!layout.plain)
                    item.name = pg_arena_printf(&arena, "%s%zu/%s", layout.runners[r].prefix, i, item.name);
                PG_VEC_PUSH(&items, item);
            }
        }
    pg_layout_write(&layout, &note);
    pg_status status = pg_archive_write(path, items.items, items.len, pg_buf_str(&note));
    PG_VEC_FREE(&items);
    pg_buf_deinit(&note);
    pg_arena_deinit(&arena);
    return status;
}

static pg_status save_single(const char *path, pg_format format, const pg_run_results *results)
{
    size_t total = 0;
    const pg_named_value *only = NULL;
    for (size_t r = 0; r < results->count; r++)
        for (size_t i = 0; i < results->items[r].count; i++) {
            const pg_feed *outputs = &results->items[r].items[i].outputs;
            total += outputs->count;
            if (outputs->count > 0)
                only = &outputs->items[0];
        }
    if (total != 1)
        return pg_err(
            PG_ERR_UNSUPPORTED,
            "%s holds one array, these results are %zu; use .npz, .safetensors or .json instead of '%s'",
            pg_format_name(format), total, path);
    return pg_single_save(path, pg_str_c(only->name), &only->value);
}

pg_status pg_results_save(const char *path, const pg_run_results *results)
{
    pg_format format = pg_format_of(path);
    if (format == PG_FORMAT_FOLDER)
        return save_folder(path, results);
    if (format == PG_FORMAT_JSON)
        return save_json(path, results, 0, SIZE_MAX, false);
    return pg_format_is_single(format) ? save_single(path, format, results) : save_archive(path, results);
}

/* ---- What a file holds ---- */

static pg_status kind_of_json(const char *path, pg_data_kind *out)
{
    pg_json_doc doc;
    PG_TRY(pg_json_open(path, &doc));
    pg_str class = pg_data_class(&doc.root);
    pg_status status = NULL;
    if (pg_str_is(class, "RunResults"))
        *out = PG_DATA_RESULTS;
    else if (pg_str_is(class, "AccuracyResults"))
        *out = PG_DATA_ACCURACY;
    else if (class.len == 0 && (doc.root.kind == PG_JSON_ARRAY || doc.root.kind == PG_JSON_OBJECT))
        *out = PG_DATA_INPUTS;
    else
        status =
            pg_place_err(PG_ERR_INVALID, &doc, NULL, &doc.root,
                         "neither inputs nor results of a run nor accuracy results: %s%s%" PG_STR_FMT "%s",
                         pg_json_kind_name((pg_json_kind)doc.root.kind), class.len > 0 ? " of class '" : "",
                         PG_STR_ARG(class), class.len > 0 ? "'" : "");
    pg_json_close(&doc);
    return status;
}

static pg_status kind_of_archive(const char *path, pg_data_kind *out)
{
    pg_archive archive;
    pg_arena arena = {0};
    pg_archive_layout layout;
    PG_TRY(pg_archive_open(path, &archive));
    pg_status status = pg_layout_parse(&archive, &arena, &layout);
    *out = status == NULL && layout.results ? PG_DATA_RESULTS : PG_DATA_INPUTS;
    pg_archive_close(&archive);
    pg_arena_deinit(&arena);
    return status;
}

pg_status pg_data_kind_of(const char *path, pg_data_kind *out)
{
    pg_arena arena = {0};
    pg_data_spec spec;
    char **files;
    size_t count;
    *out = PG_DATA_INPUTS;
    pg_status status = pg_spec_parse(path, &arena, &spec);
    if (status != NULL)
        goto done;
    pg_format format = pg_format_of(spec.path);
    if (pg_path_is_dir(spec.path)) {
        status = pg_folder_list(spec.path, &arena, &files, &count);
        if (status == NULL)
            status = kind_of_json(files[0], out);
    } else if (format == PG_FORMAT_NPZ || format == PG_FORMAT_SAFETENSORS) {
        status = kind_of_archive(spec.path, out);
    } else if (!pg_format_is_single(format)) {
        status = kind_of_json(spec.path, out);
    }
done:
    pg_arena_deinit(&arena);
    return status;
}
