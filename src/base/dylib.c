#include "base/dylib.h"

#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/file.h"

pg_status pg_dylib_open(pg_dylib *library, const char *path)
{
    *library = (pg_dylib){0};
    library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library->handle == NULL)
        return pg_err(PG_ERR_UNAVAILABLE, "could not load the library '%s': %s", path, dlerror());
    library->path = pg_strndup(path, strlen(path));
    return NULL;
}

void pg_dylib_close(pg_dylib *library)
{
    if (library->handle != NULL)
        dlclose(library->handle);
    free(library->path);
    *library = (pg_dylib){0};
}

void *pg_dylib_find(const pg_dylib *library, const char *symbol)
{
    return dlsym(library->handle, symbol);
}

pg_status pg_dylib_load(const pg_dylib *library, const pg_dylib_symbol *symbols, size_t count,
                        void *functions)
{
    for (size_t i = 0; i < count; i++) {
        void *address = pg_dylib_find(library, symbols[i].name);
        if (address == NULL && !symbols[i].optional)
            return pg_err(PG_ERR_UNAVAILABLE, "the library '%s' has no function '%s'", library->path,
                          symbols[i].name);
        memcpy((char *)functions + symbols[i].offset, &address, sizeof address);
    }
    return NULL;
}

/* The highest-sorting match by version order, so libx.so.1.31.1 comes before libx.so.1.9.0. */
static char *best_match(const char *pattern)
{
    glob_t found;
    char *best = NULL;
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            if (best != NULL && strverscmp(found.gl_pathv[i], best) <= 0)
                continue;
            free(best);
            best = pg_strndup(found.gl_pathv[i], strlen(found.gl_pathv[i]));
        }
        globfree(&found);
    }
    return best;
}

/* Both layouts of a prefix: venv/pip ("site-packages") and Debian's ("dist-packages"). */
static char *search_prefix(pg_arena *arena, const char *prefix, const char *pattern)
{
    static const char *const layouts[] = {"lib/python3*/site-packages", "lib64/python3*/site-packages",
                                          "lib/python3*/dist-packages", "lib/python3/dist-packages"};
    for (size_t i = 0; i < PG_COUNT(layouts); i++) {
        char *match = best_match(pg_arena_printf(arena, "%s/%s/%s", prefix, layouts[i], pattern));
        if (match != NULL)
            return match;
    }
    return NULL;
}

/* The prefix of the python3 on PATH: the folder above its "bin", with and without resolving links. A pyenv
 * shim stands in <root>/shims: its versions folder is searched instead. */
static char *search_path_python(pg_arena *arena, const char *pattern)
{
    const char *path = getenv("PATH");
    pg_str rest = pg_str_c(path), folder;
    while (pg_str_split(&rest, ':', &folder)) {
        char *program = pg_path_join(arena, folder, PG_STR("python3"));
        if (access(program, X_OK) != 0)
            continue;
        if (pg_str_ends(folder, PG_STR("/shims"))) {
            char *root = pg_path_dirname(arena, folder);
            char *match = search_prefix(arena, pg_arena_printf(arena, "%s/versions/*", root), pattern);
            if (match != NULL)
                return match;
            continue;
        }
        char *match = search_prefix(arena, pg_path_dirname(arena, folder), pattern);
        char resolved[PATH_MAX];
        if (match == NULL && realpath(program, resolved) != NULL) {
            char *bin = pg_path_dirname(arena, pg_str_c(resolved));
            match = search_prefix(arena, pg_path_dirname(arena, pg_str_c(bin)), pattern);
        }
        return match;
    }
    return NULL;
}

char *pg_dylib_find_in_site_packages(const char *pattern)
{
    pg_arena arena = {0};
    char *match = NULL;
    const char *environment = getenv("VIRTUAL_ENV");
    if (environment != NULL && environment[0] != '\0')
        match = search_prefix(&arena, environment, pattern);
    if (match == NULL)
        match = search_path_python(&arena, pattern);
    const char *home = getenv("HOME");
    if (match == NULL && home != NULL)
        match = search_prefix(&arena, pg_arena_printf(&arena, "%s/.local", home), pattern);
    if (match == NULL)
        match = search_prefix(&arena, "/usr/local", pattern);
    if (match == NULL)
        match = search_prefix(&arena, "/usr", pattern);
    pg_arena_deinit(&arena);
    return match;
}
