#include "engine/plan_text.h"

#include <math.h>

#include "json/json.h"

/* ---- Writing ---- */

static void put_dims(pg_json_writer *json, const char *key, const int64_t *dims, size_t rank)
{
    pg_json_key(json, key);
    pg_json_begin_array(json);
    for (size_t d = 0; d < rank; d++)
        pg_json_put_i64(json, dims[d]);
    pg_json_end_array(json);
}

static void put_profile(pg_json_writer *json, const pg_shape_profile *profile)
{
    pg_json_begin_array(json);
    for (size_t i = 0; i < profile->count; i++) {
        const pg_shape_range *range = &profile->items[i];
        pg_json_begin_object(json);
        pg_json_field_str(json, "input", range->input);
        put_dims(json, "min", range->min, range->rank);
        put_dims(json, "opt", range->opt, range->rank);
        put_dims(json, "max", range->max, range->rank);
        pg_json_end_object(json);
    }
    pg_json_end_array(json);
}

static void put_names(pg_json_writer *json, const char *key, const pg_str *names, size_t count)
{
    pg_json_key(json, key);
    pg_json_begin_array(json);
    for (size_t i = 0; i < count; i++)
        pg_json_put_str(json, names[i]);
    pg_json_end_array(json);
}

static void put_layer(pg_json_writer *json, const pg_engine_layer *layer)
{
    pg_json_begin_object(json);
    pg_json_field_str(json, "name", layer->name);
    pg_json_field_str(json, "op", layer->op);
    put_names(json, "inputs", layer->inputs, layer->n_inputs);
    put_names(json, "outputs", layer->outputs, layer->n_outputs);
    pg_json_field_str(json, "tactic", pg_str_c(pg_tactic_name(layer->tactic)));
    pg_json_end_object(json);
}

static void put_borders(pg_json_writer *json, const pg_engine *engine)
{
    pg_json_key(json, "borders");
    pg_json_begin_array(json);
    for (size_t i = 0; i < engine->n_borders; i++) {
        const pg_io_border *border = &engine->borders[i];
        pg_json_begin_object(json);
        pg_json_field_str(json, "name", border->name);
        if (border->dtype != PG_UNDEFINED)
            pg_json_field_str(json, "dtype", pg_str_c(pg_dtype_name(border->dtype)));
        pg_json_field_str(json, "format", pg_str_c(pg_io_format_name(border->format)));
        pg_json_end_object(json);
    }
    pg_json_end_array(json);
}

static void put_debug_tensors(pg_json_writer *json, const pg_engine *engine)
{
    pg_json_key(json, "debug_tensors");
    pg_json_begin_array(json);
    for (size_t i = 0; i < engine->n_debug_tensors; i++) {
        const pg_debug_tensor *tensor = &engine->debug_tensors[i];
        pg_json_begin_object(json);
        pg_json_field_str(json, "name", tensor->name);
        if (tensor->dtype != PG_UNDEFINED)
            pg_json_field_str(json, "dtype", pg_str_c(pg_dtype_name(tensor->dtype)));
        pg_json_field_bool(json, "beside", tensor->beside);
        pg_json_end_object(json);
    }
    pg_json_end_array(json);
}

static void put_recipe(pg_json_writer *json, const pg_engine *engine)
{
    const pg_build_config *recipe = engine->recipe;
    pg_json_key(json, "recipe");
    pg_json_begin_object(json);
    pg_json_field_bool(json, "fp16", recipe->fp16);
    pg_json_field_bool(json, "bf16", recipe->bf16);
    pg_json_field_bool(json, "int8", recipe->int8);
    pg_json_field_bool(json, "float_convolutions", recipe->float_convolutions);
    pg_json_field_bool(json, "portable", recipe->portable);
    pg_json_field_i64(json, "constraints", recipe->constraints);
    pg_json_key(json, "precisions");
    pg_json_begin_array(json);
    for (size_t i = 0; i < recipe->n_precisions; i++) {
        pg_json_begin_object(json);
        pg_json_field_str(json, "layer", recipe->precisions[i].layer);
        pg_json_field_i64(json, "dtype", recipe->precisions[i].dtype);
        pg_json_end_object(json);
    }
    pg_json_end_array(json);
    pg_json_key(json, "scales");
    pg_json_begin_array(json);
    for (size_t i = 0; i < engine->scales.items.len; i++) {
        pg_json_begin_object(json);
        pg_json_field_str(json, "tensor", engine->scales.items.items[i].tensor);
        pg_json_field_f64(json, "scale", (double)engine->scales.items.items[i].value);
        pg_json_end_object(json);
    }
    pg_json_end_array(json);
    pg_json_end_object(json);
}

