/* Any bytes as a PNG, with the checksums put right, so that the bytes between them are looked at too. What was read is
 * resized and cropped. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data/image.h"
#include "fuzz/fuzz.h"

static uint32_t big32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void fix_checksums(uint8_t *bytes, size_t size)
{
    for (size_t at = 8; size >= 12 && at <= size - 12;) {
        uint32_t length = big32(bytes + at);
        if (length > size - at - 12)
            return;
        uint32_t sum = (uint32_t)crc32(0, bytes + at + 4, length + 4);
        for (int i = 0; i < 4; i++)
            bytes[at + 8 + length + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
        at += 12 + (size_t)length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_image image;
    uint8_t *bytes = malloc(size + 1);
    FUZZ_CHECK(bytes != NULL);
    memcpy(bytes, data, size);
    fix_checksums(bytes, size);
    if (size >= 24 && (big32(bytes + 16) > 4096 || big32(bytes + 20) > 4096))
        bytes[16] = bytes[17] = bytes[20] = bytes[21] = 0; /* small enough to be quick */
    pg_status status = pg_png_read(bytes, size, "fuzz", &image);
    if (status == NULL) {
        uint32_t width = image.width, height = image.height;
        FUZZ_CHECK(width > 0 && height > 0 && (image.channels == 1 || image.channels == 3));
        pg_image_crop(&image, width / 3, height / 4, width - width / 3, height - height / 4);
        status = pg_image_resize(&image, 7, 5, (pg_image_filter)(size % 4));
        FUZZ_CHECK(status != NULL || (image.width == 7 && image.height == 5));
    }
    pg_status_drop(status);
    pg_image_deinit(&image);
    free(bytes);
    return 0;
}
