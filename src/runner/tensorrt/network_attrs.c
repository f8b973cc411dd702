/* Attributes of a network's layers, as the peer prints them: what TensorRT's Python layer classes show, by name.
 *
 * One row per attribute: the type of the layer, the attribute, what it is, and the slot of its getter in the
 * layer's own vtable. Layers of loops, conditionals and attention have one more implementation before their own,
 * for what they share: the boundary. */
#include "runner/tensorrt/internal.h"

#include "json/json.h"
#include "tensor/text.h"

typedef enum attr_kind {
    A_BOOL,
    A_I32,
    A_U32,
    A_I64,
    A_F32,
    A_F64,
    A_TEXT,
    A_DIMS,        /* left out when its rank is not set */
    A_PERMUTATION, /* eight numbers behind a pointer */
    A_WEIGHTS,     /* shown on demand */
    A_DTYPE,
    A_ENUM,
    A_OPERAND, /* the operation on input 0 or 1, which is `choice` */
    A_FILL,    /* a double, or an integer of another slot */
    A_SCALES,
    A_OWNER, /* a loop, conditional or attention: its name, whose slot is `choice` */
} attr_kind;

typedef struct attr_row {
    const char *layer, *name;
    attr_kind kind;
    int8_t slots[TRT_FAMILIES]; /* -1: the family lacks it */
    int choice;                 /* A_ENUM: trt_enum */
    bool on_boundary;           /* found in the boundary's vtable, else in the last one */
    bool after_boundary;        /* the layer has a boundary */
    bool one_input_only;        /* with a second input, that states it */
} attr_row;

#define ALL(slot)              \
    {                          \
        slot, slot, slot, slot \
    }
#define ROW(layer, name, kind, slot)        \
    {                                       \
        layer, name, A_##kind, ALL(slot), 0 \
    }
#define ENUM(layer, name, enumeration, slot)                        \
    {                                                               \
        layer, name, A_ENUM, ALL(slot), .choice = TRT_##enumeration \
    }
#define SHIFTED(layer, name, kind, trt10, trt11, rtx14, rtx15) \
    {                                                          \
        layer, name, A_##kind, {trt10, trt11, rtx14, rtx15}, 0 \
    }
#define STATED(layer, name, kind, slot)                          \
    {                                                            \
        layer, name, A_##kind, ALL(slot), .one_input_only = true \
    }
#define OWNER(layer, name, slot, name_slot)                                                               \
    {                                                                                                     \
        layer, name, A_OWNER, ALL(slot), .choice = name_slot, .on_boundary = true, .after_boundary = true \
    }
#define INNER(layer, name, kind, slot, choice_)                                     \
    {                                                                               \
        layer, name, A_##kind, ALL(slot), .choice = choice_, .after_boundary = true \
    }
#define CONVOLUTION(layer)                                                                                 \
    ROW(layer, "bias", WEIGHTS, 9), ROW(layer, "dilation_nd", DIMS, 23), ROW(layer, "kernel", WEIGHTS, 7), \
        ROW(layer, "kernel_size_nd", DIMS, 17), ROW(layer, "num_groups", I64, 5),                          \
        ROW(layer, "num_output_maps", I64, 3), ENUM(layer, "padding_mode", PADDING_MODE, 15),              \
        ROW(layer, "padding_nd", DIMS, 21), ROW(layer, "post_padding", DIMS, 13),                          \
        ROW(layer, "pre_padding", DIMS, 11), ROW(layer, "stride_nd", DIMS, 19)

