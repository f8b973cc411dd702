#include "runner/tensorrt/cuda.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "log/log.h"

#define DRIVER_VARIABLE "POLYGRAPHY_CUDA_DRIVER"
#define DRIVER_NAME "libcuda.so.1"

enum { CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76 }; /* CUdevice_attribute */
enum { OUT_OF_MEMORY = 2, NO_DEVICE = 100 };           /* CUresult */

#define SYMBOL(name_, member)                   \
    {                                           \
        name_, offsetof(pg_cuda, member), false \
    }
static const pg_dylib_symbol symbols[] = {
    SYMBOL("cuInit", init),
    SYMBOL("cuDriverGetVersion", driver_version),
    SYMBOL("cuDeviceGetCount", device_count),
    SYMBOL("cuDeviceGet", device_get),
    SYMBOL("cuDeviceGetName", get_device_name),
    SYMBOL("cuDeviceGetAttribute", device_attribute),
    SYMBOL("cuDevicePrimaryCtxRetain", retain_context),
    SYMBOL("cuCtxSetCurrent", set_context),
    SYMBOL("cuMemGetInfo_v2", memory_info),
    SYMBOL("cuMemAlloc_v2", allocate),
    SYMBOL("cuMemFree_v2", release),
    SYMBOL("cuMemAllocHost_v2", allocate_host),
    SYMBOL("cuMemFreeHost", release_host),
    SYMBOL("cuMemcpyHtoDAsync_v2", copy_to_device),
    SYMBOL("cuMemcpyDtoHAsync_v2", copy_to_host),
    SYMBOL("cuStreamCreate", stream_create),
    SYMBOL("cuStreamDestroy_v2", stream_destroy),
    SYMBOL("cuStreamSynchronize", stream_wait),
    SYMBOL("cuStreamWaitEvent", stream_wait_event),
    SYMBOL("cuEventCreate", event_create),
    SYMBOL("cuEventDestroy_v2", event_destroy),
    SYMBOL("cuEventRecord", event_record),
    SYMBOL("cuEventSynchronize", event_wait),
    SYMBOL("cuGetErrorName", error_name),
    SYMBOL("cuGetErrorString", error_text),
};

/* ---- The driver ---- */

pg_status pg_cuda_check(const pg_cuda *cuda, cuda_result result, const char *what)
{
    const char *name = NULL, *text = NULL;
    if (result == 0)
        return NULL;
    cuda->error_name(result, &name);
    cuda->error_text(result, &text);
    return pg_err(result == OUT_OF_MEMORY ? PG_ERR_NO_MEMORY : PG_ERR_RUNTIME, "CUDA could not %s: %s (%s)",
                  what, name != NULL ? name : "an unknown error", text != NULL ? text : "no text");
}

static pg_status open_driver(pg_cuda *cuda)
{
    const char *named = getenv(DRIVER_VARIABLE);
    bool is_named = named != NULL && named[0] != '\0';
    pg_status status = pg_dylib_open(&cuda->dylib, is_named ? named : DRIVER_NAME);
    if (status == NULL || is_named)
        return pg_status_context(status, "named in " DRIVER_VARIABLE);
    pg_status_drop(status);
    return pg_err(PG_ERR_UNAVAILABLE,
                  "the library '" DRIVER_NAME
                  "' of the NVIDIA driver is not here: an engine runs on an NVIDIA GPU "
                  "with its driver; without one, engines can be built but neither run nor inspected");
}

static pg_status open_device(pg_cuda *cuda)
{
    int count = 0;
    cuda_result result = cuda->init(0);
    if (result == 0)
        result = cuda->device_count(&count);
    if (result == NO_DEVICE || (result == 0 && count == 0))
        return pg_err(PG_ERR_UNAVAILABLE, "the NVIDIA driver finds no GPU (see nvidia-smi and "
                                          "CUDA_VISIBLE_DEVICES): an engine needs one to run");
    PG_TRY(pg_cuda_check(cuda, result, "start"));
    PG_TRY(pg_cuda_check(cuda, cuda->device_get(&cuda->device, 0), "open the first GPU"));
    PG_TRY(pg_cuda_check(cuda, cuda->driver_version(&cuda->driver), "tell its version"));
    cuda->get_device_name(cuda->device_name, sizeof cuda->device_name, cuda->device);
    cuda->device_attribute(&cuda->major, CAPABILITY_MAJOR, cuda->device);
    cuda->device_attribute(&cuda->minor, CAPABILITY_MINOR, cuda->device);
    return pg_cuda_check(cuda, cuda->retain_context(&cuda->context, cuda->device), "make a context");
}

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static pg_cuda opened;
static bool is_open;

static pg_status open_once(void)
{
    if (is_open)
        return NULL;
    pg_cuda cuda = {0};
    PG_TRY(open_driver(&cuda));
    pg_status status = pg_dylib_load(&cuda.dylib, symbols, PG_COUNT(symbols), &cuda);
    if (status == NULL)
        status = open_device(&cuda);
    if (status != NULL) {
        free(cuda.dylib.path); /* a driver that was started stays */
        return status;
    }
    opened = cuda;
    is_open = true;
    PG_LOG_VERBOSE("CUDA driver %d.%d | GPU: %s, compute capability %d.%d", cuda.driver / 1000,
                   cuda.driver % 1000 / 10, cuda.device_name, cuda.major, cuda.minor);
    return NULL;
}

