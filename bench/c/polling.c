/*
 * Socket.IO over HTTP long-polling (Engine.IO 4), as browsers do it: one kept connection with a GET
 * that waits for the next event, one for POSTs. One request at a time on each; events that become
 * due while a POST is under way go together with the next.
 *
 * The head of a response is parsed as far as it says how long the body is; the body must be byte
 * for byte what is expected.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "load.h"

enum { SEPARATOR = 0x1e, HEAD_SIZE = 512 };

struct session {
    struct connection *poster;
    char poll[HEAD_SIZE], post[HEAD_SIZE]; /* GET, whole; POST up to the body's length */
    size_t poll_length;
    bool posting;
    unsigned due; /* events to be sent with the next POST */
    struct arrival {
        char *bytes;
        size_t length;
    } poll_arrival, post_arrival; /* what has come of a response that is not yet whole */
};

static char *post_buffer;

/* The value of a field in the head of a response, or NULL. */
static const char *field(const char *head, const char *end, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = head; line < end; line++) {
        line = memchr(line, '\n', (size_t)(end - line));
        if (line == NULL) return NULL;
        if (strncasecmp(line + 1, name, length) == 0 && line[1 + length] == ':')
            return line + 2 + length;
    }
    return NULL;
}

/*
 * Walk over the chunks of a body (RFC 9112 §7.1), and put them together at `to` unless it is NULL;
 * false if more have to come. `to` may be where the body begins, if it is whole.
 */
static bool walk_chunks(const char *at, const char *end, char *to, size_t *body_length)
{
    for (*body_length = 0;;) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t size;
        if (line_end == NULL) return false;
        size = strtoul(at, NULL, 16);
        at = line_end + 1;
        if ((size_t)(end - at) < size + 2) return false;
        if (size == 0) return true;
        if (to != NULL) memmove(to + *body_length, at, size);
        *body_length += size;
        at += size + 2;
    }
}

/* The body of a response, or NULL if it is not whole. A zero byte follows `data`. */
static char *response_body(char *data, size_t length, size_t *body_length)
{
    char *end = memmem(data, length, "\r\n\r\n", 4), *body;
    const char *value;

    if (end == NULL) return NULL;
    body = end + 4;
    if (strncmp(data, "HTTP/1.1 200", 12) != 0) fail("polling: %.80s", data);
    if ((value = field(data, end, "content-length")) != NULL) {
        size_t arrived = length - (size_t)(body - data);
        *body_length = strtoul(value, NULL, 10);
        if (arrived > *body_length) fail("polling: more than one response");
        return arrived == *body_length ? body : NULL;
    }
    if (field(data, end, "transfer-encoding") == NULL) fail("polling: a response of no length");
    if (!walk_chunks(body, data + length, NULL, body_length)) return NULL;
    walk_chunks(body, data + length, body, body_length);
    return body;
}

/* ---- opening ---------------------------------------------------------------------------- */

/* Send a request and wait for the response; its body must begin with `prefix`. Blocking. */
static const char *request_body(int fd, const char *head, size_t length, const char *prefix)
{
    static char response[8192];
    size_t got = 0, body_length;
    const char *body;

    send_exactly(fd, head, length);
    do {
        ssize_t count = recv(fd, response + got, sizeof response - 1 - got, 0);
        if (count <= 0) fail("polling: %s", count < 0 ? strerror(errno) : "end of stream");
        got += (size_t)count;
        response[got] = 0;
    } while ((body = response_body(response, got, &body_length)) == NULL);
    expect_prefix(prefix, body, body_length);
    return body;
}

