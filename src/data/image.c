/* What is done to a picture once it is read. */
#include "data/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

void pg_image_deinit(pg_image *image)
{
    free(image->pixels);
    *image = (pg_image){0};
}

pg_status pg_image_load(const char *path, pg_image *out)
{
    static const uint8_t jpeg_start[] = {0xFF, 0xD8, 0xFF};
    pg_file_map map;
    *out = (pg_image){0};
    PG_TRY(pg_file_map_open(path, &map));
    pg_status status;
    if (map.size >= 8 && memcmp(map.data, "\x89PNG\r\n\x1a\n", 8) == 0)
        status = pg_png_read(map.data, map.size, path, out);
    else if (map.size >= 3 && memcmp(map.data, jpeg_start, 3) == 0)
        status = pg_jpeg_read(map.data, map.size, path, out);
    else
        status = pg_err(PG_ERR_UNSUPPORTED, "'%s' is neither a PNG nor a JPEG", path);
    pg_file_map_close(&map);
    return status;
}

static pg_status allocate(pg_image *image)
{
    image->pixels = malloc((size_t)image->width * image->height * image->channels);
    if (image->pixels == NULL)
        return pg_err(PG_ERR_NO_MEMORY, "no memory for a picture of %u x %u", image->width, image->height);
    return NULL;
}

/* Puts the new picture in the old one's place. */
static void replace(pg_image *image, pg_image *by)
{
    free(image->pixels);
    *image = *by;
}

pg_status pg_image_set_channels(pg_image *image, unsigned channels)
{
    pg_image out = {image->width, image->height, channels, NULL};
    size_t count = (size_t)image->width * image->height;
    if (channels == image->channels)
        return NULL;
    PG_TRY(allocate(&out));
    for (size_t i = 0; i < count; i++) {
        if (channels == 3) {
            memset(out.pixels + 3 * i, image->pixels[i], 3);
        } else {
            const uint8_t *p = image->pixels + 3 * i;
            out.pixels[i] = (uint8_t)lround(0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]);
        }
    }
    replace(image, &out);
    return NULL;
}

void pg_image_crop(pg_image *image, uint32_t left, uint32_t top, uint32_t width, uint32_t height)
{
    size_t pixel = image->channels, stride = image->width * pixel;
    PG_ASSERT(left + width <= image->width && top + height <= image->height);
    for (uint32_t y = 0; y < height; y++) /* to places at or before those they come from */
        memmove(image->pixels + y * (width * pixel), image->pixels + (top + y) * stride + left * pixel,
                width * pixel);
    image->width = width;
    image->height = height;
}

/* ---- Resizing ---- */

static double filter_value(pg_image_filter filter, double x)
{
    x = fabs(x);
    switch (filter) {
    case PG_IMAGE_BOX:
        return x <= 0.5 ? 1 : 0;
    case PG_IMAGE_BILINEAR:
        return x < 1 ? 1 - x : 0;
    case PG_IMAGE_BICUBIC: /* Keys' cubic with a = -1/2 */
        if (x < 1)
            return (1.5 * x - 2.5) * x * x + 1;
        return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
    default:
        return 0;
    }
}

/* What one place of a line is made of: `count` places of the old line from `first` on. */
typedef struct taps {
    uint32_t first, count;
    double *weights;
} taps;

static taps *make_taps(uint32_t from, uint32_t to, pg_image_filter filter, double **out_weights)
{
    static const double reaches[] = {0, 0.5, 1, 2};
    double scale = (double)from / to, wide = fmax(scale, 1), reach = reaches[filter] * wide;
    size_t room = (size_t)ceil(reach) * 2 + 2;
    taps *all = pg_calloc(to, sizeof *all);
    double *weights = *out_weights = pg_calloc((size_t)to * room, sizeof *weights);
    for (uint32_t i = 0; i < to; i++) {
        double middle = (i + 0.5) * scale, sum = 0;
        taps *one = &all[i];
        one->weights = weights + i * room;
        if (filter == PG_IMAGE_NEAREST) {
            *one = (taps){PG_MIN((uint32_t)middle, from - 1), 1, one->weights};
            one->weights[0] = 1;
            continue;
        }
        double begin = fmax(floor(middle - reach + 0.5), 0), end = fmin(floor(middle + reach + 0.5), from);
        one->first = (uint32_t)begin;
        one->count = (uint32_t)(end - begin);
        for (uint32_t k = 0; k < one->count; k++) {
            one->weights[k] = filter_value(filter, (begin + k + 0.5 - middle) / wide);
            sum += one->weights[k];
        }
        for (uint32_t k = 0; k < one->count && sum != 0; k++)
            one->weights[k] /= sum;
    }
    return all;
}

static uint8_t to_byte(double value)
{
    return (uint8_t)fmin(fmax(floor(value + 0.5), 0), 255);
}

/* One line of `length` new places; `step` bytes lie between neighbours of the line, `out_step` in the new
 * one. */
static void resize_line(const taps *all, uint32_t length, const uint8_t *in, size_t step, uint8_t *out,
                        size_t out_step)
{
    for (uint32_t i = 0; i < length; i++) {
        double sum = 0;
        for (uint32_t k = 0; k < all[i].count; k++)
            sum += all[i].weights[k] * in[(all[i].first + k) * step];
        out[i * out_step] = to_byte(sum);
    }
}

static pg_status resize_width(pg_image *image, uint32_t width, pg_image_filter filter)
{
    double *weights;
    pg_image out = {width, image->height, image->channels, NULL};
    PG_TRY(allocate(&out));
    taps *all = make_taps(image->width, width, filter, &weights);
    for (uint32_t y = 0; y < image->height; y++)
        for (unsigned c = 0; c < image->channels; c++)
            resize_line(all, width, image->pixels + (size_t)y * image->width * image->channels + c,
                        image->channels, out.pixels + (size_t)y * width * image->channels + c,
                        image->channels);
    free(all);
    free(weights);
    replace(image, &out);
    return NULL;
}

static pg_status resize_height(pg_image *image, uint32_t height, pg_image_filter filter)
{
    double *weights;
    pg_image out = {image->width, height, image->channels, NULL};
    PG_TRY(allocate(&out));
    taps *all = make_taps(image->height, height, filter, &weights);
    size_t row = (size_t)image->width * image->channels;
    for (size_t x = 0; x < row; x++)
        resize_line(all, height, image->pixels + x, row, out.pixels + x, row);
    free(all);
    free(weights);
    replace(image, &out);
    return NULL;
}

pg_status pg_image_resize(pg_image *image, uint32_t width, uint32_t height, pg_image_filter filter)
{
    if (width != image->width)
        PG_TRY(resize_width(image, width, filter));
    if (height != image->height)
        PG_TRY(resize_height(image, height, filter));
    return NULL;
}
