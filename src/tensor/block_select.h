/* Exact order statistics of a stream of keys that is read several times: which elements stand at given ranks.
 * Keys are 64-bit numbers in the order of the values (pg_stat_key). Private to tensor/.
 *
 * Each wanted rank lies in an interval of keys. The owner reads the stream once per round and reports for
 * every open interval either counts (first round: below, inside), the keys inside, or a histogram of them;
 * then pg_select_narrow closes intervals or makes them smaller, until all are closed. */
#ifndef PG_TENSOR_BLOCK_SELECT_H
#define PG_TENSOR_BLOCK_SELECT_H

#include <stdatomic.h>

#include "base/status.h"
#include "tensor/block_stats.h"

enum { PG_SELECT_RANKS = 10, PG_SELECT_BINS = 4096 };

typedef enum pg_interval_work {
    PG_INTERVAL_CLOSED,
    PG_INTERVAL_GATHER,
    PG_INTERVAL_HISTOGRAM
} pg_interval_work;

typedef struct pg_interval {
    uint64_t low, high;     /* keys, both included */
    uint64_t below, inside; /* elements under low, elements from low to high */
    pg_interval_work work;
    unsigned shift;       /* histogram: bin = (key - low) >> shift */
    uint64_t *keys;       /* gather: room for `inside` */
    atomic_size_t filled; /* of keys */
    uint64_t *bins;       /* histogram: PG_SELECT_BINS */
} pg_interval;

typedef struct pg_select {
    uint64_t count; /* elements of the stream */
    size_t n_ranks;
    uint64_t ranks[PG_SELECT_RANKS]; /* ascending or not; 0-based */
    uint64_t found[PG_SELECT_RANKS]; /* keys, when closed */
    bool closed[PG_SELECT_RANKS];
    size_t owner[PG_SELECT_RANKS]; /* interval of an open rank */
    size_t n_intervals;
    pg_interval intervals[PG_SELECT_RANKS];
} pg_select;

void pg_select_init(pg_select *select, uint64_t count);
void pg_select_deinit(pg_select *select);
/* The index of the rank, which may have been there. */
size_t pg_select_want(pg_select *select, uint64_t rank);
/* Sets where each rank is: `low`..`high` holds it unless below <= rank < upto says otherwise. Windows are in
 * any order; a rank takes the first that holds it, else the gap between them. */
void pg_select_place(pg_select *select, size_t n_windows, const uint64_t *low, const uint64_t *high,
                     const uint64_t *below, const uint64_t *upto);
/* Decides the work of every interval and gets memory for it. */
PG_MUST_USE pg_status pg_select_prepare(pg_select *select);
/* After a round: closes ranks or narrows their intervals. */
void pg_select_narrow(pg_select *select);
bool pg_select_done(const pg_select *select);

/* Moves the element of rank `rank` to its place, smaller ones before it, larger ones behind. */
uint64_t pg_nth_key(uint64_t *keys, size_t n, size_t rank);

#endif
