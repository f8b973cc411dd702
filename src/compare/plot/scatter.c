/* Errors over the magnitude of the reference, on logarithmic axes where the values allow it. A pixel is the
 * darker the more elements it stands for; elements whose value is 0 lie on the axis, those without a finite
 * place are counted below. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "compare/plot/plot.h"
#include "compare/plot/png.h"
#include "compare/plot/internal.h"
#include "log/log.h"

enum { WIDTH = 1600, HEIGHT = 1300, LEFT = 170, RIGHT = 1560, TOP = 130, BETWEEN = 50, BOTTOM = 1180 };
enum { ABSOLUTE, RELATIVE, REFERENCE = 3 };
enum { DOT = 2 }; /* pixels around a point that belong to its dot */
enum { SKETCH_WIDTH = 72, SKETCH_HEIGHT = 18 };

static const uint8_t black[3] = {20, 20, 20}, grey[3] = {200, 200, 200}, blue[3] = {25, 80, 170};

/* One axis: what its values span, and a strip at its start for zeros, when it is logarithmic. */
typedef struct axis {
    pg_plot_scale scale;
    bool has_zeros;
} axis;

typedef struct panel {
    axis x, y;
    size_t stream;
    const char *label;
    int top, bottom;
    uint64_t n_outside; /* elements without a place */
    uint32_t *counts;   /* per pixel */
    uint32_t most;
} panel;

typedef struct scan {
    double low, high;
    bool has_zeros;
} scan;

typedef struct scans {
    scan streams[PG_STAT_STREAMS];
} scans;

static void add_scan(void *context, double *const *values, size_t n)
{
    scans *all = context;
    for (size_t s = 0; s < PG_STAT_STREAMS; s++) {
        scan *one = &all->streams[s];
        for (size_t i = 0; i < n; i++) {
            double v = fabs(values[s][i]);
            one->has_zeros = one->has_zeros || v == 0;
            if (!isfinite(v) || v == 0)
                continue;
            one->low = v < one->low ? v : one->low;
            one->high = v > one->high ? v : one->high;
        }
    }
}

/* Room of a tenth of a decade at both ends; values that are all alike get a linear axis from 0. */
static axis axis_of(const scan *seen)
{
    if (seen->low > seen->high)
        return (axis){{0, 1, false}, false};
    if (seen->low == seen->high)
        return (axis){{0, seen->high * 1.2, false}, false};
    return (axis){{seen->low / 1.25, fmin(seen->high * 1.25, 1e308), true}, seen->has_zeros};
}

/* ---- Points ---- */

static double place_on(const axis *a, double value, bool *out_ok)
{
    double start = a->has_zeros ? 0.04 : 0;
    *out_ok = isfinite(value);
    if (a->scale.log && value == 0)
        return start / 2;
    return start + (1 - start) * pg_plot_place(&a->scale, value);
}

static int width_of(void)
{
    return RIGHT - LEFT;
}

static void count_dot(panel *p, int x, int y)
{
    int width = width_of(), height = p->bottom - p->top;
    for (int dy = -DOT; dy <= DOT; dy++)
        for (int dx = -DOT; dx <= DOT; dx++) {
            if (dx * dx + dy * dy > DOT * DOT + 1 || x + dx < 0 || x + dx >= width || y + dy < 0 ||
                y + dy >= height)
                continue;
            uint32_t *count = &p->counts[(size_t)(y + dy) * (size_t)width + (size_t)(x + dx)];
            *count += *count < UINT32_MAX;
            p->most = PG_MAX(p->most, *count);
        }
}

static void add_points(void *context, double *const *values, size_t n)
{
    panel *panels = context;
    for (int k = 0; k < 2; k++) {
        panel *p = &panels[k];
        for (size_t i = 0; i < n; i++) {
            bool x_ok, y_ok;
            double x = place_on(&p->x, fabs(values[REFERENCE][i]), &x_ok);
            double y = place_on(&p->y, fabs(values[p->stream][i]), &y_ok);
            if (!x_ok || !y_ok) {
                p->n_outside++;
                continue;
            }
            count_dot(p, (int)(x * (width_of() - 1)), (int)((1 - y) * (p->bottom - p->top - 1)));
        }
    }
}

/* ---- Drawing ---- */

static void draw_points(pg_canvas *canvas, const panel *p)
{
    int width = width_of();
    double most = log1p((double)p->most);
    for (int y = 0; y < p->bottom - p->top; y++)
        for (int x = 0; x < width; x++) {
            uint32_t count = p->counts[(size_t)y * (size_t)width + (size_t)x];
            if (count > 0)
                pg_canvas_blend(canvas, LEFT + x, p->top + y, blue, 0.35 + 0.65 * log1p(count) / most);
        }
}

