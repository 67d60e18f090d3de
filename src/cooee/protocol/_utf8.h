/*
 * Incremental validation of UTF-8 (RFC 3629), which text messages and close reasons must be
 * (RFC 6455 §5.6, §5.5.1, §8.1).
 *
 *     cooee_utf8(&state, p, n, &nonascii)
 *
 * returns n while all octets can belong to valid text, or else the index of the first octet that
 * cannot, which is as early as can be told: in ED A0 (a surrogate) and in F4 90 (above U+10FFFF)
 * the second octet, in C0 (always overlong) the first. `state` carries an unfinished sequence from
 * one piece of the text to the next; it starts as 0, and text that ends with another value ends
 * within a character. After a failure it means nothing. `nonascii` is set to 1 when an octet above
 * 7F was seen, and never cleared: text without one needs no decoding, and may be copied.
 *
 * Exactly the octets [p, p + n) are read.
 */

#ifndef COOEE_PROTOCOL_UTF8_H
#define COOEE_PROTOCOL_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* COOEE_NO_VECTORS: what remains on other processors and compilers, to be tested on these. */
#if defined(COOEE_NO_VECTORS)
/* none */
#elif defined(__SSE2__) || defined(_M_X64)
#define COOEE_UTF8_SSE2 1
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#define COOEE_UTF8_NEON 1
#include <arm_neon.h>
#endif

#define COOEE_UTF8_HIGH_BITS UINT64_C(0x8080808080808080)

static inline uint64_t cooee_utf8_load64(const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

/* Four octets, the first lowest; compilers make this one load. */
static inline uint32_t cooee_utf8_load32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Whether the 16 octets at p are all ASCII. */
static inline int cooee_utf8_ascii16(const unsigned char *p)
{
#if defined(COOEE_UTF8_SSE2)
    return _mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)p)) == 0;
#elif defined(COOEE_UTF8_NEON)
    return vmaxvq_u8(vld1q_u8(p)) < 0x80;
#else
    return ((cooee_utf8_load64(p) | cooee_utf8_load64(p + 8)) & COOEE_UTF8_HIGH_BITS) == 0;
#endif
}

/* Whether the 64 octets at p are all ASCII. */
static inline int cooee_utf8_ascii64(const unsigned char *p)
{
#if defined(COOEE_UTF8_SSE2)
    const __m128i *from = (const __m128i *)(const void *)p;
    __m128i ab = _mm_or_si128(_mm_loadu_si128(from), _mm_loadu_si128(from + 1));
    __m128i cd = _mm_or_si128(_mm_loadu_si128(from + 2), _mm_loadu_si128(from + 3));
    return _mm_movemask_epi8(_mm_or_si128(ab, cd)) == 0;
#elif defined(COOEE_UTF8_NEON)
    uint8x16_t ab = vorrq_u8(vld1q_u8(p), vld1q_u8(p + 16));
    uint8x16_t cd = vorrq_u8(vld1q_u8(p + 32), vld1q_u8(p + 48));
    return vmaxvq_u8(vorrq_u8(ab, cd)) < 0x80;
#else
    return cooee_utf8_ascii16(p) && cooee_utf8_ascii16(p + 16) && cooee_utf8_ascii16(p + 32) &&
           cooee_utf8_ascii16(p + 48);
#endif
}

/* How many of the 16 octets at p come before the first that is not ASCII; 16 if there is none. */
static inline size_t cooee_utf8_run16(const unsigned char *p)
{
#if defined(COOEE_UTF8_SSE2) && (defined(__GNUC__) || defined(__clang__))
    int high = _mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)p));
    return high == 0 ? 16 : (size_t)__builtin_ctz((unsigned)high);
#else
    size_t i = 0;
    if (cooee_utf8_ascii16(p))
        return 16;
    while (p[i] < 0x80)
        i++;
    return i;
#endif
}

/* Past the leading ASCII octets of [p, end). */
static inline const unsigned char *cooee_utf8_skip(const unsigned char *p,
                                                   const unsigned char *end)
{
    size_t run;

    if ((size_t)(end - p) >= 16) {
        /* Among other characters the run is short: look no further than needed. */
        run = cooee_utf8_run16(p);
        p += run;
        if (run < 16)
            return p;
        while ((size_t)(end - p) >= 64 && cooee_utf8_ascii64(p))
            p += 64;
        while ((size_t)(end - p) >= 16) {
            run = cooee_utf8_run16(p);
            p += run;
            if (run < 16)
                return p;
        }
    }
    if ((size_t)(end - p) >= 8 && (cooee_utf8_load64(p) & COOEE_UTF8_HIGH_BITS) == 0)
        p += 8;
    while (p < end && *p < 0x80)
        p++;
    return p;
}

