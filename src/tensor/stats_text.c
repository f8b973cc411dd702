#include "tensor/stats_text.h"

#include <math.h>

#include "base/alloc.h"
#include "tensor/number_text.h"

enum { BAR_WIDTH = 40 };

static void put_number(pg_buf *out, const char *label, double value)
{
    pg_buf_puts(out, label);
    pg_text_g(out, value, 5);
}

/* " at (0, 1)": a place in row-major order as its indices. */
static void put_place(pg_buf *out, uint64_t place, size_t rank, const int64_t *dims)
{
    int64_t indices[PG_MAX_RANK];
    uint64_t count;
    pg_buf_puts(out, " at ");
    if (pg_dims_count(rank, dims, &count) && count == 0) {
        pg_buf_putc(out, '0');
        return;
    }
    for (size_t axis = rank; axis-- > 0;) {
        indices[axis] = (int64_t)(place % (uint64_t)dims[axis]);
        place /= (uint64_t)dims[axis];
    }
    pg_shape_text(out, rank, indices);
}

void pg_stats_text(pg_buf *out, const pg_value_stats *stats, pg_dtype dtype, size_t rank, const int64_t *dims)
{
    put_number(out, "mean=", stats->mean);
    put_number(out, ", std-dev=", stats->std);
    put_number(out, ", var=", stats->var);
    put_number(out, ", median=", stats->median);
    put_number(out, ", min=", stats->min);
    put_place(out, stats->argmin, rank, dims);
    put_number(out, ", max=", stats->max);
    put_place(out, stats->argmax, rank, dims);
    put_number(out, ", avg-magnitude=", stats->avg_magnitude);
    if (dtype == PG_BOOL)
        return;
    put_number(out, ", p90=", stats->p90);
    put_number(out, ", p95=", stats->p95);
    put_number(out, ", p99=", stats->p99);
}

pg_status pg_tensor_stats_text(pg_buf *out, const pg_tensor *tensor)
{
    pg_value_stats stats;
    if (!pg_tensor_has_stats(tensor->dtype)) {
        pg_buf_puts(out, "<Error while computing statistics>");
        return NULL;
    }
    PG_TRY(pg_tensor_stats(tensor, PG_STAT_ALL, (double)NAN, &stats));
    pg_stats_text(out, &stats, tensor->dtype, tensor->rank, tensor->dims);
    return NULL;
}

/* Text padded with blanks to a width. */
static void put_padded(pg_buf *out, const pg_buf *text, size_t width)
{
    pg_buf_add_str(out, pg_buf_str(text));
    if (text->len < width)
        pg_buf_pad(out, ' ', width - text->len);
}

void pg_histogram_text(pg_buf *out, const pg_histogram *histogram)
{
    pg_buf edges[PG_HISTOGRAM_BINS + 1] = {0};
    size_t start_width = 0, end_width = 0;
    uint64_t most = 0;
    for (size_t i = 0; histogram->valid && i < PG_HISTOGRAM_BINS; i++)
        most = PG_MAX(most, histogram->counts[i]);
    if (most == 0)
        return;
    for (size_t i = 0; i <= PG_HISTOGRAM_BINS; i++) {
        pg_text_g(&edges[i], histogram->edges[i], 3);
        start_width = PG_MAX(start_width, edges[i].len);
        if (i > 0)
            end_width = PG_MAX(end_width, edges[i].len);
    }
    pg_buf heading = {0};
    pg_buf_puts(&heading, "Bin Range");
    pg_buf_puts(out, "---- Histogram ----\n");
    put_padded(out, &heading, start_width + end_width + 5);
    pg_buf_puts(out, "|  Num Elems | Visualization\n");
    for (size_t i = 0; i < PG_HISTOGRAM_BINS; i++) {
        double share = (double)BAR_WIDTH * (double)histogram->counts[i] / (double)most;
        pg_buf_putc(out, '(');
        put_padded(out, &edges[i], start_width);
        pg_buf_puts(out, ", ");
        put_padded(out, &edges[i + 1], end_width);
        pg_buf_printf(out, ") | %10llu | ", (unsigned long long)histogram->counts[i]);
        pg_buf_pad(out, '#', (size_t)share);
        pg_buf_putc(out, '\n');
    }
    pg_buf_deinit(&heading);
    for (size_t i = 0; i <= PG_HISTOGRAM_BINS; i++)
        pg_buf_deinit(&edges[i]);
}
