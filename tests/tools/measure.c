/* Runs a command and writes what it took as one line: user and system seconds, wall seconds, peak resident
 * KiB, and exit status (128 + signal when it was killed).
 *
 *     measure RESULT COMMAND [ARGUMENT ...]
 *
 * A small program of its own, because the kernel counts the memory of whoever starts a command towards the
 * command's peak: started from a Python program, no command would seem to take less than Python does. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: measure RESULT COMMAND [ARGUMENT ...]\n");
        return 2;
    }
    uint64_t start = pg_clock_ns();
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    int status = 0;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) != child) {
        perror("measure");
        return 2;
    }
    double wall = pg_clock_seconds_since(start);
    FILE *out = fopen(argv[1], "w");
    if (out == NULL) {
        perror(argv[1]);
        return 2;
    }
    int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    fprintf(out, "%.6f %.6f %.6f %ld %d\n", seconds(usage.ru_utime), seconds(usage.ru_stime), wall,
            usage.ru_maxrss, code);
    return fclose(out) == 0 ? 0 : 2;
}
