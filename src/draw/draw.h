/* Pictures of graphs: boxes for nodes, inputs and outputs, in layers from top to bottom.
 *
 *     pg_drawing drawing;
 *     pg_drawing_make(graph, PG_DRAW_MOST_BOXES, &drawing); // boxes and edges
 *     ... drawing.boxes[drawing.box_of_node[i]].has_colour = true ...
 *     pg_drawing_lay_out(&drawing);                         // places; not needed for DOT
 *     pg_drawing_svg(&drawing, &style, &text);
 *     pg_drawing_deinit(&drawing);
 *
 * Weights and nodes of type Constant are no boxes: they belong to the nodes that read them; of many outputs
 * only those that no node reads are. A graph of more
 * boxes than allowed is drawn with boxes that stand for several nodes of one scope (nodes whose names start
 * alike and that follow one another), so that the picture stays usable. Any graph can be drawn, also one that
 * is not sorted or not valid. A drawing borrows from its graph. */
#ifndef PG_DRAW_DRAW_H
#define PG_DRAW_DRAW_H

#include "base/arena.h"
#include "base/buf.h"
#include "onnx/onnx.h"

enum { PG_DRAW_MOST_BOXES = 2000 };
#define PG_DRAW_NO_BOX UINT32_MAX

typedef enum pg_draw_kind { PG_DRAW_INPUT, PG_DRAW_OUTPUT, PG_DRAW_NODE, PG_DRAW_GROUP } pg_draw_kind;

typedef struct pg_draw_box {
    pg_draw_kind kind;
    const char *label;  /* operator, name of the input or output, or scope */
    const char *detail; /* second line: type of an input or output, number of nodes; may be NULL */
    const char *tip;    /* what a pointer resting on it shows; may be NULL */
    size_t node;        /* first node it stands for; SIZE_MAX for inputs and outputs */
    size_t n_nodes;
    /* Set by the caller between make and svg. */
    bool has_colour, marked; /* marked: a thick red frame */
    uint8_t colour[3];
    const char *note; /* second line instead of `detail` */
    const char *link; /* id on the page that a click goes to, instead of the style's */
    /* Its middle, once laid out. */
    double x, y, width, height;
    uint32_t layer;
} pg_draw_box;

/* All tensors that go from one box to another. */
typedef struct pg_draw_edge {
    uint32_t from, to;
    pg_str tensor; /* the first of them */
    size_t n_tensors;
} pg_draw_edge;

/* One piece of a curve, from a box or from where an earlier piece ended. */
typedef struct pg_draw_link {
    uint32_t from; /* box the tensor comes from; links are sorted by it */
    bool arrives;  /* ends at a box */
    bool cut;      /* too long to draw: only its end is there */
    double x0, y0, x1, y1;
} pg_draw_link;

typedef struct pg_drawing {
    pg_arena arena; /* texts of boxes may be put here */
    pg_draw_box *boxes;
    size_t n_boxes;
    pg_draw_edge *edges; /* sorted by from, then to */
    size_t n_edges;
    uint32_t *box_of_node; /* PG_DRAW_NO_BOX for a node that is not drawn */
    size_t n_nodes;
    bool collapsed;
    pg_draw_link *links;
    size_t n_links;
    double width, height;
} pg_drawing;

void pg_drawing_make(const pg_graph *graph, size_t most_boxes, pg_drawing *out);
void pg_drawing_lay_out(pg_drawing *drawing);
void pg_drawing_deinit(pg_drawing *drawing);

typedef struct pg_draw_style {
    bool inside_page;   /* a page brings the style sheet and answers links; else a file of its own */
    const char *prefix; /* of the ids that boxes link to: "#<prefix><node>"; NULL = no links */
    const char *title;  /* of a file */
} pg_draw_style;
void pg_drawing_svg(const pg_drawing *drawing, const pg_draw_style *style, pg_buf *out);
/* The style sheet that an SVG inside a page expects. */
extern const char pg_draw_style_sheet[];
/* In the language of Graphviz. */
void pg_drawing_dot(const pg_drawing *drawing, const char *title, pg_buf *out);

/* A light colour for the boxes of an operator: the same one in every picture. */
void pg_draw_op_colour(const char *op, uint8_t rgb[3]);

/* "float32 [1, 3, 224, 224]", "sequence(int64 [batch])"; "" when nothing is known. */
void pg_draw_type_text(pg_buf *out, const pg_type *type);

/* A page that shows a model without any other file or network: a searchable list of nodes with attributes and
 * tensor types, and the picture of each graph. */
void pg_draw_page(const pg_model *model, const char *program, pg_buf *out);

#endif
