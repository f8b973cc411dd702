#include "log/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/map.h"
#include "base/vec.h"
#include "log/internal.h"

enum { INDENT_WIDTH = 4 };

typedef struct severity_row {
    pg_severity severity;
    const char *name;
    char letter;
    const char *color; /* SGR parameters; NULL = plain */
} severity_row;

static const severity_row severities[] = {
    {PG_ULTRA_VERBOSE, "ULTRA_VERBOSE", 'U', "90"},
    {PG_SUPER_VERBOSE, "SUPER_VERBOSE", 'S', "35"},
    {PG_EXTRA_VERBOSE, "EXTRA_VERBOSE", 'X', "34"},
    {PG_VERBOSE, "VERBOSE", 'V', "95"},
    {PG_INFO, "INFO", 'I', NULL},
    {PG_START, "START", 'I', "96"},
    {PG_FINISH, "FINISH", 'I', "92"},
    {PG_WARNING, "WARNING", 'W', "93"},
    {PG_ERROR, "ERROR", 'E', "91"},
    {PG_CRITICAL, "CRITICAL", '!', "91"},
};

/* A level for one folder or file below src/. */
typedef struct path_level {
    char *path;
    pg_severity severity;
} path_level;

static struct {
    pg_severity level;
    PG_VEC(path_level) paths;
    pg_log_format format;
    FILE *file;
    int color; /* 0 = not decided yet, 1 = yes, 2 = no */
    pg_map once;
    pg_arena once_texts;
} log_state = {.level = PG_INFO};

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int indent_level;

static const severity_row *row_of(pg_severity severity)
{
    for (size_t i = 0; i < PG_COUNT(severities); i++)
        if (severities[i].severity == severity)
            return &severities[i];
    PG_BUG("unknown severity %d", (int)severity);
}

bool pg_severity_parse(pg_str name, pg_severity *out)
{
    for (size_t i = 0; i < PG_COUNT(severities); i++) {
        if (pg_str_eq_nocase(name, pg_str_c(severities[i].name))) {
            *out = severities[i].severity;
            return true;
        }
    }
    return false;
}

const char *pg_severity_name(pg_severity severity)
{
    return row_of(severity)->name;
}

void pg_log_indent(int levels)
{
    indent_level += levels;
}

/* ---- Which messages are printed ---- */

/* The part of __FILE__ after the source folder. */
static pg_str source_path(const char *file)
{
    pg_str path = pg_str_c(file);
    for (size_t i = path.len; i-- > 0;)
        if ((i == 0 || path.ptr[i - 1] == '/') && strncmp(path.ptr + i, "src/", 4) == 0)
            return pg_str_sub(path, i + 4, path.len);
    return path;
}

bool pg_log_path_covers(pg_str prefix, pg_str path)
{
    return pg_str_starts(path, prefix) && (path.len == prefix.len || path.ptr[prefix.len] == '/');
}

static pg_severity level_of(const char *file)
{
    pg_severity level = log_state.level;
    size_t longest = 0;
    if (log_state.paths.len == 0)
        return level;
    pg_str path = source_path(file);
    for (size_t i = 0; i < log_state.paths.len; i++) {
        pg_str prefix = pg_str_c(log_state.paths.items[i].path);
        if (prefix.len >= longest && pg_log_path_covers(prefix, path)) {
            level = log_state.paths.items[i].severity;
            longest = prefix.len;
        }
    }
    return level;
}

static void add_path_level(pg_str path, pg_severity severity)
{
    path_level *entry = PG_VEC_ADD(&log_state.paths);
    entry->path = pg_strndup(path.ptr, path.len);
    entry->severity = severity;
}

void pg_log_set_severity(pg_str path, pg_severity severity)
{
    while (path.len > 0 && path.ptr[0] == '/')
        path = pg_str_sub(path, 1, path.len);
    while (path.len > 0 && path.ptr[path.len - 1] == '/')
        path.len--;
    pthread_mutex_lock(&log_mutex);
    if (path.len == 0) {
        log_state.level = severity;
    } else {
        const char *const *aliases = pg_log_aliases(path);
        for (size_t i = 0; aliases != NULL && aliases[i] != NULL; i++)
            add_path_level(pg_str_c(aliases[i]), severity);
        add_path_level(path, severity);
    }
    pthread_mutex_unlock(&log_mutex);
}

bool pg_log_enabled_at(const char *file, pg_severity severity)
{
    return severity >= level_of(file);
}

/* ---- How they look ---- */

void pg_log_set_format(pg_log_format format)
{
    log_state.format = format;
    log_state.color = 0;
}

static bool use_color(void)
{
    if (log_state.color == 0) {
        const char *no_color = getenv("NO_COLOR");
        const char *terminal = getenv("TERM");
        bool wanted = !log_state.format.no_colors && (no_color == NULL || no_color[0] == '\0') &&
                      (terminal == NULL || strcmp(terminal, "dumb") != 0);
        log_state.color = wanted && isatty(STDOUT_FILENO) && isatty(STDERR_FILENO) ? 1 : 2;
    }
    return log_state.color == 1;
}

