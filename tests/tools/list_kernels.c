/* Prints every row of the built-in engine's operator table, one per line, fields separated by tabs:
 *
 *     family (its place in registry.c), domain, operator, since, until (0: all later versions), flags
 *
 * scripts/operator_coverage.py reads it. */
#include <stdio.h>

#include "native/kernel.h"

int main(void)
{
    static const struct {
        unsigned flag;
        const char *name;
    } flags[] = {
        {PG_KERNEL_HALF_VIA_F32, "half"}, {PG_KERNEL_ANY_LAYOUT, "layout"}, {PG_KERNEL_VOLATILE, "volatile"}};
    size_t count;
    const pg_kernel *const *families = pg_kernel_families(&count);
    for (size_t f = 0; f < count; f++)
        for (const pg_kernel *kernel = families[f]; kernel->op_type != NULL; kernel++) {
            printf("%zu\t%s\t%s\t%d\t%d\t", f, kernel->domain[0] != '\0' ? kernel->domain : "ai.onnx",
                   kernel->op_type, kernel->since, kernel->until);
            for (size_t i = 0, any = 0; i < sizeof flags / sizeof flags[0]; i++)
                if ((kernel->flags & flags[i].flag) != 0)
                    printf("%s%s", any++ > 0 ? "," : "", flags[i].name);
            putchar('\n');
        }
    return 0;
}
