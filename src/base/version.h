/* The program's version, stated once. */
#ifndef PG_BASE_VERSION_H
#define PG_BASE_VERSION_H

#define PG_VERSION "0.1.0"
/* The version of Polygraphy whose tools, options, files and log lines this program follows. */
#define PG_PEER_VERSION "0.53.6"

#endif
