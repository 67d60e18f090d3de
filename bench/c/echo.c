/*
 * A bare WebSocket echo server: what the kernel, an epoll loop and the framing cost, and nothing
 * else. One thread; per readable connection one recv, unmasking of every whole frame in place, and
 * one send. It is the bound that the other servers are held against, not a server to use: it
 * neither validates text nor keeps to the closing handshake's order, and trusts its peers to send
 * reasonable requests. Partial requests, partial frames and full socket buffers are handled.
 *
 * Usage: echo [FILE], where FILE, of at least 8 bytes, is to hold the count of messages answered.
 * Prints "LISTENING <port>" once it may be connected to. Ends on SIGTERM.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"
#include "handshake.h"

enum {
    BUFFER_SIZE = 1 << 20, /* also the largest frame */
    READ_SIZE = 256 << 10, /* at most this much from one connection per round */
    EVENTS = 512,
    BACKLOG = 4096,
};

struct connection {
    int fd;
    bool open;            /* the opening handshake is done */
    unsigned char *rest;  /* the beginning of a request or frame whose end has not arrived */
    size_t rest_length;
    unsigned char *unsent; /* what the socket's buffer had no room for */
    size_t unsent_length;
};

static unsigned char buffer[BUFFER_SIZE];
static int epoll_fd;

/* Messages answered so far: in a file, if one was named, for whoever measures clients against us. */
static uint64_t uncounted, *answered = &uncounted;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void drop(struct connection *c)
{
    close(c->fd);
    free(c->rest);
    free(c->unsent);
    free(c);
}

static void *copy_of(const void *data, size_t length)
{
    void *copy = malloc(length);
    if (copy == NULL) die("malloc");
    return memcpy(copy, data, length);
}

/* While something is unsent nothing is read: the peer is slowed down instead of buffered for. */
static void watch(struct connection *c, int operation)
{
    struct epoll_event event = {.events = c->unsent_length ? EPOLLOUT : EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, operation, c->fd, &event) < 0) die("epoll_ctl");
}

/* Returns false if the connection is gone. */
static bool send_all(struct connection *c, const unsigned char *data, size_t length)
{
    ssize_t sent = send(c->fd, data, length, MSG_NOSIGNAL);
    unsigned char *before = c->unsent;
    bool watched_for_writing = c->unsent_length != 0;

    if (sent < 0) {
        if (errno != EAGAIN) {
            drop(c);
            return false;
        }
        sent = 0;
    }
    c->unsent_length = length - (size_t)sent;
    c->unsent = c->unsent_length ? copy_of(data + sent, c->unsent_length) : NULL;
    free(before);
    if (watched_for_writing != (c->unsent_length != 0)) watch(c, EPOLL_CTL_MOD);
    return true;
}

/* Answer a whole request at the start of the buffer. Returns its length, or 0 if it is partial. */
static size_t open_handshake(struct connection *c, size_t length, bool *alive)
{
    static const char field[] = "\r\nSec-WebSocket-Key:";
    char accept[ACCEPT_LENGTH + 1], reply[160];
    const char *end, *key;

    buffer[length] = 0;
    end = strstr((char *)buffer, "\r\n\r\n");
    if (end == NULL) return 0;
    key = strcasestr((char *)buffer, field);
    if (key == NULL || key > end) {
        drop(c);
        *alive = false;
        return 0;
    }
    key += sizeof field - 1;
    key += strspn(key, " ");
    accept_value(key, accept);
    c->open = true;
    *alive = send_all(c, (unsigned char *)reply,
                      (size_t)snprintf(reply, sizeof reply,
                                       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                       "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                                       accept));
    return (size_t)(end + 4 - (char *)buffer);
}

/*
 * Turn the client's frames in buffer[from, to) into the server's, compacted to the front of the
 * buffer: a reply is shorter than its request by the masking key, so it never overtakes the reading.
 * Returns the bytes to send; *from becomes the beginning of the first partial frame.
 */
static size_t echo_frames(size_t *from, size_t to, bool *closing)
{
    size_t in = *from, out = 0;
    uint64_t count = 0;

    while (to - in >= 2 && !*closing) {
        unsigned char first = buffer[in], key[MASKING_KEY_SIZE];
        uint64_t length = buffer[in + 1] & 127;
        size_t header = 2;

        if (length == 126) {
            header = 4;
            if (to - in < header) break;
            length = (uint64_t)buffer[in + 2] << 8 | buffer[in + 3];
        } else if (length == 127) {
            header = 10;
            if (to - in < header) break;
            length = 0;
            for (int i = 0; i < 8; i++) length = length << 8 | buffer[in + 2 + (size_t)i];
        }
        header += MASKING_KEY_SIZE;
        if (length > BUFFER_SIZE / 2) {
            *closing = true;
            break;
        }
        if (to - in < header + length) break;
        memcpy(key, buffer + in + header - MASKING_KEY_SIZE, sizeof key);
        in += header;
        if ((first & 15) != OPCODE_PONG) {
            if ((first & 15) == OPCODE_PING) first = FIN | OPCODE_PONG;
            if ((first & 15) == OPCODE_CLOSE) *closing = true;
            out += put_header(buffer + out, first, 0, length);
            apply_mask(buffer + out, buffer + in, length, key);
            out += length;
            count++;
        }
        in += length;
    }
    *answered += count;
    *from = in;
    return out;
}

static void on_readable(struct connection *c)
{
    size_t have = c->rest_length, used = 0, out;
    bool closing = false, alive = true;
    ssize_t got;

    if (have) memcpy(buffer, c->rest, have);
    got = recv(c->fd, buffer + have, READ_SIZE, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) drop(c);
        return;
    }
    have += (size_t)got;
    if (c->rest_length) {
        free(c->rest);
        c->rest = NULL;
        c->rest_length = 0;
    }
    if (!c->open) used = open_handshake(c, have, &alive);
    if (alive && c->open) {
        out = echo_frames(&used, have, &closing);
        if (out) alive = send_all(c, buffer, out);
    }
    if (!alive) return;
    if (closing || have - used > BUFFER_SIZE - READ_SIZE - 1) {
        drop(c);
        return;
    }
    if (used < have) {
        c->rest_length = have - used;
        c->rest = copy_of(buffer + used, c->rest_length);
    }
}

static void accept_all(int listener)
{
    int fd, on = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *c = calloc(1, sizeof *c);
        if (c == NULL) die("calloc");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        c->fd = fd;
        watch(c, EPOLL_CTL_ADD);
    }
    if (errno != EAGAIN && errno != ECONNABORTED) die("accept4");
}

static void count_in(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *memory = mmap(NULL, sizeof *answered, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd < 0 || memory == MAP_FAILED) die(path);
    answered = memory;
    close(fd);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t address_size = sizeof address;
    struct epoll_event events[EVENTS], listening = {.events = EPOLLIN, .data.ptr = NULL};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

    if (argc > 1) count_in(argv[1]);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
    if (listen(listener, BACKLOG) < 0) die("listen");
    getsockname(listener, (struct sockaddr *)&address, &address_size);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &listening) < 0) die("epoll_ctl");
    printf("LISTENING %d\n", ntohs(address.sin_port));
    fflush(stdout);

    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (c == NULL)
                accept_all(listener);
            else if (events[i].events & EPOLLIN)
                on_readable(c);
            else if (c->unsent_length)
                send_all(c, c->unsent, c->unsent_length);
            else
                drop(c); /* EPOLLERR or EPOLLHUP alone */
        }
    }
}
