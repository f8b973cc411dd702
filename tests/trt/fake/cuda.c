/* A CUDA driver in host memory, for tests: streams do their work at once, every call is checked, and what is not
 * given back is said at the end. FAKE_CUDA_DEVICES and FAKE_CUDA_BYTES set how many devices and bytes there are. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_OF_MEMORY = 2, NO_DEVICE = 100, MAX_BLOCKS = 1024 };

static struct {
    void *address;
    size_t size;
} blocks[MAX_BLOCKS];
static size_t used;
static long streams, events, pinned;

static size_t total(void)
{
    const char *bytes = getenv("FAKE_CUDA_BYTES");
    return bytes != NULL ? strtoull(bytes, NULL, 10) : (size_t)1 << 30;
}

static void die(const char *what)
{
    fprintf(stderr, "fake CUDA: %s\n", what);
    abort();
}

__attribute__((destructor)) static void say_leaks(void)
{
    if (used > 0 || streams != 0 || events != 0 || pinned != 0)
        fprintf(stderr, "fake CUDA: leaked %zu bytes, %ld streams, %ld events, %ld pinned blocks\n", used,
                streams, events, pinned);
}

/* The block that holds [address, address + size), which must be one. */
static void check_range(uint64_t address, size_t size)
{
    for (int i = 0; i < MAX_BLOCKS; i++) {
        uint64_t start = (uint64_t)(uintptr_t)blocks[i].address;
        if (blocks[i].address != NULL && address >= start && address + size <= start + blocks[i].size)
            return;
    }
    die("a copy outside device memory");
}

int cuInit(unsigned flags)
{
    return flags == 0 ? 0 : 1;
}
int cuDriverGetVersion(int *out)
{
    return *out = 13000, 0;
}
int cuDeviceGetCount(int *out)
{
    const char *count = getenv("FAKE_CUDA_DEVICES");
    *out = count != NULL ? atoi(count) : 1;
    return *out > 0 ? 0 : NO_DEVICE;
}
int cuDeviceGet(int *out, int index)
{
    return *out = index, 0;
}
int cuDeviceGetName(char *out, int size, int device)
{
    (void)device;
    snprintf(out, (size_t)size, "Fake GPU");
    return 0;
}
int cuDeviceGetAttribute(int *out, int attribute, int device)
{
    (void)attribute, (void)device;
    return *out = 9, 0;
}
int cuDevicePrimaryCtxRetain(void **out, int device)
{
    (void)device;
    return *out = blocks, 0;
}
int cuCtxSetCurrent(void *context)
{
    return context == blocks ? 0 : 1;
}
int cuMemGetInfo_v2(size_t *available, size_t *all)
{
    *all = total();
    *available = *all - used;
    return 0;
}
int cuMemAlloc_v2(uint64_t *out, size_t size)
{
    if (size == 0 || used + size > total())
        return size == 0 ? 1 : OUT_OF_MEMORY;
    for (int i = 0; i < MAX_BLOCKS; i++) {
        if (blocks[i].address != NULL)
            continue;
        blocks[i].address = malloc(size);
        blocks[i].size = size;
        used += size;
        memset(blocks[i].address, 0xcd, size);
        *out = (uint64_t)(uintptr_t)blocks[i].address;
        return 0;
    }
    return OUT_OF_MEMORY;
}
int cuMemFree_v2(uint64_t address)
{
    for (int i = 0; i < MAX_BLOCKS; i++) {
        if ((uint64_t)(uintptr_t)blocks[i].address != address)
            continue;
        used -= blocks[i].size;
        free(blocks[i].address);
        blocks[i].address = NULL;
        return 0;
    }
    die("memory freed that is not allocated");
    return 1;
}
int cuMemAllocHost_v2(void **out, size_t size)
{
    pinned++;
    *out = malloc(size);
    return 0;
}
int cuMemFreeHost(void *memory)
{
    pinned--;
    free(memory);
    return 0;
}
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t size, void *stream)
{
    (void)stream;
    check_range(to, size);
    memcpy((void *)(uintptr_t)to, from, size);
    return 0;
}
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t size, void *stream)
{
    (void)stream;
    check_range(from, size);
    memcpy(to, (const void *)(uintptr_t)from, size);
    return 0;
}
int cuStreamCreate(void **out, unsigned flags)
{
    streams++;
    return *out = malloc(1 + flags), 0;
}
int cuStreamDestroy_v2(void *stream)
{
    streams--;
    free(stream);
    return 0;
}
int cuStreamSynchronize(void *stream)
{
    return stream != NULL ? 0 : 1;
}
int cuStreamWaitEvent(void *stream, void *event, unsigned flags)
{
    return stream != NULL && event != NULL && flags == 0 ? 0 : 1;
}
int cuEventCreate(void **out, unsigned flags)
{
    events++;
    return *out = malloc(1 + flags), 0;
}
int cuEventDestroy_v2(void *event)
{
    events--;
    free(event);
    return 0;
}
int cuEventRecord(void *event, void *stream)
{
    return event != NULL && stream != NULL ? 0 : 1;
}
int cuEventSynchronize(void *event)
{
    return event != NULL ? 0 : 1;
}
int cuGetErrorName(int result, const char **out)
{
    return *out = result == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_INVALID_VALUE", 0;
}
int cuGetErrorString(int result, const char **out)
{
    return *out = result == OUT_OF_MEMORY ? "out of memory" : "invalid argument", 0;
}
