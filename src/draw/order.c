/* Order within layers: each item near the mean place of its neighbours, sweeping down and up; the sweep with
 * the fewest crossings is kept. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "draw/internal.h"

enum { SWEEPS = 16, PATIENCE = 4 };

typedef struct sort_key {
    double place;
    uint32_t item, was;
} sort_key;

static int compare_keys(const void *a, const void *b)
{
    const sort_key *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return x->was < y->was ? -1 : x->was > y->was;
}

static void sort_layer(pg_draw_layout *layout, size_t layer, const pg_draw_neighbours *by, sort_key *keys)
{
    uint32_t *items = layout->layers[layer];
    size_t n = layout->widths[layer];
    for (size_t i = 0; i < n; i++) {
        uint32_t item = items[i];
        double sum = 0;
        uint32_t count = by->first[item + 1] - by->first[item];
        for (uint32_t k = by->first[item]; k < by->first[item + 1]; k++)
            sum += layout->items[by->all[k]].place;
        keys[i] = (sort_key){count > 0 ? sum / count : (double)i, item, (uint32_t)i};
    }
    qsort(keys, n, sizeof *keys, compare_keys);
    for (size_t i = 0; i < n; i++) {
        items[i] = keys[i].item;
        layout->items[keys[i].item].place = (uint32_t)i;
    }
}

/* ---- Crossings ---- */

static int compare_places(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Pairs of curves between a layer and the next that cross: each curve counts the earlier ones that end to its
 * right, by a tree of sums. */
static uint64_t crossings_below(const pg_draw_layout *layout, size_t layer, uint64_t *tree, uint32_t *ends)
{
    size_t n = layout->widths[layer + 1];
    uint64_t crossings = 0, seen = 0;
    memset(tree, 0, (n + 1) * sizeof *tree);
    for (size_t i = 0; i < layout->widths[layer]; i++) {
        uint32_t item = layout->layers[layer][i];
        size_t count = 0;
        for (uint32_t k = layout->down.first[item]; k < layout->down.first[item + 1]; k++)
            ends[count++] = layout->items[layout->down.all[k]].place;
        qsort(ends, count, sizeof *ends, compare_places);
        for (size_t k = 0; k < count; k++) {
            uint64_t not_right = 0;
            for (size_t at = (size_t)ends[k] + 1; at > 0; at &= at - 1)
                not_right += tree[at];
            crossings += seen - not_right;
        }
        for (size_t k = 0; k < count; k++, seen++)
            for (size_t at = (size_t)ends[k] + 1; at <= n; at += at & (~at + 1))
                tree[at]++;
    }
    return crossings;
}

typedef struct scratch {
    sort_key *keys;
    uint64_t *tree;
    uint32_t *ends, *best;
} scratch;

static uint64_t count_crossings(const pg_draw_layout *layout, const scratch *s)
{
    uint64_t sum = 0;
    for (size_t layer = 0; layer + 1 < layout->n_layers; layer++)
        sum += crossings_below(layout, layer, s->tree, s->ends);
    return sum;
}

/* ---- The start ---- */

/* Items in the order in which curves are followed downwards: what belongs together starts side by side. */
static void follow_curves(pg_draw_layout *layout)
{
    size_t n = layout->n_items, depth = 0;
    uint32_t *stack = PG_ARENA_ARRAY(&layout->arena, uint32_t, n + layout->n_pairs + 1);
    bool *seen = PG_ARENA_ARRAY(&layout->arena, bool, n + 1);
    memset(layout->widths, 0, layout->n_layers * sizeof *layout->widths);
    for (size_t start = 0; start < n; start++) {
        if (layout->up.first[start + 1] > layout->up.first[start])
            continue;
        stack[depth++] = (uint32_t)start;
        while (depth > 0) {
            uint32_t item = stack[--depth];
            if (seen[item])
                continue;
            seen[item] = true;
            size_t layer = layout->items[item].layer;
            layout->items[item].place = (uint32_t)layout->widths[layer];
            layout->layers[layer][layout->widths[layer]++] = item;
            for (uint32_t k = layout->down.first[item + 1]; k-- > layout->down.first[item];)
                if (!seen[layout->down.all[k]])
                    stack[depth++] = layout->down.all[k];
        }
    }
}

void pg_draw_order_layers(pg_draw_layout *layout)
{
    size_t widest = 0, n = layout->n_items;
    follow_curves(layout);
    for (size_t i = 0; i < layout->n_layers; i++)
        widest = PG_MAX(widest, layout->widths[i]);
    scratch s = {PG_ARENA_ARRAY(&layout->arena, sort_key, widest + 1),
                 PG_ARENA_ARRAY(&layout->arena, uint64_t, widest + 2),
                 PG_ARENA_ARRAY(&layout->arena, uint32_t, layout->n_pairs + 1),
                 PG_ARENA_ARRAY(&layout->arena, uint32_t, n + 1)};
    uint64_t fewest = UINT64_MAX;
    for (size_t sweep = 0, idle = 0; sweep < SWEEPS && idle < PATIENCE && fewest > 0; sweep++) {
        if (sweep > 0)
            for (size_t i = 1; i < layout->n_layers; i++) {
                bool down = sweep % 2 == 1;
                sort_layer(layout, down ? i : layout->n_layers - 1 - i, down ? &layout->up : &layout->down,
                           s.keys);
            }
        uint64_t now = count_crossings(layout, &s);
        idle = now < fewest ? 0 : idle + 1;
        for (size_t i = 0; i < n && now < fewest; i++)
            s.best[i] = layout->items[i].place;
        fewest = PG_MIN(fewest, now);
    }
    for (size_t i = 0; i < n; i++) {
        layout->items[i].place = s.best[i];
        layout->layers[layout->items[i].layer][s.best[i]] = (uint32_t)i;
    }
}
