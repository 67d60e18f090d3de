/*
 * WebSocket framing shared by the load generator and the bare echo server (RFC 6455 §5.2).
 */
#ifndef BENCH_FRAME_H
#define BENCH_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { OPCODE_TEXT = 1, OPCODE_BINARY = 2, OPCODE_CLOSE = 8, OPCODE_PING = 9, OPCODE_PONG = 10 };
enum { FIN = 0x80, MASKED = 0x80, MASKING_KEY_SIZE = 4, LONGEST_HEADER = 14 };

/* Write a frame header without masking key; returns its length (2, 4 or 10 bytes). */
static inline size_t put_header(unsigned char *at, unsigned char first, unsigned char masked,
                                uint64_t length)
{
    at[0] = first;
    if (length < 126) {
        at[1] = (unsigned char)(masked | length);
        return 2;
    }
    if (length < 65536) {
        at[1] = masked | 126;
        at[2] = (unsigned char)(length >> 8);
        at[3] = (unsigned char)length;
        return 4;
    }
    at[1] = masked | 127;
    for (int i = 0; i < 8; i++) at[2 + i] = (unsigned char)(length >> (56 - 8 * i));
    return 10;
}

/*
 * to[i] = from[i] ^ key[i % 4]. The ranges may overlap as long as `to` does not lie after `from`:
 * every step loads before it stores, and stores no byte that a later step has yet to load.
 */
__attribute__((target_clones("avx2", "default"))) static void
apply_mask(unsigned char *to, const unsigned char *from, size_t length,
           const unsigned char key[MASKING_KEY_SIZE])
{
    typedef uint32_t block __attribute__((vector_size(32)));
    uint32_t word;
    block mask, data;
    size_t i = 0;

    memcpy(&word, key, sizeof word);
    mask = (block){word, word, word, word, word, word, word, word};
    for (; i + sizeof data <= length; i += sizeof data) {
        memcpy(&data, from + i, sizeof data);
        data ^= mask;
        memcpy(to + i, &data, sizeof data);
    }
    for (; i < length; i++) to[i] = from[i] ^ key[i % MASKING_KEY_SIZE];
}

#endif