pg_status pg_cuda_get(const pg_cuda **out)
{
    pthread_mutex_lock(&open_lock);
    pg_status status = open_once();
    pthread_mutex_unlock(&open_lock);
    PG_TRY(status);
    *out = &opened;
    return pg_cuda_check(&opened, opened.set_context(opened.context), "use its context");
}

bool pg_cuda_is_open(void)
{
    pthread_mutex_lock(&open_lock);
    bool result = is_open;
    pthread_mutex_unlock(&open_lock);
    return result;
}

/* ---- Device memory ---- */

static pg_status no_memory(const pg_cuda *cuda, size_t size)
{
    size_t available = 0, total = 0;
    cuda->memory_info(&available, &total);
    return pg_err(PG_ERR_NO_MEMORY, "the GPU '%s' has no %zu bytes left: %zu of its %zu bytes are free",
                  cuda->device_name, size, available, total);
}

pg_status pg_cuda_buffer_fit(const pg_cuda *cuda, pg_cuda_buffer *buffer, size_t size)
{
    if (buffer->capacity >= size && buffer->address != 0)
        return NULL;
    pg_cuda_buffer_deinit(cuda, buffer);
    size_t capacity = PG_MAX(size, (size_t)256); /* empty tensors have an address too */
    cuda_result result = cuda->allocate(&buffer->address, capacity);
    if (result == OUT_OF_MEMORY)
        return no_memory(cuda, capacity);
    PG_TRY(pg_cuda_check(cuda, result, "allocate device memory"));
    buffer->capacity = capacity;
    return NULL;
}

void pg_cuda_buffer_deinit(const pg_cuda *cuda, pg_cuda_buffer *buffer)
{
    if (buffer->address != 0)
        cuda->release(buffer->address);
    *buffer = (pg_cuda_buffer){0};
}

/* ---- Pinned memory ---- */

/* Results may be kept by the thousand; memory that cannot be swapped out should not be. */
#define PINNED_LIMIT ((size_t)512 << 20)

typedef struct block {
    pg_buffer buffer; /* first; its size is what was asked for */
    size_t capacity;
    struct block *next; /* among the free ones */
    pg_cuda_pool *pool;
} block;

struct pg_cuda_pool {
    const pg_cuda *cuda;
    pthread_mutex_t lock;
    size_t owners; /* blocks in use, and the pool's own */
    size_t pinned; /* bytes */
    bool closed;
    block *free_blocks;
};

static void free_block(const pg_cuda *cuda, block *piece)
{
    cuda->set_context(cuda->context);
    cuda->release_host(piece->buffer.data);
    free(piece);
}

/* With the lock held, which it releases. */
static void drop_owner(pg_cuda_pool *pool)
{
    bool last = --pool->owners == 0;
    pthread_mutex_unlock(&pool->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static void give_back(pg_buffer *buffer)
{
    block *piece = (block *)buffer;
    pg_cuda_pool *pool = piece->pool;
    pthread_mutex_lock(&pool->lock);
    if (pool->closed) {
        free_block(pool->cuda, piece);
    } else {
        piece->next = pool->free_blocks;
        pool->free_blocks = piece;
    }
    drop_owner(pool);
}

pg_cuda_pool *pg_cuda_pool_new(const pg_cuda *cuda)
{
    pg_cuda_pool *pool = PG_NEW(pg_cuda_pool);
    pool->cuda = cuda;
    pool->owners = 1;
    pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

/* A free block that is large enough without wasting more than half. */
static block *take_free(pg_cuda_pool *pool, size_t size)
{
    for (block **at = &pool->free_blocks; *at != NULL; at = &(*at)->next)
        if ((*at)->capacity >= size && (*at)->capacity / 2 <= size + 4096) {
            block *found = *at;
            *at = found->next;
            return found;
        }
    return NULL;
}

static block *new_block(pg_cuda_pool *pool, size_t size)
{
    void *memory = NULL;
    size_t capacity = PG_MAX(size, (size_t)64);
    if (pool->pinned + capacity > PINNED_LIMIT || pool->cuda->allocate_host(&memory, capacity) != 0)
        return NULL;
    block *made = PG_NEW(block);
    made->capacity = capacity;
    made->pool = pool;
    made->buffer.data = memory;
    made->buffer.release = give_back;
    pool->pinned += capacity;
    return made;
}

pg_status pg_cuda_pool_get(pg_cuda_pool *pool, size_t size, pg_buffer **out)
{
    pthread_mutex_lock(&pool->lock);
    block *piece = take_free(pool, size);
    if (piece == NULL)
        piece = new_block(pool, size);
    if (piece != NULL)
        pool->owners++;
    pthread_mutex_unlock(&pool->lock);
    if (piece == NULL) {
        *out = pg_buffer_new(size);
        return *out != NULL ? NULL : pg_err(PG_ERR_NO_MEMORY, "no memory for %zu bytes of a tensor", size);
    }
    atomic_store(&piece->buffer.refs, 1);
    piece->buffer.size = size;
    *out = &piece->buffer;
    return NULL;
}

void pg_cuda_pool_free(pg_cuda_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closed = true;
    while (pool->free_blocks != NULL) {
        block *next = pool->free_blocks->next;
        free_block(pool->cuda, pool->free_blocks);
        pool->free_blocks = next;
    }
    drop_owner(pool);
}