void pg_engine_describe(const pg_engine *engine, const char *layout, pg_buf *out)
{
    pg_json_writer json;
    pg_json_to_memory(&json, out, -1);
    pg_json_begin_object(&json);
    pg_json_field_str(&json, "name", engine->name);
    pg_json_field_str(&json, "precision", engine->precision);
    pg_json_field_i64(&json, "level", engine->level);
    pg_json_field_bool(&json, "version_compatible", engine->version_compatible);
    pg_json_field_bool(&json, "weight_streaming", engine->weight_streaming);
    pg_json_field_str(&json, "layout", pg_str_c(layout));
    pg_json_field_i64(&json, "workspace", (int64_t)engine->workspace);
    pg_json_field_i64(&json, "peak_bytes", (int64_t)engine->peak_bytes);
    put_borders(&json, engine);
    put_debug_tensors(&json, engine);
    pg_json_field_i64(&json, "verbosity", (int64_t)engine->verbosity);
    put_names(&json, "notes", engine->notes, engine->n_notes);
    pg_json_key(&json, "profiles");
    pg_json_begin_array(&json);
    for (size_t p = 0; p < engine->n_profiles; p++)
        put_profile(&json, &engine->profiles[p]);
    pg_json_end_array(&json);
    pg_json_key(&json, "layers");
    pg_json_begin_array(&json);
    for (size_t i = 0; i < engine->n_layers; i++)
        put_layer(&json, &engine->layers[i]);
    pg_json_end_array(&json);
    if (engine->recipe != NULL)
        put_recipe(&json, engine);
    pg_json_end_object(&json);
}

/* ---- Reading ---- */

typedef struct reader {
    pg_engine *engine;
    const char *path;
} reader;

static pg_status wrong(const reader *r, const char *key)
{
    return pg_err(PG_ERR_INVALID, "the plan file '%s' is damaged: its description has no valid '%s'", r->path,
                  key);
}

static pg_status text(const reader *r, const pg_json *object, const char *key, pg_str *out)
{
    const pg_json *value = pg_json_find(object, key);
    pg_str view;
    if (value == NULL || !pg_json_text(value, &r->engine->arena, &view))
        return wrong(r, key);
    *out = pg_arena_str(&r->engine->arena, view);
    return NULL;
}

static pg_status count(const reader *r, const pg_json *object, const char *key, uint64_t *out)
{
    const pg_json *value = pg_json_find(object, key);
    int64_t number;
    if (value == NULL || !pg_json_i64(value, &number) || number < 0)
        return wrong(r, key);
    *out = (uint64_t)number;
    return NULL;
}

static pg_status list(const reader *r, const pg_json *object, const char *key, const pg_json **out)
{
    *out = pg_json_find(object, key);
    return *out != NULL && (*out)->kind == PG_JSON_ARRAY ? NULL : wrong(r, key);
}

static pg_status dims(const reader *r, const pg_json *object, const char *key, size_t *rank,
                      const int64_t **out)
{
    const pg_json *values;
    PG_TRY(list(r, object, key, &values));
    if (values->count > PG_MAX_RANK || (*rank != SIZE_MAX && *rank != values->count))
        return wrong(r, key);
    int64_t *kept = PG_ARENA_ARRAY(&r->engine->arena, int64_t, values->count + 1);
    for (size_t d = 0; d < values->count; d++)
        if (!pg_json_i64(&values->items[d], &kept[d]) || kept[d] < 0)
            return wrong(r, key);
    *rank = values->count;
    *out = kept;
    return NULL;
}

static pg_status read_profile(const reader *r, const pg_json *json, pg_shape_profile *out)
{
    if (json->kind != PG_JSON_ARRAY)
        return wrong(r, "profiles");
    pg_shape_range *items = PG_ARENA_ARRAY(&r->engine->arena, pg_shape_range, json->count + 1);
    for (size_t i = 0; i < json->count; i++) {
        items[i].rank = SIZE_MAX;
        PG_TRY(text(r, &json->items[i], "input", &items[i].input));
        PG_TRY(dims(r, &json->items[i], "min", &items[i].rank, &items[i].min));
        PG_TRY(dims(r, &json->items[i], "opt", &items[i].rank, &items[i].opt));
        PG_TRY(dims(r, &json->items[i], "max", &items[i].rank, &items[i].max));
    }
    *out = (pg_shape_profile){items, json->count};
    return NULL;
}

