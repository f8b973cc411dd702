/* A drawing as SVG. */
#include <math.h>

#include "compare/plot/plot.h"
#include "draw/internal.h"

const char pg_draw_style_sheet[] =
    ".graph text{font:12px system-ui,'DejaVu Sans',sans-serif;text-anchor:middle;fill:#1c2430}\n"
    ".graph .small{font-size:10.5px;fill:#4a5564}\n"
    ".graph .light,.graph .light.small{fill:#fff}\n"
    ".graph rect{stroke:#6b7787;stroke-width:1}\n"
    ".graph .end rect{stroke:#8893a2}\n"
    ".graph .group rect{stroke-width:1.6;stroke-dasharray:5 3}\n"
    ".graph .bad rect{stroke:#d0021b;stroke-width:3;stroke-dasharray:none}\n"
    ".graph path{fill:none;stroke:#9aa5b4;stroke-width:1.1}\n"
    ".graph path.head{fill:#7d8999;stroke:none}\n"
    ".graph path.cut{stroke-dasharray:2 2}\n";

/* ---- Colours ---- */

static double clip(double part)
{
    return fmin(fmax(part, 0), 1);
}

/* Pastel colours around the wheel. */
void pg_draw_op_colour(const char *op, uint8_t rgb[3])
{
    double hue = (double)(pg_str_hash(pg_str_c(op)) % 24) / 4;
    double parts[3] = {clip(fabs(hue - 3) - 1), clip(2 - fabs(hue - 2)), clip(2 - fabs(hue - 4))};
    for (int i = 0; i < 3; i++)
        rgb[i] = (uint8_t)(202 + 48 * parts[i]);
}

static bool is_dark(const uint8_t rgb[3])
{
    return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] < 140;
}

/* ---- Curves ---- */

static void add_curve(pg_buf *out, const pg_draw_link *link)
{
    if (fabs(link->x1 - link->x0) < 0.5) {
        pg_buf_printf(out, "M%.0f %.0fL%.0f %.0f", link->x0, link->y0, link->x1, link->y1);
        return;
    }
    double bend = (link->y1 - link->y0) * 0.5;
    pg_buf_printf(out, "M%.0f %.0fC%.0f %.0f %.0f %.0f %.0f %.0f", link->x0, link->y0, link->x0,
                  link->y0 + bend, link->x1, link->y1 - bend, link->x1, link->y1);
}

/* All curves of one box in one element. */
static void add_curves_of(pg_buf *out, const pg_draw_link *links, size_t count)
{
    bool any_cut = false;
    pg_buf_puts(out, "<path d=\"");
    for (size_t i = 0; i < count; i++) {
        any_cut = any_cut || links[i].cut;
        if (!links[i].cut)
            add_curve(out, &links[i]);
    }
    pg_buf_puts(out, "\"/>");
    if (any_cut) {
        pg_buf_puts(out, "<path class=\"cut\" d=\"");
        for (size_t i = 0; i < count; i++)
            if (links[i].cut)
                add_curve(out, &links[i]);
        pg_buf_puts(out, "\"/>");
    }
    pg_buf_puts(out, "<path class=\"head\" d=\"");
    for (size_t i = 0; i < count; i++)
        if (links[i].arrives)
            pg_buf_printf(out, "M%.0f %.0fl-3.5 -6h7z", links[i].x1, links[i].y1);
    pg_buf_puts(out, "\"/>\n");
}

static void add_links(pg_buf *out, const pg_drawing *drawing)
{
    for (size_t begin = 0, end; begin < drawing->n_links; begin = end) {
        for (end = begin; end < drawing->n_links && drawing->links[end].from == drawing->links[begin].from;)
            end++;
        add_curves_of(out, drawing->links + begin, end - begin);
    }
}

/* ---- Boxes ---- */

static void add_line(pg_buf *out, double x, double y, const char *class, const char *text)
{
    pg_buf_printf(out, "<text x=\"%.0f\" y=\"%.0f\"%s%s%s>", x, y, class[0] != '\0' ? " class=\"" : "", class,
                  class[0] != '\0' ? "\"" : "");
    pg_svg_escape(out, text);
    pg_buf_puts(out, "</text>");
}

static void add_box(pg_buf *out, const pg_draw_box *box, const pg_draw_style *style)
{
    static const char *const classes[] = {"end", "end", "node", "group"};
    static const uint8_t grey[3] = {0xe9, 0xec, 0xf1}, group[3] = {0xe4, 0xea, 0xf6};
    uint8_t rgb[3];
    bool is_end = box->kind == PG_DRAW_INPUT || box->kind == PG_DRAW_OUTPUT;
    const char *second = box->note != NULL ? box->note : box->detail;
    bool link = box->link != NULL || (style->prefix != NULL && !is_end);
    if (box->link != NULL)
        pg_buf_printf(out, "<a href=\"#%s\">", box->link);
    else if (link)
        pg_buf_printf(out, "<a href=\"#%s%zu\">", style->prefix, box->node);
    pg_buf_printf(out, "<g class=\"%s%s\">", classes[box->kind], box->marked ? " bad" : "");
    if (box->tip != NULL) {
        pg_buf_puts(out, "<title>");
        pg_svg_escape(out, box->tip);
        pg_buf_puts(out, "</title>");
    }
    pg_buf_printf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.0f\" height=\"%.0f\" rx=\"%d\"",
                  box->x - box->width / 2, box->y - box->height / 2, box->width, box->height,
                  is_end ? 12 : 4);
    pg_draw_op_colour(box->label, rgb);
    const uint8_t *fill = box->has_colour              ? box->colour
                          : is_end                     ? grey
                          : box->kind == PG_DRAW_GROUP ? group
                                                       : rgb;
    bool light = is_dark(fill);
    pg_buf_printf(out, " fill=\"#%02x%02x%02x\"/>", fill[0], fill[1], fill[2]);
    add_line(out, box->x, second != NULL ? box->y - 3 : box->y + 4, light ? "light" : "", box->label);
    if (second != NULL)
        add_line(out, box->x, box->y + 11, light ? "light small" : "small", second);
    pg_buf_printf(out, "</g>%s\n", link ? "</a>" : "");
}

void pg_drawing_svg(const pg_drawing *drawing, const pg_draw_style *style, pg_buf *out)
{
    pg_buf_printf(out,
                  "<svg class=\"graph\" xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                  "viewBox=\"0 0 %.0f %.0f\">\n",
                  ceil(drawing->width), ceil(drawing->height), ceil(drawing->width), ceil(drawing->height));
    if (!style->inside_page) {
        if (style->title != NULL) {
            pg_buf_puts(out, "<title>");
            pg_svg_escape(out, style->title);
            pg_buf_puts(out, "</title>\n");
        }
        pg_buf_printf(
            out, "<style>\n%s</style>\n<path style=\"fill:#fff;stroke:none\" d=\"M0 0H%.0fV%.0fH0z\"/>\n",
            pg_draw_style_sheet, ceil(drawing->width), ceil(drawing->height));
    }
    add_links(out, drawing);
    for (size_t i = 0; i < drawing->n_boxes; i++)
        add_box(out, &drawing->boxes[i], style);
    pg_buf_puts(out, "</svg>\n");
}
