#include "compare/plot/picture.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "compare/internal.h"
#include "compare/plot/internal.h"
#include "compare/plot/png.h"

enum { MAX_SIDE = 256 }; /* points of the heatmap along each axis */

/* ---- Histograms ---- */

static void add_to_histogram(void *context, uint64_t begin, const double *values, size_t n)
{
    pg_picture_histogram *to = context;
    (void)begin;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i])) {
            to->not_finite++;
        } else if (to->scale.log && values[i] <= 0) {
            to->zeros++;
        } else {
            size_t bin = (size_t)(pg_plot_place(&to->scale, values[i]) * PG_PICTURE_BINS);
            to->counts[PG_MIN(bin, (size_t)PG_PICTURE_BINS - 1)]++;
        }
    }
}

static void fill(const pg_plot_field *field, pg_picture_histogram *to)
{
    pg_plot_read(field, 0, field->source->count, add_to_histogram, to);
}

static pg_plot_scale joint_scale(const pg_plot_field *a, const pg_plot_field *b)
{
    pg_plot_scale left, right;
    uint64_t n;
    bool some_left = pg_plot_span(a, false, &left, &n), some_right = pg_plot_span(b, false, &right, &n);
    if (!some_left || !some_right)
        return some_left ? left : some_right ? right : (pg_plot_scale){0, 1, false};
    return (pg_plot_scale){fmin(left.low, right.low), fmax(left.high, right.high), false};
}

/* ---- Heatmap ---- */

/* All leading axes below each other. */
static void add_heatmap(const pg_plot_field *error, pg_picture *out)
{
    pg_plot_grid grid;
    pg_buf url = {0};
    out->columns = error->rank > 0 ? (uint64_t)error->dims[error->rank - 1] : 1;
    out->rows = error->source->count / out->columns;
    pg_plot_grid_make(error, 0, out->rows, out->columns, MAX_SIDE, MAX_SIDE, &grid);
    out->width = grid.width;
    out->height = grid.height;
    uint8_t *rgb = pg_plot_grid_colours(&grid, &out->error.scale);
    pg_png_write_url(&url, rgb, grid.width, grid.height);
    out->heatmap = url.ptr;
    free(rgb);
    pg_plot_grid_deinit(&grid);
}

static void draw(pg_diff *diff, const pg_tensor *shape, pg_picture *out)
{
    diff->want_outputs = true;
    pg_stat_source source = pg_diff_source(diff);
    pg_plot_field fields[PG_STAT_STREAMS];
    uint64_t n_odd;
    for (size_t s = 0; s < PG_STAT_STREAMS; s++)
        fields[s] = (pg_plot_field){&source, s, shape->rank, shape->dims};
    out->value0.scale = out->value1.scale = joint_scale(&fields[2], &fields[3]);
    if (!pg_plot_span(&fields[0], true, &out->error.scale, &n_odd))
        out->error.scale = (pg_plot_scale){0, 1, false};
    fill(&fields[2], &out->value0);
    fill(&fields[3], &out->value1);
    fill(&fields[0], &out->error);
    if (source.count > 0)
        add_heatmap(&fields[0], out);
    diff->want_outputs = false;
}

pg_status pg_picture_make(const pg_tensor *a, const pg_tensor *b, pg_picture **out)
{
    pg_diff diff;
    *out = NULL;
    pg_status status = pg_diff_init(&diff, a, b, false);
    if (status == NULL) {
        *out = PG_NEW(pg_picture);
        draw(&diff, a, *out);
    }
    pg_diff_deinit(&diff);
    return status;
}

void pg_picture_free(pg_picture *picture)
{
    if (picture != NULL)
        free(picture->heatmap);
    free(picture);
}
