/* Between row-major and channels-last. */
#include "native/internal.h"

#include "base/alloc.h"
#include "base/threads.h"
#include "native/simd/simd.h"

typedef struct transposition {
    const char *from;
    char *to;
    size_t rows, columns, size; /* of one image: rows x columns becomes columns x rows */
    size_t strips;              /* of an image, each of at most STRIP rows */
} transposition;

enum { TILE = 32, STRIP = 64 };

#define TRANSPOSE(type)                                                  \
    for (size_t c0 = 0; c0 < columns; c0 += TILE)                        \
        for (size_t r0 = first; r0 < last; r0 += TILE)                   \
            for (size_t r = r0; r < PG_MIN(r0 + TILE, last); r++)        \
                for (size_t c = c0; c < PG_MIN(c0 + TILE, columns); c++) \
                    ((type *)to)[c * rows + r] = ((const type *)from)[r * columns + c];

static void transpose_strips(void *context, size_t begin, size_t end)
{
    const transposition *job = context;
    const size_t rows = job->rows, columns = job->columns;
    for (size_t i = begin; i < end; i++) {
        const size_t image = i / job->strips * rows * columns * job->size;
        const size_t first = i % job->strips * STRIP, last = PG_MIN(first + STRIP, rows);
        const char *from = job->from + image;
        char *to = job->to + image;
        switch (job->size) {
        case 1:
            TRANSPOSE(uint8_t)
            break;
        case 2:
            TRANSPOSE(uint16_t)
            break;
        case 4:
            pg_simd_best()->transpose_32((const uint32_t *)from + first * columns, columns,
                                         (uint32_t *)to + first, rows, last - first, columns);
            break;
        case 8:
            TRANSPOSE(uint64_t)
            break;
        default:
            PG_BUG("no layout change for elements of %zu bytes", job->size);
        }
    }
}

pg_status pg_layout_convert(pg_session *session, pg_tensor *tensor, pg_layout layout)
{
    if (tensor->layout == layout)
        return NULL;
    if (pg_tensor_layouts_agree(tensor)) {
        tensor->layout = (uint16_t)layout;
        return NULL;
    }
    size_t positions = 1;
    for (size_t i = 2; i < tensor->rank; i++)
        positions *= (size_t)tensor->dims[i];
    pg_tensor converted;
    PG_TRY(pg_session_tensor(session, &converted, tensor->dtype, tensor->rank, tensor->dims));
    converted.layout = (uint16_t)layout;
    size_t channels = (size_t)tensor->dims[1];
    bool to_rows = layout == PG_ROW_MAJOR;
    transposition job = {tensor->data,
                         converted.data,
                         to_rows ? positions : channels,
                         to_rows ? channels : positions,
                         pg_dtype_get(tensor->dtype)->bits / 8u,
                         0};
    job.strips = (job.rows + STRIP - 1) / STRIP;
    pg_parallel_for((size_t)tensor->dims[0] * job.strips, 32768 / (STRIP * job.columns + 1) + 1,
                    transpose_strips, &job);
    pg_tensor_deinit(tensor);
    *tensor = converted;
    return NULL;
}
