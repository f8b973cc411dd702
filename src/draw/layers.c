/* Layers: every box below those it reads from, and a bend in each layer that a curve passes through. All
 * curves of one box share their bends, so that a tensor that many boxes read is one trunk with branches. */
#include "base/alloc.h"
#include "base/vec.h"
#include "draw/internal.h"

enum { MOST_BENDS = 60000, BEND_HALF = 5 };

pg_draw_neighbours pg_draw_connect(const pg_draw_pair *pairs, size_t n_pairs, size_t n_items, bool forward,
                                   pg_arena *arena)
{
    pg_draw_neighbours out = {PG_ARENA_ARRAY(arena, uint32_t, n_items + 2),
                              PG_ARENA_ARRAY(arena, uint32_t, n_pairs + 1)};
    for (size_t i = 0; i < n_pairs; i++)
        out.first[(forward ? pairs[i].a : pairs[i].b) + 2]++;
    for (size_t i = 2; i < n_items + 2; i++)
        out.first[i] += out.first[i - 1];
    for (size_t i = 0; i < n_pairs; i++)
        out.all[out.first[(forward ? pairs[i].a : pairs[i].b) + 1]++] = forward ? pairs[i].b : pairs[i].a;
    return out;
}

/* ---- Which layer ---- */

typedef struct ranks {
    size_t n;
    pg_draw_neighbours up, down;
    uint32_t *order;    /* boxes, producers first */
    uint32_t *position; /* in order */
    uint32_t *layer;
} ranks;

/* Where boxes wait for each other in a circle, the first of them goes ahead. */
static void sort_boxes(ranks *r, pg_arena *arena)
{
    uint32_t *waits = PG_ARENA_ARRAY(arena, uint32_t, r->n + 1);
    size_t head = 0, tail = 0, next = 0;
    for (size_t i = 0; i < r->n; i++) {
        r->position[i] = UINT32_MAX;
        waits[i] = r->up.first[i + 1] - r->up.first[i];
        if (waits[i] == 0) {
            r->position[i] = (uint32_t)tail;
            r->order[tail++] = (uint32_t)i;
        }
    }
    while (head < r->n) {
        if (head == tail) {
            while (r->position[next] != UINT32_MAX)
                next++;
            r->position[next] = (uint32_t)tail;
            r->order[tail++] = (uint32_t)next;
        }
        uint32_t box = r->order[head++];
        for (uint32_t k = r->down.first[box]; k < r->down.first[box + 1]; k++) {
            uint32_t below = r->down.all[k];
            if (waits[below] > 0 && --waits[below] == 0 && r->position[below] == UINT32_MAX) {
                r->position[below] = (uint32_t)tail;
                r->order[tail++] = below;
            }
        }
    }
}

static void assign_layers(ranks *r)
{
    for (size_t i = 0; i < r->n; i++) {
        uint32_t box = r->order[i];
        for (uint32_t k = r->up.first[box]; k < r->up.first[box + 1]; k++) {
            uint32_t above = r->up.all[k];
            if (r->position[above] < i)
                r->layer[box] = PG_MAX(r->layer[box], r->layer[above] + 1);
        }
    }
    /* What has more curves below than above moves down: inputs end up beside their readers. */
    for (size_t i = r->n; i-- > 0;) {
        uint32_t box = r->order[i], lowest = UINT32_MAX;
        uint32_t n_up = r->up.first[box + 1] - r->up.first[box],
                 n_down = r->down.first[box + 1] - r->down.first[box];
        for (uint32_t k = r->down.first[box]; k < r->down.first[box + 1]; k++)
            if (r->position[r->down.all[k]] > i)
                lowest = PG_MIN(lowest, r->layer[r->down.all[k]]);
        if (n_down > n_up && lowest != UINT32_MAX && lowest > r->layer[box] + 1)
            r->layer[box] = lowest - 1;
    }
}

/* ---- Bends ---- */

/* How far down the curves of each box reach, leaving out those longer than `longest`. */
static uint64_t reach_of(const pg_drawing *drawing, const ranks *r, uint32_t longest, uint32_t *out)
{
    uint64_t bends = 0;
    for (size_t i = 0; i < drawing->n_boxes; i++)
        out[i] = r->layer[i];
    for (size_t i = 0; i < drawing->n_edges; i++) {
        const pg_draw_edge *edge = &drawing->edges[i];
        uint32_t from = r->layer[edge->from], to = r->layer[edge->to];
        if (to > from && to - from <= longest)
            out[edge->from] = PG_MAX(out[edge->from], to);
    }
    for (size_t i = 0; i < drawing->n_boxes; i++)
        bends += out[i] > r->layer[i] + 1 ? out[i] - r->layer[i] - 1 : 0;
    return bends;
}

typedef PG_VEC(pg_draw_pair) pair_list;

