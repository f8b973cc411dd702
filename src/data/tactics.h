/* Files of tactic replays. */
#ifndef PG_DATA_TACTICS_H
#define PG_DATA_TACTICS_H

#include "engine/tactics.h"

/* Everything lives in the arena. PG_ERR_INVALID for a file that is no replay or states something that cannot
 * be: the error names the file, the layer and the member. */
PG_MUST_USE pg_status pg_tactics_load(const char *path, pg_arena *arena, pg_tactic_replay *out);

#endif
