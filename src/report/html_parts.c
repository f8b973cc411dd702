/* Pieces of the page: style, script, pictures. */
#include <math.h>

#include "base/alloc.h"
#include "compare/plot/picture.h"
#include "report/internal.h"

const char pg_html_style[] =
    ":root{--text:#1c2430;--soft:#5b6675;--line:#d9dee5;--page:#fff;--band:#f4f6f9;--good:#1a7f4b;"
    "--bad:#c0262d;--one:#2f6fb4;--two:#d97b1f}\n"
    "@media(prefers-color-scheme:dark){:root{--text:#e4e8ee;--soft:#9aa6b5;--line:#39424e;--page:#14181e;"
    "--band:#1d232b;--good:#4cc38a;--bad:#ff7b7b;--one:#6aa9ec;--two:#f0a35a}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:1440px;padding:24px;font:14px/1.5 system-ui,sans-serif;color:var(--text);"
    "background:var(--page)}\n"
    "h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:32px 0 8px}\n"
    ".badge{display:inline-block;padding:2px 10px;border-radius:4px;color:#fff;font-weight:600;"
    "font-size:15px;vertical-align:2px;margin-right:10px}\n"
    ".passed{background:#1a7f4b}.failed,.error{background:#c0262d}\n"
    ".soft{color:var(--soft)}\n"
    "pre{background:var(--band);border:1px solid var(--line);border-radius:4px;padding:10px;"
    "white-space:pre-wrap;overflow-wrap:anywhere;margin:8px 0}\n"
    ".scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:5px 10px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}\n"
    "th{background:var(--band);white-space:nowrap}\n"
    "td.n,th.n{text-align:right;white-space:nowrap}td.w{white-space:nowrap}\n"
    "table.sortable th{cursor:pointer}th[data-order=up]::after{content:' \\25B2'}"
    "th[data-order=down]::after{content:' \\25BC'}\n"
    "td.good{color:var(--good);font-weight:600}td.bad{color:var(--bad);font-weight:600}\n"
    "details{border:1px solid var(--line);border-radius:4px;margin:8px 0;padding:6px 12px}\n"
    "summary{cursor:pointer;font-weight:600}\n"
    ".pictures{display:flex;flex-wrap:wrap;gap:20px;align-items:flex-start;margin:10px 0}\n"
    "figure{margin:0}figcaption{font-size:12px;color:var(--soft);max-width:350px}\n"
    "svg text{font:11px system-ui,sans-serif;fill:var(--soft)}\n"
    ".heat{image-rendering:pixelated;width:340px;border:1px solid var(--line);display:block}\n"
    ".one{fill:var(--one)}.two{fill:var(--two)}.axis{stroke:var(--soft)}\n"
    "label{margin-right:16px}\n"
    "tr:target td{background:var(--band)}\n"
    ".view{overflow:auto;max-height:80vh;border:1px solid var(--line);border-radius:4px}\n"
    ".view svg{display:block;margin:0 auto}\n"
    "#whole:checked~.view svg{max-width:100%;max-height:78vh}\n"
    ".key{display:inline-block;width:14px;height:14px;border:1px solid #6b7787;border-radius:3px;"
    "vertical-align:-2px;margin:0 5px 0 14px}\n"
    ".key.bad{border:3px solid #d0021b}\n";

/* Sorts a table by the column whose head was clicked: by number where both cells have one. */
const char pg_html_script[] =
    "for(const table of document.querySelectorAll('table.sortable'))"
    "table.querySelectorAll('th').forEach((head,column)=>head.addEventListener('click',()=>{\n"
    "const down=head.dataset.order==='up',body=table.tBodies[0];\n"
    "for(const other of table.querySelectorAll('th'))delete other.dataset.order;\n"
    "head.dataset.order=down?'down':'up';\n"
    "const key=row=>row.cells[column].dataset.value??row.cells[column].textContent;\n"
    "const number=text=>text===''?NaN:Number(text);\n"
    "[...body.rows].sort((a,b)=>{const x=key(a),y=key(b),p=number(x),q=number(y);\n"
    "if(isNaN(p)!==isNaN(q))return isNaN(p)-isNaN(q);\n"
    "const order=isNaN(p)?x.localeCompare(y):p-q;\n"
    "return down?-order:order}).forEach(row=>body.append(row))}));\n"
    "for(const part of document.querySelectorAll('.script'))part.hidden=false;\n"
    "for(const box of document.querySelectorAll('.only-failed'))box.addEventListener('change',()=>{\n"
    "for(const item of document.querySelectorAll('[data-passed=\"1\"]'))"
    "item.style.display=box.checked?'none':''});\n";

