/* Fields as grids of points. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "compare/plot/plot.h"
#include "compare/plot/internal.h"

/* ---- Reading ---- */

static double value_at(pg_dtype type, const void *block, size_t i)
{
    switch (type) {
    case PG_F32:
        return (double)((const float *)block)[i];
    case PG_F64:
        return ((const double *)block)[i];
    case PG_I32:
        return (double)((const int32_t *)block)[i];
    case PG_U64:
        return (double)((const uint64_t *)block)[i];
    case PG_BOOL:
        return ((const uint8_t *)block)[i] != 0;
    default:
        return (double)((const int64_t *)block)[i];
    }
}

static void read_block(const pg_stat_source *source, uint64_t begin, size_t n,
                       uint64_t (*room)[PG_STAT_BLOCK], void **blocks)
{
    for (size_t s = 0; s < PG_STAT_STREAMS; s++)
        blocks[s] = room[s];
    source->fill(source->context, begin, n, blocks);
}

void pg_plot_read(const pg_plot_field *field, uint64_t begin, uint64_t end, pg_plot_take take, void *context)
{
    uint64_t(*room)[PG_STAT_BLOCK] = pg_calloc(PG_STAT_STREAMS, sizeof *room);
    double *values = pg_calloc(PG_STAT_BLOCK, sizeof *values);
    pg_dtype type = field->source->streams[field->stream].dtype;
    for (uint64_t at = begin; at < end; at += PG_STAT_BLOCK) {
        void *blocks[PG_STAT_STREAMS];
        size_t n = (size_t)PG_MIN(end - at, (uint64_t)PG_STAT_BLOCK);
        read_block(field->source, at, n, room, blocks);
        for (size_t i = 0; i < n; i++)
            values[i] = value_at(type, blocks[field->stream], i);
        take(context, at, values, n);
    }
    free(room);
    free(values);
}

void pg_plot_read_all(const pg_stat_source *source, pg_plot_take_all take, void *context)
{
    uint64_t(*room)[PG_STAT_BLOCK] = pg_calloc(PG_STAT_STREAMS, sizeof *room);
    double(*values)[PG_STAT_BLOCK] = pg_calloc(PG_STAT_STREAMS, sizeof *values);
    double *streams[PG_STAT_STREAMS];
    for (size_t s = 0; s < PG_STAT_STREAMS; s++)
        streams[s] = values[s];
    for (uint64_t at = 0; at < source->count; at += PG_STAT_BLOCK) {
        void *blocks[PG_STAT_STREAMS];
        size_t n = (size_t)PG_MIN(source->count - at, (uint64_t)PG_STAT_BLOCK);
        read_block(source, at, n, room, blocks);
        for (size_t s = 0; s < source->n_streams; s++)
            for (size_t i = 0; i < n; i++)
                streams[s][i] = value_at(source->streams[s].dtype, blocks[s], i);
        take(context, streams, n);
    }
    free(room);
    free(values);
}

/* ---- Grids ---- */

typedef struct grid_maker {
    pg_plot_grid *grid;
    uint64_t begin, rows, columns;
} grid_maker;

static void add_point(float *point, double value)
{
    if (!isfinite(value))
        *point = NAN;
    else if (!isnan(*point) && (float)value > *point)
        *point = (float)value;
}

static void add_to_grid(void *context, uint64_t begin, const double *values, size_t n)
{
    grid_maker *maker = context;
    pg_plot_grid *grid = maker->grid;
    uint64_t row = (begin - maker->begin) / maker->columns, column = (begin - maker->begin) % maker->columns;
    for (size_t i = 0; i < n; i++) {
        size_t y = (size_t)((unsigned __int128)row * grid->height / maker->rows);
        size_t x = (size_t)((unsigned __int128)column * grid->width / maker->columns);
        add_point(&grid->values[y * grid->width + x], values[i]);
        if (++column == maker->columns) {
            column = 0;
            row++;
        }
    }
}

void pg_plot_grid_make(const pg_plot_field *field, uint64_t begin, uint64_t rows, uint64_t columns,
                       uint32_t max_width, uint32_t max_height, pg_plot_grid *out)
{
    out->width = (uint32_t)PG_MIN(columns, (uint64_t)max_width);
    out->height = (uint32_t)PG_MIN(rows, (uint64_t)max_height);
    size_t count = (size_t)out->width * out->height;
    out->values = pg_calloc(count + 1, sizeof *out->values);
    for (size_t i = 0; i < count; i++)
        out->values[i] = -INFINITY;
    grid_maker maker = {out, begin, rows, columns};
    if (count > 0)
        pg_plot_read(field, begin, begin + rows * columns, add_to_grid, &maker);
}

void pg_plot_grid_deinit(pg_plot_grid *grid)
{
    free(grid->values);
    *grid = (pg_plot_grid){0};
}

uint8_t *pg_plot_grid_colours(const pg_plot_grid *grid, const pg_plot_scale *scale)
{
    size_t count = (size_t)grid->width * grid->height;
    uint8_t *rgb = pg_calloc(count + 1, 3);
    for (size_t i = 0; i < count; i++) {
        if (isnan(grid->values[i]))
            memcpy(rgb + 3 * i, pg_plot_odd_colour, 3);
        else
            pg_plot_colour(pg_plot_place(scale, (double)grid->values[i]), rgb + 3 * i);
    }
    return rgb;
}

/* ---- Sketches ---- */

void pg_plot_grid_sketch(pg_buf *out, const pg_plot_grid *grid, const pg_plot_scale *scale)
{
    static const char *const shades[] = {" ", "\u2591", "\u2592", "\u2593", "\u2588"};
    for (size_t y = 0; y < grid->height; y++) {
        for (size_t x = 0; x < grid->width; x++) {
            float value = grid->values[y * grid->width + x];
            if (isnan(value)) {
                pg_buf_putc(out, '!');
                continue;
            }
            double place = pg_plot_place(scale, (double)value);
            pg_buf_puts(out, shades[PG_MIN((size_t)(place * 5), (size_t)4)]);
        }
        pg_buf_putc(out, '\n');
    }
}
