/* Processor quotas as control groups of both versions state them, in folders made up for the purpose. */
#include "unit/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/cgroup.h"
#include "base/file.h"

static pg_arena arena;
static char folder[64];

static const char *at(const char *name)
{
    return pg_path_join(&arena, pg_str_c(folder), pg_str_c(name));
}

static void put(const char *name, const char *text)
{
    const char *path = at(name);
    CHECK_OK(pg_path_make_dirs(pg_path_dirname(&arena, pg_str_c(path))));
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    if (file != NULL) {
        fputs(text, file);
        fclose(file);
    }
}

static void fresh(void)
{
    snprintf(folder, sizeof folder, "/tmp/test_cgroup_XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
}

static void done(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    CHECK_INT(system(command), 0);
    pg_arena_deinit(&arena);
    arena = (pg_arena){0};
}

static unsigned limit(unsigned cpus)
{
    return pg_cgroup_cpus(at("groups"), at("fs"), cpus);
}

TEST(without_groups_there_is_no_limit)
{
    fresh();
    CHECK_INT(limit(6), 6);
    done();
}

TEST(version_2_counts_the_group_and_those_around_it)
{
    fresh();
    put("groups", "0::/a/b\n");
    put("fs/a/b/cpu.max", "max 100000\n");
    CHECK_INT(limit(8), 8);
    put("fs/a/cpu.max", "350000 100000\n");
    CHECK_INT(limit(8), 4); /* three and a half */
    CHECK_INT(limit(3), 3);
    put("fs/a/b/cpu.max", "20000 100000\n");
    CHECK_INT(limit(8), 1);
    done();
}

TEST(version_2_inside_a_container_sees_the_root_only)
{
    fresh();
    put("groups", "0::/\n");
    put("fs/cpu.max", "200000 100000\n");
    CHECK_INT(limit(8), 2);
    put("groups", "0::/docker/of/the/host\n");
    CHECK_INT(limit(8), 2);
    done();
}

TEST(version_1_has_a_hierarchy_per_controller)
{
    fresh();
    put("groups", "11:cpuset:/x\n4:cpu,cpuacct:/docker/x\n1:name=systemd:/y\n");
    put("fs/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "-1\n");
    put("fs/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n");
    CHECK_INT(limit(8), 8);
    put("fs/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "150000\n");
    CHECK_INT(limit(8), 2);
    put("groups", "4:cpuacct,cpu:/elsewhere\n");
    put("fs/cpu/cpu.cfs_quota_us", "300000\n");
    put("fs/cpu/cpu.cfs_period_us", "100000\n");
    CHECK_INT(limit(8), 3);
    done();
}

TEST(nonsense_sets_no_limit)
{
    fresh();
    put("groups", "0::\nno colons\n::\n3:cpu\n");
    put("fs/cpu.max", "many of them\n");
    put("fs/cpu/cpu.cfs_quota_us", "5");
    put("fs/cpu/cpu.cfs_period_us", "0");
    CHECK_INT(limit(8), 8);
    done();
}

TEST_MAIN(RUN(without_groups_there_is_no_limit); RUN(version_2_counts_the_group_and_those_around_it);
          RUN(version_2_inside_a_container_sees_the_root_only); RUN(version_1_has_a_hierarchy_per_controller);
          RUN(nonsense_sets_no_limit);)
