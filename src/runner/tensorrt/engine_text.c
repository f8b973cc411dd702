/* An engine as people read it, in the peer's layout. */
#include "runner/tensorrt/internal.h"

#include <math.h>

#include "json/json.h"
#include "log/log.h"
#include "tensor/text.h"

typedef struct printer {
    pg_trt_engine *engine;
    pg_trt *trt;
    trt_object *object;
    trt_object *inspector; /* NULL when the library makes none */
    const pg_run_results *seen;
    pg_arena arena;
    pg_buf *out;
} printer;

/* ---- Inputs and outputs ---- */

static void add_io(printer *self, int mode, const char *what)
{
    pg_trt *trt = self->trt;
    pg_buf list = {0};
    int found = 0;
    int32_t count = TRT_CALL(trt, engine_n_io, self->object);
    for (int32_t i = 0; i < count; i++) {
        const char *name = TRT_CALL(trt, engine_io_name, self->object, i);
        if (TRT_CALL(trt, engine_io_mode, self->object, name) != mode)
            continue;
        trt_dims dims = TRT_CALL(trt, engine_shape, self->object, name);
        pg_dtype dtype = pg_trt_dtype(TRT_CALL(trt, engine_dtype, self->object, name));
        pg_buf_printf(&list, "%s%s [dtype=%s, shape=", found++ > 0 ? ",\n " : "", name, pg_dtype_name(dtype));
        pg_trt_dims_text(&list, &dims);
        pg_buf_putc(&list, ']');
    }
    pg_buf_printf(self->out, "---- %d Engine %s(s) ----\n{%s}\n\n", found, what, pg_buf_cstr(&list));
    pg_buf_deinit(&list);
}

static int name_width(printer *self)
{
    size_t width = 0;
    for (int32_t i = 0; i < TRT_CALL(self->trt, engine_n_io, self->object); i++)
        width = PG_MAX(width, strlen(TRT_CALL(self->trt, engine_io_name, self->object, i)));
    return (int)width + 8;
}

static void add_profile_tensor(printer *self, int32_t profile, int32_t index)
{
    static const char *const kinds[] = {"min", "opt", "max"};
    pg_trt *trt = self->trt;
    const char *name = TRT_CALL(trt, engine_io_name, self->object, index);
    bool input = TRT_CALL(trt, engine_io_mode, self->object, name) == TRT_IO_INPUT;
    pg_buf_printf(self->out, "    Tensor: %-*s %8s, Index: %d | ", name_width(self), name,
                  input ? "(Input)" : "(Output)", index);
    if (!input) {
        trt_dims dims = TRT_CALL(trt, engine_shape, self->object, name);
        pg_buf_puts(self->out, "Shape: ");
        pg_trt_dims_text(self->out, &dims);
        pg_buf_putc(self->out, '\n');
        return;
    }
    bool values = TRT_CALL(trt, engine_is_shape_io, self->object, name);
    pg_buf_puts(self->out, values ? "Values: " : "Shapes: ");
    for (int k = 0; k < 3; k++) {
        trt_dims dims = TRT_CALL(trt, engine_profile_shape, self->object, name, profile, k);
        if (values) {
            const int64_t *items = TRT_CALL(trt, engine_profile_values, self->object, name, profile, k);
            int64_t count = dims.rank > 0 ? dims.d[0] : 1;
            dims.rank = (int32_t)PG_MIN(PG_MAX(count, 0), (int64_t)TRT_MAX_RANK);
            for (int32_t i = 0; items != NULL && i < dims.rank; i++)
                dims.d[i] = items[i];
        }
        pg_buf_printf(self->out, "%s%s=", k > 0 ? ", " : "", kinds[k]);
        pg_trt_dims_text(self->out, &dims);
    }
    pg_buf_putc(self->out, '\n');
}

static void add_profiles(printer *self)
{
    int32_t count = TRT_CALL(self->trt, engine_n_profiles, self->object);
    int32_t n_io = TRT_CALL(self->trt, engine_n_io, self->object);
    pg_buf_printf(self->out, "---- %d Profile(s) (%d Tensor(s) Each) ----\n", count, n_io);
    for (int32_t p = 0; p < count; p++) {
        pg_buf_printf(self->out, "- Profile: %d\n", p);
        for (int32_t i = 0; i < n_io; i++)
            add_profile_tensor(self, p, i);
        pg_buf_putc(self->out, '\n');
    }
}

