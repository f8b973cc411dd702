/* Heatmaps: the last two axes of a field are pictures, the others count them. A figure holds a grid of
 * pictures; the grid has as many rows and columns as the peer's figures have, so that files have its names.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "compare/plot/plot.h"
#include "compare/plot/internal.h"
#include "compare/plot/png.h"
#include "log/log.h"

enum {
    MAX_ROWS = 14,
    MAX_COLUMNS = 7,
    MAX_HEIGHT = 1080, /* elements along a figure, which limit its grid */
    MAX_WIDTH = 1920,
    MAX_POINTS = 2048, /* of one picture along each axis */
    MAX_FIGURES = 64,  /* of one field */
    SKETCH_WIDTH = 72, /* characters, which are twice as high as wide */
    SKETCH_HEIGHT = 36,
};

/* What a figure is made from. */
typedef struct figure {
    const pg_plot_field *field;
    pg_plot_scale scale;
    uint64_t n_not_finite;
    uint64_t height, width; /* elements of one picture */
    uint64_t first, last;   /* pictures */
    uint64_t n_images;      /* of the field */
    size_t rows, columns;
    const char *title;
    double cell_width, cell_height; /* of a picture on the page */
} figure;

/* Lengths on the page. */
enum { MARGIN = 16, TITLE = 44, CAPTION = 16, AXIS = 16, SIDE = 34, GAP = 10, BAR = 14, BAR_TEXT = 70 };

/* ---- Words ---- */

/* "(0,1,0:3,0:4)": which picture, and its extent. */
static void add_coordinates(pg_buf *out, const figure *fig, uint64_t image)
{
    size_t rank = fig->field->rank, n = rank > 3 ? rank - 2 : 1;
    uint64_t at[PG_MAX_RANK + 1] = {0};
    for (size_t axis = n; axis-- > 0;) {
        uint64_t length = rank >= 3 ? (uint64_t)fig->field->dims[axis] : 1;
        at[axis] = image % length;
        image /= length;
    }
    pg_buf_putc(out, '(');
    for (size_t axis = 0; axis < n; axis++)
        pg_buf_printf(out, "%llu,", (unsigned long long)at[axis]);
    pg_buf_printf(out, "0:%llu,0:%llu)", (unsigned long long)fig->height, (unsigned long long)fig->width);
}

static char *figure_title(const figure *fig)
{
    pg_buf text = {0};
    pg_buf_printf(&text, "%s: ", fig->title);
    add_coordinates(&text, fig, fig->first);
    pg_buf_puts(&text, " to ");
    add_coordinates(&text, fig, fig->last);
    return text.ptr;
}

/* ---- SVG ---- */

typedef struct style {
    double size;
    const char *anchor;
    const char *colour;
} style;

static void add_text(pg_buf *svg, double x, double y, style s, const char *text)
{
    pg_buf_printf(svg, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.0f\" text-anchor=\"%s\" fill=\"%s\">", x, y,
                  s.size, s.anchor, s.colour);
    pg_svg_escape(svg, text);
    pg_buf_puts(svg, "</text>\n");
}

/* Indices along an edge: the first, the last and, where there is room, the middle. */
static size_t index_ticks(uint64_t length, double room, uint64_t *out)
{
    size_t count = 0;
    out[count++] = 0;
    if (length > 2 && room > 120)
        out[count++] = length / 2;
    if (length > 1 && room > 36)
        out[count++] = length - 1;
    return count;
}

static void add_axes(pg_buf *svg, const figure *fig, double x, double y)
{
    uint64_t ticks[3];
    char text[32];
    size_t count = index_ticks(fig->width, fig->cell_width, ticks);
    for (size_t i = 0; i < count; i++) {
        double at = x + ((double)ticks[i] + 0.5) * fig->cell_width / (double)fig->width;
        snprintf(text, sizeof text, "%llu", (unsigned long long)ticks[i]);
        add_text(svg, at, y + fig->cell_height + 11, (style){9, "middle", "#555"}, text);
    }
    count = index_ticks(fig->height, fig->cell_height, ticks);
    for (size_t i = 0; i < count; i++) {
        double at = y + ((double)ticks[i] + 0.5) * fig->cell_height / (double)fig->height;
        snprintf(text, sizeof text, "%llu", (unsigned long long)ticks[i]);
        add_text(svg, x - 4, at + 3, (style){9, "end", "#555"}, text);
    }
}

