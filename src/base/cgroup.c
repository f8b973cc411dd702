#include "base/cgroup.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

enum { PATH_SIZE = 4096 };

/* Numbers at the beginning of a file. */
static int read_numbers(const char *path, double *first, double *second)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    const int found = fscanf(file, "%lf %lf", first, second);
    fclose(file);
    return found;
}

static unsigned limit_to(unsigned cpus, double quota, double period)
{
    if (!(quota > 0) || !(period > 0) || quota / period >= (double)cpus)
        return cpus;
    return PG_MAX(1u, (unsigned)(quota / period + 0.999));
}

/* Version 2: "quota period" or "max period". */
static unsigned limit_v2(const char *folder, unsigned cpus)
{
    char path[PATH_SIZE + 32];
    double quota, period;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    return read_numbers(path, &quota, &period) == 2 ? limit_to(cpus, quota, period) : cpus;
}

/* Version 1: two files; a quota of -1 is none. */
static unsigned limit_v1(const char *folder, unsigned cpus)
{
    char path[PATH_SIZE + 32];
    double quota, period, unused;
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (read_numbers(path, &quota, &unused) != 1)
        return cpus;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    return read_numbers(path, &period, &unused) == 1 ? limit_to(cpus, quota, period) : cpus;
}

/* The group and all around it, up to the hierarchy's root. Inside a container the path may be that of the host,
 * of which only the root is there. */
static unsigned limit_of_groups(const char *hierarchy, const char *group, unsigned cpus,
                                unsigned (*limit)(const char *, unsigned))
{
    char folder[PATH_SIZE];
    const size_t root = strlen(hierarchy);
    const int length = snprintf(folder, sizeof folder, "%s%s", hierarchy, group);
    if (length < 0 || (size_t)length >= sizeof folder)
        return limit(hierarchy, cpus);
    for (;;) {
        cpus = limit(folder, cpus);
        char *end = strrchr(folder, '/');
        if (end == NULL || (size_t)(end - folder) < root)
            return cpus;
        *end = '\0';
    }
}

/* Whether a comma-separated list of controllers has "cpu". */
static bool has_cpu(const char *list)
{
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == '\0' || at[3] == ','))
            return true;
    }
    return false;
}

unsigned pg_cgroup_cpus(const char *groups, const char *mount, unsigned cpus)
{
    char line[PATH_SIZE], hierarchy[PATH_SIZE];
    cpus = limit_v2(mount, cpus);
    FILE *file = fopen(groups, "re");
    if (file == NULL)
        return cpus;
    /* number:controllers:path; version 2 has number 0 and no controllers. */
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *group = NULL;
        if (controllers != NULL)
            group = strchr(++controllers, ':');
        if (group == NULL)
            continue;
        *group++ = '\0';
        if (controllers[0] == '\0') {
            cpus = limit_of_groups(mount, group, cpus, limit_v2);
        } else if (has_cpu(controllers)) {
            snprintf(hierarchy, sizeof hierarchy, "%.2000s/%.2000s", mount, controllers);
            cpus = limit_of_groups(hierarchy, group, cpus, limit_v1);
            snprintf(hierarchy, sizeof hierarchy, "%.2000s/cpu", mount);
            cpus = limit_of_groups(hierarchy, group, cpus, limit_v1);
        }
    }
    fclose(file);
    return cpus;
}