static void draw_y_axis(pg_canvas *canvas, const panel *p)
{
    pg_plot_tick ticks[PG_PLOT_TICKS];
    bool ok;
    size_t count = pg_plot_ticks(&p->y.scale, 8, ticks);
    for (size_t i = 0; i <= count; i++) {
        bool zero = i == count;
        if (zero && !p->y.has_zeros)
            break;
        double place = place_on(&p->y, zero ? 0 : ticks[i].value, &ok);
        double y = p->bottom - place * (p->bottom - p->top);
        pg_canvas_line(canvas, LEFT, y, RIGHT, y, 1, grey);
        pg_canvas_text(canvas, LEFT - 14, y + 7, 14, PG_ANCHOR_END, zero ? "0" : ticks[i].text, black);
    }
    pg_buf label = {0};
    pg_buf_printf(&label, "%s%s", p->label, p->y.scale.log ? " (log scale)" : "");
    pg_canvas_text_up(canvas, 40, (p->top + p->bottom) / 2.0, 16, PG_ANCHOR_MIDDLE, pg_buf_cstr(&label),
                      black);
    pg_buf_deinit(&label);
}

static void draw_x_axis(pg_canvas *canvas, const panel *p, bool with_texts)
{
    pg_plot_tick ticks[PG_PLOT_TICKS];
    bool ok;
    size_t count = pg_plot_ticks(&p->x.scale, 10, ticks);
    for (size_t i = 0; i <= count; i++) {
        bool zero = i == count;
        if (zero && !p->x.has_zeros)
            break;
        double x = LEFT + place_on(&p->x, zero ? 0 : ticks[i].value, &ok) * (RIGHT - LEFT);
        pg_canvas_line(canvas, x, p->top, x, p->bottom, 1, grey);
        if (with_texts)
            pg_canvas_text(canvas, x, p->bottom + 28, 14, PG_ANCHOR_MIDDLE, zero ? "0" : ticks[i].text,
                           black);
    }
}

static void draw_frame(pg_canvas *canvas, const panel *p)
{
    pg_canvas_line(canvas, LEFT, p->top, RIGHT, p->top, 2, black);
    pg_canvas_line(canvas, LEFT, p->bottom, RIGHT, p->bottom, 2, black);
    pg_canvas_line(canvas, LEFT, p->top, LEFT, p->bottom, 2, black);
    pg_canvas_line(canvas, RIGHT, p->top, RIGHT, p->bottom, 2, black);
}

static void draw_words(pg_canvas *canvas, const pg_plot_errors *errors, const panel *panels)
{
    pg_buf text = {0};
    pg_canvas_text(canvas, WIDTH / 2.0, 36, 17, PG_ANCHOR_MIDDLE, "Error metrics between output0 and output1",
                   black);
    pg_buf_printf(&text, "output0: %s | %s", errors->run0, errors->name0);
    pg_canvas_text(canvas, WIDTH / 2.0, 70, 14, PG_ANCHOR_MIDDLE, pg_buf_cstr(&text), black);
    pg_buf_clear(&text);
    pg_buf_printf(&text, "output1: %s | %s", errors->run1, errors->name1);
    pg_canvas_text(canvas, WIDTH / 2.0, 98, 14, PG_ANCHOR_MIDDLE, pg_buf_cstr(&text), black);
    pg_buf_clear(&text);
    pg_buf_printf(&text, "output1 magnitude%s", panels[0].x.scale.log ? " (log scale)" : "");
    pg_canvas_text(canvas, (LEFT + RIGHT) / 2.0, BOTTOM + 66, 16, PG_ANCHOR_MIDDLE, pg_buf_cstr(&text),
                   black);
    uint64_t outside = PG_MAX(panels[0].n_outside, panels[1].n_outside);
    if (outside > 0) {
        pg_buf_clear(&text);
        pg_buf_printf(&text, "%llu elements are not shown: NaN or infinite", (unsigned long long)outside);
        pg_canvas_text(canvas, (LEFT + RIGHT) / 2.0, BOTTOM + 98, 14, PG_ANCHOR_MIDDLE, pg_buf_cstr(&text),
                       black);
    }
    pg_buf_deinit(&text);
}

static void draw(const pg_plot_errors *errors, const panel *panels, pg_buf *png)
{
    pg_canvas canvas;
    pg_canvas_init(&canvas, WIDTH, HEIGHT);
    for (int k = 0; k < 2; k++) {
        draw_y_axis(&canvas, &panels[k]);
        draw_x_axis(&canvas, &panels[k], k == 1);
        draw_points(&canvas, &panels[k]);
        draw_frame(&canvas, &panels[k]);
    }
    draw_words(&canvas, errors, panels);
    pg_png_write(png, canvas.rgb, WIDTH, HEIGHT);
    pg_canvas_deinit(&canvas);
}

