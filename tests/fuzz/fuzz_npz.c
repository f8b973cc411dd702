/* Any bytes as a .npz archive: every member is read. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "npy/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_npz npz;
    pg_buffer *owner = pg_buffer_new(size);
    if (owner == NULL)
        return 0;
    if (size > 0)
        memcpy(owner->data, data, size);
    pg_status status = pg_npz_open_memory(owner->data, size, owner, "fuzz", &npz);
    if (status == NULL) {
        for (size_t i = 0; i < npz.count && i < 64; i++) {
            pg_tensor tensor;
            pg_status read = pg_npz_read(&npz, &npz.members[i], &tensor);
            pg_status_drop(read);
            pg_tensor_deinit(&tensor);
        }
        pg_npz_close(&npz);
    }
    pg_status_drop(status);
    pg_buffer_unref(owner);
    return 0;
}
