/*
 * The load generator: raw WebSocket clients in one thread, as cheap per message as they can be, so
 * that the server under test is what is measured.
 *
 * Requests are masked once, with a fixed key, and copied out again and again; only a sequence
 * number of four letters is written into each. A server's frame must be byte for byte the one
 * expected (header, sequence number, payload), so checking it is one comparison and nothing is
 * parsed; any other byte ends the run with an error. So does a stall of five seconds.
 *
 * The server's CPU time is read (process.h) at the edges of the measured window, by the same thread
 * that counts the messages: both figures are of the same window.
 *
 * Prints one line of JSON. See --help for what may be asked for.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"
#include "handshake.h"
#include "histogram.h"
#include "process.h"

enum {
    EVENTS = 1024,
    READ_SIZE = 1 << 20,
    SEQUENCE_SIZE = 4,         /* letters 'a' to 'p': harmless in binary, text and JSON */
    PER_ADDRESS = 16000,       /* connections from one source address; ports are no shortage then */
    OPENING_TIMEOUT = 10,      /* seconds */
    STALL_TIMEOUT = 5,         /* seconds */
    PRIMING_CONNECTIONS = 32,  /* opened and closed before memory and CPU per connection are read */
};

static const char *KEY = "dGhlIHNhbXBsZSBub25jZQ==";
static const unsigned char MASK[MASKING_KEY_SIZE] = {0x37, 0xfa, 0x21, 0x3d};

enum mode { ECHO, BROADCAST, IDLE };

static struct {
    enum mode mode;
    int port;
    unsigned connections;
    unsigned in_flight;   /* per connection; broadcast: triggers outstanding */
    unsigned outstanding; /* over all connections, which then take turns; 0: no such limit */
    size_t size;          /* bytes of payload, for Socket.IO of the event's string argument */
    bool text;
    bool spin;
    const char *event; /* Socket.IO event name; NULL: raw WebSocket */
    const char *path;
    double warmup, seconds;
    pid_t server;
} options = {.connections = 1, .in_flight = 1, .size = 64, .path = "/", .seconds = 1, .warmup = 0.2};

struct connection {
    int fd;
    uint16_t sent, received; /* sequence numbers of the next request and the next reply */
    size_t offset;           /* bytes of the reply being received that have arrived */
    unsigned char *unsent;
    size_t unsent_length;
    uint64_t *sent_at; /* by sequence number; a power of two of entries */
};

static struct connection *connections;
static int epoll_fd;
static unsigned char read_buffer[READ_SIZE];

/* in_flight identical requests in a row, and the reply expected to each. */
static unsigned char *requests, *reply;
static size_t request_size, request_sequence, reply_size, reply_sequence;
static uint32_t sequence_mask, times_mask;

static struct histogram latency;
static uint64_t messages;

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
    char reason[400];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    for (char *p = reason; *p; p++)
        if (*p == '"' || *p == '\\' || *p < ' ') *p = '\'';
    printf("{\"error\": \"%s\"}\n", reason);
    exit(1);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) fail("out of memory");
    return memory;
}

/* ---- opening ---------------------------------------------------------------------------- */

/* One after another and blocking: nothing here is in the measured window but in mode idle. */

static void send_exactly(int fd, const void *data, size_t length)
{
    if (send(fd, data, length, MSG_NOSIGNAL) != (ssize_t)length)
        fail("send while opening: %s", strerror(errno));
}

static void receive_exactly(int fd, void *data, size_t length)
{
    ssize_t got = recv(fd, data, length, MSG_WAITALL);
    if (got != (ssize_t)length)
        fail("recv while opening: %s", got < 0 ? strerror(errno) : "end of stream");
}

/* The server's next text frame must begin with `prefix`. */
static void expect_packet(int fd, const char *prefix)
{
    unsigned char header[4], payload[65536];
    size_t length;

    receive_exactly(fd, header, 2);
    length = header[1];
    if (length == 126) {
        receive_exactly(fd, header + 2, 2);
        length = (size_t)header[2] << 8 | header[3];
    }
    if (header[0] != (FIN | OPCODE_TEXT) || header[1] > 126) fail("unexpected frame while opening");
    receive_exactly(fd, payload, length);
    if (length < strlen(prefix) || memcmp(payload, prefix, strlen(prefix)) != 0)
        fail("expected a packet %s..., got %.*s", prefix, (int)length, payload);
}

