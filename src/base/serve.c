#include "base/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/interrupt.h"

enum { TURN_MS = 200, PATIENCE_MS = 5000, MAX_REQUEST = 8192 };

pg_status pg_server_open(pg_server *server, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t length = sizeof address;
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->fd < 0)
        return pg_err(PG_ERR_IO, "cannot open a socket: %s", strerror(errno));
    setsockopt(server->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(server->fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(server->fd, 8) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &length) != 0) {
        pg_status status =
            pg_err(PG_ERR_IO, "cannot listen on port %u of this machine: %s", port, strerror(errno));
        pg_server_close(server);
        return status;
    }
    server->port = ntohs(address.sin_port);
    return NULL;
}

/* Waits in turns, so that Ctrl-C ends it soon. */
static bool wait_for(int fd, short event, int patience_ms)
{
    for (int waited = 0; !pg_interrupted() && (patience_ms < 0 || waited < patience_ms); waited += TURN_MS) {
        struct pollfd one = {.fd = fd, .events = event};
        if (poll(&one, 1, TURN_MS) > 0)
            return true;
    }
    return false;
}

/* The request's first line; false when none comes. */
static bool read_request(int fd, char *request)
{
    size_t used = 0;
    while (used < MAX_REQUEST - 1 && wait_for(fd, POLLIN, PATIENCE_MS)) {
        ssize_t got = recv(fd, request + used, MAX_REQUEST - 1 - used, 0);
        if (got <= 0)
            return false;
        used += (size_t)got;
        request[used] = '\0';
        if (strstr(request, "\r\n\r\n") != NULL || strstr(request, "\n\n") != NULL)
            return true;
    }
    return false;
}

static void send_all(int fd, pg_str bytes)
{
    while (bytes.len > 0 && wait_for(fd, POLLOUT, PATIENCE_MS)) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN)
            return;
        bytes = pg_str_sub(bytes, sent > 0 ? (size_t)sent : 0, bytes.len);
    }
}

static void answer(int fd, pg_str page)
{
    char request[MAX_REQUEST], head[200];
    if (!read_request(fd, request))
        return;
    bool is_page = strncmp(request, "GET / ", 6) == 0 || strncmp(request, "GET /?", 6) == 0;
    pg_str body = is_page ? page : PG_STR("there is nothing here\n");
    snprintf(
        head, sizeof head,
        "HTTP/1.1 %s\r\nContent-Type: %s; charset=utf-8\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
        is_page ? "200 OK" : "404 Not Found", is_page ? "text/html" : "text/plain", body.len);
    send_all(fd, pg_str_c(head));
    send_all(fd, body);
}

void pg_server_run(pg_server *server, pg_str page)
{
    while (wait_for(server->fd, POLLIN, -1)) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        answer(fd, page);
        close(fd);
    }
}

void pg_server_close(pg_server *server)
{
    if (server->fd >= 0)
        close(server->fd);
    server->fd = -1;
}
