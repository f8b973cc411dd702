/* Where the built-in engine's time goes: tables, and a JSON file. */
#include "native/profile.h"

#include "json/json.h"
#include "log/log.h"
#include "tools/run/internal.h"

void run_profile_begin(run_live *live, size_t which)
{
    pg_session *session = pg_runner_native_session(live->runners[which]);
    if (!live->profiled || session == NULL)
        return;
    if (live->profiles[which] == NULL)
        live->profiles[which] = pg_profile_new();
    pg_session_observe(session, pg_profile_observer(live->profiles[which]));
}

void run_profile_end(run_live *live, size_t which)
{
    pg_session *session = pg_runner_native_session(live->runners[which]);
    if (session == NULL || live->profiles[which] == NULL)
        return;
    pg_session_observe(session, NULL);
    pg_profile_end_run(live->profiles[which], live->runners[which]->seconds);
}

/* ---- Tables ---- */

/* Milliseconds per run. */
static double per_run(const pg_profile *profile, double seconds)
{
    return seconds * 1e3 / (double)pg_profile_runs(profile);
}

static double sum_of_self(const pg_profile_row *rows, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += rows[i].self;
    return sum;
}

static void add_row(pg_buf *out, const pg_profile *profile, const pg_profile_row *row, double all)
{
    pg_buf op = {0};
    pg_buf_printf(&op, "%" PG_STR_FMT "%s%" PG_STR_FMT, PG_STR_ARG(row->domain),
                  row->domain.len > 0 ? "::" : "", PG_STR_ARG(row->op_type));
    pg_buf_printf(out, "\n    %9.3f  %5.1f%%  %7.4g  %-24s", per_run(profile, row->self),
                  all > 0 ? row->self / all * 100 : 0.0,
                  (double)row->calls / (double)pg_profile_runs(profile), pg_buf_cstr(&op));
    pg_buf_deinit(&op);
}

static void add_nodes(pg_buf *out, const pg_profile *profile, const pg_profile_row *rows, size_t count,
                      size_t most)
{
    double all = sum_of_self(rows, count);
    pg_buf_puts(out, "\n---- Nodes ----\n           ms   share    calls  operator                  node");
    for (size_t i = 0; i < count && i < most; i++) {
        add_row(out, profile, &rows[i], all);
        pg_buf_printf(out, "  %" PG_STR_FMT, PG_STR_ARG(rows[i].node));
        if (rows[i].total > rows[i].self * 1.01)
            pg_buf_printf(out, " (%.3f ms with the nodes inside)", per_run(profile, rows[i].total));
    }
    if (count > most)
        pg_buf_printf(out, "\n    ... and %zu more nodes with %.3f ms", count - most,
                      per_run(profile, sum_of_self(rows + most, count - most)));
}

static void add_operators(pg_buf *out, const pg_profile *profile, const pg_profile_row *rows, size_t count,
                          size_t most)
{
    double all = sum_of_self(rows, count);
    pg_buf_puts(out,
                "\n---- Operators ----\n           ms   share    calls  operator                  nodes");
    for (size_t i = 0; i < count && i < most; i++) {
        add_row(out, profile, &rows[i], all);
        pg_buf_printf(out, "  %llu", (unsigned long long)rows[i].nodes);
    }
}

void run_profile_log(const run_live *live, size_t which, size_t most)
{
    pg_profile *profile = live->profiles[which];
    if (profile == NULL || most == 0 || pg_profile_runs(profile) == 0)
        return;
    pg_buf text = {0};
    size_t n_nodes, n_operators;
    const pg_profile_row *nodes = pg_profile_nodes(profile, &n_nodes);
    const pg_profile_row *operators = pg_profile_operators(profile, &n_operators);
    add_nodes(&text, profile, nodes, n_nodes, most);
    add_operators(&text, profile, operators, n_operators, most);
    PG_LOG_INFO("%-35s | Profile | %.3f ms per inference, %.3f ms of it in %zu nodes%s",
                live->runners[which]->name, per_run(profile, pg_profile_seconds(profile)),
                per_run(profile, sum_of_self(nodes, n_nodes)), n_nodes, pg_buf_cstr(&text));
    pg_buf_deinit(&text);
}

/* ---- File ---- */

static void put_rows(pg_json_writer *json, const char *key, bool named, const pg_profile_row *rows,
                     size_t count)
{
    pg_json_key(json, key);
    pg_json_begin_array(json);
    for (size_t i = 0; i < count; i++) {
        pg_json_begin_object(json);
        if (named)
            pg_json_field_str(json, "node", rows[i].node);
        pg_json_field_str(json, "op_type", rows[i].op_type);
        pg_json_field_str(json, "domain", rows[i].domain);
        pg_json_field_i64(json, "nodes", (int64_t)rows[i].nodes);
        pg_json_field_i64(json, "calls", (int64_t)rows[i].calls);
        pg_json_field_f64(json, "self_seconds", rows[i].self);
        pg_json_field_f64(json, "total_seconds", rows[i].total);
        pg_json_end_object(json);
    }
    pg_json_end_array(json);
}

static void put_runner(pg_json_writer *json, const char *name, pg_profile *profile)
{
    size_t count;
    pg_json_begin_object(json);
    pg_json_field_str(json, "name", pg_str_c(name));
    pg_json_field_i64(json, "inferences", (int64_t)pg_profile_runs(profile));
    pg_json_field_f64(json, "seconds", pg_profile_seconds(profile));
    const pg_profile_row *rows = pg_profile_nodes(profile, &count);
    put_rows(json, "nodes", true, rows, count);
    rows = pg_profile_operators(profile, &count);
    put_rows(json, "operators", false, rows, count);
    pg_json_end_object(json);
}

pg_status run_profile_save(const run_args *args, const run_live *live)
{
    pg_writer file;
    pg_json_writer json;
    if (args->native.save_profile == NULL || live->count == 0)
        return NULL;
    PG_LOG_INFO("Saving the profile to %s", args->native.save_profile);
    PG_TRY(pg_writer_open(&file, args->native.save_profile));
    pg_json_to_file(&json, &file, 4);
    pg_json_begin_object(&json);
    pg_json_field_str(&json, "format", PG_STR("polygraphy-profile"));
    pg_json_field_i64(&json, "version", 1);
    pg_json_field_str(&json, "model", pg_str_c(args->model.path));
    pg_json_key(&json, "runners");
    pg_json_begin_array(&json);
    for (size_t i = 0; i < live->count; i++)
        if (live->profiles[i] != NULL)
            put_runner(&json, live->runners[i]->name, live->profiles[i]);
    pg_json_end_array(&json);
    pg_json_end_object(&json);
    return pg_writer_commit(&file);
}
