/* JPEG through libturbojpeg. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/dylib.h"
#include "data/image.h"

#define PATH_VARIABLE "POLYGRAPHY_TURBOJPEG"
enum { RGB = 0, EXACT = 4096 }; /* order of the samples; the slower, more exact transform */

typedef struct functions {
    void *(*init)(void);
    int (*header)(void *handle, const unsigned char *bytes, unsigned long size, int *width, int *height,
                  int *subsampling, int *colours);
    int (*decode)(void *handle, const unsigned char *bytes, unsigned long size, unsigned char *out, int width,
                  int pitch, int height, int order, int flags);
    char *(*error)(void *handle);
    int (*destroy)(void *handle);
} functions;

static const pg_dylib_symbol symbols[] = {
    {"tjInitDecompress", offsetof(functions, init), false},
    {"tjDecompressHeader3", offsetof(functions, header), false},
    {"tjDecompress2", offsetof(functions, decode), false},
    {"tjGetErrorStr2", offsetof(functions, error), false},
    {"tjDestroy", offsetof(functions, destroy), false},
};

/* Stays loaded: the next picture needs it too. */
static pg_status load(functions *out)
{
    static pg_dylib library;
    static functions loaded;
    if (library.handle == NULL) {
        const char *path = getenv(PATH_VARIABLE);
        pg_status status =
            pg_dylib_open(&library, path != NULL && path[0] != '\0' ? path : "libturbojpeg.so.0");
        if (status == NULL)
            status = pg_dylib_load(&library, symbols, PG_COUNT(symbols), &loaded);
        if (status != NULL) {
            pg_dylib_close(&library);
            return pg_status_context(
                status, "JPEG files need libturbojpeg: install it ('apt-get install libturbojpeg0'), "
                        "name it in " PATH_VARIABLE ", or convert the file to PNG");
        }
    }
    *out = loaded;
    return NULL;
}

static pg_status decode(const functions *f, void *handle, const void *bytes, uint64_t size, const char *name,
                        pg_image *out)
{
    int width, height, subsampling, colours;
    if (f->header(handle, bytes, (unsigned long)size, &width, &height, &subsampling, &colours) != 0)
        return pg_err(PG_ERR_INVALID, "'%s': %s", name, f->error(handle));
    if (width <= 0 || height <= 0 || width > PG_IMAGE_MAX_SIDE || height > PG_IMAGE_MAX_SIDE ||
        (uint64_t)width * (uint64_t)height > PG_IMAGE_MAX_POINTS)
        return pg_err(PG_ERR_LIMIT, "'%s': a picture of %d x %d is more than %d a side or %d in all", name,
                      width, height, PG_IMAGE_MAX_SIDE, PG_IMAGE_MAX_POINTS);
    *out = (pg_image){(uint32_t)width, (uint32_t)height, 3, malloc((size_t)width * (size_t)height * 3)};
    if (out->pixels == NULL)
        return pg_err(PG_ERR_NO_MEMORY, "'%s': no memory for a picture of %d x %d", name, width, height);
    if (f->decode(handle, bytes, (unsigned long)size, out->pixels, width, 0, height, RGB, EXACT) != 0)
        return pg_err(PG_ERR_INVALID, "'%s': %s", name, f->error(handle));
    return NULL;
}

pg_status pg_jpeg_read(const void *bytes, uint64_t size, const char *name, pg_image *out)
{
    functions f = {0};
    *out = (pg_image){0};
    PG_TRY_CTX(load(&f), "'%s'", name);
    void *handle = f.init();
    if (handle == NULL)
        return pg_err(PG_ERR_NO_MEMORY, "'%s': libturbojpeg could not be started", name);
    pg_status status = decode(&f, handle, bytes, size, name, out);
    f.destroy(handle);
    if (status != NULL)
        pg_image_deinit(out);
    return status;
}
