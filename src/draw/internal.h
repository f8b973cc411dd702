/* Private to draw/. */
#ifndef PG_DRAW_INTERNAL_H
#define PG_DRAW_INTERNAL_H

#include "draw/draw.h"

/* ---- Collapsing (collapse.c) ---- */

/* Nodes to boxes: (*out_group)[i] for each of the `n` nodes in `order`, ascending along it, so that no cycle
 * comes to be. At most `most` groups. */
size_t pg_draw_collapse(const pg_node *nodes, const size_t *order, size_t n, size_t most,
                        uint32_t *out_group);
/* "encoder/layer.0" of "encoder/layer.0/Add" with depth 2; shorter names are cut before their last part. */
pg_str pg_draw_scope(pg_str name, size_t depth);

/* ---- Layout (layers.c, order.c, place.c) ---- */

/* Room for the texts. */
void pg_draw_size_box(pg_draw_box *box);

/* What lies in a layer: a box, or a bend of a curve that passes through. */
typedef struct pg_draw_item {
    uint32_t box; /* of a bend: the box its curve comes from */
    bool is_bend;
    uint32_t layer, place; /* place: index in its layer */
    double x, half;        /* half: of its width */
} pg_draw_item;

typedef struct pg_draw_pair {
    uint32_t a, b;
} pg_draw_pair;

/* Neighbours of each item: all[first[i] .. first[i + 1]). */
typedef struct pg_draw_neighbours {
    uint32_t *first, *all;
} pg_draw_neighbours;

typedef struct pg_draw_layout {
    pg_arena arena;
    pg_draw_item *items; /* boxes first */
    size_t n_items, n_layers;
    uint32_t **layers;   /* items from left to right */
    size_t *widths;      /* items of each layer */
    pg_draw_pair *pairs; /* a lies in the layer above b */
    size_t n_pairs;
    pg_draw_neighbours up, down;
    const pg_draw_edge **cut; /* edges without pairs: too long, or upwards */
    size_t n_cut;
} pg_draw_layout;

/* Neighbours by counting; `forward` from a to b. */
pg_draw_neighbours pg_draw_connect(const pg_draw_pair *pairs, size_t n_pairs, size_t n_items, bool forward,
                                   pg_arena *arena);
void pg_draw_make_layers(const pg_drawing *drawing, pg_draw_layout *out);
void pg_draw_order_layers(pg_draw_layout *layout);
void pg_draw_place_items(pg_draw_layout *layout);

#endif