/* ---- Histograms ---- */

enum { WIDTH = 350, HEIGHT = 150, LEFT = 48, BOTTOM = 24, TOP = 12, RIGHT = 12 };

static uint64_t most_of(const pg_picture_histogram *h)
{
    uint64_t most = h->zeros;
    for (size_t i = 0; i < PG_PICTURE_BINS; i++)
        most = PG_MAX(most, h->counts[i]);
    return most;
}

/* Counts differ by orders of magnitude: bars are as high as their logarithm. */
static double bar_height(uint64_t count, uint64_t most)
{
    return most > 0 ? log1p((double)count) / log1p((double)most) * (HEIGHT - TOP - BOTTOM) : 0;
}

static void add_bars(pg_buf *out, const pg_picture_histogram *h, const char *class, uint64_t most, double x0,
                     double width, double inset)
{
    double step = width / PG_PICTURE_BINS;
    for (size_t i = 0; i < PG_PICTURE_BINS; i++) {
        double height = bar_height(h->counts[i], most);
        if (h->counts[i] > 0)
            pg_buf_printf(out,
                          "<rect class=\"%s\" fill-opacity=\".6\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                          "height=\"%.1f\"><title>%llu</title></rect>",
                          class, x0 + (double)i * step + inset, HEIGHT - BOTTOM - height, step - 2 * inset,
                          height, (unsigned long long)h->counts[i]);
    }
}

static void add_axis(pg_buf *out, const pg_plot_scale *scale, double x0, double width)
{
    pg_plot_tick ticks[PG_PLOT_TICKS];
    size_t count = pg_plot_ticks(scale, 5, ticks);
    double y = HEIGHT - BOTTOM;
    pg_buf_printf(out, "<line class=\"axis\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>", LEFT, y,
                  WIDTH - RIGHT, y);
    for (size_t i = 0; i < count; i++) {
        double x = x0 + pg_plot_place(scale, ticks[i].value) * width;
        pg_buf_printf(out,
                      "<line class=\"axis\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
                      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>",
                      x, y, x, y + 4, x, y + 16, ticks[i].text);
    }
}

static void add_count_axis(pg_buf *out, uint64_t most)
{
    uint64_t marks[] = {most, (uint64_t)expm1(log1p((double)most) / 2)};
    for (size_t i = 0; i < PG_COUNT(marks); i++)
        if (i == 0 || marks[i] > 0)
            pg_buf_printf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%llu</text>", LEFT - 5,
                          HEIGHT - BOTTOM - bar_height(marks[i], most) + 4, (unsigned long long)marks[i]);
}

static void open_chart(pg_buf *out)
{
    pg_buf_printf(out, "<figure><svg width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">", WIDTH,
                  HEIGHT, WIDTH, HEIGHT);
}

static void add_values(pg_buf *out, const pg_picture *picture, const char *run0, const char *run1)
{
    uint64_t most = PG_MAX(most_of(&picture->value0), most_of(&picture->value1));
    double width = WIDTH - LEFT - RIGHT;
    open_chart(out);
    add_bars(out, &picture->value0, "one", most, LEFT, width, 0);
    add_bars(out, &picture->value1, "two", most, LEFT, width, 2);
    add_axis(out, &picture->value0.scale, LEFT, width);
    add_count_axis(out, most);
    pg_buf_puts(out, "</svg><figcaption>Values: <span style=\"color:var(--one)\">");
    pg_svg_escape(out, run0);
    pg_buf_puts(out, "</span> and, inside, <span style=\"color:var(--two)\">");
    pg_svg_escape(out, run1);
    pg_buf_puts(out, "</span>; number of elements, log scale");
    if (picture->value0.not_finite + picture->value1.not_finite > 0)
        pg_buf_printf(out, "; not finite: %llu and %llu", (unsigned long long)picture->value0.not_finite,
                      (unsigned long long)picture->value1.not_finite);
    pg_buf_puts(out, "</figcaption></figure>\n");
}

