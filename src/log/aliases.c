#include "base/alloc.h"
#include "log/internal.h"

typedef struct alias_row {
    const char *package; /* path below the Python package */
    const char *ours[6]; /* NULL-terminated */
} alias_row;

/* The longest row that covers a path decides, so a file of a listed package means the whole folder here. */
static const alias_row alias_rows[] = {
    {"backend", {"runner", "onnx", "native", "shapes"}},
    {"backend/base", {"runner/runner.c"}},
    {"backend/onnx", {"onnx", "shapes"}},
    {"backend/onnxrt", {"runner/onnxrt"}},
    {"backend/trt", {"runner/tensorrt", "runner/native", "native"}},
    {"backend/tf", {"runner/tensorflow"}},
    {"backend/pluginref", {"runner/pluginref"}},
    {"comparator", {"compare", "data", "tools/run"}},
    {"comparator/comparator.py", {"tools/run", "compare"}},
    {"comparator/data_loader.py", {"data"}},
    {"comparator/compare.py", {"compare"}},
    {"comparator/struct", {"compare", "data"}},
    {"common", {"base", "tensor"}},
    {"datatype", {"tensor"}},
    {"json", {"json"}},
    {"logger", {"log"}},
    {"tools/args", {"args"}},
    {"tools/_main.py", {"tools/main.c"}},
    {"tools/base", {"tools"}},
    {"tools/run", {"tools/run"}},
    {"tools/inspect", {"tools/inspect"}},
    {"util", {"base"}},
};

const char *const *pg_log_aliases(pg_str path)
{
    const alias_row *best = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < PG_COUNT(alias_rows); i++) {
        pg_str package = pg_str_c(alias_rows[i].package);
        if (package.len >= longest && pg_log_path_covers(package, path)) {
            best = &alias_rows[i];
            longest = package.len;
        }
    }
    return best != NULL ? best->ours : NULL;
}
