/* Pictures as inputs: PNG read here, JPEG through libturbojpeg where it is installed. Eight bits per sample;
 * PNGs of 16 bits keep their high byte, palettes are resolved, transparency is left out. */
#ifndef PG_DATA_IMAGE_H
#define PG_DATA_IMAGE_H

#include <stdint.h>

#include "base/status.h"

enum {
    PG_IMAGE_MAX_SIDE = 32768,
    PG_IMAGE_MAX_POINTS = 1 << 28, /* width times height */
};

typedef struct pg_image {
    uint32_t width, height;
    unsigned channels; /* 1: grey, 3: red, green, blue */
    uint8_t *pixels;   /* owned; rows from the top, channels together */
} pg_image;
void pg_image_deinit(pg_image *image); /* a zeroed image is fine */

/* By what the file holds, not by its name. PG_ERR_UNSUPPORTED for other kinds of files, PG_ERR_UNAVAILABLE
 * for a JPEG without the library, PG_ERR_INVALID for a damaged file; messages name the file. */
PG_MUST_USE pg_status pg_image_load(const char *path, pg_image *out);
/* The decoders, for bytes in memory; `name` is for messages. */
PG_MUST_USE pg_status pg_png_read(const void *bytes, uint64_t size, const char *name, pg_image *out);
PG_MUST_USE pg_status pg_jpeg_read(const void *bytes, uint64_t size, const char *name, pg_image *out);

/* Grey to three equal channels, or three channels to grey (0.299, 0.587, 0.114); nothing when it is so. */
PG_MUST_USE pg_status pg_image_set_channels(pg_image *image, unsigned channels);

/* The filters of common image packages: where the picture shrinks, a filter is as much wider (nearest is
 * not). */
typedef enum pg_image_filter {
    PG_IMAGE_NEAREST,
    PG_IMAGE_BOX,
    PG_IMAGE_BILINEAR,
    PG_IMAGE_BICUBIC,
} pg_image_filter;
PG_MUST_USE pg_status pg_image_resize(pg_image *image, uint32_t width, uint32_t height,
                                      pg_image_filter filter);
/* From (left, top), which must lie inside with all of width and height. */
void pg_image_crop(pg_image *image, uint32_t left, uint32_t top, uint32_t width, uint32_t height);

#endif