static void add_trunk(pg_draw_layout *layout, uint32_t box, uint32_t from, uint32_t reach, pair_list *pairs)
{
    uint32_t above = box;
    for (uint32_t layer = from + 1; layer < reach; layer++) {
        uint32_t bend = (uint32_t)layout->n_items++;
        layout->items[bend] = (pg_draw_item){.box = box, .is_bend = true, .layer = layer, .half = BEND_HALF};
        PG_VEC_PUSH(pairs, ((pg_draw_pair){above, bend}));
        above = bend;
    }
}

static void add_bends(const pg_drawing *drawing, const ranks *r, pg_draw_layout *layout)
{
    uint32_t longest = UINT32_MAX, *reach = PG_ARENA_ARRAY(&layout->arena, uint32_t, r->n + 1);
    uint64_t bends;
    while ((bends = reach_of(drawing, r, longest, reach)) > MOST_BENDS)
        longest = longest > 4096 ? 4096 : longest / 2;
    pair_list pairs = {0};
    layout->items = PG_ARENA_ARRAY(&layout->arena, pg_draw_item, r->n + bends + 1);
    layout->n_items = r->n;
    layout->cut = PG_ARENA_ARRAY(&layout->arena, const pg_draw_edge *, drawing->n_edges + 1);
    for (size_t i = 0; i < r->n; i++)
        layout->items[i] = (pg_draw_item){(uint32_t)i, false, r->layer[i], 0, 0, drawing->boxes[i].width / 2};
    uint32_t *trunk = PG_ARENA_ARRAY(&layout->arena, uint32_t, r->n + 1); /* first bend of each box */
    for (size_t i = 0; i < r->n; i++) {
        trunk[i] = (uint32_t)layout->n_items;
        add_trunk(layout, (uint32_t)i, r->layer[i], reach[i], &pairs);
    }
    for (size_t i = 0; i < drawing->n_edges; i++) {
        const pg_draw_edge *edge = &drawing->edges[i];
        uint32_t from = r->layer[edge->from], to = r->layer[edge->to];
        if (to <= from || to - from > longest)
            layout->cut[layout->n_cut++] = edge;
        else
            PG_VEC_PUSH(
                &pairs,
                ((pg_draw_pair){to == from + 1 ? edge->from : trunk[edge->from] + to - from - 2, edge->to}));
    }
    layout->n_pairs = pairs.len;
    layout->pairs = PG_ARENA_ARRAY(&layout->arena, pg_draw_pair, pairs.len + 1);
    for (size_t i = 0; i < pairs.len; i++)
        layout->pairs[i] = pairs.items[i];
    PG_VEC_FREE(&pairs);
}

static void fill_layers(pg_draw_layout *layout)
{
    for (size_t i = 0; i < layout->n_items; i++)
        layout->n_layers = PG_MAX(layout->n_layers, layout->items[i].layer + (size_t)1);
    layout->layers = PG_ARENA_ARRAY(&layout->arena, uint32_t *, layout->n_layers + 1);
    layout->widths = PG_ARENA_ARRAY(&layout->arena, size_t, layout->n_layers + 1);
    for (size_t i = 0; i < layout->n_items; i++)
        layout->widths[layout->items[i].layer]++;
    for (size_t i = 0; i < layout->n_layers; i++) {
        layout->layers[i] = PG_ARENA_ARRAY(&layout->arena, uint32_t, layout->widths[i] + 1);
        layout->widths[i] = 0;
    }
    for (size_t i = 0; i < layout->n_items; i++) {
        pg_draw_item *item = &layout->items[i];
        item->place = (uint32_t)layout->widths[item->layer];
        layout->layers[item->layer][layout->widths[item->layer]++] = (uint32_t)i;
    }
}

void pg_draw_make_layers(const pg_drawing *drawing, pg_draw_layout *out)
{
    *out = (pg_draw_layout){0};
    pg_arena *arena = &out->arena;
    size_t n = drawing->n_boxes;
    pg_draw_pair *pairs = PG_ARENA_ARRAY(arena, pg_draw_pair, drawing->n_edges + 1);
    for (size_t i = 0; i < drawing->n_edges; i++)
        pairs[i] = (pg_draw_pair){drawing->edges[i].from, drawing->edges[i].to};
    ranks r = {.n = n,
               .up = pg_draw_connect(pairs, drawing->n_edges, n, false, arena),
               .down = pg_draw_connect(pairs, drawing->n_edges, n, true, arena),
               .order = PG_ARENA_ARRAY(arena, uint32_t, n + 1),
               .position = PG_ARENA_ARRAY(arena, uint32_t, n + 1),
               .layer = PG_ARENA_ARRAY(arena, uint32_t, n + 1)};
    sort_boxes(&r, arena);
    assign_layers(&r);
    add_bends(drawing, &r, out);
    fill_layers(out);
    out->up = pg_draw_connect(out->pairs, out->n_pairs, out->n_items, false, arena);
    out->down = pg_draw_connect(out->pairs, out->n_pairs, out->n_items, true, arena);
}
