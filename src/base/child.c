#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/threads.h"

extern char **environ;

void pg_child_result_deinit(pg_child_result *result)
{
    pg_buf_deinit(&result->out);
    pg_buf_deinit(&result->err);
    *result = (pg_child_result){0};
}

/* Reads both pipes until both are closed, so that neither can fill up and block the child. */
static void drain(int fds[2], pg_buf *bufs[2])
{
    struct pollfd polls[2] = {{fds[0], POLLIN, 0}, {fds[1], POLLIN, 0}};
    while (polls[0].fd >= 0 || polls[1].fd >= 0) {
        if (poll(polls, 2, -1) < 0 && errno != EINTR)
            break;
        for (int i = 0; i < 2; i++) {
            if (polls[i].fd < 0 || polls[i].revents == 0)
                continue;
            pg_buf_reserve(bufs[i], 1 << 16);
            ssize_t got = read(polls[i].fd, bufs[i]->ptr + bufs[i]->len, 1 << 16);
            if (got > 0) {
                bufs[i]->len += (size_t)got;
                bufs[i]->ptr[bufs[i]->len] = '\0';
            } else if (got == 0 || errno != EINTR) {
                polls[i].fd = -1;
            }
        }
    }
}

pg_status pg_child_run(const char *const *argv, pg_child_result *out)
{
    *out = (pg_child_result){0};
    int pipes[2][2];
    if (pipe2(pipes[0], O_CLOEXEC) != 0)
        return pg_err_errno(PG_ERR_IO, errno, "could not start '%s'", argv[0]);
    if (pipe2(pipes[1], O_CLOEXEC) != 0) {
        int error = errno;
        close(pipes[0][0]);
        close(pipes[0][1]);
        return pg_err_errno(PG_ERR_IO, error, "could not start '%s'", argv[0]);
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipes[0][1], 1);
    posix_spawn_file_actions_adddup2(&actions, pipes[1][1], 2);
    pid_t child;
    int error = posix_spawnp(&child, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[0][1]);
    close(pipes[1][1]);
    pg_status status = NULL;
    if (error != 0) {
        status = pg_err_errno(error == ENOENT ? PG_ERR_NOT_FOUND : PG_ERR_IO, error, "could not start '%s'",
                              argv[0]);
    } else {
        drain((int[2]){pipes[0][0], pipes[1][0]}, (pg_buf *[2]){&out->out, &out->err});
        int state = 0;
        while (waitpid(child, &state, 0) < 0 && errno == EINTR)
            ;
        out->exit_code = WIFEXITED(state) ? WEXITSTATUS(state) : 0;
        out->signal = WIFSIGNALED(state) ? WTERMSIG(state) : 0;
    }
    close(pipes[0][0]);
    close(pipes[1][0]);
    return status;
}

/* ---- A copy of this process ---- */

enum { POLL_MS = 100 };

/* What a child says at its end: this, then the text. */
typedef struct call_head {
    uint32_t magic;
    int32_t code;
    uint64_t size;
} call_head;
enum { CALL_MAGIC = 0x50474331 };

static void write_all(int fd, const void *bytes, size_t size)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t done = write(fd, at, size);
        if (done < 0 && errno != EINTR)
            return;
        if (done > 0) {
            at += done;
            size -= (size_t)done;
        }
    }
}

PG_NORETURN static void be_child(int fd, pid_t parent, pg_child_work work, void *context)
{
    pg_buf out = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    pg_threads_forked();
    pg_status status = work(context, &out);
    pg_str text = status != NULL ? pg_str_c(pg_status_message(status)) : pg_buf_str(&out);
    call_head head = {CALL_MAGIC, (int32_t)pg_status_code(status), text.len};
    fflush(NULL);
    write_all(fd, &head, sizeof head);
    write_all(fd, text.ptr, text.len);
    _exit(0);
}

/* Until the child closes its end. */
static void listen_to(int fd, pid_t child, pg_buf *out)
{
    struct pollfd poll_fd = {fd, POLLIN, 0};
    for (bool killed = false;;) {
        int ready = poll(&poll_fd, 1, POLL_MS);
        if (pg_interrupted() && !killed) {
            kill(child, SIGKILL);
            killed = true;
        }
        if (ready < 0 && errno != EINTR)
            return;
        if (ready <= 0)
            continue;
        pg_buf_reserve(out, 1 << 16);
        ssize_t got = read(fd, out->ptr + out->len, 1 << 16);
        if (got == 0 || (got < 0 && errno != EINTR))
            return;
        if (got > 0)
            out->len += (size_t)got;
    }
}

static pg_status result_of(const char *what, int state, const pg_buf *said, pg_buf *out)
{
    call_head head = {0};
    if (said->len >= sizeof head)
        memcpy(&head, said->ptr, sizeof head);
    if (pg_interrupted())
        return pg_err(PG_ERR_INTERRUPTED, "stopped by Ctrl-C");
    if (WIFSIGNALED(state))
        return pg_err(PG_ERR_RUNTIME, "%s crashed with signal %d (%s); it ran in a process of its own", what,
                      WTERMSIG(state), strsignal(WTERMSIG(state)));
    if (head.magic != CALL_MAGIC || said->len - sizeof head != head.size)
        return pg_err(PG_ERR_RUNTIME, "%s ended its process with exit status %d", what,
                      WIFEXITED(state) ? WEXITSTATUS(state) : -1);
    pg_str text = pg_str_sub(pg_buf_str(said), sizeof head, said->len);
    if (head.code != PG_OK)
        return pg_err((pg_code)head.code, "%" PG_STR_FMT, PG_STR_ARG(text));
    pg_buf_add_str(out, text);
    return NULL;
}

pg_status pg_child_call(const char *what, pg_child_work work, void *context, pg_buf *out)
{
    int fds[2], state = 0;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return pg_err_errno(PG_ERR_IO, errno, "could not start a process for %s", what);
    fflush(NULL);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        close(fds[0]);
        be_child(fds[1], parent, work, context);
    }
    int error = errno;
    close(fds[1]);
    pg_buf said = {0};
    if (child > 0) {
        listen_to(fds[0], child, &said);
        while (waitpid(child, &state, 0) < 0 && errno == EINTR)
            ;
    }
    close(fds[0]);
    pg_status status = child < 0 ? pg_err_errno(PG_ERR_IO, error, "could not start a process for %s", what)
                                 : result_of(what, state, &said, out);
    pg_buf_deinit(&said);
    return status;
}
