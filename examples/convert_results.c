/* Reads results of runs, says what is in them and writes them in another format, which the extension names.
 *
 *     convert_results RESULTS... OUTPUT
 *
 * For example: convert_results golden.json more.json golden.npz */
#include <polygraphy.h>
#include <stdio.h>
#include <stdlib.h>

static void must(polygraphy_code code)
{
    if (code == POLYGRAPHY_OK)
        return;
    fprintf(stderr, "convert_results: %s\n", polygraphy_error_message());
    exit(1);
}

static void print_outputs(const polygraphy_feed *outputs)
{
    for (size_t i = 0; i < polygraphy_feed_count(outputs); i++) {
        polygraphy_array *array;
        const char *name = polygraphy_feed_name(outputs, i);
        if (polygraphy_feed_at(outputs, i, &array) != POLYGRAPHY_OK) {
            printf("    %s: %s\n", name, polygraphy_error_message());
            continue;
        }
        printf("    %s: %s, %llu elements\n", name, polygraphy_dtype_name(polygraphy_array_dtype(array)),
               (unsigned long long)polygraphy_array_count(array));
        polygraphy_array_unref(array);
    }
}

static void print_run(const polygraphy_results *results, size_t run)
{
    polygraphy_feed *outputs;
    size_t iterations = polygraphy_results_iterations(results, run);
    printf("%s: %zu iterations\n", polygraphy_results_runner(results, run), iterations);
    if (iterations == 0)
        return;
    must(polygraphy_results_outputs(results, run, 0, &outputs));
    print_outputs(outputs);
    polygraphy_feed_free(outputs);
}

int main(int argc, char **argv)
{
    polygraphy_results *results;
    if (argc < 3) {
        fprintf(stderr, "usage: convert_results RESULTS... OUTPUT\n");
        return 2;
    }
    must(polygraphy_results_new(&results));
    for (int i = 1; i < argc - 1; i++)
        must(polygraphy_results_load(results, argv[i]));
    for (size_t run = 0; run < polygraphy_results_count(results); run++)
        print_run(results, run);
    must(polygraphy_results_save(results, argv[argc - 1]));
    polygraphy_results_free(results);
    return 0;
}
