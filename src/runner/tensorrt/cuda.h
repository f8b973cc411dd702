/* The CUDA driver, found at run time: device memory, pinned host memory, streams. Nothing of the CUDA toolkit is
 * needed to build. */
#ifndef PG_RUNNER_TENSORRT_CUDA_H
#define PG_RUNNER_TENSORRT_CUDA_H

#include "base/dylib.h"
#include "tensor/tensor.h"

typedef uint64_t cuda_address;
typedef struct cuda_stream cuda_stream;
typedef struct cuda_event cuda_event;
typedef int cuda_result; /* 0: success */

typedef struct pg_cuda {
    pg_dylib dylib;
    int driver; /* 13000 for 13.0 */
    int device;
    char device_name[96];
    int major, minor; /* compute capability */
    void *context;
    cuda_result (*init)(unsigned flags);
    cuda_result (*driver_version)(int *out);
    cuda_result (*device_count)(int *out);
    cuda_result (*device_get)(int *out, int index);
    cuda_result (*get_device_name)(char *out, int size, int device);
    cuda_result (*device_attribute)(int *out, int attribute, int device);
    cuda_result (*retain_context)(void **out, int device);
    cuda_result (*set_context)(void *context);
    cuda_result (*memory_info)(size_t *free, size_t *total);
    cuda_result (*allocate)(cuda_address *out, size_t size);
    cuda_result (*release)(cuda_address address);
    cuda_result (*allocate_host)(void **out, size_t size);
    cuda_result (*release_host)(void *memory);
    cuda_result (*copy_to_device)(cuda_address to, const void *from, size_t size, cuda_stream *stream);
    cuda_result (*copy_to_host)(void *to, cuda_address from, size_t size, cuda_stream *stream);
    cuda_result (*stream_create)(cuda_stream **out, unsigned flags);
    cuda_result (*stream_destroy)(cuda_stream *stream);
    cuda_result (*stream_wait)(cuda_stream *stream); /* by the host */
    cuda_result (*stream_wait_event)(cuda_stream *stream, cuda_event *event, unsigned flags);
    cuda_result (*event_create)(cuda_event **out, unsigned flags);
    cuda_result (*event_destroy)(cuda_event *event);
    cuda_result (*event_record)(cuda_event *event, cuda_stream *stream);
    cuda_result (*event_wait)(cuda_event *event); /* by the host */
    cuda_result (*error_name)(cuda_result result, const char **out);
    cuda_result (*error_text)(cuda_result result, const char **out);
} pg_cuda;

/* The driver of this process with the first device's context current on the calling thread: opened once and
 * kept. PG_ERR_UNAVAILABLE says what is missing: the driver, or a device. */
PG_MUST_USE pg_status pg_cuda_get(const pg_cuda **out);
/* Whether this process uses the driver already: its children cannot. */
bool pg_cuda_is_open(void);
/* "CUDA could not <what>: CUDA_ERROR_X (text)"; NULL for success. */
PG_MUST_USE pg_status pg_cuda_check(const pg_cuda *cuda, cuda_result result, const char *what);

/* ---- Device memory that grows ---- */

typedef struct pg_cuda_buffer {
    cuda_address address;
    size_t capacity;
} pg_cuda_buffer;
/* At least `size` bytes, whose content is lost when it grows. PG_ERR_NO_MEMORY says how much was asked for and
 * how much there is. */
PG_MUST_USE pg_status pg_cuda_buffer_fit(const pg_cuda *cuda, pg_cuda_buffer *buffer, size_t size);
void pg_cuda_buffer_deinit(const pg_cuda *cuda, pg_cuda_buffer *buffer);

/* ---- Pinned memory ---- */

/* Blocks that the device copies to and from directly; given back ones are used again. */
typedef struct pg_cuda_pool pg_cuda_pool;
pg_cuda_pool *pg_cuda_pool_new(const pg_cuda *cuda);
/* Pinned memory while that is below the pool's limit, else ordinary memory. Lives until its last owner unrefs
 * it, also after the pool is freed. */
PG_MUST_USE pg_status pg_cuda_pool_get(pg_cuda_pool *pool, size_t size, pg_buffer **out);
void pg_cuda_pool_free(pg_cuda_pool *pool);

#endif