/* In the order in which they are printed. */
static const attr_row rows[] = {
    ROW("ACTIVATION", "alpha", F32, 6),
    ROW("ACTIVATION", "beta", F32, 7),
    ROW("ASSERTION", "message", TEXT, 3),
    OWNER("ATTENTION_INPUT", "attention", 2, 8),
    OWNER("ATTENTION_OUTPUT", "attention", 2, 8),
    ROW("CAST", "to_type", DTYPE, 3),
    ROW("CONCATENATION", "axis", I32, 3),
    OWNER("CONDITION", "conditional", 2, 6),
    OWNER("CONDITIONAL_INPUT", "conditional", 2, 6),
    OWNER("CONDITIONAL_OUTPUT", "conditional", 2, 6),
    ROW("CONSTANT", "shape", DIMS, 5),
    ROW("CONSTANT", "weights", WEIGHTS, 3),
    CONVOLUTION("CONVOLUTION"),
    ROW("CUMULATIVE", "exclusive", BOOL, 5),
    ENUM("CUMULATIVE", "op", CUMULATIVE_OPERATION, 3),
    ROW("CUMULATIVE", "reverse", BOOL, 7),
    CONVOLUTION("DECONVOLUTION"),
    ROW("DEQUANTIZE", "axis", I32, 2),
    ROW("DEQUANTIZE", "block_shape", DIMS, 6),
    ROW("DEQUANTIZE", "to_type", DTYPE, 4),
    ROW("DYNAMIC_QUANTIZE", "axis", I32, 2),
    ROW("DYNAMIC_QUANTIZE", "block_shape", DIMS, 10),
    ROW("DYNAMIC_QUANTIZE", "block_size", I32, 4),
    ROW("DYNAMIC_QUANTIZE", "scale_type", DTYPE, 6),
    ROW("DYNAMIC_QUANTIZE", "to_type", DTYPE, 8),
    ROW("EINSUM", "equation", TEXT, 3),
    ENUM("ELEMENTWISE", "op", ELEMENT_WISE_OPERATION, 3),
    ROW("FILL", "alpha", FILL, 7),
    ROW("FILL", "beta", FILL, 9),
    ROW("FILL", "is_alpha_beta_int64", BOOL, 14),
    ENUM("FILL", "operation", FILL_OPERATION, 5),
    ROW("FILL", "shape", DIMS, 3),
    ROW("FILL", "to_type", DTYPE, 15),
    ROW("GATHER", "axis", I32, 3),
    ENUM("GATHER", "mode", GATHER_MODE, 7),
    ROW("GATHER", "num_elementwise_dims", I32, 5),
    ROW("GRID_SAMPLE", "align_corners", BOOL, 5),
    ENUM("GRID_SAMPLE", "interpolation_mode", INTERPOLATION_MODE, 3),
    ENUM("GRID_SAMPLE", "sample_mode", SAMPLE_MODE, 7),
    INNER("ITERATOR", "axis", I32, 3, 0),
    OWNER("ITERATOR", "loop", 2, 7),
    INNER("ITERATOR", "reverse", BOOL, 5, 0),
    ENUM("KVCACHE_UPDATE", "cache_mode", KV_CACHE_MODE, 3),
    ROW("LRN", "alpha", F32, 5),
    ROW("LRN", "beta", F32, 7),
    ROW("LRN", "k", F32, 9),
    ROW("LRN", "window_size", I64, 3),
    INNER("LOOP_OUTPUT", "axis", I32, 4, 0),
    INNER("LOOP_OUTPUT", "kind", ENUM, 2, TRT_LOOP_OUTPUT),
    OWNER("LOOP_OUTPUT", "loop", 2, 7),
    {"MATRIX_MULTIPLY", "op0", A_OPERAND, ALL(3), .choice = 0},
    {"MATRIX_MULTIPLY", "op1", A_OPERAND, ALL(3), .choice = 1},
    ENUM("MOE", "activation_type", MOE_ACT_TYPE, 5),
    ROW("MOE", "dyn_q_output_scale_type", DTYPE, 13),
    ROW("MOE", "quantization_block_shape", DIMS, 11),
    ROW("MOE", "quantization_to_type", DTYPE, 9),
    ROW("MOE", "swiglu_param_alpha", F32, 18),
    ROW("MOE", "swiglu_param_beta", F32, 20),
    ROW("MOE", "swiglu_param_limit", F32, 16),
    ENUM("NMS", "bounding_box_format", BOUNDING_BOX_FORMAT, 3),
    ROW("NMS", "indices_type", DTYPE, 7),
    ROW("NMS", "topk_box_limit", I32, 5),
    ROW("NON_ZERO", "indices_type", DTYPE, 3),
    ROW("NORMALIZATION", "axes", U32, 5),
    SHIFTED("NORMALIZATION", "compute_precision", DTYPE, 9, -1, 9, -1),
    ROW("NORMALIZATION", "epsilon", F32, 3),
    SHIFTED("NORMALIZATION", "is_v2", BOOL, 10, 8, 10, 8),
    ROW("NORMALIZATION", "num_groups", I64, 7),
    ROW("ONE_HOT", "axis", I32, 2),
    ROW("PADDING", "post_padding_nd", DIMS, 5),
    ROW("PADDING", "pre_padding_nd", DIMS, 3),
    ROW("POOLING", "average_count_excludes_padding", BOOL, 7),
    ROW("POOLING", "blend_factor", F32, 5),
    ENUM("POOLING", "padding_mode", PADDING_MODE, 13),
    ROW("POOLING", "padding_nd", DIMS, 19),
    ROW("POOLING", "post_padding", DIMS, 11),
    ROW("POOLING", "pre_padding", DIMS, 9),
    ROW("POOLING", "stride_nd", DIMS, 17),
    ROW("POOLING", "window_size_nd", DIMS, 15),
    ROW("QUANTIZE", "axis", I32, 2),
    ROW("QUANTIZE", "block_shape", DIMS, 6),
    ROW("QUANTIZE", "to_type", DTYPE, 4),
    OWNER("RECURRENCE", "loop", 2, 7),
    ROW("REDUCE", "axes", U32, 5),
    ROW("REDUCE", "keep_dims", BOOL, 7),
    ENUM("REDUCE", "op", REDUCE_OPERATION, 3),
    ENUM("RESIZE", "coordinate_transformation", RESIZE_COORDINATE_TRANSFORMATION, 9),
    ROW("RESIZE", "cubic_coeff", F32, 15),
    ROW("RESIZE", "exclude_outside", BOOL, 17),
    ENUM("RESIZE", "nearest_rounding", RESIZE_ROUND_MODE, 13),
    ENUM("RESIZE", "resize_mode", INTERPOLATION_MODE, 7),
    STATED("RESIZE", "scales", SCALES, 5),
    ENUM("RESIZE", "selector_for_single_pixel", RESIZE_SELECTOR, 11),
    ROW("RESIZE", "shape", DIMS, 3),
    ROW("REVERSE_SEQUENCE", "batch_axis", I32, 3),
    ROW("REVERSE_SEQUENCE", "sequence_axis", I32, 5),
    ROW("ROTARY_EMBEDDING", "interleaved", BOOL, 3),
    ROW("ROTARY_EMBEDDING", "rotary_embedding_dim", I32, 5),
    ROW("SCALE", "channel_axis", I32, 10),
    ENUM("SCALE", "mode", SCALE_MODE, 3),
    ROW("SCALE", "power", WEIGHTS, 9),
    ROW("SCALE", "scale", WEIGHTS, 7),
    ROW("SCALE", "shift", WEIGHTS, 5),
    ROW("SCATTER", "axis", I32, 5),
    ENUM("SCATTER", "mode", SCATTER_MODE, 3),
    ROW("SHUFFLE", "first_transpose", PERMUTATION, 3),
    ROW("SHUFFLE", "reshape_dims", DIMS, 5),
    ROW("SHUFFLE", "second_transpose", PERMUTATION, 7),
    ROW("SHUFFLE", "zero_is_placeholder", BOOL, 9),
    ROW("SLICE", "axes", DIMS, 11),
    ENUM("SLICE", "mode", SAMPLE_MODE, 9),
    STATED("SLICE", "shape", DIMS, 5),
    STATED("SLICE", "start", DIMS, 3),
    STATED("SLICE", "stride", DIMS, 7),
    ROW("SOFTMAX", "axes", U32, 3),
    ROW("TOPK", "axes", U32, 7),
    ROW("TOPK", "indices_type", DTYPE, 9),
    ROW("TOPK", "k", I32, 5),
    ENUM("TOPK", "op", TOPK_OPERATION, 3),
    INNER("TRIP_LIMIT", "kind", ENUM, 2, TRT_TRIP_LIMIT),
    OWNER("TRIP_LIMIT", "loop", 2, 7),
    ENUM("UNARY", "op", UNARY_OPERATION, 3),
};

