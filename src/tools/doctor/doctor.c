/* `polygraphy doctor`: which runtimes are found where, what is missing, what that disables and what to do. */
#include "args/args.h"
#include "base/file.h"
#include "json/json.h"
#include "log/log.h"
#include "tools/doctor/internal.h"
#include "tools/tools.h"

typedef struct doctor_own_args {
    pg_opt_text json;
} doctor_own_args;

static const pg_option own_rows[] = {
    {"--json", PG_FIELD(doctor_own_args, json), .metavar = "PATH", .implied = "-", .flags = PG_OPTION_PATH,
     .help = "write the findings as JSON, to a file or without a path to the standard output"},
};
static const pg_group group_own = {NULL, own_rows, PG_COUNT(own_rows)};

typedef struct doctor_args {
    pg_args_logging logging;
    doctor_own_args own;
} doctor_args;

static const pg_group_use groups[] = {
    {&pg_group_logging, offsetof(doctor_args, logging)},
    {&group_own, offsetof(doctor_args, own)},
};

/* ---- Text ---- */

static void put_line(pg_buf *out, const char *what, const char *text)
{
    if (text != NULL)
        pg_buf_printf(out, "\n    %s%s", what, text);
}

static void log_part(const doctor_part *part)
{
    bool usable = part->found && part->problem == NULL;
    pg_buf text = {0};
    pg_buf_printf(&text, "%s %s", part->name,
                  usable        ? part->version != NULL ? part->version : "found"
                  : part->found ? "is there, but cannot be used"
                                : "is missing");
    if (part->found && part->path != NULL)
        pg_buf_printf(&text, " | %s", part->path);
    if (part->found && part->how != NULL)
        pg_buf_printf(&text, " (%s)", part->how);
    put_line(&text, "", part->details);
    put_line(&text, "Why: ", part->problem);
    if (!usable) {
        put_line(&text, "Disables: ", part->disables);
        put_line(&text, "To do: ", part->todo);
    }
    PG_LOG(usable ? PG_INFO : PG_WARNING, "%s", pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

static void log_report(const doctor_report *report)
{
    pg_buf text = {0};
    for (size_t i = 0; i < report->facts.len; i++)
        pg_buf_printf(&text, "\n%s: %s", report->facts.items[i].key, report->facts.items[i].value);
    PG_LOG_INFO("==== Machine ====%s", pg_buf_cstr(&text));
    PG_LOG_INFO("==== Runtimes ====");
    pg_log_indent(1);
    for (size_t i = 0; i < report->parts.len; i++)
        log_part(&report->parts.items[i]);
    pg_log_indent(-1);
    pg_buf_deinit(&text);
}

/* ---- JSON ---- */

static void put_field(pg_json_writer *json, const char *key, const char *text)
{
    pg_json_key(json, key);
    if (text != NULL)
        pg_json_put_cstr(json, text);
    else
        pg_json_put_null(json);
}

static void put_part(pg_json_writer *json, const doctor_part *part)
{
    pg_json_begin_object(json);
    put_field(json, "name", part->name);
    pg_json_field_bool(json, "usable", part->found && part->problem == NULL);
    put_field(json, "version", part->version);
    put_field(json, "path", part->found ? part->path : NULL);
    put_field(json, "how", part->found ? part->how : NULL);
    put_field(json, "details", part->details);
    put_field(json, "problem", part->problem);
    put_field(json, "disables", part->disables);
    put_field(json, "todo", part->todo);
    pg_json_end_object(json);
}

/* "memory limit" is "memory_limit". */
static void put_fact(pg_json_writer *json, const doctor_fact *fact)
{
    pg_buf key = {0};
    pg_buf_puts(&key, fact->key);
    for (size_t i = 0; i < key.len; i++)
        if (key.ptr[i] == ' ')
            key.ptr[i] = '_';
    put_field(json, pg_buf_cstr(&key), fact->value);
    pg_buf_deinit(&key);
}

static pg_status write_json(const doctor_report *report, const char *path)
{
    pg_writer writer;
    pg_json_writer json;
    bool to_output = pg_str_is(pg_str_c(path), "-");
    PG_TRY(pg_writer_open(&writer, to_output ? "/dev/stdout" : path));
    pg_json_to_file(&json, &writer, 4);
    pg_json_begin_object(&json);
    pg_json_field_i64(&json, "schema", 1);
    pg_json_key(&json, "machine");
    pg_json_begin_object(&json);
    for (size_t i = 0; i < report->facts.len; i++)
        put_fact(&json, &report->facts.items[i]);
    pg_json_end_object(&json);
    pg_json_key(&json, "runtimes");
    pg_json_begin_array(&json);
    for (size_t i = 0; i < report->parts.len; i++)
        put_part(&json, &report->parts.items[i]);
    pg_json_end_array(&json);
    pg_json_end_object(&json);
    if (to_output)
        pg_writer_add_str(&writer, PG_STR("\n"));
    return pg_writer_commit(&writer);
}

/* ---- The command ---- */

static pg_status run(void *values, pg_arena *arena)
{
    const doctor_args *args = values;
    doctor_report report = {0};
    pg_status status = NULL;
    (void)arena;
    if (args->own.json.set && !pg_str_is(pg_str_c(args->own.json.text), "-"))
        PG_TRY_CTX(pg_file_check_writable(args->own.json.text), "option '--json'");
    doctor_find_facts(&report);
    doctor_find_parts(&report);
    if (args->own.json.set)
        status = write_json(&report, args->own.json.text);
    if (!args->own.json.set || !pg_str_is(pg_str_c(args->own.json.text), "-"))
        log_report(&report);
    PG_VEC_FREE(&report.parts);
    PG_VEC_FREE(&report.facts);
    pg_arena_deinit(&report.arena);
    return status;
}

const pg_command pg_command_doctor = {
    .name = "doctor",
    .summary = "Tell which runtimes are found and what is missing.",
    .description =
        "Looks for everything that this program loads while it runs, and tells where each was found and how, "
        "its version, what its absence disables and how to get it; then what it sees of the machine. The "
        "status is 0 whatever is missing.",
    .examples = "polygraphy doctor\n"
                "polygraphy doctor --json doctor.json",
    .groups = groups,
    .n_groups = PG_COUNT(groups),
    .values_size = sizeof(doctor_args),
    .run = run,
};
