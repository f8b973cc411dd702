/* One page on a port of this machine, for a browser. */
#ifndef PG_BASE_SERVE_H
#define PG_BASE_SERVE_H

#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

typedef struct pg_server {
    int fd; /* -1 when closed */
    uint16_t port;
} pg_server;

/* Listens on 127.0.0.1 only; port 0 takes a free one. PG_ERR_IO when the port is taken or not allowed. */
PG_MUST_USE pg_status pg_server_open(pg_server *server, uint16_t port);
/* Answers "GET /" with the page and everything else with an error, one request at a time, until Ctrl-C. */
void pg_server_run(pg_server *server, pg_str page);
void pg_server_close(pg_server *server);

#endif
