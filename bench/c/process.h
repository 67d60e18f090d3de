/*
 * What a process has used so far: CPU time of all its threads (user and system), memory.
 */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

static inline uint64_t nanoseconds(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) < 0) return 0;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t now(void)
{
    return nanoseconds(CLOCK_MONOTONIC);
}

/*
 * The scheduler's own account of the process, in nanoseconds; threads that ended count too. A
 * thread that is running at the moment may be behind by up to one tick.
 */
static inline uint64_t process_cpu(pid_t pid)
{
    clockid_t clock;
    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0) return 0;
    return nanoseconds(clock);
}

/* Resident bytes, from smaps_rollup: walks the page tables, so it is exact (statm is not). */
static inline uint64_t process_memory(pid_t pid)
{
    char path[64], line[256];
    unsigned long long kilobytes = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    file = fopen(path, "r");
    if (file == NULL) return 0;
    while (fgets(line, sizeof line, file) && sscanf(line, "Rss: %llu kB", &kilobytes) != 1) {
    }
    fclose(file);
    return kilobytes * 1024;
}

#endif
