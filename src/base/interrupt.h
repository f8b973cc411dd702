/* Ctrl-C: the handler only sets a flag; long work asks for it between steps and stops with
 * PG_ERR_INTERRUPTED. */
#ifndef PG_BASE_INTERRUPT_H
#define PG_BASE_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

extern volatile sig_atomic_t pg_interrupt_flag;

/* Installs the handler for SIGINT and SIGTERM. A second signal ends the process at once. */
void pg_interrupt_install(void);
static inline bool pg_interrupted(void)
{
    return pg_interrupt_flag != 0;
}

#endif
