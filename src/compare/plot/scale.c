/* Numbers to places, places to colours, and the numbers along an axis. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "compare/plot/plot.h"
#include "compare/plot/internal.h"
#include "tensor/number_text.h"

double pg_plot_place(const pg_plot_scale *scale, double value)
{
    double place;
    if (scale->low >= scale->high)
        return 0;
    if (scale->log)
        place = value <= scale->low ? 0 : log(value / scale->low) / log(scale->high / scale->low);
    else /* halves: the span of two large numbers may not be finite */
        place = (value / 2 - scale->low / 2) / (scale->high / 2 - scale->low / 2);
    return fmax(0, fmin(1, place));
}

/* ---- Span ---- */

typedef struct span {
    double low, high, positive;
    uint64_t n_not_finite;
} span;

static void add_to_span(void *context, uint64_t begin, const double *values, size_t n)
{
    span *s = context;
    (void)begin;
    for (size_t i = 0; i < n; i++) {
        double v = values[i];
        if (!isfinite(v)) {
            s->n_not_finite++;
            continue;
        }
        s->low = v < s->low ? v : s->low;
        s->high = v > s->high ? v : s->high;
        if (v > 0 && v < s->positive)
            s->positive = v;
    }
}

bool pg_plot_span(const pg_plot_field *field, bool log, pg_plot_scale *out, uint64_t *out_n_not_finite)
{
    span s = {INFINITY, -INFINITY, INFINITY, 0};
    pg_plot_read(field, 0, field->source->count, add_to_span, &s);
    *out_n_not_finite = s.n_not_finite;
    *out = (pg_plot_scale){s.low, s.high, log && s.high > 0};
    if (out->log)
        out->low = s.positive;
    return s.low <= s.high;
}

/* ---- Colours ---- */

/* Even steps in lightness from dark to bright, so that order can be seen without colour too. */
static const uint8_t anchors[][3] = {{16, 12, 94},  {77, 14, 138},  {134, 22, 146}, {184, 50, 122},
                                     {221, 88, 88}, {244, 132, 56}, {250, 184, 44}, {246, 240, 84}};
const uint8_t pg_plot_odd_colour[3] = {0, 200, 190};

void pg_plot_colour(double place, uint8_t rgb[3])
{
    double at = fmax(0, fmin(1, place)) * (double)(PG_COUNT(anchors) - 1);
    size_t i = PG_MIN((size_t)at, PG_COUNT(anchors) - 2);
    double part = at - (double)i;
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)lround(anchors[i][c] * (1 - part) + anchors[i + 1][c] * part);
}

/* ---- Ticks ---- */

static void tick_text(pg_plot_tick *tick, int digits)
{
    pg_buf text = {0};
    pg_text_g(&text, tick->value == 0 ? 0 : tick->value, digits);
    snprintf(tick->text, sizeof tick->text, "%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

/* As many digits as it takes to tell the ticks apart. */
static void tick_texts(pg_plot_tick *ticks, size_t count)
{
    for (int digits = 3; digits <= 17; digits++) {
        bool distinct = true;
        for (size_t i = 0; i < count; i++) {
            tick_text(&ticks[i], digits);
            distinct = distinct && (i == 0 || strcmp(ticks[i].text, ticks[i - 1].text) != 0);
        }
        if (distinct)
            return;
    }
}

/* Powers of ten inside the scale, every n-th where there are too many. */
static size_t log_ticks(const pg_plot_scale *scale, size_t limit, pg_plot_tick *out)
{
    int first = (int)ceil(log10(scale->low) - 1e-9), last = (int)floor(log10(scale->high) + 1e-9);
    int step = 1;
    size_t count = 0;
    while ((last - first) / step + 1 > (int)limit)
        step++;
    for (int e = first; e <= last && count < limit; e += step)
        out[count++].value = pow(10, e);
    return count;
}

/* The largest step of 1, 2 or 5 times a power of ten that leaves no more than `limit` ticks. */
static size_t linear_ticks(const pg_plot_scale *scale, size_t limit, pg_plot_tick *out)
{
    double length = scale->high - scale->low;
    size_t count = 0;
    if (!(length > 0) || !isfinite(length))
        return 0;
    double power = pow(10, floor(log10(length / (double)limit))), step = power;
    static const double factors[] = {1, 2, 5, 10, 20};
    for (size_t i = 0; i < PG_COUNT(factors); i++) {
        step = power * factors[i];
        if (floor(scale->high / step) - ceil(scale->low / step) + 1 <= (double)limit)
            break;
    }
    for (double k = ceil(scale->low / step - 1e-9); count < limit && k * step <= scale->high + step * 1e-9;
         k++)
        out[count++].value = k * step;
    return count;
}

/* Even steps crowd at the upper end of a logarithmic scale: there some have no room for their texts. */
static size_t thin_out(const pg_plot_scale *scale, size_t limit, pg_plot_tick *ticks, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || pg_plot_place(scale, ticks[i].value) - pg_plot_place(scale, ticks[kept - 1].value) >=
                             0.7 / (double)limit)
            ticks[kept++] = ticks[i];
    return kept;
}

size_t pg_plot_ticks(const pg_plot_scale *scale, size_t limit, pg_plot_tick *out)
{
    pg_plot_scale linear = {scale->low, scale->high, false};
    limit = PG_MIN(limit, (size_t)PG_PLOT_TICKS);
    size_t count = scale->log ? log_ticks(scale, limit, out) : linear_ticks(scale, limit, out);
    if (scale->log && count < 2)
        count = thin_out(scale, limit, out, linear_ticks(&linear, limit, out));
    if (count < 2) { /* a scale of one number, or one that is wider than numbers go */
        out[0].value = scale->low;
        count = 1;
        if (scale->high > scale->low)
            out[count++].value = scale->high;
    }
    tick_texts(out, count);
    return count;
}