static pg_status names(const reader *r, const pg_json *object, const char *key, const pg_str **out, size_t *n)
{
    const pg_json *values;
    PG_TRY(list(r, object, key, &values));
    pg_str *kept = PG_ARENA_ARRAY(&r->engine->arena, pg_str, values->count + 1);
    for (size_t i = 0; i < values->count; i++) {
        pg_str view;
        if (!pg_json_text(&values->items[i], &r->engine->arena, &view))
            return wrong(r, key);
        kept[i] = pg_arena_str(&r->engine->arena, view);
    }
    *out = kept;
    *n = values->count;
    return NULL;
}

/* Plans of older versions have none. */
static pg_status tactic(const reader *r, const pg_json *object, pg_tactic_id *out)
{
    pg_str name = PG_STR_EMPTY;
    if (pg_json_find(object, "tactic") == NULL)
        return NULL;
    PG_TRY(text(r, object, "tactic", &name));
    return pg_tactic_find(name, out) ? NULL : wrong(r, "tactic");
}

static pg_status read_layers(const reader *r, const pg_json *root)
{
    const pg_json *values;
    PG_TRY(list(r, root, "layers", &values));
    pg_engine_layer *layers = PG_ARENA_ARRAY(&r->engine->arena, pg_engine_layer, values->count + 1);
    for (size_t i = 0; i < values->count; i++) {
        PG_TRY(text(r, &values->items[i], "name", &layers[i].name));
        PG_TRY(text(r, &values->items[i], "op", &layers[i].op));
        PG_TRY(names(r, &values->items[i], "inputs", &layers[i].inputs, &layers[i].n_inputs));
        PG_TRY(names(r, &values->items[i], "outputs", &layers[i].outputs, &layers[i].n_outputs));
        PG_TRY(tactic(r, &values->items[i], &layers[i].tactic));
    }
    r->engine->layers = layers;
    r->engine->n_layers = values->count;
    return NULL;
}

static bool is_set(const pg_json *root, const char *key)
{
    const pg_json *value = pg_json_find(root, key);
    return value != NULL && value->kind == PG_JSON_BOOL && value->truth;
}

/* PG_UNDEFINED where none is stated. */
static pg_status read_dtype(const reader *r, const pg_json *object, pg_dtype *out)
{
    pg_str name;
    *out = PG_UNDEFINED;
    if (pg_json_find(object, "dtype") == NULL)
        return NULL;
    PG_TRY(text(r, object, "dtype", &name));
    *out = pg_dtype_parse(name);
    return *out != PG_UNDEFINED ? NULL : wrong(r, "dtype");
}

static pg_status read_borders(const reader *r, const pg_json *root)
{
    const pg_json *values;
    PG_TRY(list(r, root, "borders", &values));
    pg_io_border *borders = PG_ARENA_ARRAY(&r->engine->arena, pg_io_border, values->count + 1);
    for (size_t i = 0; i < values->count; i++) {
        pg_str format;
        PG_TRY(text(r, &values->items[i], "name", &borders[i].name));
        PG_TRY(text(r, &values->items[i], "format", &format));
        if (!pg_io_format_parse(format, &borders[i].format))
            return wrong(r, "format");
        PG_TRY(read_dtype(r, &values->items[i], &borders[i].dtype));
    }
    r->engine->borders = borders;
    r->engine->n_borders = values->count;
    return NULL;
}

static pg_status read_debug_tensors(const reader *r, const pg_json *root)
{
    const pg_json *values;
    PG_TRY(list(r, root, "debug_tensors", &values));
    pg_debug_tensor *tensors = PG_ARENA_ARRAY(&r->engine->arena, pg_debug_tensor, values->count + 1);
    for (size_t i = 0; i < values->count; i++) {
        const pg_json *beside = pg_json_find(&values->items[i], "beside");
        PG_TRY(text(r, &values->items[i], "name", &tensors[i].name));
        PG_TRY(read_dtype(r, &values->items[i], &tensors[i].dtype));
        tensors[i].beside = beside != NULL && beside->kind == PG_JSON_BOOL && beside->truth;
    }
    r->engine->debug_tensors = tensors;
    r->engine->n_debug_tensors = values->count;
    return NULL;
}

