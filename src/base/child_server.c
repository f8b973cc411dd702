/* A child that answers questions: one stream socket, each message its head and then its bytes. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/child.h"
#include "base/interrupt.h"
#include "base/threads.h"

enum { POLL_MS = 100, MAGIC = 0x50474332 };

typedef struct message_head {
    uint32_t magic;
    int32_t code; /* pg_code of an answer */
    uint64_t size;
} message_head;

struct pg_child {
    char *what;
    pid_t pid; /* 0 once it has ended */
    int fd;
    int state; /* of waitpid, once it has ended */
};

/* ---- Messages ---- */

/* False when the other side is gone, or on Ctrl-C where `watch` is set. */
static bool send_all(int fd, const void *bytes, size_t size, bool watch)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t done = send(fd, at, size, MSG_NOSIGNAL);
        if (done < 0 && (errno != EINTR || (watch && pg_interrupted())))
            return false;
        if (done > 0) {
            at += done;
            size -= (size_t)done;
        }
    }
    return true;
}

static bool receive_all(int fd, void *bytes, size_t size, bool watch)
{
    struct pollfd poll_fd = {fd, POLLIN, 0};
    for (char *at = bytes; size > 0;) {
        int ready = poll(&poll_fd, 1, POLL_MS);
        if (watch && pg_interrupted())
            return false;
        if (ready == 0 || (ready < 0 && errno == EINTR))
            continue;
        ssize_t got = ready < 0 ? -1 : recv(fd, at, size, 0);
        if (got == 0 || (got < 0 && errno != EINTR))
            return false;
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        }
    }
    return true;
}

static bool send_message(int fd, pg_code code, pg_str text, bool watch)
{
    message_head head = {MAGIC, (int32_t)code, text.len};
    return send_all(fd, &head, sizeof head, watch) && send_all(fd, text.ptr, text.len, watch);
}

static bool receive_message(int fd, message_head *head, pg_buf *out, bool watch)
{
    if (!receive_all(fd, head, sizeof *head, watch) || head->magic != MAGIC)
        return false;
    pg_buf_reserve(out, head->size + 1);
    if (!receive_all(fd, out->ptr + out->len, head->size, watch))
        return false;
    out->len += head->size;
    out->ptr[out->len] = '\0';
    return true;
}

/* ---- The child's side ---- */

PG_NORETURN static void serve(int fd, pid_t parent, pg_child_answer answer, void *context)
{
    message_head head;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    signal(SIGINT, SIG_IGN); /* the parent decides */
    signal(SIGTERM, SIG_DFL);
    pg_threads_forked();
    for (;;) {
        pg_buf question = {0}, out = {0};
        if (!receive_message(fd, &head, &question, false))
            break;
        pg_status status = answer(context, pg_buf_str(&question), &out);
        pg_str text = status != NULL ? pg_str_c(pg_status_message(status)) : pg_buf_str(&out);
        fflush(NULL);
        bool sent = send_message(fd, pg_status_code(status), text, false);
        pg_status_drop(status);
        pg_buf_deinit(&question);
        pg_buf_deinit(&out);
        if (!sent)
            break;
    }
    fflush(NULL);
    _exit(0);
}

/* ---- The parent's side ---- */

pg_status pg_child_start(const char *what, pg_child_answer answer, void *context, pg_child **out)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return pg_err_errno(PG_ERR_IO, errno, "could not start a process for %s", what);
    fflush(NULL);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        close(fds[0]);
        serve(fds[1], parent, answer, context);
    }
    int error = errno;
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return pg_err_errno(PG_ERR_IO, error, "could not start a process for %s", what);
    }
    *out = PG_NEW(pg_child);
    **out = (pg_child){.what = pg_strndup(what, strlen(what)), .pid = pid, .fd = fds[0]};
    return NULL;
}

static void reap(pg_child *child, bool kill_it)
{
    if (child->pid == 0)
        return;
    if (kill_it)
        kill(child->pid, SIGKILL);
    shutdown(child->fd, SHUT_RDWR); /* children that were started later have copies of the socket */
    close(child->fd);
    while (waitpid(child->pid, &child->state, 0) < 0 && errno == EINTR)
        ;
    child->pid = 0;
}

static pg_status gone(const pg_child *child)
{
    if (WIFSIGNALED(child->state))
        return pg_err(PG_ERR_RUNTIME, "%s crashed with signal %d (%s); it ran in a process of its own",
                      child->what, WTERMSIG(child->state), strsignal(WTERMSIG(child->state)));
    return pg_err(PG_ERR_RUNTIME, "%s ended its process with exit status %d", child->what,
                  WEXITSTATUS(child->state));
}

pg_status pg_child_ask(pg_child *child, pg_str question, pg_buf *out)
{
    message_head head;
    size_t before = out->len;
    if (child->pid == 0)
        return gone(child);
    if (!send_message(child->fd, PG_OK, question, true) || !receive_message(child->fd, &head, out, true)) {
        bool interrupted = pg_interrupted();
        out->len = before;
        reap(child, interrupted);
        return interrupted ? pg_err(PG_ERR_INTERRUPTED, "stopped by Ctrl-C") : gone(child);
    }
    if (head.code == PG_OK)
        return NULL;
    pg_status status = pg_err((pg_code)head.code, "%s", pg_buf_cstr(out) + before);
    out->len = before;
    return status;
}

void pg_child_stop(pg_child *child)
{
    if (child == NULL)
        return;
    reap(child, pg_interrupted());
    free(child->what);
    free(child);
}