static void add_image(pg_buf *svg, const figure *fig, uint64_t image, double x, double y)
{
    pg_plot_grid grid;
    pg_buf caption = {0};
    uint64_t size = fig->height * fig->width;
    pg_plot_grid_make(fig->field, image * size, fig->height, fig->width, MAX_POINTS, MAX_POINTS, &grid);
    uint8_t *rgb = pg_plot_grid_colours(&grid, &fig->scale);
    add_coordinates(&caption, fig, image);
    add_text(svg, x + fig->cell_width / 2, y - 5, (style){10, "middle", "#333"}, pg_buf_cstr(&caption));
    pg_buf_printf(svg,
                  "<image x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" preserveAspectRatio=\"none\" "
                  "style=\"image-rendering:pixelated\" href=\"",
                  x, y, fig->cell_width, fig->cell_height);
    pg_png_write_url(svg, rgb, grid.width, grid.height);
    pg_buf_puts(svg, "\"/>\n");
    pg_buf_printf(svg,
                  "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" "
                  "stroke=\"#999\" stroke-width=\"0.6\"/>\n",
                  x, y, fig->cell_width, fig->cell_height);
    add_axes(svg, fig, x, y);
    free(rgb);
    pg_plot_grid_deinit(&grid);
    pg_buf_deinit(&caption);
}

static void add_colour_bar(pg_buf *svg, const figure *fig, double x, double y, double height)
{
    enum { STEPS = 64 };
    uint8_t rgb[STEPS * 3];
    for (int i = 0; i < STEPS; i++)
        pg_plot_colour(1 - (double)i / (STEPS - 1), rgb + (size_t)3 * (size_t)i);
    pg_buf_printf(
        svg, "<image x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" preserveAspectRatio=\"none\" href=\"",
        x, y, BAR, height);
    pg_png_write_url(svg, rgb, 1, STEPS);
    pg_buf_printf(svg,
                  "\"/>\n<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" fill=\"none\" "
                  "stroke=\"#999\" stroke-width=\"0.6\"/>\n",
                  x, y, BAR, height);
    pg_plot_tick ticks[PG_PLOT_TICKS];
    size_t count = pg_plot_ticks(&fig->scale, height > 150 ? 8 : 4, ticks);
    for (size_t i = 0; i < count; i++) {
        double at = y + height * (1 - pg_plot_place(&fig->scale, ticks[i].value));
        pg_buf_printf(svg, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#333\"/>\n",
                      x + BAR, at, x + BAR + 4, at);
        add_text(svg, x + BAR + 7, at + 3.5, (style){10, "start", "#333"}, ticks[i].text);
    }
}

