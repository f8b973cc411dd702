/* Private to compare/plot/. */
#ifndef PG_COMPARE_PLOT_INTERNAL_H
#define PG_COMPARE_PLOT_INTERNAL_H

#include "compare/plot/plot.h"

/* Calls `take` with the elements [begin, end) of a field, in order, a block at a time. */
typedef void (*pg_plot_take)(void *context, uint64_t begin, const double *values, size_t n);
void pg_plot_read(const pg_plot_field *field, uint64_t begin, uint64_t end, pg_plot_take take, void *context);
/* All streams of a source at once. */
typedef void (*pg_plot_take_all)(void *context, double *const *values, size_t n);
void pg_plot_read_all(const pg_stat_source *source, pg_plot_take_all take, void *context);

/* ---- Drawing on pixels (canvas.c) ---- */

/* Red, green, blue, all white at first. Places are pixels from the top left; edges are smoothed. */
typedef struct pg_canvas {
    uint32_t width, height;
    uint8_t *rgb; /* owned */
} pg_canvas;
void pg_canvas_init(pg_canvas *canvas, uint32_t width, uint32_t height);
void pg_canvas_deinit(pg_canvas *canvas);
void pg_canvas_line(pg_canvas *canvas, double x0, double y0, double x1, double y1, double thickness,
                    const uint8_t rgb[3]);
/* `part` of the colour, from 0 to 1, over what is there. */
void pg_canvas_blend(pg_canvas *canvas, int x, int y, const uint8_t rgb[3], double part);

typedef enum pg_anchor { PG_ANCHOR_START, PG_ANCHOR_MIDDLE, PG_ANCHOR_END } pg_anchor;
/* `size` is the height of a capital letter; (x, y) is on the base line. Bytes that are not ASCII become
 * boxes, one per character. */
void pg_canvas_text(pg_canvas *canvas, double x, double y, double size, pg_anchor anchor, const char *text,
                    const uint8_t rgb[3]);
/* The same upwards, turned by 90 degrees to the left. */
void pg_canvas_text_up(pg_canvas *canvas, double x, double y, double size, pg_anchor anchor, const char *text,
                       const uint8_t rgb[3]);
/* Strokes of an ASCII character on a grid 5 wide: pairs of digits x y from the top left, base line at y = 6;
 * blanks lift the pen. */
const char *pg_font_glyph(unsigned char c);

#endif
