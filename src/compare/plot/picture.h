/* What a report shows of one output: how its values and its errors are distributed, and where the errors
 * are. A few kilobytes, kept after the tensors are gone. */
#ifndef PG_COMPARE_PLOT_PICTURE_H
#define PG_COMPARE_PLOT_PICTURE_H

#include "compare/plot/plot.h"
#include "tensor/tensor.h"

enum { PG_PICTURE_BINS = 32 };

/* Equal bins along a scale; values that have no place there are counted apart. */
typedef struct pg_picture_histogram {
    pg_plot_scale scale;
    uint64_t counts[PG_PICTURE_BINS];
    uint64_t zeros;      /* on a logarithmic scale */
    uint64_t not_finite; /* NaN and infinite */
} pg_picture_histogram;

typedef struct pg_picture {
    pg_picture_histogram value0, value1; /* over one range */
    pg_picture_histogram error;          /* absolute, logarithmic where some are positive */
    char *heatmap;          /* owned: "data:image/png;..." of the absolute error; NULL for none */
    uint32_t width, height; /* of the heatmap, in points */
    uint64_t rows, columns; /* of elements: all leading axes, the last axis */
} pg_picture;

/* `a` and `b` have the same number of elements. PG_ERR_UNSUPPORTED for types without differences. */
PG_MUST_USE pg_status pg_picture_make(const pg_tensor *a, const pg_tensor *b, pg_picture **out);
void pg_picture_free(pg_picture *picture); /* NULL is fine */

#endif