static void handshake(int fd, const char *path)
{
    static char request[1024], response[8192], accept[ACCEPT_LENGTH + 1];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                          "Sec-WebSocket-Version: 13\r\n\r\n",
                          path, options.port, KEY);
    ssize_t got;
    char *end = NULL;

    send_exactly(fd, request, (size_t)length);
    /* Peek until the header is whole, then take just the header: frames may follow at once. */
    for (size_t before = 0; end == NULL; before = (size_t)got) {
        got = recv(fd, response, sizeof response - 1, MSG_PEEK);
        if (got <= 0) fail("handshake: %s", got < 0 ? strerror(errno) : "end of stream");
        response[got] = 0;
        end = strstr(response, "\r\n\r\n");
        if (end == NULL && (size_t)got == before) usleep(100);
    }
    receive_exactly(fd, response, (size_t)(end + 4 - response));
    end[4] = 0;
    accept_value(KEY, accept);
    if (strncmp(response, "HTTP/1.1 101", 12) != 0 || strstr(response, accept) == NULL)
        fail("handshake: %.40s", response);
    if (options.event != NULL) {
        unsigned char connect[2 + MASKING_KEY_SIZE + 2] = {FIN | OPCODE_TEXT, MASKED | 2};
        memcpy(connect + 2, MASK, sizeof MASK);
        apply_mask(connect + 2 + sizeof MASK, (const unsigned char *)"40", 2, MASK);
        expect_packet(fd, "0{");
        send_exactly(fd, connect, sizeof connect);
        expect_packet(fd, "40");
    }
}

static int open_connection(unsigned number, const char *path)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    struct timeval limit = {.tv_sec = OPENING_TIMEOUT};
    /* Close with RST: ten thousand ports in TIME_WAIT would be missing in the next run. */
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0) fail("socket: %s", strerror(errno));
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number / PER_ADDRESS);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)options.port);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0) fail("bind: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) fail("connect: %s", strerror(errno));
    handshake(fd, path);
    return fd;
}