static void add_errors(pg_buf *out, const pg_picture *picture)
{
    const pg_picture_histogram *h = &picture->error;
    uint64_t most = most_of(h);
    double zero_room = h->scale.log && h->zeros > 0 ? 34 : 0, width = WIDTH - LEFT - RIGHT - zero_room;
    open_chart(out);
    if (zero_room > 0) {
        double height = bar_height(h->zeros, most);
        pg_buf_printf(
            out,
            "<rect class=\"one\" fill-opacity=\".6\" x=\"%d\" y=\"%.1f\" width=\"14\" height=\"%.1f\">"
            "<title>%llu</title></rect><text x=\"%d\" y=\"%d\" text-anchor=\"middle\">0</text>",
            LEFT + 4, HEIGHT - BOTTOM - height, height, (unsigned long long)h->zeros, LEFT + 11,
            HEIGHT - BOTTOM + 16);
    }
    add_bars(out, h, "one", most, LEFT + zero_room, width, 0);
    add_axis(out, &h->scale, LEFT + zero_room, width);
    add_count_axis(out, most);
    pg_buf_printf(out, "</svg><figcaption>Absolute error%s; number of elements, log scale",
                  h->scale.log ? ", log scale" : "");
    if (h->not_finite > 0)
        pg_buf_printf(out, "; not finite: %llu", (unsigned long long)h->not_finite);
    pg_buf_puts(out, "</figcaption></figure>\n");
}

/* ---- Heatmap ---- */

void pg_html_colour_bar(pg_buf *out, const pg_plot_scale *scale)
{
    pg_plot_tick ticks[PG_PLOT_TICKS];
    size_t count = pg_plot_ticks(scale, 6, ticks);
    pg_buf_puts(out, "<svg width=\"342\" height=\"34\" viewBox=\"0 0 342 34\">");
    for (int i = 0; i < 34; i++) {
        uint8_t rgb[3];
        pg_plot_colour(i / 33.0, rgb);
        pg_buf_printf(out, "<rect x=\"%d\" y=\"4\" width=\"10.5\" height=\"10\" fill=\"#%02x%02x%02x\"/>",
                      i * 10, rgb[0], rgb[1], rgb[2]);
    }
    for (size_t i = 0; i < count; i++) {
        double x = pg_plot_place(scale, ticks[i].value) * 340;
        pg_buf_printf(out, "<text x=\"%.1f\" y=\"28\" text-anchor=\"%s\">%s</text>", x,
                      x < 20    ? "start"
                      : x > 320 ? "end"
                                : "middle",
                      ticks[i].text);
    }
    pg_buf_puts(out, "</svg>");
}

static void add_heatmap(pg_buf *out, const pg_picture *picture)
{
    double shape = (double)picture->height / (double)picture->width;
    double height = fmin(fmax(340 * shape, 24), 340);
    pg_buf_printf(out, "<figure><img class=\"heat\" style=\"height:%.0fpx\" alt=\"heatmap\" src=\"%s\">",
                  height, picture->heatmap);
    pg_html_colour_bar(out, &picture->error.scale);
    pg_buf_printf(out, "<figcaption>Where the absolute error is: %llu rows (all leading dimensions) of %llu",
                  (unsigned long long)picture->rows, (unsigned long long)picture->columns);
    if (picture->width < picture->columns || picture->height < picture->rows)
        pg_buf_puts(out, "; each point is the largest of its elements");
    if (picture->error.not_finite > 0)
        pg_buf_puts(out, "; turquoise is NaN or infinite");
    pg_buf_puts(out, "</figcaption></figure>\n");
}

void pg_html_picture(pg_buf *out, const pg_picture *picture, const char *run0, const char *run1)
{
    pg_buf_puts(out, "<div class=\"pictures\">\n");
    add_errors(out, picture);
    add_values(out, picture, run0, run1);
    if (picture->heatmap != NULL)
        add_heatmap(out, picture);
    pg_buf_puts(out, "</div>\n");
}
