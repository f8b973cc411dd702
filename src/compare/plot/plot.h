/* Pictures of differences: heatmaps as SVG, scatter plots as PNG, sketches in characters.
 *
 * A field is what gets drawn: one stream of a block source (a tensor, a difference that is never stored),
 * read block by block, so that a picture costs memory for its pixels only. Where several elements share a
 * pixel, it shows the largest; values that are not finite have a colour of their own. */
#ifndef PG_COMPARE_PLOT_PLOT_H
#define PG_COMPARE_PLOT_PLOT_H

#include "base/buf.h"
#include "compare/compare.h"
#include "tensor/block_stats.h"

typedef struct pg_plot_field {
    const pg_stat_source *source;
    size_t stream;
    size_t rank; /* shape of the elements */
    const int64_t *dims;
} pg_plot_field;

/* ---- Scales (scale.c) ---- */

/* Finite numbers from low to high; on a logarithmic scale both are positive. */
typedef struct pg_plot_scale {
    double low, high;
    bool log;
} pg_plot_scale;
/* Where a value lies, from 0 to 1; values outside are clipped. */
double pg_plot_place(const pg_plot_scale *scale, double value);
/* What the values of a field span. Logarithmic when asked for and some value is positive: then it starts at
 * the smallest positive one. False when no value is finite. */
bool pg_plot_span(const pg_plot_field *field, bool log, pg_plot_scale *out, uint64_t *out_n_not_finite);
/* Round numbers on a scale, at most `limit`; their texts are short and tell them apart. */
enum { PG_PLOT_TICKS = 16, PG_PLOT_TICK_TEXT = 24 };
typedef struct pg_plot_tick {
    double value;
    char text[PG_PLOT_TICK_TEXT];
} pg_plot_tick;
size_t pg_plot_ticks(const pg_plot_scale *scale, size_t limit, pg_plot_tick *out);

/* The colour of a place on a scale: dark blue, purple, red, yellow. */
void pg_plot_colour(double place, uint8_t rgb[3]);
extern const uint8_t pg_plot_odd_colour[3]; /* of values that are not finite */

/* ---- Grids (grid.c) ---- */

/* Elements [begin, begin + rows * columns) of a field as a picture of at most max_width x max_height
 * points. */
typedef struct pg_plot_grid {
    uint32_t width, height;
    float *values; /* owned; NaN where a value is not finite */
} pg_plot_grid;
void pg_plot_grid_make(const pg_plot_field *field, uint64_t begin, uint64_t rows, uint64_t columns,
                       uint32_t max_width, uint32_t max_height, pg_plot_grid *out);
void pg_plot_grid_deinit(pg_plot_grid *grid);
/* Three bytes per point; the caller frees. */
uint8_t *pg_plot_grid_colours(const pg_plot_grid *grid, const pg_plot_scale *scale);
/* Lines of block characters, the largest values darkest. */
void pg_plot_grid_sketch(pg_buf *out, const pg_plot_grid *grid, const pg_plot_scale *scale);

/* ---- Figures ---- */

/* Heatmaps of a field, its last two axes as pictures, the others as rows and columns of pictures; several
 * files when there are many. `title` starts their names ("Absolute Error | y"). Logs as it goes. */
PG_MUST_USE pg_status pg_plot_heatmaps(const pg_plot_field *field, const char *title, bool log,
                                       const pg_plot_targets *targets);

/* Both errors over the magnitude of the reference, as "error_metrics_<output>.png". */
typedef struct pg_plot_errors {
    const pg_stat_source *source; /* streams: absolute, relative error, first output, reference */
    const char *run0, *run1, *name0, *name1;
} pg_plot_errors;
PG_MUST_USE pg_status pg_plot_error_metrics(const pg_plot_errors *errors, const pg_plot_targets *targets);

/* ---- Text in XML (svg.c) ---- */

/* With entities; what XML cannot hold (control characters, bytes that are not UTF-8) becomes U+FFFD. */
void pg_svg_escape(pg_buf *out, const char *text);

/* ---- Files and screens (show.c) ---- */

/* "folder/name": slashes in the name become "_", a name too long for a file is cut. The caller frees. */
char *pg_plot_path(const char *folder, const char *name, const char *extension);
/* Opens a file or address with the desktop's viewer; false where there is none. */
bool pg_plot_open(const char *path);
/* Opens a picture with the desktop's viewer; where there is none, prints the sketch. `bytes` is the file, for
 * pictures that were not saved. */
void pg_plot_show(const char *path, const char *extension, pg_str bytes, const char *sketch);

#endif
