/* Limits that control groups set on the processors of this process. */
#ifndef PG_BASE_CGROUP_H
#define PG_BASE_CGROUP_H

/* How many processors the quotas allow, rounded up; at most `cpus`, at least 1. Both versions of control groups
 * are read, in the process's own group and those around it; what cannot be read sets no limit. Lists of
 * processors (cpuset) are part of the affinity mask already.
 *
 * `groups` is the file that names the groups (/proc/self/cgroup), `mount` the folder of the hierarchies
 * (/sys/fs/cgroup). */
unsigned pg_cgroup_cpus(const char *groups, const char *mount, unsigned cpus);

#endif
