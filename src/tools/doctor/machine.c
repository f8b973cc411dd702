#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "base/threads.h"
#include "base/version.h"
#include "tools/doctor/internal.h"

static void add(doctor_report *report, const char *key, const char *value)
{
    *PG_VEC_ADD(&report->facts) = (doctor_fact){key, value};
}

/* The value behind `key` and a separator on a line of its own; empty when there is none. */
static pg_str value_of(pg_str text, const char *key, char separator)
{
    pg_str line;
    while (pg_str_split(&text, '\n', &line)) {
        size_t at = pg_str_find(line, separator);
        if (at != SIZE_MAX && pg_str_is(pg_str_trim(pg_str_sub(line, 0, at)), key))
            return pg_str_trim(pg_str_sub(line, at + 1, line.len));
    }
    return PG_STR_EMPTY;
}

static pg_str read_text(const char *path, pg_buf *out)
{
    pg_status status = pg_file_read(path, 1 << 24, out);
    pg_status_drop(status);
    return pg_buf_str(out);
}

/* ---- Processor ---- */

static void add_features(doctor_report *report, pg_str flags)
{
    static const char *const wanted[] = {"sse4_2",   "avx",      "avx2",        "fma",         "f16c",
                                         "avx512f",  "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16",
                                         "avx_vnni", "amx_tile", "amx_bf16",    "amx_int8",    "asimd",
                                         "asimdhp",  "sve"};
    pg_buf text = {0};
    pg_str word;
    while (pg_str_split(&flags, ' ', &word))
        for (size_t i = 0; i < PG_COUNT(wanted); i++)
            if (pg_str_is(word, wanted[i]))
                pg_buf_printf(&text, "%s%s", text.len > 0 ? " " : "", wanted[i]);
    add(report, "processor features",
        text.len > 0 ? pg_arena_cstr(&report->arena, pg_buf_str(&text)) : "none that matter here");
    pg_buf_deinit(&text);
}

static void find_processor(doctor_report *report)
{
    pg_buf info = {0};
    pg_str text = read_text("/proc/cpuinfo", &info);
    pg_str model = value_of(text, "model name", ':'), flags = value_of(text, "flags", ':');
    add(report, "processor", model.len > 0 ? pg_arena_cstr(&report->arena, model) : "unknown");
    add_features(report, flags.len > 0 ? flags : value_of(text, "Features", ':'));
    pg_buf_deinit(&info);
    unsigned usable = pg_cpu_count();
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    add(report, "processors",
        (long)usable < online
            ? pg_arena_printf(&report->arena,
                              "%u may be used of %ld: the affinity mask or a control group limits them",
                              usable, online)
            : pg_arena_printf(&report->arena, "%u", usable));
}

/* ---- Memory ---- */

static const char *bytes_text(doctor_report *report, uint64_t bytes)
{
    return pg_arena_printf(&report->arena, "%.1f GiB", (double)bytes / (1 << 30));
}

static bool read_number(const char *path, uint64_t *out)
{
    pg_buf text = {0};
    bool ok = pg_str_to_u64(pg_str_trim(read_text(path, &text)), out);
    pg_buf_deinit(&text);
    return ok;
}

static bool kilobytes(pg_str text, const char *key, uint64_t *out)
{
    pg_str value = value_of(text, key, ':');
    size_t blank = pg_str_find(value, ' ');
    if (!pg_str_to_u64(pg_str_sub(value, 0, blank), out))
        return false;
    *out *= 1024;
    return true;
}

static void find_memory(doctor_report *report)
{
    pg_buf info = {0};
    uint64_t total = 0, available = 0, limit = 0;
    pg_str text = read_text("/proc/meminfo", &info);
    if (kilobytes(text, "MemTotal", &total) && kilobytes(text, "MemAvailable", &available))
        add(report, "memory",
            pg_arena_printf(&report->arena, "%s, %s of them available", bytes_text(report, total),
                            bytes_text(report, available)));
    pg_buf_deinit(&info);
    if ((read_number("/sys/fs/cgroup/memory.max", &limit) ||
         read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes", &limit)) &&
        limit < total)
        add(report, "memory limit",
            pg_arena_printf(&report->arena, "%s, by a control group", bytes_text(report, limit)));
    else
        add(report, "memory limit", "none");
}

/* ---- Surroundings ---- */

static const char *locale_name(void)
{
    static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < PG_COUNT(variables); i++) {
        const char *value = getenv(variables[i]);
        if (value != NULL && value[0] != '\0')
            return value;
    }
    return "C";
}

/* Variables that change what the program does. */
static void add_variables(doctor_report *report)
{
    extern char **environ;
    pg_buf text = {0};
    for (char **entry = environ; *entry != NULL; entry++)
        if (pg_str_starts(pg_str_c(*entry), PG_STR("POLYGRAPHY_")))
            pg_buf_printf(&text, "%s%s", text.len > 0 ? " " : "", *entry);
    add(report, "environment",
        text.len > 0 ? pg_arena_cstr(&report->arena, pg_buf_str(&text)) : "no POLYGRAPHY_ variable is set");
    pg_buf_deinit(&text);
}

void doctor_find_facts(doctor_report *report)
{
    struct utsname system;
    add(report, "program", pg_arena_printf(&report->arena, "polygraphy %s", PG_VERSION));
    if (uname(&system) == 0)
        add(report, "system",
            pg_arena_printf(&report->arena, "%s %s, %s", system.sysname, system.release, system.machine));
    find_processor(report);
    find_memory(report);
    add(report, "locale",
        pg_arena_printf(&report->arena, "%s; numbers are read and written alike in every locale",
                        locale_name()));
    add_variables(report);
}