/* ---- Layers, from the inspector's JSON ---- */

static pg_str text_of(printer *self, const pg_json *object, const char *key)
{
    pg_str text = PG_STR_EMPTY;
    const pg_json *value = pg_json_find(object, key);
    if (value != NULL)
        (void)pg_json_text(value, &self->arena, &text);
    return text;
}

/* The type that the inspector's format text names: "Float (Linear) ...", "Row major linear FP16 format". */
static const char *type_in(pg_str format)
{
    static const char *const types[][2] = {
        {"bfloat16", "bfloat16"}, {"bf16", "bfloat16"}, {"float8", "float8e4m3fn"}, {"fp8", "float8e4m3fn"},
        {"half", "float16"},      {"fp16", "float16"},  {"float", "float32"},       {"fp32", "float32"},
        {"int64", "int64"},       {"int32", "int32"},   {"uint8", "uint8"},         {"int8", "int8"},
        {"int4", "int4"},         {"bool", "bool"},
    };
    for (size_t i = 0; i < PG_COUNT(types); i++)
        if (pg_str_contains_nocase(format, pg_str_c(types[i][0])))
            return types[i][1];
    return NULL;
}

/* In one text, or as TensorRT 11 and TensorRT-RTX have it, in two. */
static pg_str format_of(printer *self, const pg_json *tensor)
{
    pg_str both = text_of(self, tensor, "Format/Datatype");
    pg_str type = text_of(self, tensor, "Datatype"), format = text_of(self, tensor, "Format");
    if (both.len > 0)
        return both;
    return pg_str_c(pg_arena_printf(&self->arena, "%" PG_STR_FMT "%s%" PG_STR_FMT, PG_STR_ARG(type),
                                    type.len > 0 && format.len > 0 ? " " : "", PG_STR_ARG(format)));
}

/* Smallest, largest and mean value of a tensor that a run has seen; the first iteration of the first runner counts. */
static void add_range(const printer *self, pg_str name, pg_buf *out)
{
    const pg_run_results *seen = self->seen;
    if (seen == NULL || seen->count == 0 || seen->items[0].count == 0)
        return;
    const pg_value *value = pg_feed_find(&seen->items[0].items[0].outputs, name);
    uint64_t count = value != NULL && value->kind == PG_VALUE_TENSOR ? pg_tensor_count(&value->tensor) : 0;
    double min = INFINITY, max = -INFINITY, sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        double element = pg_tensor_get_f64(&value->tensor, i);
        min = element < min ? element : min;
        max = element > max ? element : max;
        sum += element;
    }
    if (count > 0)
        pg_buf_printf(out, ", min=%.2f, max=%.2f, avg=%.2f", min, max, sum / (double)count);
}

static void add_layer_tensors(printer *self, const pg_json *list, pg_buf *out)
{
    pg_buf_putc(out, '{');
    for (size_t i = 0; list != NULL && list->kind == PG_JSON_ARRAY && i < list->count; i++) {
        const pg_json *item = &list->items[i], *dims = pg_json_find(item, "Dimensions");
        pg_str format = format_of(self, item);
        const char *type = type_in(format);
        trt_dims shape = {0};
        for (size_t d = 0; dims != NULL && dims->kind == PG_JSON_ARRAY && d < dims->count && d < TRT_MAX_RANK;
             d++)
            if (pg_json_i64(&dims->items[d], &shape.d[shape.rank]))
                shape.rank++;
        pg_str name = text_of(self, item, "Name");
        pg_buf_printf(out, "%s%" PG_STR_FMT " [dtype=%s, shape=", i > 0 ? ",\n " : "", PG_STR_ARG(name),
                      type != NULL ? type : "None");
        pg_trt_dims_text(out, &shape);
        if (format.len > 0 && !pg_str_contains(format, PG_STR("N/A")))
            pg_buf_printf(out, ", Format: %" PG_STR_FMT, PG_STR_ARG(format));
        add_range(self, name, out);
        pg_buf_putc(out, ']');
    }
    pg_buf_putc(out, '}');
}

