/* Reading input specs: every field is checked before anything is loaded. */
#include "data/spec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "data/spec_internal.h"

struct pg_input_spec {
    pg_json_doc doc;
    pg_spec_input *inputs; /* in the document's arena */
    size_t n_inputs, n_iterations;
};

/* The field being read: spec, input and place, for messages. */
typedef struct field {
    pg_input_spec *spec;
    pg_spec_input *input;
    const pg_place *place;
    const pg_json *json;
} field;

bool pg_input_spec_is(const pg_json *root)
{
    return pg_json_find(root, "input_spec") != NULL;
}

PG_PRINTF(2, 3) static pg_status wrong(const field *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pg_status status = pg_err_v(PG_ERR_INVALID, format, args);
    va_end(args);
    return pg_place_context(status, &f->spec->doc, f->place, f->json);
}

/* ---- Values ---- */

static pg_status get_text(const field *f, pg_str *out)
{
    if (!pg_json_text(f->json, &f->spec->doc.arena, out))
        return wrong(f, "a string was expected, found %s", pg_json_kind_name((pg_json_kind)f->json->kind));
    return NULL;
}

/* The place of the text among "a|b|c". */
static pg_status get_choice(const field *f, const char *choices, unsigned *out)
{
    pg_str text, rest = pg_str_c(choices), part;
    PG_TRY(get_text(f, &text));
    for (*out = 0; pg_str_split(&rest, '|', &part); ++*out)
        if (pg_str_eq(part, text))
            return NULL;
    return wrong(f, "'%" PG_STR_FMT "' is none of %s", PG_STR_ARG(text), choices);
}

static pg_status get_bool(const field *f, bool *out)
{
    if (f->json->kind != PG_JSON_BOOL)
        return wrong(f, "true or false was expected, found %s",
                     pg_json_kind_name((pg_json_kind)f->json->kind));
    *out = f->json->truth;
    return NULL;
}

/* A number, or a list of up to three of them. */
static pg_status get_numbers(const field *f, double *out, size_t *out_count)
{
    bool list = f->json->kind == PG_JSON_ARRAY;
    size_t count = list ? f->json->count : 1;
    if (count == 0 || count > PG_SPEC_CHANNELS)
        return wrong(f, "a number or up to %d of them were expected, found %zu", PG_SPEC_CHANNELS, count);
    for (size_t i = 0; i < count; i++)
        if (!pg_json_f64(list ? &f->json->items[i] : f->json, &out[i]) || !isfinite(out[i]))
            return wrong(f, "a finite number was expected");
    *out_count = count;
    return NULL;
}

static pg_status get_side(const field *f, const pg_json *json, uint32_t *out)
{
    int64_t value;
    if (!pg_json_i64(json, &value) || value < 1 || value > PG_IMAGE_MAX_SIDE)
        return wrong(f, "a number of points from 1 to %d was expected", PG_IMAGE_MAX_SIDE);
    *out = (uint32_t)value;
    return NULL;
}

/* [height, width], or one number for both. */
static pg_status get_sides(const field *f, uint32_t *out_height, uint32_t *out_width)
{
    if (f->json->kind != PG_JSON_ARRAY) {
        *out_width = 0;
        return get_side(f, f->json, out_height);
    }
    if (f->json->count != 2)
        return wrong(f, "[height, width] was expected, found a list of %zu", f->json->count);
    PG_TRY(get_side(f, &f->json->items[0], out_height));
    return get_side(f, &f->json->items[1], out_width);
}

/* ---- Fields ---- */

bool pg_is_picture_path(const char *path)
{
    pg_str extension = pg_path_extension(pg_str_c(path));
    return pg_str_eq_nocase(extension, PG_STR(".png")) || pg_str_eq_nocase(extension, PG_STR(".jpg")) ||
           pg_str_eq_nocase(extension, PG_STR(".jpeg"));
}

