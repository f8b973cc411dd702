#include "tensor/value.h"

#include <stdlib.h>

#include "base/alloc.h"

static void free_items(pg_value *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pg_value_deinit(&items[i]);
    free(items);
}

void pg_value_deinit(pg_value *value)
{
    switch (value->kind) {
    case PG_VALUE_NONE:
        break;
    case PG_VALUE_TENSOR:
        pg_tensor_deinit(&value->tensor);
        break;
    case PG_VALUE_SEQUENCE:
        free_items(value->sequence.items, value->sequence.count);
        break;
    case PG_VALUE_MAP:
        pg_tensor_deinit(value->map.keys);
        free(value->map.keys);
        free_items(value->map.items, value->map.count);
        break;
    }
    *value = (pg_value){0};
}

static pg_value *share_items(const pg_value *items, size_t count)
{
    pg_value *copy = pg_calloc(count, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = pg_value_share(&items[i]);
    return copy;
}

pg_value pg_value_share(const pg_value *value)
{
    pg_value copy = *value;
    switch (value->kind) {
    case PG_VALUE_NONE:
        break;
    case PG_VALUE_TENSOR:
        copy.tensor = pg_tensor_share(&value->tensor);
        break;
    case PG_VALUE_SEQUENCE:
        copy.sequence.items = share_items(value->sequence.items, value->sequence.count);
        break;
    case PG_VALUE_MAP:
        copy.map.keys = PG_NEW(pg_tensor);
        *copy.map.keys = pg_tensor_share(value->map.keys);
        copy.map.items = share_items(value->map.items, value->map.count);
        break;
    }
    return copy;
}

pg_value *pg_feed_add(pg_feed *feed, pg_str name, pg_value value)
{
    if (feed->count == feed->cap) {
        feed->cap = PG_MAX(feed->cap * 2, (size_t)4);
        feed->items = pg_realloc(feed->items, feed->cap, sizeof *feed->items);
    }
    pg_named_value *item = &feed->items[feed->count++];
    *item = (pg_named_value){pg_strndup(name.ptr, name.len), value};
    return &item->value;
}

pg_value *pg_feed_find(const pg_feed *feed, pg_str name)
{
    for (size_t i = 0; i < feed->count; i++)
        if (pg_str_is(name, feed->items[i].name))
            return &feed->items[i].value;
    return NULL;
}

pg_feed pg_feed_share(const pg_feed *feed)
{
    pg_feed copy = {0};
    for (size_t i = 0; i < feed->count; i++)
        pg_feed_add(&copy, pg_str_c(feed->items[i].name), pg_value_share(&feed->items[i].value));
    return copy;
}

void pg_feed_deinit(pg_feed *feed)
{
    for (size_t i = 0; i < feed->count; i++) {
        free(feed->items[i].name);
        pg_value_deinit(&feed->items[i].value);
    }
    free(feed->items);
    *feed = (pg_feed){0};
}
