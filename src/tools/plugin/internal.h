/* `plugin list`, `match` and `replace`: patterns of plugins, which are Python files. */
#ifndef PG_TOOLS_PLUGIN_INTERNAL_H
#define PG_TOOLS_PLUGIN_INTERNAL_H

/* A Python program; its arguments are the mode, the folder of the plugins, the model, what to write, the
 * configuration and the plugins' names. */
extern const char plugin_helper[];

#endif
