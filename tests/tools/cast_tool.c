/* Converts raw element bytes from standard input to standard output, for the parity tests.
 *
 *     cast_tool FROM TO COUNT [numpy] [nosaturate] [up|down|nearest] < in.bin > out.bin */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "tensor/dtype_convert.h"

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    pg_dtype from = pg_dtype_parse(pg_str_c(argv[1])), to = pg_dtype_parse(pg_str_c(argv[2]));
    uint64_t count = strtoull(argv[3], NULL, 10), in_bytes, out_bytes;
    pg_cast_options options = pg_cast_onnx;
    for (int i = 4; i < argc; i++) {
        if (strcmp(argv[i], "numpy") == 0)
            options = pg_cast_numpy;
        else if (strcmp(argv[i], "nosaturate") == 0)
            options.saturate = false;
        else if (strcmp(argv[i], "down") == 0)
            options.round_mode = PG_ROUND_DOWN;
        else if (strcmp(argv[i], "nearest") == 0)
            options.round_mode = PG_ROUND_NEAREST;
    }
    pg_buf in = {0};
    pg_status status = pg_file_read("/dev/stdin", UINT64_MAX, &in);
    if (status != NULL || !pg_dtype_bytes(from, count, &in_bytes) || in.len != in_bytes ||
        !pg_dtype_bytes(to, count, &out_bytes)) {
        fprintf(stderr, "cast_tool: bad input: %s\n", pg_status_message(status));
        return 1;
    }
    void *out = calloc(out_bytes + 1, 1);
    pg_convert(from, in.ptr, to, out, count, &options);
    fwrite(out, 1, out_bytes, stdout);
    free(out);
    pg_buf_deinit(&in);
    return 0;
}
