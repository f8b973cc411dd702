/* Prints statistics and histograms of arrays, for the parity tests.
 *
 *     stats_tool < records
 *
 * A record is a line "DTYPE RANGED LOW HIGH RANK DIM ... BYTES" and then that many bytes. For each the
 * statistics, a line feed and the histogram are printed, followed by a zero byte; RANGED 1 gives the
 * histogram's range. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tensor/stats_text.h"

int main(void)
{
    pg_buf in = {0}, out = {0};
    if (pg_file_read("/dev/stdin", UINT64_MAX, &in) != NULL)
        return 2;
    for (char *next = in.ptr; next < in.ptr + in.len;) {
        char name[32];
        double range[2];
        int ranged, rank, used;
        long long dim, bytes;
        int64_t shape[PG_MAX_RANK];
        if (sscanf(next, "%31s %d %lf %lf %d%n", name, &ranged, &range[0], &range[1], &rank, &used) != 5)
            return 2;
        next += used;
        for (int i = 0; i < rank; i++, next += used) {
            if (sscanf(next, "%lld%n", &dim, &used) != 1)
                return 2;
            shape[i] = dim;
        }
        if (sscanf(next, "%lld%n", &bytes, &used) != 1)
            return 2;
        next += used + 1;
        void *data = aligned_alloc(64, ((size_t)bytes / 64 + 1) * 64);
        memcpy(data, next, (size_t)bytes);
        pg_tensor t;
        pg_histogram histogram;
        if (pg_tensor_borrow(&t, pg_dtype_parse(pg_str_c(name)), (size_t)rank, shape, data) != NULL ||
            pg_tensor_stats_text(&out, &t) != NULL)
            return 2;
        pg_buf_putc(&out, '\n');
        pg_tensor_histogram(&t, ranged ? range : NULL, &histogram);
        pg_histogram_text(&out, &histogram);
        pg_buf_putc(&out, 0);
        free(data);
        next += bytes;
    }
    fwrite(out.ptr, 1, out.len, stdout);
    pg_buf_deinit(&in);
    pg_buf_deinit(&out);
    return 0;
}
