/*
 * Requests and replies, built once.
 *
 * Requests are masked once, with a fixed key, and copied out again and again; only a sequence
 * number is written into each. A server's answer must be byte for byte the one expected (header,
 * sequence number, payload), so checking it is one comparison and nothing is parsed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "load.h"

const unsigned char MASK[MASKING_KEY_SIZE] = {0x37, 0xfa, 0x21, 0x3d};

static const char PLACE[] = "@@@@@@"; /* in a payload: a sequence number goes here */
_Static_assert(sizeof PLACE - 1 == SEQUENCE_SIZE, "a place is as long as a sequence number");

struct message request, reply;
static unsigned char *requests; /* in_flight of them in a row */

/* Six octal digits; the first is 4 or 5, for a number does not begin with 0. */
static uint64_t sequence_digits(uint16_t number)
{
    uint64_t n = number;
    uint64_t digits = (n >> 15 | 4) | (n >> 12 & 7) << 8 | (n >> 9 & 7) << 16 |
                      (n >> 6 & 7) << 24 | (n >> 3 & 7) << 32 | (n & 7) << 40;
    return digits + 0x303030303030; /* '0' */
}

void number_message(const struct message *m, unsigned char *bytes, uint16_t number)
{
    uint64_t digits = sequence_digits(number);

    for (unsigned i = 0; i < m->place_count; i++) {
        uint64_t masked = digits ^ m->places[i].mask;
        memcpy(bytes + m->places[i].at, &masked, SEQUENCE_SIZE);
    }
}

/* Append a payload as it is; note where sequence numbers go. `mask` is NULL where there is none. */
static void add_payload(struct message *m, const unsigned char *payload, size_t length,
                        const unsigned char *mask)
{
    const unsigned char *at = payload, *end = payload + length;

    m->bytes = realloc(m->bytes, m->size + length);
    if (m->bytes == NULL) fail("out of memory");
    while ((at = memmem(at, (size_t)(end - at), PLACE, SEQUENCE_SIZE)) != NULL) {
        struct place *place = &m->places[m->place_count++];
        if (m->place_count > sizeof m->places / sizeof *m->places) fail("too many places");
        *place = (struct place){.at = m->size + (size_t)(at - payload)};
        for (size_t i = 0; mask != NULL && i < SEQUENCE_SIZE; i++)
            ((unsigned char *)&place->mask)[i] =
                mask[((size_t)(at - payload) + i) % MASKING_KEY_SIZE];
        at += SEQUENCE_SIZE;
    }
    if (mask != NULL)
        apply_mask(m->bytes + m->size, payload, length, mask);
    else
        memcpy(m->bytes + m->size, payload, length);
    m->size += length;
}

static void add_frame(struct message *m, unsigned char opcode, const void *payload, size_t length,
                      bool masked)
{
    m->bytes = realloc(m->bytes, m->size + LONGEST_HEADER);
    if (m->bytes == NULL) fail("out of memory");
    m->size += put_header(m->bytes + m->size, FIN | opcode, masked ? MASKED : 0, length);
    if (masked) {
        memcpy(m->bytes + m->size, MASK, sizeof MASK);
        m->size += sizeof MASK;
    }
    add_payload(m, payload, length, masked ? MASK : NULL);
}

/* A sequence number, and filling up to the size that was asked for. */
static unsigned char *filling(bool text)
{
    unsigned char *payload = allocate(options.size + 1, 1);

    for (size_t i = 0; i < options.size; i++)
        payload[i] = text ? (unsigned char)('A' + i % 26) : (unsigned char)(i * 7 + 128);
    memcpy(payload, PLACE, SEQUENCE_SIZE);
    return payload;
}

/* The event's argument as JSON. */
static char *read_argument(void)
{
    static const char placeholder[] = "{\"_placeholder\":true,\"num\":0}";
    char *argument;

    if (options.json != NULL) {
        size_t length = READ_SIZE;
        FILE *file = fopen(options.json, "r");
        argument = allocate(length + 1, 1);
        if (file == NULL) fail("%s: %s", options.json, strerror(errno));
        length = fread(argument, 1, length, file);
        fclose(file);
        while (length && argument[length - 1] == '\n') argument[--length] = 0;
        if (strstr(argument, PLACE) == NULL) fail("%s has no %s in it", options.json, PLACE);
    } else if (options.attachment) {
        argument = strdup(placeholder);
    } else {
        unsigned char *string = filling(true);
        if (asprintf(&argument, "\"%s\"", string) < 0) argument = NULL;
        free(string);
    }
    if (argument == NULL) fail("out of memory");
    return argument;
}

/* An event, or the acknowledgement of one, and its attachment. */
static void add_packet(struct message *m, const char *argument, bool acknowledgement, bool masked)
{
    char *packet;
    const char *id = options.ack ? PLACE : "";
    int length =
        acknowledgement
            ? asprintf(&packet, "43%s[%s]", id, argument)
            : asprintf(&packet, "4%s%s[\"%s\",%s]", options.attachment ? "51-" : "2", id,
                       options.event, argument);

    if (length < 0) fail("out of memory");
    if (options.polling)
        add_payload(m, (unsigned char *)packet, (size_t)length, NULL);
    else
        add_frame(m, OPCODE_TEXT, packet, (size_t)length, masked);
    if (options.attachment) {
        unsigned char *data = filling(false);
        add_frame(m, OPCODE_BINARY, data, options.size, masked);
        free(data);
    }
    free(packet);
}

void build_messages(void)
{
    if (options.event != NULL) {
        char *argument = read_argument();
        add_packet(&request, argument, false, true);
        add_packet(&reply, argument, options.ack, false);
        free(argument);
    } else {
        unsigned char opcode = options.text ? OPCODE_TEXT : OPCODE_BINARY;
        unsigned char *payload = filling(options.text);
        add_frame(&request, opcode, payload, options.size, true);
        add_frame(&reply, opcode, payload, options.size, false);
        free(payload);
    }
    requests = allocate(options.in_flight, request.size);
    for (unsigned i = 0; i < options.in_flight; i++)
        memcpy(requests + i * request.size, request.bytes, request.size);
}

/* Send the next `count` (at most in_flight) requests in one system call. */
void send_requests(struct connection *c, unsigned count, uint64_t time)
{
    for (unsigned i = 0; i < count; i++, c->sent++) {
        number_message(&request, requests + i * request.size, c->sent);
        c->sent_at[c->sent & times_mask] = time;
    }
    send_bytes(c, requests, count * request.size);
}

/* Check what arrived against what had to. Returns how many replies are now whole. */
unsigned check_replies(struct connection *c, const unsigned char *data, size_t length)
{
    unsigned whole = 0;

    while (length) {
        size_t part = reply.size - c->offset < length ? reply.size - c->offset : length;
        number_message(&reply, reply.bytes, c->received);
        if (memcmp(data, reply.bytes + c->offset, part) != 0)
            fail("reply %u of connection %ld differs within bytes %zu to %zu (begins %02x %02x)",
                 c->received, (long)(c - connections), c->offset, c->offset + part, data[0],
                 length > 1 ? data[1] : 0);
        data += part;
        length -= part;
        c->offset += part;
        if (c->offset == reply.size) {
            c->offset = 0;
            c->received++;
            whole++;
        }
    }
    return whole;
}
