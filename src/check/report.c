#include "base/file.h"
#include "check/lint.h"
#include "json/json.h"
#include "log/log.h"

static char failing; /* its address marks failing nodes */

static void fail_node(pg_lint_report *report, pg_str node)
{
    pg_map_put(&report->nodes, pg_arena_str(&report->arena, node), &failing);
}

void pg_lint_pass(pg_lint_report *report, pg_str node)
{
    if (!pg_map_has(&report->nodes, node))
        pg_map_put(&report->nodes, pg_arena_str(&report->arena, node), NULL);
}

void pg_lint_forget_passing(pg_lint_report *report)
{
    pg_map kept = {0};
    for (size_t i = 0; i < report->nodes.len; i++)
        if (report->nodes.entries[i].value != NULL)
            pg_map_put(&kept, report->nodes.entries[i].key, &failing);
    pg_map_deinit(&report->nodes);
    report->nodes = kept;
}

static void log_entry(const pg_lint_entry *entry, pg_str op)
{
    static const pg_severity severities[] = {PG_ERROR, PG_WARNING, PG_INFO};
    pg_severity severity = severities[entry->level];
    if (entry->node.len > 0 && op.len > 0)
        PG_LOG(severity, "LINT | Name: %" PG_STR_FMT ", Op: %" PG_STR_FMT " | %" PG_STR_FMT,
               PG_STR_ARG(entry->node), PG_STR_ARG(op), PG_STR_ARG(entry->message));
    else
        PG_LOG(severity, "LINT | %" PG_STR_FMT, PG_STR_ARG(entry->message));
}

void pg_lint_add(pg_lint_report *report, pg_lint_level level, const char *source, pg_str message, pg_str node,
                 pg_str op)
{
    pg_lint_entry *entry = PG_VEC_ADD(&report->entries);
    *entry = (pg_lint_entry){level, source, pg_arena_str(&report->arena, message),
                             pg_arena_str(&report->arena, node)};
    log_entry(entry, op);
    if (level == PG_LINT_EXCEPTION)
        report->failed = true;
    if (node.len == 0)
        return;
    if (level == PG_LINT_EXCEPTION)
        fail_node(report, node);
    else
        pg_lint_pass(report, node);
}

void pg_lint_deinit(pg_lint_report *report)
{
    PG_VEC_FREE(&report->entries);
    pg_map_deinit(&report->nodes);
    pg_arena_deinit(&report->arena);
    *report = (pg_lint_report){0};
}

/* ---- JSON ---- */

static void write_nodes(pg_json_writer *json, const char *key, const pg_map *nodes, bool failed)
{
    pg_json_key(json, key);
    pg_json_begin_array(json);
    for (size_t i = 0; i < nodes->len; i++)
        if ((nodes->entries[i].value != NULL) == failed)
            pg_json_put_str(json, nodes->entries[i].key);
    pg_json_end_array(json);
}

static void write_entry(pg_json_writer *json, const pg_lint_entry *entry)
{
    static const char *const levels[] = {"exception", "warning", "info"};
    pg_json_begin_object(json);
    pg_json_field_str(json, "level", pg_str_c(levels[entry->level]));
    pg_json_field_str(json, "source", pg_str_c(entry->source));
    pg_json_field_str(json, "message", entry->message);
    if (entry->node.len > 0) {
        pg_json_key(json, "nodes");
        pg_json_begin_array(json);
        pg_json_put_str(json, entry->node);
        pg_json_end_array(json);
    }
    pg_json_end_object(json);
}

pg_status pg_lint_save(const pg_lint_report *report, const char *path)
{
    pg_writer writer;
    pg_json_writer json;
    PG_LOG_INFO("Saving linting report to %s", path);
    PG_TRY(pg_writer_open(&writer, path));
    pg_json_to_file(&json, &writer, 4);
    pg_json_begin_object(&json);
    pg_json_key(&json, "summary");
    pg_json_begin_object(&json);
    write_nodes(&json, "passing", &report->nodes, false);
    write_nodes(&json, "failing", &report->nodes, true);
    pg_json_end_object(&json);
    pg_json_key(&json, "lint_entries");
    pg_json_begin_array(&json);
    for (size_t i = 0; i < report->entries.len; i++)
        write_entry(&json, &report->entries.items[i]);
    pg_json_end_array(&json);
    pg_json_end_object(&json);
    return pg_writer_commit(&writer);
}
