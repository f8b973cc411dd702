/* Drawings of random, deep, wide and broken graphs: what must hold for every layout. */
#include "base/alloc.h"
#include "draw/internal.h"
#include "unit/harness.h"

enum { MAX_NODES = 4000 };

typedef struct sample {
    pg_arena arena;
    pg_node *nodes;
    size_t n;
    pg_value_info ends[2];
    pg_graph graph;
} sample;

static pg_str text_of(sample *s, const char *format, size_t number)
{
    return pg_str_c(pg_arena_printf(&s->arena, "%s%zu", format, number));
}

/* `n` nodes; node i makes "t<i>" and reads what `reads` says (SIZE_MAX: the input "x"). */
static void make(sample *s, size_t n, size_t (*reads)(size_t node, size_t which), size_t n_reads,
                 const char *(*scope)(sample *s, size_t node))
{
    *s = (sample){.n = n};
    s->nodes = PG_ARENA_ARRAY(&s->arena, pg_node, n + 1);
    for (size_t i = 0; i < n; i++) {
        pg_str *inputs = PG_ARENA_ARRAY(&s->arena, pg_str, n_reads),
               *outputs = PG_ARENA_NEW(&s->arena, pg_str);
        for (size_t k = 0; k < n_reads; k++) {
            size_t from = reads(i, k);
            inputs[k] = from == SIZE_MAX ? PG_STR("x") : text_of(s, "t", from);
        }
        *outputs = text_of(s, "t", i);
        s->nodes[i] = (pg_node){.op_type = i % 3 == 0 ? PG_STR("Conv") : PG_STR("Relu"),
                                .n_inputs = n_reads,
                                .inputs = inputs,
                                .n_outputs = 1,
                                .outputs = outputs,
                                .index = i};
        if (scope != NULL)
            s->nodes[i].name = pg_str_c(scope(s, i));
    }
    s->ends[0] = (pg_value_info){.name = PG_STR("x")};
    s->ends[1] = (pg_value_info){.name = text_of(s, "t", n - 1)};
    s->graph = (pg_graph){.n_nodes = n,
                          .nodes = s->nodes,
                          .n_inputs = 1,
                          .inputs = &s->ends[0],
                          .n_outputs = 1,
                          .outputs = &s->ends[1]};
}

static bool overlap(const pg_draw_box *a, const pg_draw_box *b)
{
    return fabs(a->x - b->x) < (a->width + b->width) / 2 - 0.01 &&
           fabs(a->y - b->y) < (a->height + b->height) / 2 - 0.01;
}

static void check_layout(const pg_drawing *drawing, bool sorted)
{
    size_t overlaps = 0, upwards = 0, outside = 0, cut = 0;
    for (size_t i = 0; i < drawing->n_boxes; i++) {
        const pg_draw_box *box = &drawing->boxes[i];
        outside += !(box->x - box->width / 2 >= 0 && box->x + box->width / 2 <= drawing->width &&
                     box->y - box->height / 2 >= 0 && box->y + box->height / 2 <= drawing->height);
        for (size_t k = 0; k < i; k++)
            overlaps += overlap(box, &drawing->boxes[k]);
    }
    for (size_t i = 0; i < drawing->n_edges; i++)
        upwards += drawing->boxes[drawing->edges[i].from].layer >= drawing->boxes[drawing->edges[i].to].layer;
    for (size_t i = 0; i < drawing->n_links; i++) {
        cut += drawing->links[i].cut;
        CHECK(i == 0 || drawing->links[i - 1].from <= drawing->links[i].from);
    }
    CHECK_INT(overlaps, 0);
    CHECK_INT(outside, 0);
    if (sorted) {
        CHECK_INT(upwards, 0);
        CHECK_INT(cut, 0);
    }
}

static uint64_t noise_state = 1;
static size_t noise(size_t below)
{
    noise_state = noise_state * 6364136223846793005U + 1442695040888963407U;
    return (size_t)(noise_state >> 33) % below;
}

static size_t nearby(size_t node, size_t which)
{
    size_t back = noise(5) + 1 + (which > 0 ? noise(20) : 0);
    return back > node ? SIZE_MAX : node - back;
}

TEST(random_graphs)
{
    for (size_t n = 1; n <= 300; n += 23) {
        sample s;
        pg_drawing drawing;
        make(&s, n, nearby, 2, NULL);
        pg_drawing_make(&s.graph, PG_DRAW_MOST_BOXES, &drawing);
        CHECK_INT(drawing.n_boxes, n + 2);
        pg_drawing_lay_out(&drawing);
        check_layout(&drawing, true);
        pg_drawing_deinit(&drawing);
        pg_arena_deinit(&s.arena);
    }
}

static size_t previous(size_t node, size_t which)
{
    (void)which;
    return node == 0 ? SIZE_MAX : node - 1;
}

TEST(a_chain_is_straight)
{
    sample s;
    pg_drawing drawing;
    make(&s, 50, previous, 1, NULL);
    pg_drawing_make(&s.graph, PG_DRAW_MOST_BOXES, &drawing);
    pg_drawing_lay_out(&drawing);
    for (size_t i = 0; i < drawing.n_boxes; i++)
        CHECK_NEAR(drawing.boxes[i].x, drawing.width / 2, 0.5);
    CHECK_INT(drawing.n_links, 51);
    pg_drawing_deinit(&drawing);
    pg_arena_deinit(&s.arena);
}

/* Two chains from one input never need to cross, whatever the order of their nodes. */
static size_t two_chains(size_t node, size_t which)
{
    (void)which;
    return node < 2 ? SIZE_MAX : node - 2;
}

