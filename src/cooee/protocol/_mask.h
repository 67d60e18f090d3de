/*
 * Masking of WebSocket payloads (RFC 6455 §5.3): octet i is XORed with octet i MOD 4 of the
 * masking key. The same function masks and unmasks.
 *
 *     cooee_mask(dst, src, n, key, offset)
 *
 * `offset` is the position of src[0] within the frame's payload, so that a payload may arrive, or
 * be sent, in pieces. dst == src is allowed; any other overlap is not. Exactly the octets
 * [src, src + n) are read and [dst, dst + n) written: buffers need no padding and no alignment.
 *
 * Most messages are short, and a call through a pointer would cost as much as their masking. So up
 * to COOEE_MASK_SHORT octets go inline through the registers every processor of the family has.
 * Longer ones go to the widest unit this processor has, chosen on first use: one build is fast
 * everywhere. A plain function pointer does that; ifuncs (target_clones) do not exist on musl.
 * AVX-512 is left out: masking stores as much as it loads, and a processor stores two 32-octet
 * vectors in the time of one of 64. Measured on Zen 4 it was 0 to 60 % slower than AVX2.
 * Stores are temporal: the receiver of a payload reads it at once, so it belongs in the cache.
 *
 * Every function is static: each translation unit has its own copy and its own choice of unit.
 */

#ifndef COOEE_PROTOCOL_MASK_H
#define COOEE_PROTOCOL_MASK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* COOEE_NO_VECTORS: what remains on other processors and compilers, to be tested on these. */
#if defined(COOEE_NO_VECTORS)
/* none */
#elif defined(__SSE2__) || defined(_M_X64)
#define COOEE_MASK_SSE2 1
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#define COOEE_MASK_NEON 1
#include <arm_neon.h>
#endif

#if defined(COOEE_MASK_SSE2) && defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define COOEE_MASK_DISPATCH 1
#include <immintrin.h>
#endif

#if defined(__GNUC__) || defined(__clang__)
#define COOEE_MASK_UNUSED __attribute__((unused))
#define COOEE_MASK_UNIT(isa) __attribute__((unused, noinline, target(isa)))
#define COOEE_MASK_LOAD(p) __atomic_load_n(&(p), __ATOMIC_RELAXED)
#define COOEE_MASK_STORE(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELAXED)
#else
#define COOEE_MASK_UNUSED
#define COOEE_MASK_LOAD(p) (p)
#define COOEE_MASK_STORE(p, v) ((p) = (v))
#endif

/* Longest payload masked inline, in octets. */
#define COOEE_MASK_SHORT 128

/* From here on, aligning the stores costs less than stores that straddle cache lines. */
#define COOEE_MASK_ALIGN 1024

/* Levels of cooee_mask_level(). */
#define COOEE_MASK_LEVEL_AUTO (-1)
#define COOEE_MASK_LEVEL_WORD 0   /* 64-bit words, any processor */
#define COOEE_MASK_LEVEL_128 1    /* SSE2 or NEON */
#define COOEE_MASK_LEVEL_AVX2 2

/* The key in memory order, starting `offset` octets later. */
static inline uint32_t cooee_mask_rotate(uint32_t key, size_t offset)
{
    unsigned bits = (unsigned)(offset & 3) * 8;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return (key << bits) | (key >> ((32 - bits) & 31));
#else
    return (key >> bits) | (key << ((32 - bits) & 31));
#endif
}

static inline uint32_t cooee_mask_load32(const unsigned char *p)
{
    uint32_t word;
    memcpy(&word, p, 4);
    return word;
}

