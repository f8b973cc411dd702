/* Which nodes share a box when there are too many of them. Groups are runs of consecutive nodes in an order
 * where producers come first: whatever the runs are, the graph of the groups has no cycle. */
#include "draw/internal.h"

pg_str pg_draw_scope(pg_str name, size_t depth)
{
    size_t end = 0, last = 0, parts = 0;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] != '/')
            continue;
        last = i;
        if (i > 0 && ++parts == depth && end == 0)
            end = i;
    }
    return pg_str_sub(name, 0, end > 0 ? end : last);
}

static size_t group_by_scope(const pg_node *nodes, const size_t *order, size_t n, size_t depth,
                             uint32_t *out_group)
{
    size_t count = 0;
    pg_str current = PG_STR_EMPTY;
    for (size_t i = 0; i < n; i++) {
        pg_str scope = pg_draw_scope(nodes[order[i]].name, depth);
        if (i == 0 || scope.len == 0 || !pg_str_eq(scope, current))
            count++;
        current = scope;
        out_group[i] = (uint32_t)(count - 1);
    }
    return count;
}

/* The finest grouping by scopes that is coarse enough, else runs of equal length. */
size_t pg_draw_collapse(const pg_node *nodes, const size_t *order, size_t n, size_t most, uint32_t *out_group)
{
    enum { DEEPEST = 8 };
    most = most > 0 ? most : 1;
    for (size_t depth = DEEPEST; depth > 0 && n > most; depth--) {
        size_t count = group_by_scope(nodes, order, n, depth, out_group);
        if (count <= most)
            return count;
    }
    size_t length = (n + most - 1) / most;
    for (size_t i = 0; i < n; i++)
        out_group[i] = (uint32_t)(i / length);
    return (n + length - 1) / (length > 0 ? length : 1);
}
