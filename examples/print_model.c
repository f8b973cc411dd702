/* Prints what a model is made of: inputs, outputs, operators and the largest weights.
 *
 *     print_model MODEL */
#include <polygraphy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_tensors(const char *title, const polygraphy_model *model, size_t count,
                          const polygraphy_tensor_info *(*get)(const polygraphy_model *, size_t))
{
    printf("%s\n", title);
    for (size_t i = 0; i < count; i++) {
        const polygraphy_tensor_info *info = get(model, i);
        printf("    %s: ", info->name);
        if (!info->is_tensor) {
            printf("no tensor\n");
            continue;
        }
        printf("%s (", polygraphy_dtype_name(info->dtype));
        for (size_t d = 0; d < info->rank; d++) {
            const polygraphy_dim *dim = &info->dims[d];
            printf("%s", d > 0 ? ", " : "");
            if (dim->value >= 0)
                printf("%lld", (long long)dim->value);
            else
                printf("%s", dim->symbol != NULL ? dim->symbol : "?");
        }
        printf(")%s\n", info->has_shape ? "" : " of unknown shape");
    }
}

typedef struct tally {
    const char *op_type;
    size_t count;
} tally;

static int most_first(const void *a, const void *b)
{
    const tally *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->op_type, y->op_type);
}

static void print_operators(const polygraphy_model *model)
{
    size_t count = polygraphy_model_node_count(model), kinds = 0;
    tally *tallies = calloc(count + 1, sizeof *tallies);
    if (tallies == NULL)
        exit(2);
    for (size_t i = 0; i < count; i++) {
        const char *op_type = polygraphy_model_node(model, i)->op_type;
        size_t k = 0;
        while (k < kinds && strcmp(tallies[k].op_type, op_type) != 0)
            k++;
        tallies[k].op_type = op_type;
        tallies[k].count++;
        kinds += k == kinds;
    }
    qsort(tallies, kinds, sizeof *tallies, most_first);
    printf("%zu nodes\n", count);
    for (size_t k = 0; k < kinds; k++)
        printf("    %-24s %zu\n", tallies[k].op_type, tallies[k].count);
    free(tallies);
}

int main(int argc, char **argv)
{
    polygraphy_model *model;
    if (argc != 2) {
        fprintf(stderr, "usage: print_model MODEL\n");
        return 2;
    }
    if (polygraphy_model_load(argv[1], NULL, &model) != POLYGRAPHY_OK) {
        fprintf(stderr, "print_model: %s\n", polygraphy_error_message());
        return 1;
    }
    printf("opset %lld\n", (long long)polygraphy_model_opset(model, ""));
    print_tensors("inputs", model, polygraphy_model_input_count(model), polygraphy_model_input);
    print_tensors("outputs", model, polygraphy_model_output_count(model), polygraphy_model_output);
    print_operators(model);
    print_tensors("weights", model, polygraphy_model_weight_count(model), polygraphy_model_weight);
    polygraphy_model_free(model);
    return 0;
}
