/* Prints numbers and arrays as text, for the parity tests.
 *
 *     text_tool scalars DTYPE COUNT < raw        one str() per line
 *     text_tool g DTYPE COUNT PRECISION < raw    one format(x, ".Pg") per line
 *     text_tool batch < records                  str() of arrays, each text followed by a zero byte
 *
 * A record is a line "DTYPE THRESHOLD EDGE_ITEMS LINE_WIDTH RANK DIM ... BYTES" and then that many bytes;
 * strings are stored as 4-byte lengths, each followed by its text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "tensor/dtype_convert.h"
#include "tensor/number_text.h"
#include "tensor/text.h"

static void read_strings(pg_tensor *t, const char *bytes)
{
    pg_str *texts = calloc(pg_tensor_count(t) + 1, sizeof *texts);
    for (uint64_t i = 0; i < pg_tensor_count(t); i++) {
        uint32_t length;
        memcpy(&length, bytes, sizeof length);
        texts[i] = (pg_str){bytes + 4, length};
        bytes += 4 + length;
    }
    t->data = texts;
}

static int batch(pg_buf *in, pg_buf *out)
{
    for (char *next = in->ptr; next < in->ptr + in->len;) {
        char name[32];
        long long threshold, edge, width, rank, dims[PG_MAX_RANK], bytes;
        int used;
        if (sscanf(next, "%31s %lld %lld %lld %lld%n", name, &threshold, &edge, &width, &rank, &used) != 5)
            return 2;
        next += used;
        int64_t shape[PG_MAX_RANK];
        for (int i = 0; i < rank; i++, next += used) {
            if (sscanf(next, "%lld%n", &dims[i], &used) != 1)
                return 2;
            shape[i] = dims[i];
        }
        if (sscanf(next, "%lld%n", &bytes, &used) != 1)
            return 2;
        next += used + 1;
        pg_tensor t;
        void *data = malloc((size_t)bytes + 1);
        memcpy(data, next, (size_t)bytes);
        if (pg_tensor_borrow(&t, pg_dtype_parse(pg_str_c(name)), (size_t)rank, shape, data) != NULL)
            return 2;
        if (t.dtype == PG_STRING)
            read_strings(&t, data);
        pg_text_options options = {.threshold = threshold, .edge_items = edge, .line_width = width};
        pg_tensor_text(out, &t, &options);
        pg_buf_putc(out, 0);
        if (t.dtype == PG_STRING)
            free(t.data);
        free(data);
        next += bytes;
    }
    fwrite(out->ptr, 1, out->len, stdout);
    pg_buf_deinit(in);
    pg_buf_deinit(out);
    return 0;
}

int main(int argc, char **argv)
{
    pg_buf in = {0}, out = {0};
    if (argc < 2 || pg_file_read("/dev/stdin", UINT64_MAX, &in) != NULL)
        return 2;
    if (strcmp(argv[1], "batch") == 0)
        return batch(&in, &out);
    if (argc < 4)
        return 2;
    pg_dtype dtype = pg_dtype_parse(pg_str_c(argv[2]));
    int64_t count = strtoll(argv[3], NULL, 10);
    pg_tensor t;
    if (pg_tensor_borrow(&t, dtype, 1, &count, in.ptr) != NULL || pg_tensor_bytes(&t) != in.len)
        return 2;
    for (int64_t i = 0; i < count; i++) {
        if (strcmp(argv[1], "g") == 0)
            pg_text_g(&out, pg_tensor_get_f64(&t, (uint64_t)i), atoi(argv[4]));
        else if (dtype == PG_C64)
            pg_text_complex(&out, PG_F32, (double)((float *)t.data)[2 * i],
                            (double)((float *)t.data)[2 * i + 1]);
        else if (dtype == PG_C128)
            pg_text_complex(&out, PG_F64, ((double *)t.data)[2 * i], ((double *)t.data)[2 * i + 1]);
        else
            pg_text_float(&out, dtype, pg_tensor_get_f64(&t, (uint64_t)i));
        pg_buf_putc(&out, '\n');
    }
    fwrite(out.ptr, 1, out.len, stdout);
    pg_buf_deinit(&in);
    pg_buf_deinit(&out);
    return 0;
}
