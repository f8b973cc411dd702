/* Runs a fuzz driver on files, for the regression tests. Bytes are copied to a block of their exact size, so
 * that AddressSanitizer sees a read past the end. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "fuzz/fuzz.h"

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        pg_buf file = {0};
        pg_status status = pg_file_read(argv[i], (uint64_t)1 << 30, &file);
        if (status != NULL) {
            fprintf(stderr, "%s\n", pg_status_message(status));
            pg_status_drop(status);
            return 1;
        }
        uint8_t *copy = malloc(file.len > 0 ? file.len : 1);
        if (file.len > 0)
            memcpy(copy, file.ptr, file.len);
        fprintf(stderr, "%s\n", argv[i]);
        LLVMFuzzerTestOneInput(copy, file.len);
        free(copy);
        pg_buf_deinit(&file);
    }
    return 0;
}
