#include "tensor/text.h"
#include "tools/run/internal.h"

static void describe_value(pg_buf *out, const pg_value *value)
{
    switch (value->kind) {
    case PG_VALUE_TENSOR:
        pg_buf_printf(out, "[dtype=%s, shape=", pg_dtype_name(value->tensor.dtype));
        pg_shape_text(out, value->tensor.rank, value->tensor.dims);
        pg_buf_putc(out, ']');
        break;
    case PG_VALUE_SEQUENCE:
        pg_buf_printf(out, "[sequence of %zu]", value->sequence.count);
        break;
    case PG_VALUE_MAP:
        pg_buf_printf(out, "[map of %zu]", value->map.count);
        break;
    case PG_VALUE_NONE:
        pg_buf_puts(out, "[absent]");
        break;
    }
}

void run_describe_feed(pg_buf *out, const pg_feed *feed)
{
    pg_buf_putc(out, '{');
    for (size_t i = 0; i < feed->count; i++) {
        pg_buf_printf(out, "%s%s ", i > 0 ? ",\n " : "", feed->items[i].name);
        describe_value(out, &feed->items[i].value);
    }
    pg_buf_putc(out, '}');
}

void run_describe_values(pg_buf *out, const pg_feed *feed)
{
    for (size_t i = 0; i < feed->count; i++) {
        const pg_value *value = &feed->items[i].value;
        pg_buf text = {0};
        if (value->kind == PG_VALUE_TENSOR)
            pg_tensor_text(&text, &value->tensor, NULL);
        else
            describe_value(&text, value);
        pg_buf_printf(out, "\n    %s:\n", feed->items[i].name);
        pg_text_indent(out, pg_buf_str(&text), 2);
        pg_buf_deinit(&text);
    }
}
