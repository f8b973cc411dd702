#include "native/ops/broadcast.h"

#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"

void pg_broadcast_steps(size_t rank, size_t own_rank, const int64_t *own_dims, int64_t *out)
{
    int64_t step = 1;
    for (size_t i = rank, k = own_rank; i-- > 0;) {
        const int64_t dim = k > 0 ? own_dims[--k] : 1;
        out[i] = dim == 1 ? 0 : step;
        step *= dim;
    }
}

void pg_walk_init(pg_walk *walk, size_t rank, const int64_t *dims)
{
    walk->rank = rank;
    walk->n = 0;
    if (rank > 0)
        memcpy(walk->dims, dims, rank * sizeof *dims);
}

void pg_walk_add(pg_walk *walk, size_t rank, const int64_t *dims)
{
    pg_broadcast_steps(walk->rank, rank, dims, walk->strides[walk->n++]);
}

static bool can_merge(const pg_walk *w, size_t into, size_t from)
{
    for (size_t k = 0; k < w->n; k++)
        if (w->strides[k][into] != w->strides[k][from] * w->dims[from])
            return false;
    return true;
}

void pg_walk_merge(pg_walk *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->rank; i++) {
        if (w->dims[i] == 1)
            continue;
        bool merge = kept > 0 && can_merge(w, kept - 1, i);
        size_t at = merge ? kept - 1 : kept++;
        w->dims[at] = merge ? w->dims[at] * w->dims[i] : w->dims[i];
        for (size_t k = 0; k < w->n; k++)
            w->strides[k][at] = w->strides[k][i];
    }
    if (kept == 0) {
        w->dims[0] = 1;
        for (size_t k = 0; k < w->n; k++)
            w->strides[k][0] = 0;
        kept = 1;
    }
    w->rank = kept;
}

void pg_walk_range(const pg_walk *w, uint64_t begin, uint64_t end, pg_walk_row row, void *context)
{
    size_t last = w->rank - 1;
    int64_t index[PG_MAX_RANK], offsets[PG_WALK_MOST] = {0}, steps[PG_WALK_MOST] = {0};
    for (uint64_t i = w->rank, rest = begin; i-- > 0;) {
        index[i] = (int64_t)(rest % (size_t)w->dims[i]);
        rest /= (size_t)w->dims[i];
        for (size_t k = 0; k < w->n; k++)
            offsets[k] += index[i] * w->strides[k][i];
    }
    for (size_t k = 0; k < w->n; k++)
        steps[k] = w->strides[k][last];
    for (uint64_t at = begin; at < end;) {
        int64_t step = PG_MIN(w->dims[last] - index[last], (int64_t)(end - at));
        row(context, at, (size_t)step, offsets, steps);
        at += (uint64_t)step;
        for (size_t i = w->rank; i-- > 0; step = 1) {
            index[i] += step;
            for (size_t k = 0; k < w->n; k++)
                offsets[k] += step * w->strides[k][i];
            if (index[i] < w->dims[i])
                break;
            for (size_t k = 0; k < w->n; k++)
                offsets[k] -= index[i] * w->strides[k][i];
            index[i] = 0;
        }
    }
}

typedef struct walk_job {
    const pg_walk *walk;
    pg_walk_row row;
    void *context;
} walk_job;

static void walk_part(void *context, size_t begin, size_t end)
{
    const walk_job *job = context;
    pg_walk_range(job->walk, begin, end, job->row, job->context);
}

void pg_walk_run(pg_walk *walk, size_t grain, pg_walk_row row, void *context)
{
    size_t count = 1;
    for (size_t i = 0; i < walk->rank; i++)
        count *= (size_t)walk->dims[i];
    if (count == 0)
        return;
    pg_walk_merge(walk);
    walk_job job = {walk, row, context};
    pg_parallel_for(count, grain, walk_part, &job);
}

pg_status pg_broadcast_dims(const pg_op *op, size_t *rank, int64_t *dims, size_t more_rank,
                            const int64_t *more)
{
    size_t longest = PG_MAX(*rank, more_rank);
    int64_t joined[PG_MAX_RANK];
    for (size_t i = 0; i < longest; i++) {
        int64_t a = i < *rank ? dims[*rank - 1 - i] : 1, b = i < more_rank ? more[more_rank - 1 - i] : 1;
        if (a != b && a != 1 && b != 1) {
            pg_buf one = {0}, two = {0};
            pg_shape_text(&one, *rank, dims);
            pg_shape_text(&two, more_rank, more);
            pg_status status = pg_op_err(op, PG_ERR_INVALID, "shapes %s and %s cannot be broadcast together",
                                         pg_buf_cstr(&one), pg_buf_cstr(&two));
            pg_buf_deinit(&one);
            pg_buf_deinit(&two);
            return status;
        }
        joined[longest - 1 - i] = a == 1 ? b : a;
    }
    *rank = longest;
    if (longest > 0)
        memcpy(dims, joined, longest * sizeof *dims);
    return NULL;
}