TEST(no_needless_crossings)
{
    sample s;
    pg_drawing drawing;
    make(&s, 40, two_chains, 1, NULL);
    pg_drawing_make(&s.graph, PG_DRAW_MOST_BOXES, &drawing);
    pg_drawing_lay_out(&drawing);
    bool left = drawing.boxes[1].x < drawing.boxes[2].x;
    for (size_t i = 1; i + 1 < 40; i += 2)
        CHECK((drawing.boxes[i].x < drawing.boxes[i + 1].x) == left);
    pg_drawing_deinit(&drawing);
    pg_arena_deinit(&s.arena);
}

static const char *blocks_of_ten(sample *s, size_t node)
{
    return pg_arena_printf(&s->arena, "/block.%zu/part.%zu/op_%zu", node / 10, node / 5 % 2, node);
}

TEST(many_nodes_share_boxes)
{
    sample s;
    pg_drawing drawing;
    make(&s, MAX_NODES, nearby, 2, blocks_of_ten);
    pg_drawing_make(&s.graph, 500, &drawing);
    CHECK(drawing.collapsed);
    CHECK_INT(drawing.n_boxes, MAX_NODES / 10 + 2); /* the finest scopes that fit: the blocks */
    CHECK_STR(drawing.boxes[1].label, "/block.0");
    CHECK_STR(drawing.boxes[1].detail, "10 nodes");
    CHECK(strstr(drawing.boxes[1].tip, "Relu") != NULL);
    for (size_t i = 0; i < MAX_NODES; i++)
        CHECK_INT(drawing.box_of_node[i], 1 + i / 10);
    pg_drawing_lay_out(&drawing);
    check_layout(&drawing, true);
    pg_drawing_deinit(&drawing);
    pg_drawing_make(&s.graph, 37, &drawing); /* fewer than scopes */
    CHECK(drawing.n_boxes <= 37 + 2);
    pg_drawing_lay_out(&drawing);
    check_layout(&drawing, true);
    pg_drawing_deinit(&drawing);
    pg_arena_deinit(&s.arena);
}

/* All read the input and the first node: without a limit on bends that would be millions. */
static size_t all_from_the_first(size_t node, size_t which)
{
    return node == 0 ? SIZE_MAX : which == 0 ? node - 1 : which == 1 ? 0 : noise(node);
}

TEST(long_curves_are_cut)
{
    sample s;
    pg_drawing drawing;
    make(&s, 1900, all_from_the_first, 3, NULL);
    pg_drawing_make(&s.graph, PG_DRAW_MOST_BOXES, &drawing);
    pg_drawing_lay_out(&drawing);
    check_layout(&drawing, false);
    CHECK(drawing.n_links < 200000);
    pg_drawing_deinit(&drawing);
    pg_arena_deinit(&s.arena);
}

static size_t in_circles(size_t node, size_t which)
{
    return which == 0 ? (node + 1) % 30 : noise(30);
}

TEST(circles_and_empty_graphs)
{
    sample s;
    pg_drawing drawing;
    pg_buf text = {0};
    make(&s, 30, in_circles, 2, NULL);
    pg_drawing_make(&s.graph, PG_DRAW_MOST_BOXES, &drawing);
    pg_drawing_lay_out(&drawing);
    check_layout(&drawing, false);
    pg_drawing_deinit(&drawing);
    pg_arena_deinit(&s.arena);
    pg_graph empty = {0};
    pg_drawing_make(&empty, PG_DRAW_MOST_BOXES, &drawing);
    pg_drawing_lay_out(&drawing);
    pg_drawing_svg(&drawing, &(pg_draw_style){0}, &text);
    CHECK(strstr(pg_buf_cstr(&text), "</svg>") != NULL);
    pg_drawing_deinit(&drawing);
    pg_buf_deinit(&text);
}

TEST(scopes)
{
    CHECK(pg_str_is(pg_draw_scope(PG_STR("a/b/c"), 1), "a"));
    CHECK(pg_str_is(pg_draw_scope(PG_STR("/a/b/c"), 1), "/a"));
    CHECK(pg_str_is(pg_draw_scope(PG_STR("/a/b/c"), 9), "/a/b"));
    CHECK(pg_str_is(pg_draw_scope(PG_STR("abc"), 2), ""));
}

TEST(names_with_anything_in_them)
{
    static const char odd[] = "<y> & \"'\\\n\x01\xff]]>";
    sample s;
    pg_drawing drawing;
    pg_buf svg = {0}, dot = {0};
    make(&s, 3, previous, 1, NULL);
    s.nodes[1].name = s.nodes[1].op_type = pg_str_c(odd);
    s.ends[0].name = pg_str_c(odd);
    pg_drawing_make(&s.graph, PG_DRAW_MOST_BOXES, &drawing);
    pg_drawing_lay_out(&drawing);
    pg_drawing_svg(&drawing, &(pg_draw_style){.title = odd}, &svg);
    pg_drawing_dot(&drawing, odd, &dot);
    for (size_t i = 0; i < svg.len; i++)
        CHECK((unsigned char)svg.ptr[i] >= 0x20 || svg.ptr[i] == '\n');
    CHECK(strstr(pg_buf_cstr(&svg), "&lt;y&gt;") != NULL);
    CHECK(strstr(pg_buf_cstr(&dot), "<y> & \\\"'\\\\\\n") != NULL);
    pg_drawing_deinit(&drawing);
    pg_arena_deinit(&s.arena);
    pg_buf_deinit(&svg);
    pg_buf_deinit(&dot);
}

TEST_MAIN(RUN(random_graphs); RUN(a_chain_is_straight); RUN(no_needless_crossings);
          RUN(many_nodes_share_boxes); RUN(long_curves_are_cut); RUN(circles_and_empty_graphs); RUN(scopes);
          RUN(names_with_anything_in_them);)
