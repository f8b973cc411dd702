/* Any bytes as a .safetensors file: every array is read to its last byte. */
#include <string.h>

#include "data/internal.h"
#include "fuzz/fuzz.h"

static unsigned sum(const pg_tensor *tensor)
{
    unsigned total = 0;
    uint64_t bytes = pg_tensor_bytes(tensor);
    for (uint64_t i = 0; i < bytes; i++)
        total += ((const uint8_t *)tensor->data)[i];
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    volatile unsigned total = 0;
    pg_safetensors file;
    pg_buffer *owner = pg_buffer_new(size);
    if (owner == NULL)
        return 0;
    if (size > 0)
        memcpy(owner->data, data, size);
    pg_status status = pg_safetensors_open_memory(owner->data, size, owner, "fuzz", &file);
    if (status == NULL) {
        for (size_t i = 0; i < file.count; i++) {
            pg_tensor tensor;
            pg_status read = pg_safetensors_read(&file, &file.entries[i], &tensor);
            FUZZ_CHECK(read == NULL);
            total += sum(&tensor);
            pg_tensor_deinit(&tensor);
        }
        pg_safetensors_close(&file);
    }
    pg_status_drop(status);
    pg_buffer_unref(owner);
    return 0;
}