/* ---- Calls ---- */

static trt_function entry(const trt_object *object, int slot)
{
    trt_function function;
    memcpy(&function, &object->vtable[slot], sizeof function);
    return function;
}
#define GET(type, object, slot) (((type(*)(const void *))entry((object), (slot)))(object))
#define GET_OF(type, object, slot, argument) \
    (((type(*)(const void *, int32_t))entry((object), (slot)))((object), (argument)))

/* The words of a layer: vtable, common part, then one or two of its own. */
static const trt_object *part_of(const attr_row *row, const trt_object *layer)
{
    trt_object *const *words = (trt_object *const *)(const void *)layer;
    return words[row->after_boundary && !row->on_boundary ? 3 : 2];
}

/* ---- Text ---- */

static void put_f64(pg_buf *out, double value)
{
    char text[PG_JSON_NUMBER_SIZE];
    pg_json_f64_text(value, text);
    pg_buf_puts(out, text);
}

static void put_enum(trt_family family, trt_enum kind, int value, pg_buf *out)
{
    const char *name = trt_enum_name(family, kind, value);
    if (name != NULL)
        pg_buf_printf(out, "%s.%s", trt_enum_title(kind), name);
    else
        pg_buf_printf(out, "%s(%d)", trt_enum_title(kind), value);
}

