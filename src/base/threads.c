#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cgroup.h"
#include "base/file.h"

/* One loop at a time is published to the workers; ranges are claimed by an atomic counter, so a slow thread
 * holds nobody up. A worker joins a loop only while it is open, and the caller closes it once no range is
 * left: a worker that wakes too late is not waited for, so on a busy machine a loop takes no longer than with
 * one thread. Workers spin briefly before sleeping: loops of an inference follow each other within
 * microseconds. */
typedef struct loop_job {
    pg_loop_fn body;
    void *context;
    size_t count, step;
    atomic_size_t next;
} loop_job;

enum { MOST_THREADS = 256, SPINS = 3000, CHUNKS_PER_THREAD = 4 };

/* The gate: bits 0-30 count the workers inside the loop, bit 31 says that more may join, the rest is the
 * loop's number. */
enum { GATE_NUMBER_SHIFT = 32 };
#define GATE_OPEN (UINT64_C(1) << 31)
#define GATE_COUNT (GATE_OPEN - 1)

static struct pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t threads[MOST_THREADS];
    unsigned n_workers; /* started, without the caller */
    unsigned wanted;    /* threads per loop, the caller included; 0 = not decided */
    loop_job *job;      /* written before the gate opens */
    _Atomic(uint64_t) gate;
    atomic_uint sleepers;
    atomic_bool stop, busy;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static _Thread_local bool inside_loop;

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

unsigned pg_cpu_count(void)
{
    cpu_set_t set;
    unsigned cpus = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        cpus = (unsigned)CPU_COUNT(&set);
    return pg_cgroup_cpus("/proc/self/cgroup", "/sys/fs/cgroup", PG_MAX(cpus, 1u));
}

void pg_cpu_name(pg_buf *out)
{
    pg_buf info = {0};
    pg_status_drop(pg_file_read("/proc/cpuinfo", 1 << 24, &info));
    pg_str rest = pg_buf_str(&info), line, key;
    pg_str name = PG_STR("unknown");
    while (pg_str_split(&rest, '\n', &line))
        if (pg_str_split(&line, ':', &key) && pg_str_is(pg_str_trim(key), "model name")) {
            name = pg_str_trim(line);
            break;
        }
    pg_buf_add_str(out, name);
    pg_buf_deinit(&info);
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

/* Waits for a loop after number `seen`; false when the pool stops. */
static bool wait_for_loop(uint64_t seen)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&pool.gate, memory_order_acquire) >> GATE_NUMBER_SHIFT != seen)
            return true;
        relax();
    }
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.sleepers, 1);
    while (!atomic_load(&pool.stop) && atomic_load(&pool.gate) >> GATE_NUMBER_SHIFT == seen)
        pthread_cond_wait(&pool.wake, &pool.lock);
    atomic_fetch_sub(&pool.sleepers, 1);
    pthread_mutex_unlock(&pool.lock);
    return !atomic_load(&pool.stop);
}

static void *worker(void *unused)
{
    inside_loop = true;
    uint64_t seen = 0;
    while (wait_for_loop(seen)) {
        uint64_t gate = atomic_load(&pool.gate);
        seen = gate >> GATE_NUMBER_SHIFT;
        while ((gate & GATE_OPEN) != 0 && gate >> GATE_NUMBER_SHIFT == seen)
            if (atomic_compare_exchange_weak(&pool.gate, &gate, gate + 1)) {
                run_ranges(pool.job);
                atomic_fetch_sub_explicit(&pool.gate, 1, memory_order_release);
                break;
            }
    }
    return NULL;
}

static void stop_workers(void)
{
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.stop, true);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    for (unsigned i = 0; i < pool.n_workers; i++)
        pthread_join(pool.threads[i], NULL);
    pool.n_workers = 0;
    atomic_store(&pool.stop, false);
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

void pg_threads_forked(void)
{
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.wake, NULL);
    pool.n_workers = 0;
    atomic_store(&pool.gate, 0);
    atomic_store(&pool.sleepers, 0);
    atomic_store(&pool.busy, false);
    inside_loop = false;
}

static void start_workers(void)
{
    static bool registered;
    if (!registered)
        atexit(stop_workers);
    registered = true;
    while (pool.n_workers + 1 < pg_threads()) {
        if (pthread_create(&pool.threads[pool.n_workers], NULL, worker, NULL) != 0)
            break; /* fewer threads, same answer */
        pool.n_workers++;
    }
}

/* Opens the gate for a loop, and wakes who sleeps. */
static void publish(loop_job *job)
{
    pool.job = job;
    const uint64_t number = (atomic_load(&pool.gate) >> GATE_NUMBER_SHIFT) + 1;
    atomic_store(&pool.gate, number << GATE_NUMBER_SHIFT | GATE_OPEN);
    if (atomic_load(&pool.sleepers) == 0)
        return;
    pthread_mutex_lock(&pool.lock);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
}

/* Nobody may join any more; waits for those inside. */
static void close_loop(void)
{
    atomic_fetch_and(&pool.gate, ~GATE_OPEN);
    for (unsigned i = 0; (atomic_load_explicit(&pool.gate, memory_order_acquire) & GATE_COUNT) != 0; i++)
        if (i < SPINS)
            relax();
        else
            sched_yield();
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
    publish(&job);
    inside_loop = true;
    run_ranges(&job);
    inside_loop = false;
    close_loop();
    atomic_store(&pool.busy, false);
}