/* ---- Sketch ---- */

/* One panel in characters: the counts of its pixels, joined. */
static void sketch(const panel *p, pg_buf *out)
{
    int width = width_of(), height = p->bottom - p->top;
    pg_plot_grid grid = {SKETCH_WIDTH, SKETCH_HEIGHT,
                         pg_calloc((size_t)SKETCH_WIDTH * SKETCH_HEIGHT, sizeof *grid.values)};
    float most = 0;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            float *point = &grid.values[y * SKETCH_HEIGHT / height * SKETCH_WIDTH + x * SKETCH_WIDTH / width];
            *point += (float)p->counts[(size_t)y * (size_t)width + (size_t)x];
            most = *point > most ? *point : most;
        }
    for (size_t i = 0; i < (size_t)SKETCH_WIDTH * SKETCH_HEIGHT; i++)
        if (grid.values[i] > 0) /* a single element is seen too */
            grid.values[i] = 0.25f + log1pf(grid.values[i]) / log1pf(most);
    pg_plot_scale scale = {0, 1.25, false};
    pg_plot_tick x[PG_PLOT_TICKS], y[PG_PLOT_TICKS];
    size_t n_x = pg_plot_ticks(&p->x.scale, 8, x), n_y = pg_plot_ticks(&p->y.scale, 8, y);
    pg_buf_printf(out, "%s, from about %s to %s upwards, over the magnitude, from about %s to %s\n", p->label,
                  y[0].text, y[n_y - 1].text, x[0].text, x[n_x - 1].text);
    pg_plot_grid_sketch(out, &grid, &scale);
    pg_plot_grid_deinit(&grid);
}

/* ---- The figure ---- */

static void count_points(const pg_plot_errors *errors, panel *panels)
{
    scans seen = {{{INFINITY, 0, false}, {INFINITY, 0, false}, {INFINITY, 0, false}, {INFINITY, 0, false}}};
    int height = (BOTTOM - TOP - BETWEEN) / 2;
    pg_plot_read_all(errors->source, add_scan, &seen);
    for (int k = 0; k < 2; k++) {
        panel *p = &panels[k];
        *p = (panel){.stream = k == 0 ? ABSOLUTE : RELATIVE,
                     .label = k == 0 ? "Absolute error" : "Relative error"};
        p->x = axis_of(&seen.streams[REFERENCE]);
        p->y = axis_of(&seen.streams[p->stream]);
        p->top = TOP + k * (height + BETWEEN);
        p->bottom = p->top + height;
        p->counts = pg_calloc((size_t)width_of() * (size_t)height, sizeof *p->counts);
    }
    pg_plot_read_all(errors->source, add_points, panels);
}

static pg_status make_figure(const pg_plot_errors *errors, const pg_plot_targets *targets)
{
    panel panels[2];
    pg_buf png = {0}, name = {0}, text = {0};
    char *path = NULL;
    pg_status status = NULL;
    count_points(errors, panels);
    draw(errors, panels, &png);
    if (targets->folder != NULL) {
        pg_buf_printf(&name, "error_metrics_%s", errors->name0);
        path = pg_plot_path(targets->folder, pg_buf_cstr(&name), ".png");
        PG_LOG_INFO("Saving error metrics plot to: '%s'", path);
        status = pg_file_write(path, pg_buf_str(&png));
    }
    if (status == NULL && targets->show) {
        sketch(&panels[0], &text);
        sketch(&panels[1], &text);
        pg_plot_show(path, ".png", pg_buf_str(&png), pg_buf_cstr(&text));
    }
    for (int k = 0; k < 2; k++)
        free(panels[k].counts);
    free(path);
    pg_buf_deinit(&png);
    pg_buf_deinit(&name);
    pg_buf_deinit(&text);
    return status;
}

pg_status pg_plot_error_metrics(const pg_plot_errors *errors, const pg_plot_targets *targets)
{
    PG_LOG(PG_START, "Building error metrics plot for %s. This may take a while...", errors->name0);
    pg_log_indent(1);
    pg_status status = NULL;
    if (errors->source->count == 0)
        PG_LOG_WARNING("%s: the output has no elements, there is nothing to draw", errors->name0);
    else
        status = make_figure(errors, targets);
    pg_log_indent(-1);
    return pg_status_context(status, "while drawing the error metrics");
}
