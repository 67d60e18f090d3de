/*
 * A log-linear histogram of nanoseconds: 128 steps per power of two, so that a percentile is exact
 * to 0.8 %.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>
#include <string.h>

enum { STEP_BITS = 7, STEPS = 1 << STEP_BITS, OCTAVES = 33 }; /* up to 2^40 ns, 18 minutes */

struct histogram {
    uint64_t counts[STEPS * OCTAVES];
    uint64_t total, sum, largest;
};

static inline void histogram_add(struct histogram *h, uint64_t value)
{
    unsigned octave = value < STEPS ? 0 : 64 - STEP_BITS - (unsigned)__builtin_clzll(value);
    uint64_t index = value < STEPS ? value : octave * STEPS + ((value >> (octave - 1)) - STEPS);

    h->counts[index < STEPS * OCTAVES ? index : STEPS * OCTAVES - 1]++;
    h->total++;
    h->sum += value;
    if (value > h->largest) h->largest = value;
}

/* The middle of the step that holds the given fraction (0 to 1) of what was added. */
static inline uint64_t histogram_percentile(const struct histogram *h, double fraction)
{
    uint64_t wanted = (uint64_t)(fraction * (double)h->total), seen = 0;

    if (wanted >= h->total) wanted = h->total - 1;
    for (unsigned i = 0; i < STEPS * OCTAVES; i++) {
        seen += h->counts[i];
        if (seen > wanted) {
            unsigned octave = i / STEPS;
            if (octave < 2) return i;
            return ((uint64_t)(i % STEPS + STEPS) << (octave - 1)) + ((uint64_t)1 << (octave - 2));
        }
    }
    return h->largest;
}

static inline void histogram_clear(struct histogram *h)
{
    memset(h, 0, sizeof *h);
}

#endif