static void add_connection(unsigned number, const char *path)
{
    struct connection *c = &connections[number];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int flags = 1;

    c->fd = open_connection(number, path);
    c->sent_at = allocate(times_mask + 1, sizeof *c->sent_at);
    if (ioctl(c->fd, FIONBIO, &flags) < 0) fail("ioctl: %s", strerror(errno));
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

/* ---- messages --------------------------------------------------------------------------- */

static uint32_t sequence_letters(uint16_t number)
{
    uint32_t nibbles = (uint32_t)(number >> 12 & 15) | (uint32_t)(number >> 8 & 15) << 8 |
                       (uint32_t)(number >> 4 & 15) << 16 | (uint32_t)(number & 15) << 24;
    return nibbles + 0x61616161; /* 'a' */
}

/* Build the request and the reply to it: prefix, sequence number, filling, suffix. */
static void build_frames(void)
{
    char prefix[128] = "";
    const char *suffix = "";
    unsigned char opcode = options.text ? OPCODE_TEXT : OPCODE_BINARY, *payload;
    size_t length, before, request_header, reply_header;

    if (options.event != NULL) {
        snprintf(prefix, sizeof prefix, "42[\"%s\",\"", options.event);
        suffix = "\"]";
        opcode = OPCODE_TEXT;
    }
    before = strlen(prefix);
    length = before + options.size + strlen(suffix);
    payload = allocate(length, 1);
    memcpy(payload, prefix, before);
    for (size_t i = 0; i < options.size; i++)
        payload[before + i] = opcode == OPCODE_TEXT ? (unsigned char)('A' + i % 26)
                                                    : (unsigned char)(i * 7 + 128);
    memcpy(payload + before + options.size, suffix, strlen(suffix));

    reply = allocate(length + LONGEST_HEADER, 1);
    reply_header = put_header(reply, FIN | opcode, 0, length);
    memcpy(reply + reply_header, payload, length);
    reply_size = reply_header + length;
    reply_sequence = reply_header + before;

    requests = allocate(options.in_flight, length + LONGEST_HEADER);
    for (unsigned i = 0; i < options.in_flight; i++) {
        unsigned char *at = requests + i * request_size;
        request_header = put_header(at, FIN | opcode, MASKED, length) + MASKING_KEY_SIZE;
        memcpy(at + request_header - MASKING_KEY_SIZE, MASK, sizeof MASK);
        apply_mask(at + request_header, payload, length, MASK);
        request_size = request_header + length;
        request_sequence = request_header + before;
    }
    for (size_t i = 0; i < SEQUENCE_SIZE; i++)
        ((unsigned char *)&sequence_mask)[i] = MASK[(before + i) % MASKING_KEY_SIZE];
    free(payload);
}

static void watch_for_writing(struct connection *c, bool writing)
{
    struct epoll_event event = {.events = writing ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

static size_t try_send(struct connection *c, const unsigned char *data, size_t length)
{
    ssize_t sent = send(c->fd, data, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) fail("send: %s", strerror(errno));
    return sent < 0 ? 0 : (size_t)sent;
}

static void send_unsent(struct connection *c)
{
    size_t sent = try_send(c, c->unsent, c->unsent_length);
    c->unsent_length -= sent;
    memmove(c->unsent, c->unsent + sent, c->unsent_length);
    if (c->unsent_length == 0) watch_for_writing(c, false);
}

/* Send the next `count` (at most in_flight) requests in one system call. */
static void send_requests(struct connection *c, unsigned count, uint64_t time)
{
    size_t length = count * request_size, sent = 0;

    for (unsigned i = 0; i < count; i++, c->sent++) {
        uint32_t letters = sequence_letters(c->sent) ^ sequence_mask;
        memcpy(requests + i * request_size + request_sequence, &letters, sizeof letters);
        c->sent_at[c->sent & times_mask] = time;
    }
    if (c->unsent_length == 0) sent = try_send(c, requests, length);
    if (sent == length) return;
    if (c->unsent_length == 0) watch_for_writing(c, true);
    c->unsent = realloc(c->unsent, c->unsent_length + length - sent);
    if (c->unsent == NULL) fail("out of memory");
    memcpy(c->unsent + c->unsent_length, requests + sent, length - sent);
    c->unsent_length += length - sent;
}

/* Check what arrived against what had to. Returns how many replies are now whole. */
static unsigned check_replies(struct connection *c, const unsigned char *data, size_t length)
{
    unsigned whole = 0;

    while (length) {
        size_t part = reply_size - c->offset < length ? reply_size - c->offset : length;
        uint32_t letters = sequence_letters(c->received);
        memcpy(reply + reply_sequence, &letters, sizeof letters);
        if (memcmp(data, reply + c->offset, part) != 0)
            fail("reply %u of connection %ld differs within bytes %zu to %zu (begins %02x %02x)",
                 c->received, (long)(c - connections), c->offset, c->offset + part, data[0],
                 length > 1 ? data[1] : 0);
        data += part;
        length -= part;
        c->offset += part;
        if (c->offset == reply_size) {
            c->offset = 0;
            c->received++;
            whole++;
        }
    }
    return whole;
}

static unsigned receive_replies(struct connection *c)
{
    ssize_t got = recv(c->fd, read_buffer, sizeof read_buffer, 0);

    if (got > 0) return check_replies(c, read_buffer, (size_t)got);
    if (got == 0) fail("connection %ld was closed by the server", (long)(c - connections));
    if (errno != EAGAIN) fail("recv: %s", strerror(errno));
    return 0;
}

/* ---- modes ------------------------------------------------------------------------------ */

/* Connections that await their turn when `outstanding` limits how many may have a request. */
static struct connection **waiting;
static unsigned waiting_head, waiting_tail;

static void on_echo(struct connection *c, unsigned replies, uint64_t time)
{
    for (unsigned i = 0; i < replies; i++)
        histogram_add(&latency,
                      time - c->sent_at[(uint16_t)(c->received - replies + i) & times_mask]);
    messages += replies;
    if (waiting != NULL) {
        waiting[waiting_tail++ % options.connections] = c;
        c = waiting[waiting_head++ % options.connections];
    }
    send_requests(c, replies, time);
}

static void start_echo(void)
{
    uint64_t time = now();

    if (options.outstanding) {
        waiting = allocate(options.connections, sizeof *waiting);
        for (unsigned i = options.outstanding; i < options.connections; i++)
            waiting[waiting_tail++] = &connections[i];
    }
    for (unsigned i = 0; i < options.connections; i++)
        if (!options.outstanding || i < options.outstanding)
            send_requests(&connections[i], options.in_flight, time);
}

/* Broadcast: the control connection is the last one; it sends triggers and receives nothing. */
static unsigned *missing; /* deliveries still to come, by sequence number of the trigger */
static unsigned broadcasts_done;

static void on_delivery(struct connection *c, unsigned deliveries, uint64_t time)
{
    struct connection *control = &connections[options.connections];

    if (c == control) fail("a delivery on the control connection");
    for (unsigned i = 0; i < deliveries; i++) {
        uint16_t number = (uint16_t)(c->received - deliveries + i);
        if (--missing[number & times_mask] == 0) {
            missing[number & times_mask] = options.connections;
            histogram_add(&latency, time - control->sent_at[number & times_mask]);
            broadcasts_done++;
        }
    }
    messages += deliveries;
}

static void start_broadcast(void)
{
    missing = allocate(times_mask + 1, sizeof *missing);
    for (unsigned i = 0; i <= times_mask; i++) missing[i] = options.connections;
    send_requests(&connections[options.connections], options.in_flight, now());
}

static void exchange(void)
{
    struct epoll_event events[EVENTS];
    uint64_t started = now(), cpu = 0, load_cpu = 0, opened = started, progress = started;
    uint64_t warm = started + (uint64_t)(options.warmup * 1e9), end = UINT64_MAX, time = started;
    double seconds;

    if (options.mode == ECHO)
        start_echo();
    else
        start_broadcast();
    while (time < end) {
        int count = epoll_wait(epoll_fd, events, EVENTS, options.spin ? 0 : 1000);
        time = now();
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) send_unsent(c);
            if (events[i].events & ~(uint32_t)EPOLLOUT) {
                unsigned replies = receive_replies(c);
                time = now();
                if (replies == 0) continue;
                if (options.mode == ECHO)
                    on_echo(c, replies, time);
                else
                    on_delivery(c, replies, time);
            }
        }
        if (broadcasts_done) {
            send_requests(&connections[options.connections], broadcasts_done, time);
            broadcasts_done = 0;
        }
        if (count > 0) progress = time;
        if (time - progress > STALL_TIMEOUT * 1000000000ull)
            fail("no reply for %d seconds", STALL_TIMEOUT);
        if (end == UINT64_MAX && time >= warm) {
            histogram_clear(&latency);
            messages = 0;
            cpu = process_cpu(options.server);
            load_cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
            opened = now();
            end = opened + (uint64_t)(options.seconds * 1e9);
        }
    }
    cpu = process_cpu(options.server) - cpu;
    load_cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - load_cpu;
    seconds = (double)(now() - opened) / 1e9;
    if (latency.total == 0) fail("no message came back within the measured window");
    printf("{\"messages\": %llu, \"seconds\": %.6f, \"server_cpu_ns\": %llu, \"load_cpu_ns\": %llu, "
           "\"latency_ns\": {\"mean\": %.0f, \"p50\": %llu, \"p90\": %llu, \"p99\": %llu, "
           "\"p999\": %llu, \"max\": %llu}}\n",
           (unsigned long long)messages, seconds, (unsigned long long)cpu,
           (unsigned long long)load_cpu, (double)latency.sum / (double)latency.total,
           (unsigned long long)histogram_percentile(&latency, .5),
           (unsigned long long)histogram_percentile(&latency, .9),
           (unsigned long long)histogram_percentile(&latency, .99),
           (unsigned long long)histogram_percentile(&latency, .999),
           (unsigned long long)latency.largest);
}

static void settle(void)
{
    usleep(500000); /* for what the server does afterwards, as collecting garbage */
}

/* Open connections one after another and leave them alone. */
static void open_idle(void)
{
    int priming[PRIMING_CONNECTIONS];
    uint64_t memory, cpu, started, took;

    /* What a server allocates once, for its first connections, is not the cost of one more. */
    for (unsigned i = 0; i < PRIMING_CONNECTIONS; i++)
        priming[i] = open_connection(i, options.path);
    for (unsigned i = 0; i < PRIMING_CONNECTIONS; i++) close(priming[i]);
    settle();
    memory = process_memory(options.server);
    cpu = process_cpu(options.server);
    started = now();
    for (unsigned i = 0; i < options.connections; i++)
        connections[i].fd = open_connection(i, options.path);
    took = now() - started;
    settle();
    cpu = process_cpu(options.server) - cpu;
    printf("{\"connections\": %u, \"seconds\": %.6f, \"server_cpu_ns\": %llu, "
           "\"memory_before\": %llu, \"memory_after\": %llu}\n",
           options.connections, (double)took / 1e9, (unsigned long long)cpu,
           (unsigned long long)memory, (unsigned long long)process_memory(options.server));
}

/* ---- command line ----------------------------------------------------------------------- */

__attribute__((noreturn)) static void usage(int status)
{
    fputs("load --port PORT [options]\n"
          "  --mode echo|broadcast|idle\n"
          "  --connections N     broadcast: subscribers, besides the control connection\n"
          "  --in-flight N       messages outstanding per connection; broadcast: triggers\n"
          "  --outstanding N     messages outstanding over all connections, which take turns\n"
          "  --size BYTES        of payload, at least 4\n"
          "  --text              text messages rather than binary ones\n"
          "  --socketio EVENT    Socket.IO events over WebSocket; their argument is a string\n"
          "  --path PATH         echo, idle: of the request; broadcast uses /subscribe and /control\n"
          "  --warmup SECONDS --seconds SECONDS\n"
          "  --server-pid PID    whose CPU time and memory to report\n"
          "  --spin              poll instead of blocking while waiting for replies\n",
          status ? stderr : stdout);
    exit(status);
}

static void read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"mode", 1, NULL, 'm'},       {"port", 1, NULL, 'p'},     {"connections", 1, NULL, 'c'},
        {"in-flight", 1, NULL, 'f'},  {"size", 1, NULL, 's'},     {"outstanding", 1, NULL, 'o'},
        {"text", 0, NULL, 't'},       {"warmup", 1, NULL, 'w'},   {"seconds", 1, NULL, 'd'},
        {"server-pid", 1, NULL, 'P'}, {"path", 1, NULL, 'a'},     {"spin", 0, NULL, 'b'},
        {"socketio", 1, NULL, 'e'},   {"help", 0, NULL, 'h'},     {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0) switch (option) {
        case 'm':
            options.mode = !strcmp(optarg, "broadcast") ? BROADCAST
                           : !strcmp(optarg, "idle")    ? IDLE
                                                        : ECHO;
            break;
        case 'p': options.port = atoi(optarg); break;
        case 'c': options.connections = (unsigned)atoi(optarg); break;
        case 'f': options.in_flight = (unsigned)atoi(optarg); break;
        case 'o': options.outstanding = (unsigned)atoi(optarg); break;
        case 's': options.size = (size_t)atol(optarg); break;
        case 't': options.text = true; break;
        case 'b': options.spin = true; break;
        case 'e': options.event = optarg; break;
        case 'a': options.path = optarg; break;
        case 'w': options.warmup = atof(optarg); break;
        case 'd': options.seconds = atof(optarg); break;
        case 'P': options.server = atoi(optarg); break;
        case 'h': usage(0);
        default: usage(2);
        }
    if (options.port == 0 || options.connections == 0 || options.in_flight == 0 ||
        options.size < SEQUENCE_SIZE || options.in_flight > 32768 ||
        (options.outstanding && options.in_flight != 1))
        usage(2);
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    for (times_mask = 1; times_mask < options.in_flight; times_mask *= 2) {
    }
    times_mask -= 1;
    connections = allocate(options.connections + 1, sizeof *connections);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (options.mode == IDLE) {
        open_idle();
        return 0;
    }
    build_frames();
    for (unsigned i = 0; i < options.connections; i++)
        add_connection(i, options.mode == BROADCAST ? "/subscribe" : options.path);
    if (options.mode == BROADCAST) add_connection(options.connections, "/control");
    exchange();
    return 0;
}
