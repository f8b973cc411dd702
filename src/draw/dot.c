/* A drawing in the language of Graphviz, which then does the layout. */
#include "draw/internal.h"

/* Inside quotes; \n is Graphviz's line feed. */
static void add_quoted(pg_buf *out, const char *text)
{
    pg_buf_putc(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            pg_buf_putc(out, '\\');
        if (*text == '\n')
            pg_buf_puts(out, "\\n");
        else
            pg_buf_putc(out, *text);
    }
    pg_buf_putc(out, '"');
}

static void add_box(pg_buf *out, pg_drawing const *drawing, size_t index)
{
    const pg_draw_box *box = &drawing->boxes[index];
    uint8_t rgb[3] = {0xe9, 0xec, 0xf1};
    bool is_end = box->kind == PG_DRAW_INPUT || box->kind == PG_DRAW_OUTPUT;
    pg_buf label = {0};
    pg_buf_puts(&label, box->label);
    if (box->detail != NULL)
        pg_buf_printf(&label, "\n%s", box->detail);
    if (box->kind == PG_DRAW_NODE)
        pg_draw_op_colour(box->label, rgb);
    pg_buf_printf(out, "  b%zu [label=", index);
    add_quoted(out, pg_buf_cstr(&label));
    pg_buf_printf(out, ", style=\"filled%s\", fillcolor=\"#%02x%02x%02x\"", is_end ? ",rounded" : "", rgb[0],
                  rgb[1], rgb[2]);
    if (box->tip != NULL) {
        pg_buf_puts(out, ", tooltip=");
        add_quoted(out, box->tip);
    }
    pg_buf_puts(out, "];\n");
    pg_buf_deinit(&label);
}

static void add_edge(pg_buf *out, const pg_draw_edge *edge)
{
    pg_buf text = {0};
    pg_buf_add_str(&text, edge->tensor);
    if (edge->n_tensors > 1)
        pg_buf_printf(&text, " and %zu more", edge->n_tensors - 1);
    pg_buf_printf(out, "  b%u -> b%u [tooltip=", edge->from, edge->to);
    add_quoted(out, pg_buf_cstr(&text));
    pg_buf_puts(out, "];\n");
    pg_buf_deinit(&text);
}

void pg_drawing_dot(const pg_drawing *drawing, const char *title, pg_buf *out)
{
    pg_buf_puts(out, "digraph ");
    add_quoted(out, title);
    pg_buf_puts(out, " {\n  node [shape=box, fontname=\"sans-serif\", fontsize=11];\n");
    for (size_t i = 0; i < drawing->n_boxes; i++)
        add_box(out, drawing, i);
    for (size_t i = 0; i < drawing->n_edges; i++)
        add_edge(out, &drawing->edges[i]);
    pg_buf_puts(out, "}\n");
}
