/* Places along a layer: as near as possible to where the neighbours are, without overlap, in the given order.
 * For one layer that is a least-squares problem with ordered unknowns; merging neighbours that want to be in
 * each other's place (isotonic regression) solves it exactly. Sweeps down and up let the layers agree. */
#include <math.h>

#include "base/alloc.h"
#include "draw/internal.h"

enum { SWEEPS = 60, GAP = 16, MARGIN = 16, LAYER_GAP = 30 };

/* Items that touch, as one. */
typedef struct block {
    double sum, weight; /* of what its items want, moved to the block's start */
    size_t first;
} block;

/* Distance between the middles of two neighbours in a layer. */
static double distance(const pg_draw_layout *layout, uint32_t left, uint32_t right)
{
    const pg_draw_item *a = &layout->items[left], *b = &layout->items[right];
    return a->half + b->half + (a->is_bend && b->is_bend ? 2 : GAP);
}

/* What an item wants: the mean place of its neighbours; a bend below a bend insists. */
static void wish(const pg_draw_layout *layout, uint32_t item, const pg_draw_neighbours *by, bool both,
                 double *out_x, double *out_weight)
{
    double sum = 0, weight = 0;
    const pg_draw_neighbours *sides[] = {by, by == &layout->up ? &layout->down : &layout->up};
    for (int side = 0; side < (both ? 2 : 1); side++)
        for (uint32_t k = sides[side]->first[item]; k < sides[side]->first[item + 1]; k++) {
            const pg_draw_item *other = &layout->items[sides[side]->all[k]];
            double w = layout->items[item].is_bend && other->is_bend ? 4 : 1;
            sum += w * other->x;
            weight += w;
        }
    *out_x = weight > 0 ? sum / weight : layout->items[item].x;
    *out_weight = weight > 0 ? (layout->items[item].is_bend ? 4 : 1) : 0.01;
}

static void place_layer(pg_draw_layout *layout, size_t layer, const pg_draw_neighbours *by, bool both,
                        block *blocks)
{
    const uint32_t *items = layout->layers[layer];
    size_t n = layout->widths[layer], count = 0;
    double offset = 0;
    for (size_t i = 0; i < n; i++) {
        double x, weight;
        offset += i > 0 ? distance(layout, items[i - 1], items[i]) : 0;
        wish(layout, items[i], by, both, &x, &weight);
        blocks[count++] = (block){(x - offset) * weight, weight, i};
        while (count > 1 && blocks[count - 2].sum / blocks[count - 2].weight >
                                blocks[count - 1].sum / blocks[count - 1].weight) {
            blocks[count - 2].sum += blocks[count - 1].sum;
            blocks[count - 2].weight += blocks[count - 1].weight;
            count--;
        }
    }
    offset = 0;
    for (size_t i = 0, b = 0; i < n; i++) {
        offset += i > 0 ? distance(layout, items[i - 1], items[i]) : 0;
        while (b + 1 < count && blocks[b + 1].first <= i)
            b++;
        layout->items[items[i]].x = blocks[b].sum / blocks[b].weight + offset;
    }
}

/* Side by side, around 0. */
static void start_layer(pg_draw_layout *layout, size_t layer)
{
    const uint32_t *items = layout->layers[layer];
    double x = 0;
    for (size_t i = 0; i < layout->widths[layer]; i++) {
        x += i > 0 ? distance(layout, items[i - 1], items[i]) : 0;
        layout->items[items[i]].x = x;
    }
    for (size_t i = 0; i < layout->widths[layer]; i++)
        layout->items[items[i]].x -= x / 2;
}

void pg_draw_place_items(pg_draw_layout *layout)
{
    size_t widest = 0;
    for (size_t i = 0; i < layout->n_layers; i++) {
        start_layer(layout, i);
        widest = PG_MAX(widest, layout->widths[i]);
    }
    block *blocks = PG_ARENA_ARRAY(&layout->arena, block, widest + 1);
    for (size_t sweep = 0; sweep < SWEEPS; sweep++) {
        bool down = sweep % 2 == 0, both = sweep + 40 >= SWEEPS;
        for (size_t i = 0; i < layout->n_layers; i++)
            place_layer(layout, down ? i : layout->n_layers - 1 - i, down ? &layout->up : &layout->down, both,
                        blocks);
    }
}

