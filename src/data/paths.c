/* Which format a path means, folders of iterations, and the extra words around a path. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "data/internal.h"

static const struct {
    const char *extension;
    pg_format format;
} extensions[] = {
    {".json", PG_FORMAT_JSON}, {".npz", PG_FORMAT_NPZ}, {".safetensors", PG_FORMAT_SAFETENSORS},
    {".npy", PG_FORMAT_NPY},   {".pb", PG_FORMAT_PB},   {".bin", PG_FORMAT_RAW},
    {".raw", PG_FORMAT_RAW},   {".dat", PG_FORMAT_RAW},
};

pg_format pg_format_of(const char *path)
{
    pg_str extension = pg_path_extension(pg_str_c(path));
    if (extension.len == 0 || pg_path_is_dir(path))
        return PG_FORMAT_FOLDER;
    for (size_t i = 0; i < PG_COUNT(extensions); i++)
        if (pg_str_eq_nocase(extension, pg_str_c(extensions[i].extension)))
            return extensions[i].format;
    return PG_FORMAT_JSON;
}

const char *pg_format_name(pg_format format)
{
    static const char *const names[] = {"a JSON file",         "a folder",    "a .npz archive",
                                        "a .safetensors file", "a .npy file", "a TensorProto",
                                        "a raw file"};
    return names[format];
}

pg_str pg_path_stem(const char *path)
{
    pg_str name = pg_path_basename(pg_str_c(path));
    return pg_str_sub(name, 0, name.len - pg_path_extension(name).len);
}

pg_status pg_folder_list(const char *folder, pg_arena *arena, char ***out_paths, size_t *out_count)
{
    char **names;
    size_t n_names, count = 0;
    PG_TRY(pg_path_list(folder, arena, &names, &n_names));
    for (size_t i = 0; i < n_names; i++)
        if (names[i][0] != '.' && pg_str_ends(pg_str_c(names[i]), PG_STR(".json")))
            names[count++] = pg_path_join(arena, pg_str_c(folder), pg_str_c(names[i]));
    if (count == 0)
        return pg_err(PG_ERR_NOT_FOUND,
                      "the folder '%s' holds no .json files, one per iteration was expected", folder);
    *out_paths = names;
    *out_count = count;
    return NULL;
}

pg_status pg_folder_prepare(const char *folder)
{
    if (!pg_path_exists(folder))
        return pg_path_make_dirs(folder);
    if (!pg_path_is_dir(folder))
        return pg_err(PG_ERR_INVALID,
                      "'%s' is a file, but a path without extension is a folder of iterations; "
                      "give the path an extension or choose another",
                      folder);
    pg_arena arena = {0};
    char **names;
    size_t count = 0;
    pg_status status = pg_path_list(folder, &arena, &names, &count);
    if (status == NULL && count > 0)
        status = pg_err(
            PG_ERR_INVALID,
            "the folder '%s' is not empty (it holds '%s'); iterations are saved to an empty or new one",
            folder, names[0]);
    pg_arena_deinit(&arena);
    return status;
}

char *pg_folder_file(const char *folder, size_t index, pg_arena *arena)
{
    return pg_arena_printf(arena, "%s/%010zu.json", folder, index);
}

/* "[1,3]", "1x3" or "[]". */
static bool parse_shape(pg_str text, pg_data_spec *out)
{
    char separator = 'x';
    if (text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']') {
        text = pg_str_sub(text, 1, text.len - 1);
        separator = ',';
    } else if (text.len == 0) {
        return false;
    }
    out->rank = 0;
    for (pg_str part; pg_str_split(&text, separator, &part);) {
        int64_t dim;
        if (out->rank >= PG_MAX_RANK || !pg_str_to_i64(part, &dim) || dim < 0)
            return false;
        out->dims[out->rank++] = dim;
    }
    out->has_shape = true;
    return true;
}

/* Cuts what follows the last colon off *text. */
static bool cut_last(pg_str *text, pg_str *out_last)
{
    size_t colon = pg_str_rfind(*text, ':');
    if (colon == SIZE_MAX)
        return false;
    *out_last = pg_str_sub(*text, colon + 1, text->len);
    *text = pg_str_sub(*text, 0, colon);
    return true;
}

/* "path" or "name:path", the longest name whose rest exists. */
static bool split_existing(pg_str text, pg_arena *arena, pg_data_spec *out)
{
    char *whole = pg_arena_cstr(arena, text);
    out->name = PG_STR_EMPTY;
    out->path = whole;
    if (pg_path_exists(whole))
        return true;
    for (size_t at = text.len; at-- > 0;)
        if (whole[at] == ':' && pg_path_exists(whole + at + 1)) {
            out->name = pg_str_sub(text, 0, at);
            out->path = whole + at + 1;
            return true;
        }
    return false;
}

pg_status pg_spec_parse(const char *text, pg_arena *arena, pg_data_spec *out)
{
    pg_str rest = pg_str_c(text), last;
    *out = (pg_data_spec){0};
    if (split_existing(rest, arena, out))
        return NULL;
    pg_data_spec typed = {0};
    if (cut_last(&rest, &last) && parse_shape(last, &typed) && !cut_last(&rest, &last))
        last = PG_STR_EMPTY;
    typed.dtype = pg_dtype_parse(last);
    if (typed.dtype != PG_UNDEFINED && split_existing(rest, arena, &typed)) {
        *out = typed;
        return NULL;
    }
    return pg_err(PG_ERR_NOT_FOUND, "there is no file or folder '%s'", text);
}

pg_status pg_data_check_path(const char *path)
{
    pg_arena arena = {0};
    pg_data_spec spec;
    pg_status status = pg_spec_parse(path, &arena, &spec);
    pg_arena_deinit(&arena);
    return status;
}
