/* NonMaxSuppression. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "native/ops/nn.h"

typedef struct candidate {
    double score;
    int64_t index;
} candidate;

static int by_score(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

typedef struct box {
    double y0, x0, y1, x1;
} box;

static box box_of(const double *b, bool center)
{
    if (center)
        return (box){b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
    return (box){PG_MIN(b[0], b[2]), PG_MIN(b[1], b[3]), PG_MAX(b[0], b[2]), PG_MAX(b[1], b[3])};
}

/* Intersection over union. */
static double overlap(box a, box b)
{
    const double h = PG_MIN(a.y1, b.y1) - PG_MAX(a.y0, b.y0), w = PG_MIN(a.x1, b.x1) - PG_MAX(a.x0, b.x0);
    if (!(h > 0 && w > 0))
        return 0;
    const double area_a = (a.y1 - a.y0) * (a.x1 - a.x0), area_b = (b.y1 - b.y0) * (b.x1 - b.x0);
    const double both = h * w, all = area_a + area_b - both;
    return all > 0 ? both / all : 0;
}

typedef PG_VEC(int64_t) index_list;

typedef struct nms {
    const double *boxes, *scores;
    int64_t n_boxes, n_classes, most;
    double iou_threshold, score_threshold;
    bool center, has_score_threshold;
    candidate *candidates;
} nms;

static void suppress(const nms *s, int64_t image, int64_t class, index_list *out)
{
    const double *scores = s->scores + (image * s->n_classes + class) * s->n_boxes;
    const double *boxes = s->boxes + image * s->n_boxes * 4;
    size_t n = 0;
    for (int64_t i = 0; i < s->n_boxes; i++)
        if (!s->has_score_threshold || scores[i] > s->score_threshold)
            s->candidates[n++] = (candidate){scores[i], i};
    qsort(s->candidates, n, sizeof *s->candidates, by_score);
    const size_t first = out->len;
    for (size_t c = 0; c < n && (int64_t)((out->len - first) / 3) < s->most; c++) {
        const box fresh = box_of(boxes + s->candidates[c].index * 4, s->center);
        bool keep = true;
        for (size_t k = first; k < out->len && keep; k += 3)
            keep = overlap(fresh, box_of(boxes + out->items[k + 2] * 4, s->center)) <= s->iou_threshold;
        if (keep) {
            PG_VEC_PUSH(out, image);
            PG_VEC_PUSH(out, class);
            PG_VEC_PUSH(out, s->candidates[c].index);
        }
    }
}

static pg_status read_limits(const pg_op *op, nms *s)
{
    int64_t center;
    PG_TRY(pg_op_attr_i(op, "center_point_box", 0, &center));
    s->center = center != 0;
    for (size_t i = 2; i < 5; i++) {
        const pg_tensor *limit = pg_op_in(op, i);
        if (limit == NULL)
            continue;
        if (i == 2 ? !pg_dtype_is_integer(limit->dtype) : !pg_dtype_is_float(limit->dtype))
            return pg_op_bad_type(op, i);
        if (pg_tensor_count(limit) != 1)
            return pg_op_err(op, PG_ERR_INVALID, "input %zu is not one number", i);
    }
    s->most = pg_op_in(op, 2) != NULL ? pg_tensor_get_i64(pg_op_in(op, 2), 0) : 0;
    s->iou_threshold = pg_op_in(op, 3) != NULL ? pg_tensor_get_f64(pg_op_in(op, 3), 0) : 0;
    s->has_score_threshold = pg_op_in(op, 4) != NULL;
    s->score_threshold = s->has_score_threshold ? pg_tensor_get_f64(pg_op_in(op, 4), 0) : 0;
    return NULL;
}

static pg_status run_nms(pg_op *op)
{
    PG_TRY(nn_need_floats(op, 2));
    const pg_tensor *boxes = pg_op_in(op, 0), *scores = pg_op_in(op, 1);
    if (boxes->rank != 3 || scores->rank != 3 || boxes->dims[2] != 4 || boxes->dims[0] != scores->dims[0] ||
        boxes->dims[1] != scores->dims[2])
        return pg_op_err(op, PG_ERR_INVALID, "boxes and scores do not fit each other");
    nms s = {.n_boxes = boxes->dims[1], .n_classes = scores->dims[1]};
    void *memory;
    PG_TRY(read_limits(op, &s));
    PG_TRY(nn_f64(op, 0, &s.boxes));
    PG_TRY(nn_f64(op, 1, &s.scores));
    PG_TRY(pg_op_scratch(op, ((uint64_t)s.n_boxes + 1) * sizeof(candidate), &memory));
    s.candidates = memory;
    index_list selected = {0};
    for (int64_t image = 0; image < boxes->dims[0]; image++)
        for (int64_t class = 0; class < s.n_classes; class ++)
            suppress(&s, image, class, &selected);
    pg_tensor *y;
    pg_status status = pg_op_out(op, 0, PG_I64, 2, (int64_t[]){(int64_t)selected.len / 3, 3}, &y);
    if (status == NULL && selected.len > 0)
        memcpy(y->data, selected.items, selected.len * sizeof(int64_t));
    PG_VEC_FREE(&selected);
    return status;
}

const pg_kernel pg_kernels_detect[] = {
    {"", "NonMaxSuppression", 10, 0, run_nms, NULL, NULL, PG_KERNEL_HALF_VIA_F32},
    {0},
};
