#include "tools/inspect_visual.h"

#include "base/file.h"
#include "base/serve.h"
#include "base/version.h"
#include "compare/plot/plot.h"
#include "draw/draw.h"
#include "log/log.h"

enum { DEFAULT_PORT = 8000 };

static const pg_option rows[] = {
    {"--visual", PG_FIELD(pg_visual_args, visual),
     .help =
         "show the model in a browser instead of printing it: a page with a searchable list of nodes, their "
         "attributes and tensor types, and the graph; with --save-visual, only write that page"},
    {"--visual-port", PG_FIELD(pg_visual_args, port), .metavar = "PORT", .default_text = "8000",
     .help = "port of this machine where --visual offers its page; 0 takes a free one"},
    {"--save-visual", PG_FIELD(pg_visual_args, page), .metavar = "PATH", .flags = PG_OPTION_PATH,
     .help = "write that page as a file, which needs no network"},
    {"--dot", PG_FIELD(pg_visual_args, dot), .metavar = "PATH", .flags = PG_OPTION_OURS | PG_OPTION_PATH,
     .help = "write the graph in the language of Graphviz"},
    {"--svg", PG_FIELD(pg_visual_args, svg), .metavar = "PATH", .flags = PG_OPTION_OURS | PG_OPTION_PATH,
     .help = "write a picture of the graph"},
};

static pg_status finish(void *values, pg_arena *arena)
{
    const pg_visual_args *args = values;
    (void)arena;
    if (args->port.set && (args->port.value < 0 || args->port.value > UINT16_MAX))
        return pg_err(PG_ERR_INVALID, "option '--visual-port': %lld is not between 0 and 65535",
                      (long long)args->port.value);
    if (args->port.set && (!args->visual || args->page != NULL))
        PG_LOG_WARNING("Option: --visual-port has no effect without --visual, or with --save-visual");
    return NULL;
}

const pg_group pg_group_visual = {"Visualization", rows, PG_COUNT(rows), .finish = finish};

pg_status pg_visual_check(const pg_visual_args *args)
{
    const char *const paths[] = {args->page, args->dot, args->svg};
    static const char *const names[] = {"--save-visual", "--dot", "--svg"};
    for (size_t i = 0; i < PG_COUNT(paths); i++) {
        if (paths[i] == NULL)
            continue;
        PG_TRY_CTX(pg_file_check_writable(paths[i]), "option '%s'", names[i]);
        for (size_t k = 0; k < i; k++)
            if (paths[k] != NULL && pg_str_is(pg_str_c(paths[i]), paths[k]))
                return pg_err(PG_ERR_INVALID, "options '%s' and '%s' name the same file '%s'", names[k],
                              names[i], paths[i]);
    }
    return NULL;
}

static pg_status serve(uint16_t port, pg_str page)
{
    pg_server server;
    char address[64];
    PG_TRY_CTX(pg_server_open(&server, port), "option '--visual-port'");
    snprintf(address, sizeof address, "http://127.0.0.1:%u/", server.port);
    PG_LOG_INFO("Viewer available at %s  (press Ctrl+C to exit)", address);
    pg_plot_open(address);
    pg_server_run(&server, page);
    pg_server_close(&server);
    return NULL;
}

static pg_status write_pictures(const pg_visual_args *args, const pg_model *model)
{
    pg_drawing drawing;
    pg_buf text = {0};
    pg_status status = NULL;
    const char *title = model->path != NULL ? model->path : "model";
    pg_drawing_make(model->graph, PG_DRAW_MOST_BOXES, &drawing);
    if (args->dot != NULL) {
        pg_drawing_dot(&drawing, title, &text);
        status = pg_file_write(args->dot, pg_buf_str(&text));
        if (status == NULL)
            PG_LOG_INFO("Graph saved to %s", args->dot);
    }
    if (status == NULL && args->svg != NULL) {
        pg_buf_clear(&text);
        pg_drawing_lay_out(&drawing);
        pg_drawing_svg(&drawing, &(pg_draw_style){.title = title}, &text);
        status = pg_file_write(args->svg, pg_buf_str(&text));
        if (status == NULL)
            PG_LOG_INFO("Graph saved to %s", args->svg);
    }
    pg_drawing_deinit(&drawing);
    pg_buf_deinit(&text);
    return status;
}

pg_status pg_visual_show(const pg_visual_args *args, const pg_model *model)
{
    if (args->dot != NULL || args->svg != NULL)
        PG_TRY(write_pictures(args, model));
    if (!args->visual && args->page == NULL)
        return NULL;
    pg_buf page = {0};
    pg_status status = NULL;
    pg_draw_page(model, "polygraphy " PG_VERSION, &page);
    if (args->page != NULL) {
        status = pg_file_write(args->page, pg_buf_str(&page));
        if (status == NULL)
            PG_LOG_INFO("Viewer HTML saved to %s", args->page);
    } else {
        status = serve(args->port.set ? (uint16_t)args->port.value : DEFAULT_PORT, pg_buf_str(&page));
    }
    pg_buf_deinit(&page);
    return status;
}