/* What a reader must know beyond the colours. */
static void add_notes(pg_buf *svg, const figure *fig, double x, double y)
{
    pg_buf text = {0};
    uint64_t longest = PG_MAX(fig->height, fig->width);
    if (fig->n_not_finite > 0)
        pg_buf_printf(&text, "%llu elements of the output are NaN or infinite (turquoise)  ",
                      (unsigned long long)fig->n_not_finite);
    if (longest > MAX_POINTS)
        pg_buf_printf(&text, "each point is the largest of up to %llu x %llu elements",
                      (unsigned long long)((fig->height + MAX_POINTS - 1) / MAX_POINTS),
                      (unsigned long long)((fig->width + MAX_POINTS - 1) / MAX_POINTS));
    if (text.len > 0)
        add_text(svg, x, y, (style){11, "start", "#444"}, pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

/* Pictures fill the page's width; elements are squares unless that makes a picture too thin to see. */
static void lay_out(figure *fig)
{
    double room_x = 940.0 / (double)fig->columns - SIDE - GAP, room_y = 1200.0 / (double)fig->rows;
    double scale = fmin(fmax(room_x, 60) / (double)fig->width, fmax(room_y, 60) / (double)fig->height);
    scale = fmin(scale, 80);
    fig->cell_width = fmax((double)fig->width * scale, 24);
    fig->cell_height = fmax((double)fig->height * scale, 24);
}

static void draw(const figure *fig, const char *title, pg_buf *svg)
{
    double step_x = fig->cell_width + SIDE + GAP, step_y = fig->cell_height + CAPTION + AXIS + GAP;
    double grid_width = (double)fig->columns * step_x, grid_height = (double)fig->rows * step_y;
    double body = fmax(grid_height, 120);
    double width = fmax(2 * MARGIN + grid_width + BAR + BAR_TEXT, 7.4 * (double)strlen(title) + 2 * MARGIN);
    double height = TITLE + body + MARGIN + 18;
    pg_buf_printf(svg,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                  "viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\">\n<title>",
                  width, height, width, height);
    pg_svg_escape(svg, title);
    pg_buf_printf(svg, "</title>\n<rect width=\"%.0f\" height=\"%.0f\" fill=\"#fff\"/>\n", width, height);
    add_text(svg, MARGIN, 24, (style){13, "start", "#000"}, title);
    for (uint64_t image = fig->first; image <= fig->last; image++) {
        size_t index = (size_t)(image - fig->first);
        double x = MARGIN + SIDE + (double)(index % fig->columns) * step_x;
        double y = TITLE + CAPTION + (double)(index / fig->columns) * step_y;
        add_image(svg, fig, image, x, y);
    }
    add_colour_bar(svg, fig, MARGIN + grid_width + GAP, TITLE + CAPTION, body - CAPTION - AXIS - GAP);
    add_notes(svg, fig, MARGIN, TITLE + body + MARGIN);
    pg_buf_puts(svg, "</svg>\n");
}

/* ---- Figures ---- */

/* The picture with the largest value. */
typedef struct peak {
    uint64_t image_size, image;
    double value;
} peak;

static void find_peak(void *context, uint64_t begin, const double *values, size_t n)
{
    peak *best = context;
    for (size_t i = 0; i < n; i++)
        if (isfinite(values[i]) && values[i] > best->value) {
            best->value = values[i];
            best->image = (begin + i) / best->image_size;
        }
}

/* That picture in characters, on a logarithmic scale: there are only five shades. */
static void sketch(const figure *fig, const char *title, pg_buf *out)
{
    uint64_t size = fig->height * fig->width, n_odd;
    peak best = {size, fig->first, -INFINITY};
    pg_plot_grid grid;
    pg_plot_scale scale;
    pg_plot_read(fig->field, fig->first * size, (fig->last + 1) * size, find_peak, &best);
    if (!pg_plot_span(fig->field, true, &scale, &n_odd))
        scale = fig->scale;
    pg_plot_tick ends[PG_PLOT_TICKS];
    pg_plot_grid_make(fig->field, best.image * size, fig->height, fig->width, SKETCH_WIDTH, SKETCH_HEIGHT,
                      &grid);
    pg_buf_printf(out, "%s | the picture with the largest value: ", title);
    add_coordinates(out, fig, best.image);
    pg_buf_putc(out, '\n');
    pg_plot_grid_sketch(out, &grid, &scale);
    size_t count = pg_plot_ticks(&scale, PG_PLOT_TICKS, ends);
    pg_buf_printf(out, "from about %s (blank) to about %s (\u2588)%s", ends[0].text, ends[count - 1].text,
                  scale.log ? ", log scale" : "");
    if (fig->n_not_finite > 0)
        pg_buf_puts(out, "; '!' is not finite");
    pg_plot_grid_deinit(&grid);
}

static pg_status make_figure(const figure *fig, const pg_plot_targets *targets)
{
    char *title = figure_title(fig), *path = NULL;
    pg_buf svg = {0}, text = {0};
    pg_status status = NULL;
    PG_LOG(PG_EXTRA_VERBOSE, "Building heatmaps for %s", title);
    draw(fig, title, &svg);
    if (targets->folder != NULL) {
        path = pg_plot_path(targets->folder, title, ".svg");
        PG_LOG_INFO("Saving '%s' heatmap to: '%s'", fig->title, path);
        status = pg_file_write(path, pg_buf_str(&svg));
    }
    if (status == NULL && targets->show) {
        sketch(fig, title, &text);
        pg_plot_show(path, ".svg", pg_buf_str(&svg), pg_buf_cstr(&text));
    }
    free(title);
    free(path);
    pg_buf_deinit(&svg);
    pg_buf_deinit(&text);
    return status;
}

/* Rows and columns of pictures as the peer has them. */
static void choose_grid(figure *fig)
{
    fig->rows = (size_t)PG_MIN(PG_MAX(MAX_HEIGHT / fig->height, (uint64_t)1), (uint64_t)MAX_ROWS);
    fig->columns = (size_t)PG_MIN(PG_MAX(MAX_WIDTH / fig->width, (uint64_t)1), (uint64_t)MAX_COLUMNS);
    if (fig->n_images < fig->rows * fig->columns) {
        fig->columns = (size_t)PG_MIN(fig->n_images, (uint64_t)fig->columns);
        fig->rows = (size_t)((fig->n_images + fig->columns - 1) / fig->columns);
    }
}

static pg_status make_figures(figure *fig, const pg_plot_targets *targets)
{
    uint64_t per_figure = fig->rows * fig->columns;
    uint64_t n_figures = (fig->n_images + per_figure - 1) / per_figure;
    if (n_figures > MAX_FIGURES)
        PG_LOG_WARNING("%s: %llu figures are needed; drawing the first %d of them", fig->title,
                       (unsigned long long)n_figures, MAX_FIGURES);
    for (uint64_t i = 0; i < PG_MIN(n_figures, (uint64_t)MAX_FIGURES); i++) {
        fig->first = i * per_figure;
        fig->last = PG_MIN(fig->first + per_figure, fig->n_images) - 1;
        PG_TRY(make_figure(fig, targets));
    }
    return NULL;
}

static pg_status heatmaps(const pg_plot_field *field, const char *title, bool log,
                          const pg_plot_targets *targets)
{
    figure fig = {.field = field, .n_images = 1, .title = title};
    size_t rank = field->rank;
    fig.height = rank > 1 ? (uint64_t)field->dims[rank - 2] : 1;
    fig.width = rank > 0 ? (uint64_t)field->dims[rank - 1] : 1;
    for (size_t axis = 0; axis + 2 < rank; axis++)
        fig.n_images *= (uint64_t)field->dims[axis];
    if (field->source->count == 0) {
        PG_LOG_WARNING("%s: the output has no elements, there is nothing to draw", title);
        return NULL;
    }
    if (!pg_plot_span(field, log, &fig.scale, &fig.n_not_finite))
        fig.scale = (pg_plot_scale){0, 0, false};
    pg_buf with_log = {0};
    pg_buf_printf(&with_log, "%s%s", title,
                  fig.scale.log && fig.scale.low < fig.scale.high ? " (Log Scale)" : "");
    fig.title = pg_buf_cstr(&with_log);
    choose_grid(&fig);
    lay_out(&fig);
    pg_status status = make_figures(&fig, targets);
    pg_buf_deinit(&with_log);
    return status;
}

pg_status pg_plot_heatmaps(const pg_plot_field *field, const char *title, bool log,
                           const pg_plot_targets *targets)
{
    PG_LOG(PG_START, "Building heatmaps for %s. This may take a while...", title);
    pg_log_indent(1);
    pg_status status = heatmaps(field, title, log, targets);
    pg_log_indent(-1);
    return pg_status_context(status, "while drawing heatmaps");
}