static bool is_array_name(const char *path)
{
    pg_format format = pg_format_of(path);
    return format == PG_FORMAT_NPZ || format == PG_FORMAT_SAFETENSORS || format == PG_FORMAT_NPY ||
           format == PG_FORMAT_PB;
}

typedef PG_VEC(char *) path_list;

static pg_status add_folder(const field *f, const char *folder, path_list *paths)
{
    pg_arena *arena = &f->spec->doc.arena;
    char **names;
    size_t count, before = paths->len;
    PG_TRY(pg_path_list(folder, arena, &names, &count));
    for (size_t i = 0; i < count; i++)
        if (pg_is_picture_path(names[i]))
            PG_VEC_PUSH(paths, pg_path_join(arena, pg_str_c(folder), pg_str_c(names[i])));
    if (paths->len == before)
        return wrong(f, "the folder '%s' holds no .png, .jpg or .jpeg", folder);
    return NULL;
}

static pg_status add_path(const field *f, const pg_json *json, path_list *paths)
{
    pg_arena *arena = &f->spec->doc.arena;
    pg_str text;
    if (!pg_json_text(json, arena, &text) || text.len == 0 || memchr(text.ptr, '\0', text.len) != NULL)
        return wrong(f, "a path was expected");
    const char *base = pg_path_dirname(arena, pg_str_c(f->spec->doc.map.path));
    char *path =
        strcmp(base, ".") == 0 ? pg_arena_cstr(arena, text) : pg_path_join(arena, pg_str_c(base), text);
    if (pg_path_is_dir(path))
        return add_folder(f, path, paths);
    if (!pg_path_exists(path))
        return wrong(f, "there is no file '%s'", path);
    if (!pg_is_picture_path(path) && !is_array_name(path))
        return wrong(f, "'%s' is no .png, .jpg, .jpeg, .npz, .safetensors, .npy or .pb", path);
    PG_VEC_PUSH(paths, path);
    return NULL;
}

static pg_status take_from(const field *f)
{
    path_list paths = {0};
    pg_status status = NULL;
    bool list = f->json->kind == PG_JSON_ARRAY;
    size_t count = list ? f->json->count : 1;
    for (size_t i = 0; i < count && status == NULL; i++)
        status = add_path(f, list ? &f->json->items[i] : f->json, &paths);
    if (status == NULL && paths.len == 0)
        status = wrong(f, "a path was expected, found an empty list");
    for (size_t i = 1; i < paths.len && status == NULL; i++)
        if (pg_is_picture_path(paths.items[i]) != pg_is_picture_path(paths.items[0]))
            status = wrong(f, "'%s' and '%s' are a picture and an array: one input is one of them",
                           paths.items[0], paths.items[i]);
    f->input->paths = PG_ARENA_ARRAY(&f->spec->doc.arena, char *, paths.len + 1);
    for (size_t i = 0; i < paths.len && status == NULL; i++)
        f->input->paths[i] = paths.items[i];
    f->input->n_paths = paths.len;
    f->input->is_image = status == NULL && pg_is_picture_path(paths.items[0]);
    PG_VEC_FREE(&paths);
    return status;
}

static pg_status take_resize(const field *f)
{
    return get_sides(f, &f->input->resize_height, &f->input->resize_width);
}

static pg_status take_crop(const field *f)
{
    PG_TRY(get_sides(f, &f->input->crop_height, &f->input->crop_width));
    if (f->input->crop_width == 0)
        f->input->crop_width = f->input->crop_height;
    return NULL;
}

static pg_status take_filter(const field *f)
{
    unsigned choice = 0;
    PG_TRY(get_choice(f, "nearest|box|bilinear|bicubic", &choice));
    f->input->filter = (pg_image_filter)choice;
    return NULL;
}

static pg_status take_colour(const field *f)
{
    unsigned choice = 0;
    PG_TRY(get_choice(f, "RGB|BGR|GRAY", &choice));
    f->input->colour = (pg_spec_colour)choice;
    return NULL;
}

