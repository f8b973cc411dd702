/* Rows of options that parse and are checked, but whose system this version lacks. */
#ifndef PG_ARGS_MISSING_H
#define PG_ARGS_MISSING_H

#define NEEDS_PYTHON "Python scripts, which are not supported yet"

#define MISSING_FLAG(names_, needs_, help_)                           \
    {                                                                 \
        names_, .type = PG_ARG_FLAG, .missing = needs_, .help = help_ \
    }
#define MISSING_TEXT(names_, needs_, help_)                           \
    {                                                                 \
        names_, .type = PG_ARG_TEXT, .missing = needs_, .help = help_ \
    }
#define MISSING_PATH(names_, needs_, help_)                                                    \
    {                                                                                          \
        names_, .type = PG_ARG_TEXT, .missing = needs_, .help = help_, .flags = PG_OPTION_PATH \
    }
#define MISSING_INT(names_, needs_, help_)                           \
    {                                                                \
        names_, .type = PG_ARG_INT, .missing = needs_, .help = help_ \
    }
#define MISSING_FLOAT(names_, needs_, help_)                           \
    {                                                                  \
        names_, .type = PG_ARG_FLOAT, .missing = needs_, .help = help_ \
    }
#define MISSING_LIST(names_, needs_, help_)                           \
    {                                                                 \
        names_, .type = PG_ARG_LIST, .missing = needs_, .help = help_ \
    }
#define MISSING_ANY(names_, needs_, help_)                                                   \
    {                                                                                        \
        names_, .type = PG_ARG_LIST, .arity = PG_ARITY_ANY, .missing = needs_, .help = help_ \
    }

#endif
