#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

/* One loop at a time is published to the workers; ranges are claimed by an atomic counter, so a slow thread
 * holds nobody up. Workers spin briefly before sleeping: loops of an inference follow each other within
 * microseconds. */
typedef struct loop_job {
    pg_loop_fn body;
    void *context;
    size_t count, step;
    atomic_size_t next;
} loop_job;

enum { MOST_THREADS = 256, SPINS = 2000, CHUNKS_PER_THREAD = 4 };

static struct pool {
    pthread_mutex_t lock;
    pthread_cond_t wake, idle;
    pthread_t threads[MOST_THREADS];
    unsigned n_workers; /* started, without the caller */
    unsigned wanted;    /* threads per loop, the caller included; 0 = not decided */
    atomic_ulong generation;
    atomic_uint running; /* workers that have not finished the current loop */
    loop_job *job;
    bool stop;
    atomic_bool busy;
} pool = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER};

static _Thread_local bool inside_loop;

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static unsigned quota_cpus(unsigned cpus)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (file == NULL)
        return cpus;
    double quota, period;
    if (fscanf(file, "%lf %lf", &quota, &period) == 2 && quota > 0 && period > 0) {
        unsigned limit = (unsigned)(quota / period + 0.999);
        cpus = PG_MAX(1u, PG_MIN(cpus, limit));
    }
    fclose(file);
    return cpus;
}

unsigned pg_cpu_count(void)
{
    cpu_set_t set;
    unsigned cpus = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        cpus = (unsigned)CPU_COUNT(&set);
    return quota_cpus(PG_MAX(cpus, 1u));
}

static void run_ranges(loop_job *job)
{
    for (;;) {
        size_t begin = atomic_fetch_add_explicit(&job->next, job->step, memory_order_relaxed);
        if (begin >= job->count)
            return;
        job->body(job->context, begin, PG_MIN(begin + job->step, job->count));
    }
}

/* `start_generation` is the last loop published before this worker was started: it must not be joined. */
static void *worker(void *start_generation)
{
    inside_loop = true;
    unsigned long seen = (unsigned long)(uintptr_t)start_generation;
    for (;;) {
        for (int i = 0; i < SPINS && atomic_load_explicit(&pool.generation, memory_order_acquire) == seen;
             i++)
            relax();
        pthread_mutex_lock(&pool.lock);
        while (!pool.stop && atomic_load(&pool.generation) == seen)
            pthread_cond_wait(&pool.wake, &pool.lock);
        if (pool.stop) {
            pthread_mutex_unlock(&pool.lock);
            return NULL;
        }
        seen = atomic_load(&pool.generation);
        loop_job *job = pool.job;
        pthread_mutex_unlock(&pool.lock);
        run_ranges(job);
        if (atomic_fetch_sub_explicit(&pool.running, 1, memory_order_acq_rel) == 1) {
            pthread_mutex_lock(&pool.lock);
            pthread_cond_signal(&pool.idle);
            pthread_mutex_unlock(&pool.lock);
        }
    }
}

static void stop_workers(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.stop = true;
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    for (unsigned i = 0; i < pool.n_workers; i++)
        pthread_join(pool.threads[i], NULL);
    pool.n_workers = 0;
    pool.stop = false;
}

void pg_threads_set(unsigned count)
{
    if (count == 0)
        count = pg_cpu_count();
    count = PG_MIN(count, (unsigned)MOST_THREADS);
    if (pool.n_workers > 0 && count != pool.wanted)
        stop_workers();
    pool.wanted = count;
}

unsigned pg_threads(void)
{
    if (pool.wanted == 0)
        pool.wanted = pg_cpu_count();
    return pool.wanted;
}

static void start_workers(void)
{
    static bool registered;
    if (!registered)
        atexit(stop_workers);
    registered = true;
    void *generation = (void *)(uintptr_t)atomic_load(&pool.generation);
    while (pool.n_workers + 1 < pg_threads()) {
        if (pthread_create(&pool.threads[pool.n_workers], NULL, worker, generation) != 0)
            break; /* fewer threads, same answer */
        pool.n_workers++;
    }
}

void pg_parallel_for(size_t count, size_t grain, pg_loop_fn body, void *context)
{
    if (count == 0)
        return;
    unsigned threads = pg_threads();
    grain = PG_MAX(grain, (size_t)1);
    if (threads == 1 || count <= grain || inside_loop || atomic_exchange(&pool.busy, true)) {
        body(context, 0, count);
        return;
    }
    if (pool.n_workers == 0)
        start_workers();
    size_t step = PG_MAX(grain, (count + threads * CHUNKS_PER_THREAD - 1) / (threads * CHUNKS_PER_THREAD));
    loop_job job = {.body = body, .context = context, .count = count, .step = step};
    pthread_mutex_lock(&pool.lock);
    pool.job = &job;
    atomic_store(&pool.running, pool.n_workers);
    atomic_fetch_add(&pool.generation, 1);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    inside_loop = true;
    run_ranges(&job);
    inside_loop = false;
    for (int i = 0; i < SPINS && atomic_load_explicit(&pool.running, memory_order_acquire) > 0; i++)
        relax();
    pthread_mutex_lock(&pool.lock);
    while (atomic_load_explicit(&pool.running, memory_order_acquire) > 0)
        pthread_cond_wait(&pool.idle, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
    atomic_store(&pool.busy, false);
}