static pg_status take_layout(const field *f)
{
    unsigned choice = 0;
    PG_TRY(get_choice(f, "NCHW|NHWC|CHW|HWC", &choice));
    f->input->layout = (pg_spec_layout)choice;
    return NULL;
}

static pg_status take_array(const field *f)
{
    return get_text(f, &f->input->array);
}

static pg_status take_split(const field *f)
{
    return get_bool(f, &f->input->split);
}

static pg_status take_axes(const field *f)
{
    pg_spec_input *input = f->input;
    bool seen[PG_MAX_RANK] = {false};
    if (f->json->kind != PG_JSON_ARRAY || f->json->count == 0 || f->json->count > PG_MAX_RANK)
        return wrong(f, "the order of the axes was expected, as in [0, 3, 1, 2]");
    for (size_t i = 0; i < f->json->count; i++) {
        int64_t axis;
        if (!pg_json_i64(&f->json->items[i], &axis) || axis < 0 || axis >= (int64_t)f->json->count ||
            seen[axis])
            return wrong(f, "every axis from 0 to %zu was expected once", f->json->count - 1);
        seen[axis] = true;
        input->axes[i] = axis;
    }
    input->n_axes = f->json->count;
    return NULL;
}

static pg_status take_divide(const field *f)
{
    size_t count;
    double values[PG_SPEC_CHANNELS];
    PG_TRY(get_numbers(f, values, &count));
    if (count != 1 || values[0] == 0)
        return wrong(f, "one number other than 0 was expected");
    f->input->divide = values[0];
    f->input->scaled = true;
    return NULL;
}

static pg_status take_mean(const field *f)
{
    f->input->scaled = true;
    return get_numbers(f, f->input->mean, &f->input->n_mean);
}

static pg_status take_std(const field *f)
{
    f->input->scaled = true;
    PG_TRY(get_numbers(f, f->input->std, &f->input->n_std));
    for (size_t i = 0; i < f->input->n_std; i++)
        if (f->input->std[i] == 0)
            return wrong(f, "a deviation of 0 would divide by 0");
    return NULL;
}

static pg_status take_dtype(const field *f)
{
    pg_str text;
    PG_TRY(get_text(f, &text));
    f->input->dtype = pg_dtype_parse(text);
    pg_dtype dtype = f->input->dtype;
    if (!pg_dtype_is_float(dtype) && !pg_dtype_is_integer(dtype) && dtype != PG_BOOL)
        return wrong(f, "'%" PG_STR_FMT "' is no type of numbers, as float32, float16, int64 or uint8 are",
                     PG_STR_ARG(text));
    return NULL;
}

typedef enum field_of { FOR_ALL, FOR_IMAGES, FOR_ARRAYS } field_of;
static const struct {
    const char *name;
    field_of whom;
    pg_status (*take)(const field *f);
} fields[] = {
    {"from", FOR_ALL, take_from},        {"dtype", FOR_ALL, take_dtype},
    {"divide", FOR_ALL, take_divide},    {"mean", FOR_ALL, take_mean},
    {"std", FOR_ALL, take_std},          {"resize", FOR_IMAGES, take_resize},
    {"filter", FOR_IMAGES, take_filter}, {"crop", FOR_IMAGES, take_crop},
    {"colour", FOR_IMAGES, take_colour}, {"layout", FOR_IMAGES, take_layout},
    {"array", FOR_ARRAYS, take_array},   {"split", FOR_ARRAYS, take_split},
    {"axes", FOR_ARRAYS, take_axes},
};

/* ---- Inputs ---- */

static size_t find_field(pg_str name)
{
    for (size_t i = 0; i < PG_COUNT(fields); i++)
        if (pg_str_is(name, fields[i].name))
            return i;
    return SIZE_MAX;
}

