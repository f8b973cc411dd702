/* Runs a model on ONNX Runtime and on the built-in engine and tells how far apart they are.
 *
 *     compare_runtimes MODEL [TOLERANCE]
 *
 * Exit status 0: everything within the tolerance; 1: not; 2: something went wrong. */
#include <polygraphy.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program when a call failed. */
static void must(polygraphy_code code)
{
    if (code == POLYGRAPHY_OK)
        return;
    fprintf(stderr, "compare_runtimes: %s\n", polygraphy_error_message());
    exit(2);
}

static void run(polygraphy_model *model, const char *runtime, polygraphy_results *results)
{
    polygraphy_runner *runner;
    polygraphy_inputs *inputs;
    polygraphy_random_options random = POLYGRAPHY_RANDOM_OPTIONS_INIT;
    random.iterations = 3;
    must(polygraphy_runner_open(model, runtime, NULL, &runner));
    must(polygraphy_inputs_random(runner, &random, &inputs));
    must(polygraphy_results_run(results, runner, inputs));
    printf("%s: %zu iterations\n", polygraphy_runner_runtime(runner), polygraphy_inputs_count(inputs));
    polygraphy_inputs_free(inputs);
    polygraphy_runner_close(runner);
}

static void print_iteration(const polygraphy_comparison *comparison, size_t iteration)
{
    for (size_t i = 0; i < polygraphy_comparison_output_count(comparison, 0, iteration); i++) {
        const polygraphy_output_result *found = polygraphy_comparison_output(comparison, 0, iteration, i);
        printf("%s  iteration %zu  %-20s", found->passed ? "pass" : "FAIL", iteration, found->output0);
        if (found->problem != NULL)
            printf("  %s\n", found->problem);
        else
            printf("  largest difference %g, mean %g, elements beyond the tolerance: %llu of %llu\n",
                   found->max_abs, found->mean_abs, (unsigned long long)found->mismatches,
                   (unsigned long long)found->elements);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: compare_runtimes MODEL [TOLERANCE]\n");
        return 2;
    }
    polygraphy_output_number tolerance = {NULL, argc > 2 ? atof(argv[2]) : 1e-5};
    polygraphy_compare_options options = POLYGRAPHY_COMPARE_OPTIONS_INIT;
    options.atol = options.rtol = (polygraphy_output_numbers){&tolerance, 1};

    polygraphy_model *model;
    polygraphy_results *results;
    polygraphy_comparison *comparison;
    must(polygraphy_model_load(argv[1], NULL, &model));
    must(polygraphy_results_new(&results));
    run(model, "onnxrt", results);
    run(model, "native", results);
    must(polygraphy_compare(results, &options, &comparison));
    for (size_t i = 0; i < polygraphy_comparison_iterations(comparison, 0); i++)
        print_iteration(comparison, i);
    bool passed = polygraphy_comparison_passed(comparison);
    polygraphy_comparison_free(comparison);
    polygraphy_results_free(results);
    polygraphy_model_free(model);
    return passed ? 0 : 1;
}
