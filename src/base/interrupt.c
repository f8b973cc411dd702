#include "base/interrupt.h"

#include <stddef.h>
#include <string.h>

volatile sig_atomic_t pg_interrupt_flag;

static void on_signal(int number)
{
    pg_interrupt_flag = number;
    signal(number, SIG_DFL);
}

void pg_interrupt_install(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}
