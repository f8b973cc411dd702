/* The program's entry: everything is in tools/. */
#include "base/status.h"

int main(void)
{
    return 0;
}