static void put_permutation(const int32_t *order, pg_buf *out)
{
    for (int i = 0; i < TRT_MAX_RANK; i++)
        pg_buf_printf(out, "%s%d", i > 0 ? ", " : "(", order[i]);
    pg_buf_putc(out, ')');
}

static void put_weights(trt_weights weights, pg_buf *out)
{
    int64_t count = weights.values != NULL ? weights.count : 0;
    pg_tensor tensor = {
        .dtype = pg_trt_dtype(weights.dtype), .rank = 1, .data = (void *)(uintptr_t)weights.values};
    if (tensor.dtype == PG_UNDEFINED) {
        pg_buf_printf(out, "%lld value(s) of a type without a name", (long long)count);
        return;
    }
    pg_buf text = {0};
    tensor.dims[0] = count;
    pg_tensor_text(&text, &tensor, NULL);
    pg_buf_add_str(out, pg_buf_str(&text));
    pg_buf_deinit(&text);
}

static bool put_scales(const trt_object *part, int slot, pg_buf *out)
{
    typedef int32_t (*scales_fn)(const void *, int32_t, float *);
    float scales[TRT_MAX_RANK] = {0};
    scales_fn get = (scales_fn)entry(part, slot);
    int32_t count = get(part, 0, NULL); /* it copies when it is asked for as many as there are */
    if (count < 0 || count > TRT_MAX_RANK || (count > 0 && get(part, count, scales) != count))
        return false;
    pg_buf_putc(out, '[');
    for (int32_t i = 0; i < count; i++) {
        pg_buf_puts(out, i > 0 ? ", " : "");
        put_f64(out, (double)scales[i]);
    }
    pg_buf_putc(out, ']');
    return true;
}

