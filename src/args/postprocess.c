#include "args/args.h"
#include "args/missing.h"

static const pg_option rows[] = {
    {"--postprocess --postprocess-func", PG_FIELD(pg_args_postprocess, text), .metavar = "[NAME:]FUNC",
     .help =
         "what to compare instead of an output, or of all outputs; top-K[,axis=A] is the indices of the K "
         "largest elements along an axis, the last by default: --postprocess out0:top-5 top-3,axis=1"},
    {"--postprocess-func-script", .type = PG_ARG_TEXT, .missing = NEEDS_PYTHON,
     .help = "Python file with a function postprocess_outputs(iteration_result)", .flags = PG_OPTION_PATH},
};

static pg_status parse_top_k(const char *word, pg_str text, pg_top_k *out)
{
    pg_str count, axis = PG_STR("-1"), rest = text;
    pg_str_split(&rest, ',', &count);
    bool good = pg_str_starts(count, PG_STR("top-")) &&
                pg_value_int(pg_str_sub(count, 4, count.len), &out->k) && out->k >= 0;
    if (rest.ptr != NULL) {
        rest = pg_str_trim(rest);
        good = good && pg_str_starts(rest, PG_STR("axis="));
        axis = pg_str_sub(rest, 5, rest.len);
    }
    if (!good || !pg_value_int(axis, &out->axis))
        return pg_err(PG_ERR_INVALID, "option '--postprocess': '%s' is not '[output:]top-<K>[,axis=<axis>]'",
                      word);
    return NULL;
}

static pg_status finish(void *values, pg_arena *arena)
{
    pg_args_postprocess *args = values;
    pg_name_value *parts;
    PG_TRY(pg_values_by_name("--postprocess", &args->text, arena, &parts, &args->n_top_k));
    args->top_k = PG_ARENA_ARRAY(arena, pg_top_k, args->n_top_k + 1);
    for (size_t i = 0; i < args->n_top_k; i++) {
        args->top_k[i].output = parts[i].name;
        PG_TRY(parse_top_k(args->text.items[i], parts[i].value, &args->top_k[i]));
    }
    return NULL;
}

const pg_group pg_group_postprocess = {"Comparator Postprocessing", rows, PG_COUNT(rows), .finish = finish};