static void add_prefix(pg_buf *out, const char *file, int line, char letter)
{
    pg_buf_printf(out, "[%c] ", letter);
    if (log_state.format.timestamp) {
        time_t now = time(NULL);
        struct tm local;
        localtime_r(&now, &local);
        pg_buf_printf(out, "(%02d:%02d:%02d) ", local.tm_hour, local.tm_min, local.tm_sec);
    }
    if (log_state.format.line_info)
        pg_buf_printf(out, "[%" PG_STR_FMT ":%d] ", PG_STR_ARG(source_path(file)), line);
}

/* One message with its prefix, further lines under the first, a line feed at the end. Empty lines keep their
 * blanks: several layouts count on them. */
static void lay_out(pg_buf *out, const char *file, int line, char letter, pg_str text)
{
    size_t indent = indent_level > 0 ? (size_t)indent_level * INDENT_WIDTH : 0;
    add_prefix(out, file, line, letter);
    size_t width = out->len;
    pg_buf_pad(out, ' ', indent);
    if (pg_str_ends(text, PG_STR("\n")))
        text.len--;
    pg_str part, rest = text;
    for (bool first = true; pg_str_split(&rest, '\n', &part); first = false) {
        if (!first) {
            pg_buf_putc(out, '\n');
            pg_buf_pad(out, ' ', indent + width);
        }
        pg_buf_add_str(out, part);
    }
    pg_buf_putc(out, '\n');
}

static void write_line(const severity_row *row, pg_str line)
{
    FILE *stream = row->severity >= PG_CRITICAL ? stderr : stdout;
    if (row->color != NULL && use_color()) {
        pg_buf colored = {0};
        pg_buf_printf(&colored, "\033[%sm", row->color);
        pg_buf_add(&colored, line.ptr, line.len - 1);
        pg_buf_puts(&colored, "\033[0m\n");
        fwrite(colored.ptr, 1, colored.len, stream);
        pg_buf_deinit(&colored);
    } else {
        fwrite(line.ptr, 1, line.len, stream);
    }
    fflush(stream);
    if (log_state.file != NULL) {
        fwrite(line.ptr, 1, line.len, log_state.file);
        fflush(log_state.file);
    }
}

static bool is_first(pg_str text)
{
    if (pg_map_has(&log_state.once, text))
        return false;
    pg_map_put(&log_state.once, pg_arena_str(&log_state.once_texts, text), NULL);
    return true;
}

static void log_v(const char *file, int line, pg_severity severity, bool once, const char *format,
                  va_list args)
{
    char small[512];
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(small, sizeof small, format, args);
    char *text = small;
    if (length >= (int)sizeof small) {
        text = pg_calloc((size_t)length + 1, 1);
        vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    pg_str message = {text, length > 0 ? (size_t)length : 0};
    pg_buf out = {0};
    pthread_mutex_lock(&log_mutex);
    if (!once || is_first(message)) {
        const severity_row *row = row_of(severity);
        lay_out(&out, file, line, row->letter, message);
        write_line(row, pg_buf_str(&out));
    }
    pthread_mutex_unlock(&log_mutex);
    pg_buf_deinit(&out);
    if (text != small)
        free(text);
}

void pg_log_at(const char *file, int line, pg_severity severity, const char *format, ...)
{
    if (!pg_log_enabled_at(file, severity))
        return;
    va_list args;
    va_start(args, format);
    log_v(file, line, severity, false, format, args);
    va_end(args);
}

void pg_log_once_at(const char *file, int line, pg_severity severity, const char *format, ...)
{
    if (!pg_log_enabled_at(file, severity))
        return;
    va_list args;
    va_start(args, format);
    log_v(file, line, severity, true, format, args);
    va_end(args);
}

/* ---- Life cycle ---- */

pg_status pg_log_set_file(const char *path)
{
    pg_arena arena = {0};
    pg_status status = pg_path_make_dirs(pg_path_dirname(&arena, pg_str_c(path)));
    pg_arena_deinit(&arena);
    if (status != NULL)
        return pg_status_context(status, "while opening the log file '%s'", path);
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return pg_err_errno(PG_ERR_IO, errno, "cannot write the log file '%s'", path);
    if (log_state.file != NULL)
        fclose(log_state.file);
    log_state.file = file;
    return NULL;
}

void pg_log_close(void)
{
    pthread_mutex_lock(&log_mutex);
    fflush(stdout);
    if (log_state.file != NULL)
        fclose(log_state.file);
    log_state.file = NULL;
    pg_map_deinit(&log_state.once);
    pg_arena_deinit(&log_state.once_texts);
    for (size_t i = 0; i < log_state.paths.len; i++)
        free(log_state.paths.items[i].path);
    PG_VEC_FREE(&log_state.paths);
    log_state.level = PG_INFO;
    pthread_mutex_unlock(&log_mutex);
}
