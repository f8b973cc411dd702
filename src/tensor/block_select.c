#include "tensor/block_select.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Intervals with at most this many elements are gathered; larger ones are split by a histogram first. */
static uint64_t gather_limit(uint64_t count)
{
    return count / 32 + 65536;
}

void pg_select_init(pg_select *select, uint64_t count)
{
    memset(select, 0, sizeof *select);
    select->count = count;
}

static void free_work(pg_interval *interval)
{
    free(interval->keys);
    free(interval->bins);
    interval->keys = NULL;
    interval->bins = NULL;
}

void pg_select_deinit(pg_select *select)
{
    for (size_t i = 0; i < PG_SELECT_RANKS; i++)
        free_work(&select->intervals[i]);
}

size_t pg_select_want(pg_select *select, uint64_t rank)
{
    for (size_t i = 0; i < select->n_ranks; i++)
        if (select->ranks[i] == rank)
            return i;
    PG_ASSERT(select->n_ranks < PG_SELECT_RANKS);
    select->ranks[select->n_ranks] = rank;
    return select->n_ranks++;
}

static size_t add_interval(pg_select *select, uint64_t low, uint64_t high, uint64_t below, uint64_t inside)
{
    for (size_t i = 0; i < select->n_intervals; i++)
        if (select->intervals[i].low == low && select->intervals[i].high == high)
            return i;
    pg_interval *interval = &select->intervals[select->n_intervals];
    free_work(interval);
    interval->low = low;
    interval->high = high;
    interval->below = below;
    interval->inside = inside;
    return select->n_intervals++;
}

void pg_select_place(pg_select *select, size_t n_windows, const uint64_t *low, const uint64_t *high,
                     const uint64_t *below, const uint64_t *upto)
{
    select->n_intervals = 0;
    for (size_t i = 0; i < select->n_ranks; i++) {
        uint64_t rank = select->ranks[i], from = 0, to = UINT64_MAX, before = 0, until = select->count;
        for (size_t w = 0; w < n_windows; w++) {
            if (upto[w] <= rank) {
                if (high[w] + 1 > from) {
                    from = high[w] + 1;
                    before = upto[w];
                }
            } else if (below[w] > rank) {
                if (low[w] - 1 < to) {
                    to = low[w] - 1;
                    until = below[w];
                }
            } else if (high[w] - low[w] < to - from) {
                from = low[w];
                to = high[w];
                before = below[w];
                until = upto[w];
            }
        }
        select->owner[i] = add_interval(select, from, to, before, until - before);
    }
}

pg_status pg_select_prepare(pg_select *select)
{
    for (size_t i = 0; i < select->n_intervals; i++) {
        pg_interval *interval = &select->intervals[i];
        free_work(interval);
        atomic_store(&interval->filled, 0);
        if (interval->low == interval->high) {
            interval->work = PG_INTERVAL_CLOSED;
        } else if (interval->inside <= gather_limit(select->count)) {
            interval->work = PG_INTERVAL_GATHER;
            interval->keys = malloc(PG_MAX(interval->inside, (uint64_t)1) * sizeof *interval->keys);
            if (interval->keys == NULL)
                return pg_err(PG_ERR_NO_MEMORY, "no memory for the quantiles of %llu elements",
                              (unsigned long long)select->count);
        } else {
            interval->work = PG_INTERVAL_HISTOGRAM;
            interval->shift = 0;
            while ((interval->high - interval->low) >> interval->shift >= PG_SELECT_BINS)
                interval->shift++;
            interval->bins = pg_calloc(PG_SELECT_BINS, sizeof *interval->bins);
        }
    }
    for (size_t i = 0; i < select->n_ranks; i++)
        if (!select->closed[i] && select->intervals[select->owner[i]].work == PG_INTERVAL_CLOSED) {
            select->closed[i] = true;
            select->found[i] = select->intervals[select->owner[i]].low;
        }
    return NULL;
}

static void close_gathered(pg_select *select, size_t i, pg_interval *interval)
{
    PG_ASSERT(atomic_load(&interval->filled) == interval->inside);
    select->found[i] = pg_nth_key(interval->keys, interval->inside, select->ranks[i] - interval->below);
    select->closed[i] = true;
}

/* The bin that holds a rank. */
static void pick_bin(const pg_interval *interval, uint64_t rank, uint64_t *out_low, uint64_t *out_high,
                     uint64_t *out_below, uint64_t *out_inside)
{
    uint64_t below = interval->below;
    size_t bin = 0;
    while (bin + 1 < PG_SELECT_BINS && below + interval->bins[bin] <= rank)
        below += interval->bins[bin++];
    *out_low = interval->low + ((uint64_t)bin << interval->shift);
    uint64_t last = *out_low + (((uint64_t)1 << interval->shift) - 1);
    *out_high = last < *out_low || last > interval->high ? interval->high : last;
    *out_below = below;
    *out_inside = interval->bins[bin];
}

void pg_select_narrow(pg_select *select)
{
    uint64_t low[PG_SELECT_RANKS], high[PG_SELECT_RANKS], below[PG_SELECT_RANKS], inside[PG_SELECT_RANKS];
    for (size_t i = 0; i < select->n_ranks; i++) {
        if (select->closed[i])
            continue;
        pg_interval *interval = &select->intervals[select->owner[i]];
        if (interval->work == PG_INTERVAL_GATHER)
            close_gathered(select, i, interval);
        else
            pick_bin(interval, select->ranks[i], &low[i], &high[i], &below[i], &inside[i]);
    }
    for (size_t i = 0; i < select->n_intervals; i++)
        free_work(&select->intervals[i]);
    select->n_intervals = 0;
    for (size_t i = 0; i < select->n_ranks; i++)
        if (!select->closed[i])
            select->owner[i] = add_interval(select, low[i], high[i], below[i], inside[i]);
}

bool pg_select_done(const pg_select *select)
{
    for (size_t i = 0; i < select->n_ranks; i++)
        if (!select->closed[i])
            return false;
    return true;
}

static inline void swap_keys(uint64_t *a, uint64_t *b)
{
    uint64_t key = *a;
    *a = *b;
    *b = key;
}

static void sort_few(uint64_t *keys, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint64_t key = keys[i];
        size_t j = i;
        for (; j > 0 && keys[j - 1] > key; j--)
            keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

static uint64_t middle_of_three(const uint64_t *keys, size_t n)
{
    uint64_t a = keys[n / 4], b = keys[n / 2], c = keys[n / 4 * 3];
    if (a > b)
        swap_keys(&a, &b);
    return c < a ? a : c > b ? b : c;
}

/* Quickselect with three parts: equal keys end it at once. */
uint64_t pg_nth_key(uint64_t *keys, size_t n, size_t rank)
{
    PG_ASSERT(rank < n);
    while (n > 16) {
        uint64_t pivot = middle_of_three(keys, n);
        size_t less = 0, i = 0, greater = n;
        while (i < greater) {
            if (keys[i] < pivot)
                swap_keys(&keys[less++], &keys[i++]);
            else if (keys[i] > pivot)
                swap_keys(&keys[i], &keys[--greater]);
            else
                i++;
        }
        if (rank < less) {
            n = less;
        } else if (rank >= greater) {
            keys += greater;
            n -= greater;
            rank -= greater;
        } else {
            return pivot;
        }
    }
    sort_few(keys, n);
    return keys[rank];
}
