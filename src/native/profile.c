#include "native/profile.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/vec.h"

typedef struct entry {
    const pg_node *node; /* its address, as bytes, is the key */
    pg_profile_row row;
} entry;

/* A call that has ended and may turn out to be part of another, in nanoseconds. */
typedef struct span {
    double start, length;
} span;

struct pg_profile {
    pg_observer observer;
    pg_arena arena; /* of the rows' texts */
    pg_map by_node;
    PG_VEC(entry *) entries;
    PG_VEC(span) ended; /* of the present run, each after what it is not part of */
    PG_VEC(pg_profile_row) nodes, operators;
    uint64_t runs;
    double seconds;
};

static entry *entry_of(pg_profile *profile, const pg_node *node)
{
    entry *found = pg_map_find(&profile->by_node, (pg_str){(const char *)&node, sizeof(const pg_node *)});
    if (found != NULL)
        return found;
    found = PG_NEW(entry);
    *found = (entry){.node = node, .row = {.nodes = 1}};
    found->row.node = pg_arena_str(&profile->arena, node->name);
    found->row.op_type = pg_arena_str(&profile->arena, node->op_type);
    found->row.domain = pg_arena_str(&profile->arena, node->domain);
    PG_VEC_PUSH(&profile->entries, found);
    pg_map_put(&profile->by_node, (pg_str){(const char *)&found->node, sizeof(const pg_node *)}, found);
    return found;
}

/* A node is seen when it ends, after the nodes of its subgraphs: those are the ended calls that began after
 * it did. */
static pg_status see_node(void *context, const pg_node *node, const pg_value *const *inputs,
                          const pg_value *outputs, double seconds)
{
    pg_profile *profile = context;
    const double length = seconds * 1e9, start = (double)pg_clock_ns() - length;
    double inside = 0;
    (void)inputs;
    (void)outputs;
    while (profile->ended.len > 0 && profile->ended.items[profile->ended.len - 1].start >= start)
        inside += profile->ended.items[--profile->ended.len].length;
    PG_VEC_PUSH(&profile->ended, ((span){start, length}));
    entry *e = entry_of(profile, node);
    e->row.calls++;
    e->row.total += seconds;
    e->row.self += inside < length ? (length - inside) * 1e-9 : 0;
    return NULL;
}

pg_profile *pg_profile_new(void)
{
    pg_profile *profile = PG_NEW(pg_profile);
    profile->observer = (pg_observer){profile, see_node};
    return profile;
}

void pg_profile_free(pg_profile *profile)
{
    if (profile == NULL)
        return;
    for (size_t i = 0; i < profile->entries.len; i++)
        free(profile->entries.items[i]);
    PG_VEC_FREE(&profile->entries);
    PG_VEC_FREE(&profile->ended);
    PG_VEC_FREE(&profile->nodes);
    PG_VEC_FREE(&profile->operators);
    pg_map_deinit(&profile->by_node);
    pg_arena_deinit(&profile->arena);
    free(profile);
}

const pg_observer *pg_profile_observer(const pg_profile *profile)
{
    return &profile->observer;
}

void pg_profile_end_run(pg_profile *profile, double seconds)
{
    profile->ended.len = 0;
    profile->runs++;
    profile->seconds += seconds;
}

uint64_t pg_profile_runs(const pg_profile *profile)
{
    return profile->runs;
}

double pg_profile_seconds(const pg_profile *profile)
{
    return profile->seconds;
}

static int by_self(const void *a, const void *b)
{
    double x = ((const pg_profile_row *)a)->self, y = ((const pg_profile_row *)b)->self;
    return (x < y) - (x > y);
}

const pg_profile_row *pg_profile_nodes(pg_profile *profile, size_t *out_count)
{
    profile->nodes.len = 0;
    for (size_t i = 0; i < profile->entries.len; i++)
        PG_VEC_PUSH(&profile->nodes, profile->entries.items[i]->row);
    *out_count = profile->nodes.len;
    if (profile->nodes.len > 0)
        qsort(profile->nodes.items, profile->nodes.len, sizeof(pg_profile_row), by_self);
    return profile->nodes.items;
}

const pg_profile_row *pg_profile_operators(pg_profile *profile, size_t *out_count)
{
    profile->operators.len = 0;
    for (size_t i = 0; i < profile->entries.len; i++) {
        const pg_profile_row *from = &profile->entries.items[i]->row;
        pg_profile_row *to = NULL;
        for (size_t k = 0; k < profile->operators.len && to == NULL; k++)
            if (pg_str_eq(profile->operators.items[k].op_type, from->op_type) &&
                pg_str_eq(profile->operators.items[k].domain, from->domain))
                to = &profile->operators.items[k];
        if (to == NULL) {
            to = PG_VEC_ADD(&profile->operators);
            *to = (pg_profile_row){.op_type = from->op_type, .domain = from->domain};
        }
        to->nodes += from->nodes;
        to->calls += from->calls;
        to->total += from->total;
        to->self += from->self;
    }
    *out_count = profile->operators.len;
    if (profile->operators.len > 0)
        qsort(profile->operators.items, profile->operators.len, sizeof(pg_profile_row), by_self);
    return profile->operators.items;
}