static pg_status unknown_field(const field *f, pg_str name)
{
    pg_buf names = {0};
    for (size_t i = 0; i < PG_COUNT(fields); i++)
        pg_buf_printf(&names, "%s%s", i > 0 ? ", " : "", fields[i].name);
    pg_status status =
        wrong(f, "there is no field '%" PG_STR_FMT "'; there are %s", PG_STR_ARG(name), pg_buf_cstr(&names));
    pg_buf_deinit(&names);
    return status;
}

/* What fits each field but not all of them together. */
static pg_status check_together(const field *f)
{
    const pg_spec_input *input = f->input;
    size_t channels = !input->is_image || input->colour == PG_SPEC_GREY ? 1 : 3;
    if (input->n_paths == 0)
        return wrong(f, "the field \"from\" is missing: a file, a folder of pictures or a list of files");
    if ((input->n_mean > 1 && input->n_mean != channels) || (input->n_std > 1 && input->n_std != channels))
        return wrong(f, "\"mean\" and \"std\" are one number%s here", channels > 1 ? " or three" : "");
    if (input->scaled && input->dtype != PG_UNDEFINED && !pg_dtype_is_float(input->dtype))
        return wrong(f, "\"divide\", \"mean\" and \"std\" need a floating-point \"dtype\", not %s",
                     pg_dtype_name(input->dtype));
    if (input->split && input->n_paths > 1)
        return wrong(f, "\"split\" takes one file, not %zu", input->n_paths);
    return NULL;
}

static pg_status read_fields(const field *whole)
{
    const pg_json *json = whole->json;
    for (int pass = 0; pass < 2; pass++) /* "from" first: it tells pictures from arrays */
        for (size_t i = 0; i < json->count; i++) {
            pg_place place = {.up = whole->place, .key = json->members[i].key};
            field one = {whole->spec, whole->input, &place, &json->members[i].value};
            size_t which = find_field(place.key);
            if (which == SIZE_MAX)
                return unknown_field(&one, place.key);
            if ((which == 0) != (pass == 0))
                continue;
            if (fields[which].whom != FOR_ALL && (fields[which].whom == FOR_IMAGES) != whole->input->is_image)
                return wrong(&one, "\"%s\" is for %s", fields[which].name,
                             fields[which].whom == FOR_IMAGES ? "pictures" : "arrays");
            PG_TRY(fields[which].take(&one));
        }
    return NULL;
}

static pg_status read_input(const field *whole)
{
    pg_spec_input *input = whole->input;
    if (whole->json->kind == PG_JSON_STRING) { /* just a file */
        pg_place place = {.up = whole->place, .key = PG_STR("from")};
        PG_TRY(take_from(&(field){whole->spec, input, &place, whole->json}));
    } else if (whole->json->kind == PG_JSON_OBJECT) {
        PG_TRY(read_fields(whole));
    } else {
        return wrong(whole, "a path or an object was expected, found %s",
                     pg_json_kind_name((pg_json_kind)whole->json->kind));
    }
    return check_together(whole);
}

static pg_status load_split(const field *whole)
{
    pg_spec_input *input = whole->input;
    if (!input->split)
        return NULL;
    PG_TRY(pg_place_context(pg_spec_load_array(input, input->paths[0], &input->whole), &whole->spec->doc,
                            whole->place, whole->json));
    if (input->whole.rank == 0 || input->whole.dims[0] == 0)
        return wrong(whole, "\"split\" needs an array with at least one slice along its first axis");
    return NULL;
}

/* Inputs of one iteration serve all; the others must agree. */
static pg_status count_iterations(const field *whole)
{
    pg_input_spec *spec = whole->spec;
    size_t count = whole->input->split ? (size_t)whole->input->whole.dims[0] : whole->input->n_paths;
    if (count > 1 && spec->n_iterations > 1 && count != spec->n_iterations)
        return wrong(whole, "%zu iterations, the inputs before have %zu", count, spec->n_iterations);
    spec->n_iterations = PG_MAX(spec->n_iterations, count);
    return NULL;
}