static inline uint64_t cooee_mask_load64(const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

/* Fewer than 16 octets. */
static inline void cooee_mask_tiny(unsigned char *dst, const unsigned char *src, size_t n,
                                   uint32_t key)
{
    /* The two words overlap. Both are loaded before either is stored, so that with dst == src no
       octet is masked twice; the functions below do the same with their last vector. */
    if (n >= 8) {
        uint64_t wide = ((uint64_t)key << 32) | key;
        uint32_t turned = cooee_mask_rotate(key, n);
        uint64_t head = cooee_mask_load64(src) ^ wide;
        uint64_t tail = cooee_mask_load64(src + n - 8) ^ (((uint64_t)turned << 32) | turned);
        memcpy(dst, &head, 8);
        memcpy(dst + n - 8, &tail, 8);
    } else if (n >= 4) {
        uint32_t head = cooee_mask_load32(src) ^ key;
        uint32_t tail = cooee_mask_load32(src + n - 4) ^ cooee_mask_rotate(key, n);
        memcpy(dst, &head, 4);
        memcpy(dst + n - 4, &tail, 4);
    } else if (n > 0) {
        unsigned char octets[4];
        memcpy(octets, &key, 4);
        dst[0] = (unsigned char)(src[0] ^ octets[0]);
        if (n > 1)
            dst[1] = (unsigned char)(src[1] ^ octets[1]);
        if (n > 2)
            dst[2] = (unsigned char)(src[2] ^ octets[2]);
    }
}

/* 64-bit words; n >= 8. */
static COOEE_MASK_UNUSED void cooee_mask_word(unsigned char *dst, const unsigned char *src,
                                              size_t n, uint32_t key)
{
    uint64_t wide = ((uint64_t)key << 32) | key;
    uint32_t turned = cooee_mask_rotate(key, n);
    uint64_t tail = cooee_mask_load64(src + n - 8) ^ (((uint64_t)turned << 32) | turned);
    size_t i;

    for (i = 0; i + 8 < n; i += 8) {
        uint64_t word = cooee_mask_load64(src + i) ^ wide;
        memcpy(dst + i, &word, 8);
    }
    memcpy(dst + n - 8, &tail, 8);
}

#if defined(COOEE_MASK_SSE2)

/* n >= 16 */
static inline void cooee_mask_128(unsigned char *dst, const unsigned char *src, size_t n,
                                  uint32_t key)
{
    const __m128i wide = _mm_set1_epi32((int)key);
    const __m128i tail =
        _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)(src + n - 16)),
                      _mm_set1_epi32((int)cooee_mask_rotate(key, n)));
    size_t i;

    for (i = 0; i + 16 < n; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(src + i));
        _mm_storeu_si128((__m128i *)(void *)(dst + i), _mm_xor_si128(v, wide));
    }
    _mm_storeu_si128((__m128i *)(void *)(dst + n - 16), tail);
}

#elif defined(COOEE_MASK_NEON)

/* n >= 16 */
static inline void cooee_mask_128(unsigned char *dst, const unsigned char *src, size_t n,
                                  uint32_t key)
{
    const uint8x16_t wide = vreinterpretq_u8_u32(vdupq_n_u32(key));
    const uint8x16_t tail = veorq_u8(
        vld1q_u8(src + n - 16), vreinterpretq_u8_u32(vdupq_n_u32(cooee_mask_rotate(key, n))));
    size_t i;

    for (i = 0; i + 16 < n; i += 16)
        vst1q_u8(dst + i, veorq_u8(vld1q_u8(src + i), wide));
    vst1q_u8(dst + n - 16, tail);
}

#endif

/* At most COOEE_MASK_SHORT octets. */
static inline void cooee_mask_short(unsigned char *dst, const unsigned char *src, size_t n,
                                    uint32_t key)
{
    if (n < 16)
        cooee_mask_tiny(dst, src, n, key);
    else
#if defined(COOEE_MASK_SSE2) || defined(COOEE_MASK_NEON)
        cooee_mask_128(dst, src, n, key);
#else
        cooee_mask_word(dst, src, n, key);
#endif
}

#if defined(COOEE_MASK_SSE2) || defined(COOEE_MASK_NEON)

static COOEE_MASK_UNUSED void cooee_mask_long_128(unsigned char *dst, const unsigned char *src,
                                                  size_t n, uint32_t key)
{
    cooee_mask_128(dst, src, n, key);
}

#endif

#if defined(COOEE_MASK_DISPATCH)

