/* Where pictures go: files, the desktop's viewer, or the terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/child.h"
#include "base/file.h"
#include "compare/plot/plot.h"
#include "log/log.h"

enum { MAX_FILE_NAME = 240 }; /* bytes; file systems take 255 */

char *pg_plot_path(const char *folder, const char *name, const char *extension)
{
    pg_buf path = {0};
    size_t length = strlen(name);
    pg_buf_printf(&path, "%s/", folder);
    size_t begin = path.len;
    if (length > MAX_FILE_NAME)
        pg_buf_printf(&path, "%.*s~%016llx", MAX_FILE_NAME - 20, name,
                      (unsigned long long)pg_str_hash(pg_str_c(name)));
    else
        pg_buf_puts(&path, name);
    for (size_t i = begin; i < path.len; i++)
        if (path.ptr[i] == '/')
            path.ptr[i] = '_';
    pg_buf_puts(&path, extension);
    return path.ptr;
}

static bool has_desktop(void)
{
    return getenv("DISPLAY") != NULL || getenv("WAYLAND_DISPLAY") != NULL;
}

/* The viewer reads the file later, so it is not removed here. */
static pg_status save_for_viewer(const char *extension, pg_str bytes, pg_buf *out_path)
{
    static unsigned number;
    const char *folder = getenv("TMPDIR");
    pg_buf_printf(out_path, "%s/polygraphy-%ld-%u%s", folder != NULL && folder[0] != '\0' ? folder : "/tmp",
                  (long)getpid(), number++, extension);
    return pg_file_write(pg_buf_cstr(out_path), bytes);
}

bool pg_plot_open(const char *path)
{
    if (!has_desktop())
        return false;
    const char *argv[] = {"xdg-open", path, NULL};
    pg_child_result result;
    pg_status status = pg_child_run(argv, &result);
    bool ok = status == NULL && result.signal == 0 && result.exit_code == 0;
    if (status == NULL)
        pg_child_result_deinit(&result);
    pg_status_drop(status);
    return ok;
}

void pg_plot_show(const char *path, const char *extension, pg_str bytes, const char *sketch)
{
    pg_buf own = {0};
    bool shown = false;
    if (has_desktop()) {
        pg_status status = path == NULL ? save_for_viewer(extension, bytes, &own) : NULL;
        shown = status == NULL && pg_plot_open(path != NULL ? path : pg_buf_cstr(&own));
        pg_status_drop(status);
    }
    if (!shown)
        PG_LOG(PG_FINISH, "%s", sketch);
    pg_buf_deinit(&own);
}