static void add_layer(printer *self, int32_t index, const pg_json *layer, bool attrs)
{
    pg_buf inputs = {0}, outputs = {0};
    pg_str name = text_of(self, layer, "Name"), type = text_of(self, layer, "LayerType");
    pg_buf_printf(self->out, "\nLayer %-4d | %" PG_STR_FMT " [Op: %" PG_STR_FMT "]\n", index,
                  PG_STR_ARG(name), PG_STR_ARG(type));
    add_layer_tensors(self, pg_json_find(layer, "Inputs"), &inputs);
    add_layer_tensors(self, pg_json_find(layer, "Outputs"), &outputs);
    bool both = inputs.len > 2 && outputs.len > 2;
    pg_text_indent(self->out, pg_buf_str(&inputs), 1);
    pg_buf_puts(self->out, both ? "\n     -> " : " -> ");
    pg_buf_add_str(self->out, pg_buf_str(&outputs));
    pg_buf_putc(self->out, '\n');
    if (attrs) {
        bool valued = pg_json_find(layer, "TacticValue") != NULL;
        pg_str origin = text_of(self, layer, "Origin");
        pg_str tactic = text_of(self, layer, valued ? "TacticValue" : "TacticName");
        pg_buf_printf(self->out,
                      "    ---- Attributes ----\n    Origin = %" PG_STR_FMT "\n    Tactic = %" PG_STR_FMT
                      "\n",
                      PG_STR_ARG(origin.len > 0 ? origin : PG_STR("Unknown")), PG_STR_ARG(tactic));
    }
    pg_buf_deinit(&inputs);
    pg_buf_deinit(&outputs);
}

/* An engine built with less detail has names only: then the text is all there is. */
static pg_status add_layers(printer *self, const pg_trt_text_options *show)
{
    int32_t count = TRT_CALL(self->trt, engine_n_layers, self->object);
    pg_buf_printf(self->out, "---- %d Layer(s) ----", count);
    if (!show->layers)
        return NULL;
    self->inspector = TRT_CALL(self->trt, engine_create_inspector, self->object);
    if (self->inspector == NULL)
        return pg_trt_failed(self->trt, "inspect the engine");
    for (int32_t i = 0; i < count; i++) {
        pg_json layer;
        const char *text = TRT_CALL(self->trt, inspector_layer, self->inspector, i, TRT_FORMAT_JSON);
        if (text == NULL)
            return pg_trt_failed(self->trt, "inspect a layer");
        PG_LOG(PG_ULTRA_VERBOSE, "Layer %d: %s", i, text);
        pg_str trimmed = pg_str_trim(pg_str_c(text));
        PG_TRY(pg_json_parse(trimmed.ptr, trimmed.len, "the inspector's text", &self->arena, &layer));
        if (layer.kind == PG_JSON_OBJECT) {
            pg_buf_puts(self->out, i > 0 ? "\n" : "");
            add_layer(self, i, &layer, show->attrs);
        } else {
            pg_str name = PG_STR_EMPTY;
            (void)pg_json_text(&layer, &self->arena, &name);
            pg_buf_printf(self->out, "\nLayer %-4d | %" PG_STR_FMT "\n", i, PG_STR_ARG(name));
        }
    }
    return NULL;
}

static pg_status describe(printer *self, const pg_trt_text_options *show)
{
    const char *name = TRT_CALL(self->trt, engine_name, self->object);
    pg_buf_printf(self->out, "Name: %s | %sExplicit Batch Engine\n\n", name != NULL ? name : "",
                  TRT_CALL(self->trt, engine_is_refittable, self->object) ? "Refittable " : "");
    add_io(self, TRT_IO_INPUT, "Input");
    add_io(self, TRT_IO_OUTPUT, "Output");
    pg_buf_printf(self->out, "---- Memory ----\nDevice Memory: %lld bytes\n\n",
                  (long long)TRT_CALL(self->trt, engine_device_memory, self->object));
    add_profiles(self);
    return add_layers(self, show);
}

pg_status pg_trt_engine_text(const char *path, const pg_trt_options *options, const pg_trt_text_options *show,
                             pg_buf *out)
{
    pg_trt_engine engine;
    printer self = {.engine = &engine, .out = out, .seen = show->seen};
    pg_status status = pg_trt_engine_open(&engine, NULL, path, options);
    if (status == NULL) {
        self.trt = engine.trt;
        self.object = engine.engine;
        status = describe(&self, show);
    }
    trt_delete(self.inspector);
    pg_arena_deinit(&self.arena);
    pg_trt_engine_close(&engine);
    return status;
}
