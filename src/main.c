/* The program's entry: everything is in tools/. */
#include "tools/tools.h"

int main(int argc, char **argv)
{
    return pg_tools_main(argc, argv);
}
