#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "compare/compare.h"

polygraphy_code polygraphy_results_new(polygraphy_results **out)
{
    pg_api_begin();
    *out = PG_NEW(polygraphy_results);
    return pg_api_end(NULL);
}

void polygraphy_results_free(polygraphy_results *results)
{
    if (results == NULL)
        return;
    pg_run_results_deinit(&results->results);
    free(results);
}

polygraphy_code polygraphy_results_load(polygraphy_results *results, const char *path)
{
    pg_api_begin();
    return pg_api_end(pg_results_load(path, &results->results));
}

polygraphy_code polygraphy_results_save(const polygraphy_results *results, const char *path)
{
    pg_api_begin();
    return pg_api_end(pg_results_save(path, &results->results));
}

polygraphy_code polygraphy_results_add(polygraphy_results *results, const char *runner,
                                       const polygraphy_feed *outputs, double seconds)
{
    pg_run_results *all = &results->results;
    pg_runner_results *run = NULL;
    pg_api_begin();
    for (size_t i = all->count; i-- > 0 && run == NULL;)
        if (strcmp(all->items[i].name, runner) == 0)
            run = &all->items[i];
    if (run == NULL)
        run = pg_run_results_add(all, pg_str_c(runner));
    pg_iteration *iteration = pg_runner_results_add(run);
    iteration->outputs = pg_feed_share(&outputs->feed);
    iteration->has_runtime = seconds >= 0;
    iteration->runtime = seconds >= 0 ? seconds : 0;
    iteration->runner_name = pg_strndup(runner, strlen(runner));
    return pg_api_end(NULL);
}

size_t polygraphy_results_count(const polygraphy_results *results)
{
    return results->results.count;
}

const char *polygraphy_results_runner(const polygraphy_results *results, size_t run)
{
    return run < results->results.count ? results->results.items[run].name : NULL;
}

size_t polygraphy_results_iterations(const polygraphy_results *results, size_t run)
{
    return run < results->results.count ? results->results.items[run].count : 0;
}

polygraphy_code polygraphy_results_outputs(const polygraphy_results *results, size_t run, size_t iteration,
                                           polygraphy_feed **out)
{
    const pg_run_results *all = &results->results;
    *out = NULL;
    pg_api_begin();
    if (run >= all->count || iteration >= all->items[run].count)
        return pg_api_end(pg_err(PG_ERR_NOT_FOUND, "there is no iteration %zu of run %zu", iteration, run));
    *out = pg_api_feed_new(pg_feed_share(&all->items[run].items[iteration].outputs));
    return pg_api_end(NULL);
}

polygraphy_code polygraphy_results_validate(const polygraphy_results *results, bool *out_valid)
{
    static const pg_validation_options options = {.check_nan = true, .check_inf = true};
    *out_valid = false;
    pg_api_begin();
    return pg_api_end(pg_validate_results(&results->results, &options, out_valid));
}

static pg_status top_k(pg_run_results *results, const pg_top_k *items, size_t count)
{
    for (size_t r = 0; r < results->count; r++)
        for (size_t i = 0; i < results->items[r].count; i++)
            PG_TRY_CTX(pg_postprocess_top_k(&results->items[r].items[i], items, count),
                       "while post-processing the outputs of %s", results->items[r].name);
    return NULL;
}

polygraphy_code polygraphy_results_top_k(polygraphy_results *results, const polygraphy_top_k *items,
                                         size_t n_items)
{
    pg_api_begin();
    pg_top_k *own = pg_calloc(n_items + 1, sizeof *own);
    for (size_t i = 0; i < n_items; i++)
        own[i] = (pg_top_k){pg_str_c(items[i].output), items[i].k, items[i].axis};
    pg_status status = top_k(&results->results, own, n_items);
    free(own);
    return pg_api_end(status);
}
