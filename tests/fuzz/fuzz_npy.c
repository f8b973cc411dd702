/* Any bytes as a .npy file. An array that was read comes back from its own image. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "npy/npy.h"

static void check_round_trip(const pg_tensor *tensor)
{
    pg_npy_image image;
    pg_tensor back;
    pg_status status = pg_npy_image_make(tensor, &image);
    FUZZ_CHECK(status == NULL);
    pg_buf_add(&image.header, image.data, image.data_size);
    status = pg_npy_read(image.header.ptr, image.header.len, NULL, &back);
    FUZZ_CHECK(status == NULL && back.dtype == tensor->dtype && pg_tensor_same_shape(&back, tensor));
    uint64_t bytes = pg_tensor_bytes(tensor);
    if (tensor->dtype != PG_STRING && bytes > 0)
        FUZZ_CHECK(memcmp(back.data, tensor->data, bytes) == 0);
    pg_tensor_deinit(&back);
    pg_npy_image_deinit(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_tensor tensor;
    pg_status status = pg_npy_read(data, size, NULL, &tensor);
    if (status == NULL)
        check_round_trip(&tensor);
    pg_status_drop(status);
    pg_tensor_deinit(&tensor);
    return 0;
}