static pg_status read_inputs(pg_input_spec *spec, const pg_json *inputs)
{
    pg_place top = {.key = PG_STR("inputs")};
    if (inputs == NULL || inputs->kind != PG_JSON_OBJECT || inputs->count == 0)
        return pg_place_err(PG_ERR_INVALID, &spec->doc, inputs != NULL ? &top : NULL,
                            inputs != NULL ? inputs : &spec->doc.root,
                            "\"inputs\" must be an object of the model's inputs by name");
    spec->inputs = PG_ARENA_ARRAY(&spec->doc.arena, pg_spec_input, inputs->count);
    for (size_t i = 0; i < inputs->count; i++) {
        pg_place place = {.up = &top, .key = inputs->members[i].key};
        pg_spec_input *input = &spec->inputs[spec->n_inputs++];
        *input = (pg_spec_input){.name = place.key,
                                 .json = &inputs->members[i].value,
                                 .array = place.key,
                                 .filter = PG_IMAGE_BILINEAR,
                                 .divide = 1,
                                 .std = {1, 1, 1}};
        field whole = {spec, input, &place, input->json};
        for (size_t k = 0; k < i; k++)
            if (pg_str_eq(spec->inputs[k].name, place.key))
                return wrong(&whole, "the input is there twice");
        PG_TRY(read_input(&whole));
        PG_TRY(load_split(&whole));
        PG_TRY(count_iterations(&whole));
    }
    return NULL;
}

static pg_status read_spec(pg_input_spec *spec)
{
    const pg_json *root = &spec->doc.root, *version = pg_json_find(root, "input_spec");
    pg_place place = {.key = PG_STR("input_spec")};
    int64_t number = 0;
    if (version == NULL || !pg_json_i64(version, &number) || number != 1)
        return pg_place_err(PG_ERR_INVALID, &spec->doc, version != NULL ? &place : NULL,
                            version != NULL ? version : root, "the version 1 of input specs was expected");
    for (size_t i = 0; i < root->count; i++) {
        pg_place other = {.key = root->members[i].key};
        if (!pg_str_is(other.key, "input_spec") && !pg_str_is(other.key, "inputs"))
            return pg_place_err(PG_ERR_INVALID, &spec->doc, &other, &root->members[i].value,
                                "an input spec has the fields input_spec and inputs only");
    }
    return read_inputs(spec, pg_json_find(root, "inputs"));
}

pg_status pg_input_spec_open(const char *path, pg_input_spec **out)
{
    pg_input_spec *spec = PG_NEW(pg_input_spec);
    pg_status status = pg_json_open(path, &spec->doc);
    if (status == NULL)
        status = read_spec(spec);
    if (status != NULL) {
        pg_input_spec_close(spec);
        spec = NULL;
    }
    *out = spec;
    return status;
}

size_t pg_input_spec_count(const pg_input_spec *spec)
{
    return spec->n_iterations;
}

pg_status pg_input_spec_get(const pg_input_spec *spec, size_t index, pg_feed *out)
{
    pg_place top = {.key = PG_STR("inputs")};
    for (size_t i = 0; i < spec->n_inputs; i++) {
        pg_place place = {.up = &top, .key = spec->inputs[i].name};
        pg_tensor tensor;
        PG_TRY(pg_place_context(pg_spec_make(&spec->inputs[i], index, &tensor), &spec->doc, &place,
                                spec->inputs[i].json));
        pg_feed_add(out, spec->inputs[i].name, pg_value_of_tensor(tensor));
    }
    return NULL;
}

void pg_input_spec_close(pg_input_spec *spec)
{
    if (spec == NULL)
        return;
    for (size_t i = 0; i < spec->n_inputs; i++)
        pg_tensor_deinit(&spec->inputs[i].whole);
    pg_json_close(&spec->doc);
    free(spec);
}
