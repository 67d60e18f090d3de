/*
 * Checks the kernels where Python cannot: byte-exact bounds, writes outside, every short text.
 *
 * Each buffer ends at, or begins after, a page without access, so that one octet too many is a
 * crash in any build. test_kernels.py compiles this plainly, with warnings as errors, and once
 * more with the sanitizers. Prints the mask levels tried; exits with 1 at the first difference.
 */

#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cooee/protocol/_mask.h"
#include "cooee/protocol/_utf8.h"

#define FAIL(...)                     \
    do {                              \
        fprintf(stderr, __VA_ARGS__); \
        fputc('\n', stderr);          \
        exit(1);                      \
    } while (0)

/* Longest payload tried; more than two rounds of the widest unit after alignment. */
#define LONGEST 4096
#define CANARY 64

/* The accessible octets between two forbidden pages. */
static unsigned char *fence(size_t *size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inner = (LONGEST + 2 * CANARY + page - 1) / page * page;
    unsigned char *whole = mmap(NULL, inner + 2 * page, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (whole == MAP_FAILED)
        FAIL("mmap failed");
    if (mprotect(whole, page, PROT_NONE) || mprotect(whole + page + inner, page, PROT_NONE))
        FAIL("mprotect failed");
    *size = inner;
    return whole + page;
}

static unsigned noise_state = 1;

static unsigned noise(void)
{
    noise_state = noise_state * 1103515245u + 12345u;
    return noise_state >> 16;
}

static const unsigned char key[4] = {0x37, 0xFA, 0x21, 0x3D};
static unsigned char payload[LONGEST];

static void expect_masked(const unsigned char *dst, size_t n, size_t offset, int level)
{
    size_t i;
    for (i = 0; i < n; i++)
        if (dst[i] != (payload[i] ^ key[(offset + i) & 3]))
            FAIL("level %d, %zu octets, offset %zu: octet %zu differs", level, n, offset, i);
}

static void expect_canary(const unsigned char *from, size_t n, const char *where)
{
    size_t i;
    for (i = 0; i < n; i++)
        if (from[i] != 0xA5)
            FAIL("written %s the destination", where);
}

static void check_mask_length(unsigned char *src, unsigned char *dst, size_t size, size_t n,
                              int level)
{
    size_t offset, shift;

    for (offset = 0; offset < 4; offset++) {
        /* Flush with the page behind: one octet too many crashes. */
        unsigned char *from = src + size - n;
        unsigned char *to = dst + size - n;
        memcpy(from, payload, n);
        memset(to - CANARY, 0xA5, CANARY);
        cooee_mask(to, from, n, key, offset);
        expect_masked(to, n, offset, level);
        expect_canary(to - CANARY, CANARY, "before");
        cooee_mask(from, from, n, key, offset);
        expect_masked(from, n, offset, level);

        /* Flush with the page in front, and at some alignments of both. */
        for (shift = 0; shift < 3; shift++) {
            from = src + shift * 5;
            to = dst + shift * 7;
            memcpy(from, payload, n);
            memset(to + n, 0xA5, CANARY);
            cooee_mask(to, from, n, key, offset);
            expect_masked(to, n, offset, level);
            expect_canary(to + n, CANARY, "behind");
            memset(from + n, 0xA5, CANARY);
            cooee_mask(from, from, n, key, offset);
            expect_masked(from, n, offset, level);
            expect_canary(from + n, CANARY, "behind");
        }
    }
}

static void check_mask(unsigned char *src, unsigned char *dst, size_t size)
{
    int level;
    size_t n;

    for (n = 0; n < LONGEST; n++)
        payload[n] = (unsigned char)noise();
    /* Before any level is forced: the first long payload chooses one. */
    check_mask_length(src, dst, size, 1000, COOEE_MASK_LEVEL_AUTO);
    for (level = COOEE_MASK_LEVEL_AUTO; level <= COOEE_MASK_LEVEL_AVX2; level++) {
        int got = cooee_mask_level(level);
        if (level == COOEE_MASK_LEVEL_AUTO ? got < 0 : got != level && got != -1)
            FAIL("level %d gave %d", level, got);
        if (got < 0)
            continue;
        printf("mask level %d\n", got);
        for (n = 0; n <= 300; n++)
            check_mask_length(src, dst, size, n, level);
        for (n = COOEE_MASK_ALIGN - 2; n <= COOEE_MASK_ALIGN + 260; n++)
            check_mask_length(src, dst, size, n, level);
        for (n = 2048 - 70; n <= LONGEST; n += 61)
            check_mask_length(src, dst, size, n, level);
    }
    if (cooee_mask_level(99) != -1)
        FAIL("level 99 exists");
}

/*
 * The judge of UTF-8: the sequences of every character there is, and all that some of them begin
 * with. prefixes[k] tells of each k octets whether they begin, or are, a character.
 */
static unsigned char prefix1[1 << 8], prefix2[1 << 16], prefix3[1 << 24];
enum { BEGINS = 1, COMPLETE = 2 };

static size_t encode(uint32_t c, unsigned char *to)
{
    if (c < 0x80) {
        to[0] = (unsigned char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (unsigned char)(0xC0 | c >> 6);
        to[1] = (unsigned char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (unsigned char)(0xE0 | c >> 12);
        to[1] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
        to[2] = (unsigned char)(0x80 | (c & 0x3F));
        return 3;
    }
    to[0] = (unsigned char)(0xF0 | c >> 18);
    to[1] = (unsigned char)(0x80 | (c >> 12 & 0x3F));
    to[2] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
    to[3] = (unsigned char)(0x80 | (c & 0x3F));
    return 4;
}

static void learn(void)
{
    uint32_t c;
    for (c = 0; c <= 0x10FFFF; c++) {
        unsigned char o[4];
        size_t n;
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        n = encode(c, o);
        prefix1[o[0]] = n == 1 ? COMPLETE : BEGINS;
        if (n >= 2)
            prefix2[o[0] << 8 | o[1]] = n == 2 ? COMPLETE : BEGINS;
        if (n >= 3)
            prefix3[o[0] << 16 | o[1] << 8 | o[2]] = n == 3 ? COMPLETE : BEGINS;
    }
}

/* The index of the first octet that cannot be, or n; *open tells whether a character is unfinished. */
static size_t judge(const unsigned char *p, size_t n, int *open)
{
    size_t start = 0, i;
    *open = 0;
    for (i = 0; i < n; i++) {
        int verdict;
        switch (i - start) {
        case 0:
            verdict = prefix1[p[start]];
            break;
        case 1:
            verdict = prefix2[p[start] << 8 | p[start + 1]];
            break;
        case 2:
            verdict = prefix3[p[start] << 16 | p[start + 1] << 8 | p[start + 2]];
            break;
        default:
            /* All fourth octets are alike. */
            verdict = p[i] >= 0x80 && p[i] <= 0xBF ? COMPLETE : 0;
        }
        if (verdict == 0)
            return i;
        *open = verdict == BEGINS;
        if (verdict == COMPLETE)
            start = i + 1;
    }
    return n;
}

static void check_text(const unsigned char *p, size_t n, size_t cut)
{
    int open, nonascii = 0, high = 0;
    size_t expected = judge(p, n, &open);
    uint32_t state = 0;
    size_t got = cooee_utf8(&state, p, cut, &nonascii);
    size_t i;

    if (got == cut && cut < n)
        got += cooee_utf8(&state, p + cut, n - cut, &nonascii);
    if (got != expected)
        FAIL("text of %zu octets cut at %zu: %zu, expected %zu", n, cut, got, expected);
    if (got < n)
        return;
    for (i = 0; i < n; i++)
        high |= p[i] >= 0x80;
    if ((state != 0) != open)
        FAIL("text of %zu octets cut at %zu: state %u", n, cut, (unsigned)state);
    if (nonascii != high)
        FAIL("text of %zu octets cut at %zu: nonascii %d", n, cut, nonascii);
}

static void check_utf8(unsigned char *area, size_t size, size_t rounds)
{
    static const char *const pieces[] = {
        "a", "0123456789abcdefghijklmnopqrstuvwxyz", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80",
        "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF",
    };
    unsigned char *p;
    uint32_t word;
    size_t round, n;

    learn();
    /* Every three octets, as the end of the memory and followed by two more; every fourth octet
       for the second octets that matter. */
    for (word = 0; word < 1u << 24; word++) {
        if ((word & 0xFF) > 0 && (word & 0xFF) < 0x7E)
            continue; /* one ASCII octet stands for most */
        p = area + size - 3;
        p[0] = (unsigned char)(word >> 16);
        p[1] = (unsigned char)(word >> 8);
        p[2] = (unsigned char)word;
        check_text(p, 3, 3);
        if (p[0] >= 0xC0) {
            p -= 2;
            memmove(p, p + 2, 3);
            p[3] = (unsigned char)(0x7E + word % 0x46);
            p[4] = 'z';
            check_text(p, 5, 5);
            check_text(p, 5, 1 + word % 4);
        }
    }
    for (round = 0; round < rounds; round++) {
        size_t length = noise() % 150, cut;
        n = 0;
        p = area;
        while (n < length) {
            const char *piece = pieces[noise() % (sizeof pieces / sizeof *pieces)];
            size_t l = noise() % 3 ? strlen(piece) : strlen(piece) * (noise() % 8);
            size_t i, whole = strlen(piece);
            for (i = 0; i < l; i++)
                p[n++] = (unsigned char)piece[i % whole];
        }
        memmove(area + size - n, area, n);
        p = area + size - n;
        if (n && noise() % 2)
            p[noise() % n] = (unsigned char)noise();
        if (n && noise() % 4 == 0) {
            p++; /* begins within a sequence */
            n--;
        }
        cut = n ? noise() % (n + 1) : 0;
        check_text(p, n, n);
        check_text(p, n, cut);
    }
}

int main(int argc, char **argv)
{
    size_t size;
    unsigned char *src = fence(&size);
    unsigned char *dst = fence(&size);

    check_mask(src, dst, size);
    check_utf8(src, size, argc > 1 ? strtoul(argv[1], NULL, 10) : 100000);
    return 0;
}
