#include "args/args.h"
#include "native/watch.h"

static const pg_option rows[] = {
    {"--range-report", PG_FIELD(pg_args_ranges, types_text), .arity = PG_ARITY_ANY, .metavar = "TYPE",
     .flags = PG_OPTION_OURS,
     .help =
         "run the model once in float32 with the built-in engine, on the first input, and list the tensors "
         "whose "
         "values would overflow, or become 0, in these types: fp16, bf16, fp8 (fp8-e4m3 and fp8-e5m2), int8 "
         "(default: all)"},
    {"--save-range-report", PG_FIELD(pg_args_ranges, save), .metavar = "FILE",
     .help = "save the ranges of all tensors as JSON", .flags = PG_OPTION_OURS | PG_OPTION_PATH},
};

static pg_status unknown_type(const char *word)
{
    static const char *const names[] = {"fp16", "bf16", "fp8", "fp8-e4m3", "fp8-e5m2", "int8"};
    return pg_value_not_one_of("--range-report", pg_str_c(word), names, PG_COUNT(names));
}

static pg_status finish(void *values, pg_arena *arena)
{
    pg_args_ranges *args = values;
    (void)arena;
    args->wanted = args->types_text.set || args->save != NULL;
    if (args->types_text.count == 0)
        args->types = (1u << PG_WATCH_TYPES) - 1;
    for (size_t i = 0; i < args->types_text.count; i++) {
        unsigned bits;
        if (!pg_watch_type_parse(pg_str_c(args->types_text.items[i]), &bits))
            return unknown_type(args->types_text.items[i]);
        args->types |= bits;
    }
    return NULL;
}

const pg_group pg_group_ranges = {"Ranges of Tensors", rows, PG_COUNT(rows), .finish = finish};
