#include "native/internal.h"

#include <pthread.h>

#include "base/alloc.h"

/* Size classes: four per power of two, so at most a quarter of a block is wasted. Freed blocks wait in their
 * class. A block carries its pg_buffer in front of the data. */
enum { SMALLEST_SHIFT = 8, N_CLASSES = 4 * 48, HEADER = 64 };

typedef struct block {
    pg_buffer buffer;
    struct block *next;
    uint32_t size_class;
} block;
_Static_assert(sizeof(block) <= HEADER, "the header must keep the data aligned");

struct pg_pool {
    pthread_mutex_t lock;
    size_t refs; /* the session's and one per buffer in use */
    uint64_t used, peak, limit;
    block *free[N_CLASSES];
};

static uint32_t class_of(uint64_t size, uint64_t *out_rounded)
{
    uint64_t least = 1ull << SMALLEST_SHIFT;
    if (size <= least) {
        *out_rounded = least;
        return 0;
    }
    uint32_t shift = 63 - (uint32_t)__builtin_clzll(size - 1);
    uint64_t quarter = 1ull << (shift - 2);
    uint64_t steps = (size - (1ull << shift) + quarter - 1) / quarter;
    *out_rounded = (1ull << shift) + steps * quarter;
    return (shift - SMALLEST_SHIFT) * 4 + (uint32_t)steps;
}

pg_pool *pg_pool_new(uint64_t limit)
{
    pg_pool *pool = PG_NEW(pg_pool);
    pool->limit = limit > 0 ? limit : UINT64_MAX;
    pthread_mutex_init(&pool->lock, NULL);
    pool->refs = 1;
    return pool;
}

static void free_pool(pg_pool *pool)
{
    for (size_t i = 0; i < N_CLASSES; i++)
        for (block *at = pool->free[i], *next; at != NULL; at = next) {
            next = at->next;
            free(at);
        }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static void drop_ref(pg_pool *pool) /* with the lock held; releases it */
{
    bool last = --pool->refs == 0;
    pthread_mutex_unlock(&pool->lock);
    if (last)
        free_pool(pool);
}

void pg_pool_unref(pg_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    drop_ref(pool);
}

static void give_back(pg_buffer *buffer)
{
    block *at = (block *)buffer;
    pg_pool *pool = buffer->context;
    pthread_mutex_lock(&pool->lock);
    at->next = pool->free[at->size_class];
    pool->free[at->size_class] = at;
    pool->used -= buffer->size;
    drop_ref(pool);
}

pg_buffer *pg_pool_alloc(pg_pool *pool, uint64_t size)
{
    uint64_t rounded;
    if (size > (1ull << 46))
        return NULL;
    uint32_t size_class = class_of(size, &rounded);
    pthread_mutex_lock(&pool->lock);
    if (pool->used + rounded > pool->limit) {
        pthread_mutex_unlock(&pool->lock);
        return NULL;
    }
    block *at = pool->free[size_class];
    if (at != NULL) {
        pool->free[size_class] = at->next;
    } else if ((at = aligned_alloc(PG_TENSOR_ALIGNMENT, HEADER + rounded)) == NULL) {
        pthread_mutex_unlock(&pool->lock);
        return NULL;
    }
    pool->refs++;
    pool->used += rounded;
    pool->peak = PG_MAX(pool->peak, pool->used);
    pthread_mutex_unlock(&pool->lock);
    at->size_class = size_class;
    at->next = NULL;
    at->buffer =
        (pg_buffer){.release = give_back, .context = pool, .size = rounded, .data = (char *)at + HEADER};
    atomic_init(&at->buffer.refs, 1);
    return &at->buffer;
}

uint64_t pg_pool_peak(const pg_pool *pool)
{
    return pool->peak;
}

void pg_pool_forget_peak(pg_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->peak = pool->used;
    pthread_mutex_unlock(&pool->lock);
}

pg_status pg_session_tensor(pg_session *session, pg_tensor *out, pg_dtype dtype, size_t rank,
                            const int64_t *dims)
{
    uint64_t count, bytes;
    if (rank > PG_MAX_RANK || !pg_dims_count(rank, dims, &count) || !pg_dtype_bytes(dtype, count, &bytes))
        return pg_tensor_alloc(out, dtype, rank, dims); /* words the error */
    pg_buffer *buffer = pg_pool_alloc(session->pool, bytes);
    if (buffer == NULL)
        return pg_err(PG_ERR_NO_MEMORY, "no memory for a tensor of %llu bytes", (unsigned long long)bytes);
    *out = (pg_tensor){.dtype = dtype, .rank = (uint16_t)rank, .data = buffer->data, .buffer = buffer};
    if (rank > 0)
        memcpy(out->dims, dims, rank * sizeof *dims);
    if (dtype == PG_STRING)
        memset(out->data, 0, bytes);
    return NULL;
}
