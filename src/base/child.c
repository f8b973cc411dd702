#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

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
