/* PNG files in memory. */
#ifndef PG_COMPARE_PLOT_PNG_H
#define PG_COMPARE_PLOT_PNG_H

#include <stdint.h>

#include "base/buf.h"

/* Appends an image of 8-bit red, green, blue, row by row from the top. */
void pg_png_write(pg_buf *out, const uint8_t *rgb, uint32_t width, uint32_t height);
/* Appends "data:image/png;base64,..." with that image in it. */
void pg_png_write_url(pg_buf *out, const uint8_t *rgb, uint32_t width, uint32_t height);

#endif
