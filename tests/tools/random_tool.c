/* Prints the bytes of random inputs, for the parity tests.
 *
 *     random_tool SEED ITERATION INPUT ...
 *
 * INPUT is "DTYPE/DIM,DIM,.../LOW/HIGH"; an open dim is "?", no dims are "-", a bound is a number or empty,
 * one with a point, an "e" or "inf" is a float. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/loader.h"
#include "log/log.h"

enum { MOST = 16 };

static pg_range_bound bound(pg_str text)
{
    pg_range_bound b = {0};
    if (text.len == 0)
        return b;
    b.given = true;
    b.is_integer = pg_str_to_i64(text, &b.integer);
    if (b.is_integer)
        b.real = (double)b.integer;
    else if (!pg_str_to_f64(text, &b.real))
        exit(2);
    return b;
}

int main(int argc, char **argv)
{
    static pg_dim dims[MOST][PG_MAX_RANK];
    static char names[MOST][8];
    pg_io inputs[MOST] = {0};
    pg_input_range ranges[MOST] = {0};
    pg_loader_options options = pg_loader_defaults;
    if (argc < 4 || argc - 3 > MOST)
        return 2;
    pg_log_set_severity(PG_STR(""), PG_ERROR);
    for (int i = 3; i < argc; i++) {
        pg_str rest = pg_str_c(argv[i]), dtype, shape, part, low = {0}, high = {0};
        pg_io *input = &inputs[i - 3];
        if (!pg_str_split(&rest, '/', &dtype) || !pg_str_split(&rest, '/', &shape))
            return 2;
        (void)(pg_str_split(&rest, '/', &low) && pg_str_split(&rest, '/', &high));
        snprintf(names[i - 3], sizeof names[0], "i%d", i - 3);
        input->name = pg_str_c(names[i - 3]);
        input->type = (pg_type){
            .kind = PG_TYPE_TENSOR, .elem = pg_dtype_parse(dtype), .has_shape = true, .dims = dims[i - 3]};
        while (!pg_str_is(shape, "-") && pg_str_split(&shape, ',', &part)) {
            pg_dim *dim = &dims[i - 3][input->type.rank++];
            dim->has_value = pg_str_to_i64(part, &dim->value);
        }
        ranges[options.n_ranges++] = (pg_input_range){input->name, bound(low), bound(high)};
    }
    options.ranges = ranges;
    options.seed = strtoll(argv[1], NULL, 10);
    pg_feed feed;
    pg_status status =
        pg_loader_get(&options, (pg_io_list){inputs, (size_t)argc - 3}, strtoull(argv[2], NULL, 10), &feed);
    if (status != NULL) {
        fprintf(stderr, "random_tool: %s\n", pg_status_message(status));
        pg_status_drop(status);
        return 1;
    }
    for (size_t i = 0; i < feed.count; i++) {
        const pg_tensor *tensor = &feed.items[i].value.tensor;
        fwrite(tensor->data, 1, pg_tensor_bytes(tensor), stdout);
    }
    pg_feed_deinit(&feed);
    return 0;
}