/* ---- Onto the page ---- */

static void place_boxes(pg_drawing *drawing, const pg_draw_layout *layout, const double *middles)
{
    double left = INFINITY, right = -INFINITY;
    for (size_t i = 0; i < layout->n_items; i++) {
        left = fmin(left, layout->items[i].x - layout->items[i].half);
        right = fmax(right, layout->items[i].x + layout->items[i].half);
    }
    drawing->width = layout->n_items > 0 ? right - left + 2 * MARGIN : 2 * MARGIN;
    for (size_t i = 0; i < layout->n_items; i++)
        layout->items[i].x += MARGIN - left;
    for (size_t i = 0; i < drawing->n_boxes; i++) {
        pg_draw_box *box = &drawing->boxes[i];
        box->layer = layout->items[i].layer;
        box->x = layout->items[i].x;
        box->y = middles[box->layer];
    }
}

/* Curves leave a box at its lower edge and reach one at its upper edge. */
static pg_draw_link link_of(const pg_drawing *drawing, const pg_draw_layout *layout, const pg_draw_pair *pair,
                            const double *middles)
{
    const pg_draw_item *a = &layout->items[pair->a], *b = &layout->items[pair->b];
    pg_draw_link link = {a->box, !b->is_bend, false, a->x, middles[a->layer], b->x, middles[b->layer]};
    link.y0 += a->is_bend ? 0 : drawing->boxes[a->box].height / 2;
    link.y1 -= b->is_bend ? 0 : drawing->boxes[b->box].height / 2;
    return link;
}

static void place_links(pg_drawing *drawing, const pg_draw_layout *layout, const double *middles)
{
    enum { STUB = 14 };
    size_t *next = PG_ARENA_ARRAY(&drawing->arena, size_t, drawing->n_boxes + 2);
    drawing->n_links = layout->n_pairs + layout->n_cut;
    drawing->links = PG_ARENA_ARRAY(&drawing->arena, pg_draw_link, drawing->n_links + 1);
    for (size_t i = 0; i < layout->n_pairs; i++)
        next[layout->items[layout->pairs[i].a].box + 1]++;
    for (size_t i = 0; i < layout->n_cut; i++)
        next[layout->cut[i]->from + 1]++;
    for (size_t i = 1; i <= drawing->n_boxes; i++)
        next[i] += next[i - 1];
    for (size_t i = 0; i < layout->n_pairs; i++) {
        pg_draw_link link = link_of(drawing, layout, &layout->pairs[i], middles);
        drawing->links[next[link.from]++] = link;
    }
    for (size_t i = 0; i < layout->n_cut; i++) {
        const pg_draw_box *to = &drawing->boxes[layout->cut[i]->to];
        double x = to->x - to->width / 2 + 8, y = to->y - to->height / 2;
        drawing->links[next[layout->cut[i]->from]++] =
            (pg_draw_link){layout->cut[i]->from, true, true, x, y - STUB, x, y};
    }
}

void pg_drawing_lay_out(pg_drawing *drawing)
{
    pg_draw_layout layout;
    for (size_t i = 0; i < drawing->n_boxes; i++)
        pg_draw_size_box(&drawing->boxes[i]);
    pg_draw_make_layers(drawing, &layout);
    pg_draw_order_layers(&layout);
    pg_draw_place_items(&layout);
    double *middles = PG_ARENA_ARRAY(&drawing->arena, double, layout.n_layers + 1), y = MARGIN;
    for (size_t i = 0; i < layout.n_layers; i++) {
        double highest = 0;
        for (size_t k = 0; k < layout.widths[i]; k++)
            if (!layout.items[layout.layers[i][k]].is_bend)
                highest = fmax(highest, drawing->boxes[layout.layers[i][k]].height);
        middles[i] = y + highest / 2;
        y += highest + LAYER_GAP;
    }
    drawing->height = y - LAYER_GAP + MARGIN;
    if (layout.n_layers == 0)
        drawing->height = 2 * MARGIN;
    place_boxes(drawing, &layout, middles);
    place_links(drawing, &layout, middles);
    pg_arena_deinit(&layout.arena);
}
