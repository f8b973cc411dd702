/* Log lines in the peer's format: "[I] text", indented by 4 blanks per level, further lines of one message
 * aligned under the first. Everything goes to standard output, critical lines to standard error; a log file
 * gets the same text without colour.
 *
 * Severity and the optional pieces of the prefix are process-wide and set once by the command line. */
#ifndef PG_LOG_LOG_H
#define PG_LOG_LOG_H

#include <stdbool.h>

#include "base/status.h"
#include "base/str.h"

typedef enum pg_severity {
    PG_ULTRA_VERBOSE = -20, /* [U] */
    PG_SUPER_VERBOSE = -10, /* [S] */
    PG_EXTRA_VERBOSE = 0,   /* [X] */
    PG_VERBOSE = 10,        /* [V] */
    PG_INFO = 20,           /* [I] default level */
    PG_START = 22,          /* [I] */
    PG_FINISH = 28,         /* [I] */
    PG_WARNING = 30,        /* [W] */
    PG_ERROR = 40,          /* [E] */
    PG_CRITICAL = 50,       /* [!] */
} pg_severity;

typedef struct pg_log_format {
    bool timestamp, line_info, no_colors;
} pg_log_format;

/* Prints when the level of the source file's path allows it. `file` is __FILE__ (relative to src/). */
PG_PRINTF(4, 5) void pg_log_at(const char *file, int line, pg_severity severity, const char *format, ...);
/* As pg_log_at, but each distinct text only once per process. */
PG_PRINTF(4, 5)
void pg_log_once_at(const char *file, int line, pg_severity severity, const char *format, ...);
bool pg_log_enabled_at(const char *file, pg_severity severity);

#define PG_LOG(severity, ...) pg_log_at(__FILE__, __LINE__, (severity), __VA_ARGS__)
#define PG_LOG_ONCE(severity, ...) pg_log_once_at(__FILE__, __LINE__, (severity), __VA_ARGS__)
#define PG_LOG_ENABLED(severity) pg_log_enabled_at(__FILE__, (severity))
#define PG_LOG_VERBOSE(...) PG_LOG(PG_VERBOSE, __VA_ARGS__)
#define PG_LOG_INFO(...) PG_LOG(PG_INFO, __VA_ARGS__)
#define PG_LOG_WARNING(...) PG_LOG(PG_WARNING, __VA_ARGS__)
#define PG_LOG_ERROR(...) PG_LOG(PG_ERROR, __VA_ARGS__)

/* Indentation levels of the calling thread's following lines; pair each +n with a -n. */
void pg_log_indent(int levels);

/* Set-up by the command line. Paths are relative to the source tree ("runner/onnxrt"); "" sets the default
 * level. The longest matching path prefix decides. */
void pg_log_set_severity(pg_str path, pg_severity severity);
void pg_log_set_format(pg_log_format format);
PG_MUST_USE pg_status pg_log_set_file(const char *path); /* truncates; parents are created */
/* Case-insensitive name ("info", "EXTRA_VERBOSE"); false when unknown. */
bool pg_severity_parse(pg_str name, pg_severity *out);
/* In capitals: "INFO". */
const char *pg_severity_name(pg_severity severity);
void pg_log_close(void);

#endif