/* n >= 32 */
COOEE_MASK_UNIT("avx2")
static void cooee_mask_avx2(unsigned char *dst, const unsigned char *src, size_t n, uint32_t key)
{
    __m256i wide, tail;
    size_t i = 0;

    if (n >= COOEE_MASK_ALIGN) {
        size_t head = (size_t)(-(uintptr_t)dst & 31);
        cooee_mask_short(dst, src, head, key);
        key = cooee_mask_rotate(key, head);
        dst += head;
        src += head;
        n -= head;
    }
    wide = _mm256_set1_epi32((int)key);
    tail = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)(src + n - 32)),
                            _mm256_set1_epi32((int)cooee_mask_rotate(key, n)));
    for (; i + 128 < n; i += 128) {
        const __m256i *from = (const __m256i *)(const void *)(src + i);
        __m256i *to = (__m256i *)(void *)(dst + i);
        __m256i a = _mm256_loadu_si256(from);
        __m256i b = _mm256_loadu_si256(from + 1);
        __m256i c = _mm256_loadu_si256(from + 2);
        __m256i d = _mm256_loadu_si256(from + 3);
        _mm256_storeu_si256(to, _mm256_xor_si256(a, wide));
        _mm256_storeu_si256(to + 1, _mm256_xor_si256(b, wide));
        _mm256_storeu_si256(to + 2, _mm256_xor_si256(c, wide));
        _mm256_storeu_si256(to + 3, _mm256_xor_si256(d, wide));
    }
    for (; i + 32 < n; i += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(src + i));
        _mm256_storeu_si256((__m256i *)(void *)(dst + i), _mm256_xor_si256(v, wide));
    }
    _mm256_storeu_si256((__m256i *)(void *)(dst + n - 32), tail);
}

#endif /* COOEE_MASK_DISPATCH */

typedef void (*cooee_mask_unit)(unsigned char *, const unsigned char *, size_t, uint32_t);

/* NULL until the first long payload, or cooee_mask_level(). Writing it twice is harmless: threads
   racing here all write the same. */
static cooee_mask_unit cooee_mask_long;

/*
 * Choose the unit that masks long payloads: one of COOEE_MASK_LEVEL_*, _AUTO for the best one.
 * Returns the level now in use, or -1, changing nothing, when this processor or build lacks it.
 */
static inline int cooee_mask_level(int level)
{
    cooee_mask_unit unit = NULL;

    if (level == COOEE_MASK_LEVEL_AUTO) {
        level = COOEE_MASK_LEVEL_WORD;
#if defined(COOEE_MASK_SSE2) || defined(COOEE_MASK_NEON)
        level = COOEE_MASK_LEVEL_128;
#endif
#if defined(COOEE_MASK_DISPATCH)
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx2"))
            level = COOEE_MASK_LEVEL_AVX2;
#endif
    }
    if (level == COOEE_MASK_LEVEL_WORD)
        unit = cooee_mask_word;
#if defined(COOEE_MASK_SSE2) || defined(COOEE_MASK_NEON)
    if (level == COOEE_MASK_LEVEL_128)
        unit = cooee_mask_long_128;
#endif
#if defined(COOEE_MASK_DISPATCH)
    __builtin_cpu_init();
    if (level == COOEE_MASK_LEVEL_AVX2 && __builtin_cpu_supports("avx2"))
        unit = cooee_mask_avx2;
#endif
    if (unit == NULL)
        return -1;
    COOEE_MASK_STORE(cooee_mask_long, unit);
    return level;
}

static inline void cooee_mask(unsigned char *dst, const unsigned char *src, size_t n,
                              const unsigned char key[4], size_t offset)
{
    uint32_t turned = cooee_mask_rotate(cooee_mask_load32(key), offset);
    cooee_mask_unit unit;

    if (n <= COOEE_MASK_SHORT) {
        cooee_mask_short(dst, src, n, turned);
        return;
    }
    unit = COOEE_MASK_LOAD(cooee_mask_long);
    if (unit == NULL) {
        (void)cooee_mask_level(COOEE_MASK_LEVEL_AUTO);
        unit = COOEE_MASK_LOAD(cooee_mask_long);
    }
    unit(dst, src, n, turned);
}

#endif /* COOEE_PROTOCOL_MASK_H */