/* Connection `number` polls, and so many further on another one posts. */
void open_session(unsigned number)
{
    struct connection *poller = &connections[number];
    struct session *session = allocate(1, sizeof *session);
    const char *body;
    char sid[128], connect[HEAD_SIZE + 64];
    int length;

    if (post_buffer == NULL)
        post_buffer = allocate(1, HEAD_SIZE + 64 + options.in_flight * (request.size + 1));
    session->poster = poller + options.connections + 1;
    poller->session = session->poster->session = session;
    poller->fd = open_socket(number);
    session->poster->fd = open_socket(number);
    length = snprintf(session->poll, HEAD_SIZE, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
                      options.path, options.port);
    body = request_body(poller->fd, session->poll, (size_t)length, "0{");
    if ((body = strstr(body, "\"sid\":\"")) == NULL || sscanf(body + 7, "%127[^\"]", sid) != 1)
        fail("polling: no sid");
    session->poll_length = (size_t)snprintf(
        session->poll, HEAD_SIZE, "GET %s&sid=%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
        options.path, sid, options.port);
    snprintf(session->post, HEAD_SIZE,
             "POST %s&sid=%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
             "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: ",
             options.path, sid, options.port);
    length = snprintf(connect, sizeof connect, "%s2\r\n\r\n40", session->post);
    request_body(session->poster->fd, connect, (size_t)length, "");
    request_body(poller->fd, session->poll, session->poll_length, "40");
    send_exactly(poller->fd, session->poll, session->poll_length);
    watch(poller);
    watch(session->poster);
}

/* ---- exchanging ------------------------------------------------------------------------- */

static void post(struct connection *c)
{
    struct session *session = c->session;
    size_t body = session->due * (request.size + 1) - 1;
    char *at = post_buffer;

    at += sprintf(at, "%s%zu\r\n\r\n", session->post, body);
    for (; session->due; session->due--, c->sent++) {
        memcpy(at, request.bytes, request.size);
        number_message(&request, (unsigned char *)at, c->sent);
        at += request.size;
        if (session->due > 1) *at++ = SEPARATOR;
    }
    session->posting = true;
    send_bytes(session->poster, (unsigned char *)post_buffer, (size_t)(at - post_buffer));
}

/* Send events now, or with the next POST. Their latency counts from now on either way. */
void post_events(struct connection *c, unsigned count, uint64_t time)
{
    struct session *session = c->session;

    for (unsigned i = 0; i < count; i++, session->due++)
        c->sent_at[(uint16_t)(c->sent + session->due) & times_mask] = time;
    if (!session->posting && session->due) post(c);
}

/* Events in the body of a poll's response. */
static unsigned check_events(struct connection *c, const char *body, size_t length)
{
    unsigned whole = 0;

    for (;;) {
        number_message(&reply, reply.bytes, c->received);
        if (length < reply.size || memcmp(body, reply.bytes, reply.size) != 0)
            fail("event %u of session %ld differs: %.*s", c->received, (long)(c - connections),
                 (int)length, body);
        c->received++;
        whole++;
        if (length == reply.size) return whole;
        if (body[reply.size] != SEPARATOR) fail("polling: no separator after an event");
        body += reply.size + 1;
        length -= reply.size + 1;
    }
}

/* Receive on either connection of a session. Returns how many events have come. */
unsigned receive_poll(struct connection *c)
{
    struct session *session = c->session;
    bool polls = c != session->poster;
    struct arrival *arrival = polls ? &session->poll_arrival : &session->post_arrival;
    struct connection *poller = session->poster - options.connections - 1;
    size_t length = receive(c), body_length;
    char *data = (char *)read_buffer, *body;
    unsigned events = 0;

    if (length == 0) return 0;
    if (arrival->length) {
        arrival->bytes = realloc(arrival->bytes, arrival->length + length + 1);
        if (arrival->bytes == NULL) fail("out of memory");
        memcpy(arrival->bytes + arrival->length, data, length);
        data = arrival->bytes;
        length += arrival->length;
    }
    data[length] = 0;
    body = response_body(data, length, &body_length);
    if (body == NULL) {
        if (arrival->length == 0) {
            arrival->bytes = realloc(arrival->bytes, length + 1);
            if (arrival->bytes == NULL) fail("out of memory");
            memcpy(arrival->bytes, data, length);
        }
        arrival->length = length;
        return 0;
    }
    arrival->length = 0;
    if (polls) {
        events = check_events(c, body, body_length);
        send_bytes(c, (unsigned char *)session->poll, session->poll_length);
    } else {
        session->posting = false;
        if (session->due) post(poller);
    }
    return events;
}
