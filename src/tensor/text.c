/* The text of an array: which elements are shown, what they have in common, and where lines break. */
#include "tensor/text.h"

#include "base/alloc.h"
#include "base/vec.h"
#include "tensor/internal.h"
#include "tensor/number_text.h"

const pg_text_options pg_text_defaults = {.threshold = 1000, .edge_items = 3, .line_width = 75};

/* What the elements shown have in common. */
typedef struct element_format {
    pg_float_format real, imaginary;
    size_t width; /* of integers */
} element_format;

typedef struct layout {
    pg_buf *out;
    const pg_tensor *tensor;
    uint64_t strides[PG_MAX_RANK]; /* in elements */
    int64_t edge, line_width;
    bool summarised;
    element_format format;
    pg_buf word;
} layout;

/* ---- Elements ---- */

/* Part 0 or 1 of a real or complex element. */
static double part_of(const pg_tensor *tensor, uint64_t index, unsigned part)
{
    if (tensor->dtype == PG_C64)
        return (double)((const float *)tensor->data)[2 * index + part];
    if (tensor->dtype == PG_C128)
        return ((const double *)tensor->data)[2 * index + part];
    return pg_tensor_get_f64(tensor, index);
}

static bool has_float_format(pg_dtype dtype)
{
    return dtype == PG_F16 || dtype == PG_F32 || dtype == PG_F64 || dtype == PG_C64 || dtype == PG_C128;
}

static bool has_width(pg_dtype dtype)
{
    return pg_dtype_is_integer(dtype) && pg_dtype_get(dtype)->bits >= 8;
}

static pg_dtype part_type(pg_dtype dtype)
{
    return dtype == PG_C64 ? PG_F32 : dtype == PG_C128 ? PG_F64 : dtype;
}

static void put_integer(pg_buf *out, const pg_tensor *tensor, uint64_t index)
{
    int64_t value = pg_tensor_get_i64(tensor, index);
    if (tensor->dtype == PG_U64)
        pg_buf_printf(out, "%llu", (unsigned long long)value);
    else
        pg_buf_printf(out, "%lld", (long long)value);
}

void pg_tensor_text_element(pg_buf *out, const pg_tensor *tensor, uint64_t index)
{
    double value;
    switch (pg_dtype_kind_of(tensor->dtype)) {
    case PG_KIND_FLOAT:
        value = pg_tensor_get_f64(tensor, index);
        if (has_float_format(tensor->dtype))
            pg_text_float(out, tensor->dtype, value);
        else
            pg_text_g(out, value, 6);
        break;
    case PG_KIND_COMPLEX:
        pg_text_complex(out, part_type(tensor->dtype), part_of(tensor, index, 0), part_of(tensor, index, 1));
        break;
    case PG_KIND_BOOL:
        pg_buf_puts(out, pg_tensor_get_i64(tensor, index) != 0 ? "True" : "False");
        break;
    case PG_KIND_STRING:
        pg_buf_add_str(out, ((const pg_str *)tensor->data)[index]);
        break;
    case PG_KIND_INT:
    case PG_KIND_UINT:
        put_integer(out, tensor, index);
        break;
    case PG_KIND_NONE:
        break;
    }
}

static void put_complex(const layout *l, pg_buf *out, uint64_t index)
{
    pg_float_format_put(&l->format.real, out, part_of(l->tensor, index, 0));
    pg_float_format_put(&l->format.imaginary, out, part_of(l->tensor, index, 1));
    size_t end = out->len;
    while (out->ptr[end - 1] == ' ')
        end--;
    pg_buf_putc(out, ' '); /* the j goes between the number and its padding */
    out->ptr[out->len - 1] = out->ptr[end];
    out->ptr[end] = 'j';
}

/* One element as it stands inside the array. */
static void put_word(layout *l, uint64_t index)
{
    pg_buf *out = &l->word;
    pg_buf_clear(out);
    pg_dtype dtype = l->tensor->dtype;
    if (pg_dtype_kind_of(dtype) == PG_KIND_COMPLEX) {
        put_complex(l, out, index);
    } else if (has_float_format(dtype)) {
        pg_float_format_put(&l->format.real, out, part_of(l->tensor, index, 0));
    } else if (dtype == PG_STRING) {
        pg_text_quote(out, ((const pg_str *)l->tensor->data)[index]);
    } else if (dtype == PG_BOOL) {
        pg_buf_puts(out, pg_tensor_get_i64(l->tensor, index) != 0 ? " True" : "False");
    } else if (has_width(dtype)) {
        put_integer(out, l->tensor, index);
        size_t length = out->len;
        if (length < l->format.width) {
            pg_buf_clear(out);
            pg_buf_pad(out, ' ', l->format.width - length);
            put_integer(out, l->tensor, index);
        }
    } else {
        pg_tensor_text_element(out, l->tensor, index);
    }
}

/* ---- The elements shown ---- */

typedef PG_VEC(uint64_t) index_list;

/* Whether the middle of a dimension is left out. */
static bool skips(const layout *l, size_t axis)
{
    return l->summarised && l->tensor->dims[axis] / 2 >= l->edge && l->tensor->dims[axis] > 2 * l->edge;
}

/* Indices that decide the common format: the corners of a summarised array. With no edge items NumPy looks at
 * all elements. */
