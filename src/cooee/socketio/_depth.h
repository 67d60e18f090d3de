/*
 * How deep a JSON text is nested, without parsing it: brackets are counted, those within strings
 * are not.
 *
 * On x86-64 16 bytes at a time, as simdjson finds structure: the bits of the quotes, each added to
 * all those above it without carry, are set from each opening quote to the closing one. Blocks with
 * a backslash are rare, and are gone through byte by byte.
 */
#ifndef COOEE_DEPTH_H
#define COOEE_DEPTH_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

typedef struct {
    int depth;
    bool quoted;
    bool escaped; /* the byte before was a backslash that counts */
} cooee_nesting;

/* Go through some bytes; false once they are nested deeper than `most`. */
static inline bool cooee_nest(cooee_nesting *at, const char *text, size_t size, int most)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (at->escaped)
            at->escaped = false;
        else if (c == '"')
            at->quoted = !at->quoted;
        else if (at->quoted)
            at->escaped = c == '\\';
        /* "[" and "{" differ in one bit, and so do "]" and "}". */
        else if ((c | 0x20) == '{') {
            if (++at->depth > most)
                return false;
        } else if ((c | 0x20) == '}')
            at->depth--;
    }
    return true;
}

/* Whether a text is nested no deeper than `most`. */
static inline bool cooee_nested_at_most(const char *text, size_t size, int most)
{
    cooee_nesting at = {0, false, false};
    size_t i = 0;
    if (size <= (size_t)most)
        return true;
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i bit = _mm_set1_epi8(0x20);
    const __m128i opening = _mm_set1_epi8('{'), closing = _mm_set1_epi8('}');
    for (; size - i >= 16; i += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(text + i));
        __m128i bracket = _mm_or_si128(block, bit);
        unsigned inside, opened, closed;
        if (at.escaped || _mm_movemask_epi8(_mm_cmpeq_epi8(block, backslash))) {
            if (!cooee_nest(&at, text + i, 16, most))
                return false;
            continue;
        }
        inside = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(block, quote));
        inside ^= inside << 1;
        inside ^= inside << 2;
        inside ^= inside << 4;
        inside ^= inside << 8;
        inside ^= at.quoted ? 0xffffu : 0u;
        opened = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bracket, opening)) & ~inside;
        closed = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bracket, closing)) & ~inside;
        if (at.depth + 16 > most) {
            if (!cooee_nest(&at, text + i, 16, most))
                return false;
            continue;
        }
        at.depth += __builtin_popcount(opened) - __builtin_popcount(closed);
        at.quoted = inside >> 15 & 1;
    }
#endif
    return cooee_nest(&at, text + i, size - i, most);
}

#endif
