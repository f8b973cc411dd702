/* list_shapes MODEL: prints "name<TAB>element type<TAB>dims" for every tensor whose type inference knows;
 * dims are comma-separated numbers, symbols or "?", "-" without a known rank. For tests that compare with
 * other implementations. */
#include <stdio.h>

#include "shapes/shapes.h"

static void print_type(pg_str name, const pg_type *type)
{
    printf("%" PG_STR_FMT "\t%s\t", PG_STR_ARG(name), pg_dtype_name(type->elem));
    if (!type->has_shape)
        printf("-");
    for (uint32_t d = 0; type->has_shape && d < type->rank; d++) {
        printf("%s", d > 0 ? "," : "");
        if (type->dims[d].has_value)
            printf("%lld", (long long)type->dims[d].value);
        else if (type->dims[d].name.len > 0)
            printf("%" PG_STR_FMT, PG_STR_ARG(type->dims[d].name));
        else
            printf("?");
    }
    printf("\n");
}

static int fail(pg_status status)
{
    fprintf(stderr, "%s\n", pg_status_message(status));
    pg_status_drop(status);
    return 1;
}

int main(int argc, char **argv)
{
    pg_model *model;
    pg_shapes *shapes;
    if (argc != 2)
        return 2;
    pg_status status = pg_model_load(argv[1], NULL, &model);
    if (status != NULL)
        return fail(status);
    status = pg_shapes_infer(model, NULL, &shapes);
    if (status != NULL)
        return fail(status);
    for (size_t i = 0; i < pg_shapes_count(shapes); i++) {
        const pg_type *type = pg_shapes_find(shapes, pg_shapes_name(shapes, i));
        if (type != NULL && type->kind == PG_TYPE_TENSOR)
            print_type(pg_shapes_name(shapes, i), type);
    }
    if (pg_shapes_first_problem(shapes) != NULL)
        fprintf(stderr, "problem: %s\n", pg_shapes_first_problem(shapes));
    pg_shapes_free(shapes);
    pg_model_unref(model);
    return 0;
}