static void collect(const layout *l, size_t axis, uint64_t base, index_list *list)
{
    if (axis == l->tensor->rank) {
        PG_VEC_PUSH(list, base);
        return;
    }
    int64_t count = l->tensor->dims[axis];
    bool skip = skips(l, axis) && l->edge > 0;
    for (int64_t i = 0; i < count; i++) {
        if (skip && i == l->edge)
            i = count - l->edge;
        collect(l, axis + 1, base + (uint64_t)i * l->strides[axis], list);
    }
}

static void find_float_format(layout *l, const index_list *list)
{
    pg_dtype part = part_type(l->tensor->dtype);
    double *values = pg_calloc(list->len, sizeof *values);
    for (size_t i = 0; i < list->len; i++)
        values[i] = part_of(l->tensor, list->items[i], 0);
    pg_float_format_init(&l->format.real, part, false, values, list->len);
    if (part != l->tensor->dtype) {
        for (size_t i = 0; i < list->len; i++)
            values[i] = part_of(l->tensor, list->items[i], 1);
        pg_float_format_init(&l->format.imaginary, part, true, values, list->len);
    }
    free(values);
}

static void find_format(layout *l)
{
    if (!has_float_format(l->tensor->dtype) && !has_width(l->tensor->dtype))
        return;
    index_list list = {0};
    collect(l, 0, 0, &list);
    if (has_float_format(l->tensor->dtype)) {
        find_float_format(l, &list);
    } else {
        for (size_t i = 0; i < list.len; i++) {
            pg_buf_clear(&l->word);
            put_integer(&l->word, l->tensor, list.items[i]);
            l->format.width = PG_MAX(l->format.width, l->word.len);
        }
    }
    PG_VEC_FREE(&list);
}

/* ---- Lines ---- */

/* Adds a word to the current line, on a new line when it would not fit and the line holds one already. */
static void add_word(layout *l, pg_str word, size_t *column, size_t indent, int64_t width)
{
    size_t length = 0; /* in characters */
    for (size_t i = 0; i < word.len; i++)
        length += ((uint8_t)word.ptr[i] & 0xc0) != 0x80;
    if ((int64_t)(*column + length) > width && *column > indent) {
        while (l->out->len > 0 && l->out->ptr[l->out->len - 1] == ' ')
            l->out->len--;
        pg_buf_putc(l->out, '\n');
        pg_buf_pad(l->out, ' ', indent);
        *column = indent;
    }
    pg_buf_add_str(l->out, word);
    *column += length;
}

static void put_row(layout *l, size_t axis, uint64_t base)
{
    int64_t count = l->tensor->dims[axis], width = l->line_width - (int64_t)axis - 1;
    size_t indent = axis + 1, column = indent;
    bool skip = skips(l, axis);
    for (int64_t i = 0; i < count; i++) {
        if (skip && i == l->edge) {
            add_word(l, PG_STR("..."), &column, indent, width);
            pg_buf_putc(l->out, ' ');
            column++;
            i = count - PG_MAX(l->edge, 1); /* the last element is always shown */
        }
        put_word(l, base + (uint64_t)i * l->strides[axis]);
        add_word(l, pg_buf_str(&l->word), &column, indent, width);
        if (i + 1 < count) {
            pg_buf_putc(l->out, ' ');
            column++;
        }
    }
}

static void put_axis(layout *l, size_t axis, uint64_t base)
{
    size_t below = l->tensor->rank - axis - 1;
    int64_t count = l->tensor->dims[axis];
    bool skip = skips(l, axis);
    pg_buf_putc(l->out, '[');
    if (below == 0) {
        put_row(l, axis, base);
        pg_buf_putc(l->out, ']');
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        if (skip && i == l->edge) {
            pg_buf_puts(l->out, "...");
            pg_buf_pad(l->out, '\n', below);
            pg_buf_pad(l->out, ' ', axis + 1);
            i = count - PG_MAX(l->edge, 1);
        }
        put_axis(l, axis + 1, base + (uint64_t)i * l->strides[axis]);
        if (i + 1 < count) {
            pg_buf_pad(l->out, '\n', below);
            pg_buf_pad(l->out, ' ', axis + 1);
        }
    }
    pg_buf_putc(l->out, ']');
}

void pg_tensor_text(pg_buf *out, const pg_tensor *tensor, const pg_text_options *options)
{
    if (options == NULL)
        options = &pg_text_defaults;
    uint64_t count = pg_tensor_count(tensor), stride = 1;
    if (count == 0) {
        pg_buf_puts(out, "[]");
        return;
    }
    if (tensor->rank == 0) {
        pg_tensor_text_element(out, tensor, 0);
        return;
    }
    layout l = {.out = out, .tensor = tensor};
    l.summarised =
        options->threshold >= 0 && count > (uint64_t)options->threshold && options->edge_items != -1;
    l.edge = PG_MAX(options->edge_items, (int64_t)0);
    l.line_width = options->line_width == -1 ? INT64_MAX : options->line_width;
    for (size_t axis = tensor->rank; axis-- > 0;) {
        l.strides[axis] = stride;
        stride *= (uint64_t)tensor->dims[axis];
    }
    find_format(&l);
    put_axis(&l, 0, 0);
    pg_buf_deinit(&l.word);
}