static pg_status read_scales(const reader *r, const pg_json *recipe)
{
    const pg_json *values;
    PG_TRY(list(r, recipe, "scales", &values));
    for (size_t i = 0; i < values->count; i++) {
        const pg_json *scale = pg_json_find(&values->items[i], "scale");
        pg_str tensor;
        double value;
        PG_TRY(text(r, &values->items[i], "tensor", &tensor));
        if (scale == NULL || !pg_json_f64(scale, &value) || !((float)value > 0) || !isfinite((float)value))
            return wrong(r, "scale");
        pg_scales_put(&r->engine->scales, tensor, (float)value);
    }
    return NULL;
}

static pg_status read_precisions(const reader *r, const pg_json *recipe, pg_build_config *out)
{
    const pg_json *values;
    PG_TRY(list(r, recipe, "precisions", &values));
    pg_layer_precision *items = PG_ARENA_ARRAY(&r->engine->arena, pg_layer_precision, values->count + 1);
    for (size_t i = 0; i < values->count; i++) {
        uint64_t dtype;
        PG_TRY(text(r, &values->items[i], "layer", &items[i].layer));
        PG_TRY(count(r, &values->items[i], "dtype", &dtype));
        if (dtype != PG_F32 && dtype != PG_F16 && dtype != PG_BF16 && dtype != PG_I8)
            return wrong(r, "dtype");
        items[i].dtype = (pg_dtype)dtype;
    }
    out->precisions = items;
    out->n_precisions = values->count;
    return NULL;
}

static pg_status read_recipe(const reader *r, const pg_json *root)
{
    const pg_json *json = pg_json_find(root, "recipe");
    uint64_t constraints;
    if (json == NULL)
        return NULL;
    pg_build_config *recipe = PG_ARENA_NEW(&r->engine->arena, pg_build_config);
    PG_TRY(count(r, json, "constraints", &constraints));
    if (constraints > PG_CONSTRAINTS_OBEY)
        return wrong(r, "constraints");
    recipe->constraints = (pg_constraints)constraints;
    recipe->fp16 = is_set(json, "fp16");
    recipe->bf16 = is_set(json, "bf16");
    recipe->int8 = is_set(json, "int8");
    recipe->float_convolutions = is_set(json, "float_convolutions");
    recipe->portable = is_set(json, "portable");
    r->engine->recipe = recipe;
    PG_TRY(read_precisions(r, json, recipe));
    return read_scales(r, json);
}

static pg_status read_all(const reader *r, const pg_json *root)
{
    pg_engine *engine = r->engine;
    const pg_json *values;
    uint64_t level, verbosity;
    PG_TRY(text(r, root, "name", &engine->name));
    PG_TRY(text(r, root, "precision", &engine->precision));
    PG_TRY(text(r, root, "layout", &engine->layout));
    PG_TRY(count(r, root, "level", &level));
    PG_TRY(count(r, root, "workspace", &engine->workspace));
    PG_TRY(count(r, root, "peak_bytes", &engine->peak_bytes));
    engine->level = (unsigned)level;
    engine->version_compatible = is_set(root, "version_compatible");
    engine->weight_streaming = is_set(root, "weight_streaming");
    PG_TRY(read_borders(r, root));
    PG_TRY(read_debug_tensors(r, root));
    PG_TRY(count(r, root, "verbosity", &verbosity));
    if (verbosity > PG_VERBOSITY_NONE)
        return wrong(r, "verbosity");
    engine->verbosity = (pg_verbosity)verbosity;
    PG_TRY(names(r, root, "notes", &engine->notes, &engine->n_notes));
    PG_TRY(list(r, root, "profiles", &values));
    pg_shape_profile *profiles = PG_ARENA_ARRAY(&engine->arena, pg_shape_profile, values->count + 1);
    for (size_t p = 0; p < values->count; p++)
        PG_TRY(read_profile(r, &values->items[p], &profiles[p]));
    engine->profiles = profiles;
    engine->n_profiles = values->count;
    PG_TRY(read_recipe(r, root));
    return read_layers(r, root);
}

pg_status pg_engine_read_description(const void *bytes, uint64_t size, const char *path, pg_engine *engine)
{
    reader r = {engine, path};
    pg_json root;
    PG_TRY(pg_json_parse(bytes, size, path, &engine->arena, &root));
    return read_all(&r, &root);
}