static void put_fill(const trt_object *part, int slot, pg_buf *out)
{
    enum { IS_INTEGER = 14, INTEGERS = 4 };
    if (GET(bool, part, IS_INTEGER))
        pg_buf_printf(out, "%lld", (long long)GET(int64_t, part, slot + INTEGERS));
    else
        put_f64(out, GET(double, part, slot));
}

/* False for a value that is not set. */
static bool put_value(pg_trt *trt, const attr_row *row, const trt_object *layer, pg_buf *out)
{
    const trt_object *part = part_of(row, layer), *object;
    int slot = row->slots[trt->family];
    switch (row->kind) {
    case A_BOOL:
        pg_buf_puts(out, GET(bool, part, slot) ? "True" : "False");
        return true;
    case A_I32:
        pg_buf_printf(out, "%d", GET(int32_t, part, slot));
        return true;
    case A_U32:
        pg_buf_printf(out, "%u", GET(uint32_t, part, slot));
        return true;
    case A_I64:
        pg_buf_printf(out, "%lld", (long long)GET(int64_t, part, slot));
        return true;
    case A_F32:
        put_f64(out, (double)GET(float, part, slot));
        return true;
    case A_F64:
        put_f64(out, GET(double, part, slot));
        return true;
    case A_TEXT:
        pg_buf_puts(out, GET(const char *, part, slot));
        return true;
    case A_DIMS: {
        trt_dims dims = GET(trt_dims, part, slot);
        if (dims.rank >= 0)
            pg_trt_dims_text(out, &dims);
        return dims.rank >= 0;
    }
    case A_PERMUTATION:
        put_permutation(GET(const int32_t *, part, slot), out);
        return true;
    case A_WEIGHTS:
        put_weights(GET(trt_weights, part, slot), out);
        return true;
    case A_DTYPE:
        put_enum(trt->family, TRT_DATA_TYPE, GET(int32_t, part, slot), out);
        return true;
    case A_ENUM:
        put_enum(trt->family, (trt_enum)row->choice, GET(int32_t, part, slot), out);
        return true;
    case A_OPERAND:
        put_enum(trt->family, TRT_MATRIX_OPERATION, GET_OF(int32_t, part, slot, row->choice), out);
        return true;
    case A_FILL:
        put_fill(part, slot, out);
        return true;
    case A_SCALES:
        return put_scales(part, slot, out);
    case A_OWNER:
        object = GET(const trt_object *, part, slot);
        if (object != NULL)
            pg_buf_puts(out, GET(const char *, object->impl, row->choice));
        return object != NULL;
    }
    return false;
}

/* ---- A layer ---- */

void pg_trt_layer_attrs(pg_trt *trt, const trt_object *layer, bool weights, pg_buf *out)
{
    const char *type = trt_enum_name(trt->family, TRT_LAYER_TYPE, TRT_CALL(trt, layer_type, layer));
    const char *name = TRT_CALL(trt, layer_name, layer);
    bool any = false;
    trt->logger.muted = true; /* it warns of values that only a run knows */
    for (size_t i = 0; i < PG_COUNT(rows) && type != NULL; i++) {
        const attr_row *row = &rows[i];
        pg_buf value = {0};
        if (strcmp(row->layer, type) != 0 || row->slots[trt->family] < 0)
            continue;
        if (!any)
            pg_buf_puts(out, "    ---- Attributes ----\n");
        any = true;
        if ((row->kind == A_WEIGHTS && !weights) ||
            (row->one_input_only && TRT_CALL(trt, layer_n_inputs, layer) > 1))
            continue;
        pg_buf_printf(&value, "%s%s%s = ", name, name[0] != '\0' ? "." : "", row->name);
        if (put_value(trt, row, layer, &value)) {
            pg_text_indent(out, pg_buf_str(&value), 1);
            pg_buf_putc(out, '\n');
        }
        pg_buf_deinit(&value);
    }
    trt->logger.muted = false;
}