/*
 * Past the leading valid sequences of two to four octets; fewer than four octets from the end, or at
 * the first octet that is ASCII or begins an invalid sequence. Table 3-7 of the Unicode Standard:
 * after some first octets the range of the second is narrower than 80..BF.
 *
 * Each length has its branch, which text of one script predicts well. A length computed without
 * branches would be slower: every step would wait for the load of the one before.
 */
static inline const unsigned char *cooee_utf8_sequences(const unsigned char *p,
                                                        const unsigned char *end)
{
    while (end - p >= 4) {
        uint32_t word = cooee_utf8_load32(p);

        if ((word & 0x00C0C0F0U) == 0x008080E0U) {
            /* E0 80..9F is overlong, ED A0..BF a surrogate. */
            uint32_t narrow = word & 0x200FU;
            if (narrow == 0 || narrow == 0x200DU)
                return p;
            p += 3;
        } else if ((word & 0x0000C0E0U) == 0x000080C0U) {
            /* C0 and C1 are overlong. */
            if ((word & 0x1EU) == 0)
                return p;
            p += 2;
        } else if ((word & 0xC0C0C0F8U) == 0x808080F0U) {
            /* F0 80..8F is overlong, F4 90..BF and all later ones are above U+10FFFF: the five bits
               that tell the plane must be 1 to 16. */
            uint32_t plane = (word & 7U) << 2 | ((word >> 12) & 3U);
            if (plane - 1U >= 16U)
                return p;
            p += 4;
        } else {
            return p;
        }
    }
    return p;
}

/*
 * One octet at a time. The state holds how many octets are missing, and the range in which the
 * next one must lie: missing | least << 8 | greatest << 16. Returns 0 if `octet` cannot follow.
 */
static inline int cooee_utf8_step(uint32_t *state, unsigned octet)
{
    uint32_t missing = *state & 0xFFU;

    if (missing != 0) {
        if (octet < ((*state >> 8) & 0xFFU) || octet > *state >> 16)
            return 0;
        *state = missing == 1 ? 0 : (missing - 1) | 0xBF8000U;
    } else if (octet >= 0x80) {
        if (octet < 0xC2 || octet > 0xF4)
            return 0;
        if (octet < 0xE0)
            *state = 0xBF8001U;
        else if (octet < 0xF0)
            *state = octet == 0xE0 ? 0xBFA002U : octet == 0xED ? 0x9F8002U : 0xBF8002U;
        else
            *state = octet == 0xF0 ? 0xBF9003U : octet == 0xF4 ? 0x8F8003U : 0xBF8003U;
    }
    return 1;
}

/* The general case: see cooee_utf8(). */
static inline size_t cooee_utf8_walk(uint32_t *state, const unsigned char *start, size_t n,
                                     int *nonascii)
{
    const unsigned char *p = start;
    const unsigned char *end = start + n;

    while (p < end && *state != 0) {
        *nonascii = 1;
        if (!cooee_utf8_step(state, *p))
            return (size_t)(p - start);
        p++;
    }
    for (;;) {
        p = cooee_utf8_skip(p, end);
        if (p == end)
            return n;
        *nonascii = 1;
        p = cooee_utf8_sequences(p, end);
        if (end - p < 4 || *p >= 0x80)
            break;
    }
    /* Fewer than four octets are left, or the sequence at p is invalid: find the culprit. */
    while (p < end) {
        if (!cooee_utf8_step(state, *p))
            return (size_t)(p - start);
        p++;
    }
    return n;
}

static inline size_t cooee_utf8(uint32_t *state, const unsigned char *p, size_t n, int *nonascii)
{
    /* Short ASCII text, the usual case, takes a few overlapping loads. */
    if (*state == 0 && n >= 8 && n <= 64) {
        if (n < 16) {
            uint64_t both = cooee_utf8_load64(p) | cooee_utf8_load64(p + n - 8);
            if ((both & COOEE_UTF8_HIGH_BITS) == 0)
                return n;
        } else {
            size_t i = 0;
            while (i + 16 < n && cooee_utf8_ascii16(p + i))
                i += 16;
            if (i + 16 >= n && cooee_utf8_ascii16(p + n - 16))
                return n;
        }
    }
    return cooee_utf8_walk(state, p, n, nonascii);
}

#endif /* COOEE_PROTOCOL_UTF8_H */
