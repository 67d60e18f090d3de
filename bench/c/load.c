/*
 * The load generator: clients in one thread, as cheap per message as they can be, so that the
 * server under test is what is measured.
 *
 * Nothing that a server sends is parsed; any byte but those expected ends the run with an error. So
 * does a stall of five seconds. load.h says where the parts are.
 *
 * The server's CPU time is read (process.h) at the edges of the measured window, by the same thread
 * that counts the messages: both figures are of the same window.
 *
 * Prints one line of JSON. See --help for what may be asked for.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "histogram.h"
#include "load.h"
#include "process.h"

enum {
    EVENTS = 1024,
    STALL_TIMEOUT = 5, /* seconds */
};

struct options options = {
    .connections = 1, .in_flight = 1, .size = 64, .seconds = 1, .warmup = 0.2,
};
struct connection *connections;
uint32_t times_mask;
unsigned char read_buffer[READ_SIZE];

static int epoll_fd;
static struct histogram latency;
static uint64_t messages;

void fail(const char *format, ...)
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

void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) fail("out of memory");
    return memory;
}

/* ---- sockets ---------------------------------------------------------------------------- */

static void change(struct connection *c, int operation, uint32_t wanted)
{
    struct epoll_event event = {.events = wanted, .data.ptr = c};
    if (epoll_ctl(epoll_fd, operation, c->fd, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
}

/* From here on nothing blocks on this connection. */
void watch(struct connection *c)
{
    int on = 1;

    c->sent_at = allocate(times_mask + 1, sizeof *c->sent_at);
    if (ioctl(c->fd, FIONBIO, &on) < 0) fail("ioctl: %s", strerror(errno));
    change(c, EPOLL_CTL_ADD, EPOLLIN);
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
    if (c->unsent_length == 0) change(c, EPOLL_CTL_MOD, EPOLLIN);
}

/* Send now what the kernel takes, and the rest when it takes more. */
void send_bytes(struct connection *c, const unsigned char *data, size_t length)
{
    size_t sent = c->unsent_length == 0 ? try_send(c, data, length) : 0;

    if (sent == length) return;
    if (c->unsent_length == 0) change(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    c->unsent = realloc(c->unsent, c->unsent_length + length - sent);
    if (c->unsent == NULL) fail("out of memory");
    memcpy(c->unsent + c->unsent_length, data + sent, length - sent);
    c->unsent_length += length - sent;
}

/* Fill the read buffer; returns how much has come, 0 if nothing has. */
size_t receive(struct connection *c)
{
    ssize_t got = recv(c->fd, read_buffer, sizeof read_buffer - 1, 0);

    if (got > 0) return (size_t)got;
    if (got == 0) fail("connection %ld was closed by the server", (long)(c - connections));
    if (errno != EAGAIN) fail("recv: %s", strerror(errno));
    return 0;
}

static void send_next(struct connection *c, unsigned count, uint64_t time)
{
    if (options.polling)
        post_events(c, count, time);
    else
        send_requests(c, count, time);
}

static unsigned receive_next(struct connection *c)
{
    return options.polling ? receive_poll(c) : check_replies(c, read_buffer, receive(c));
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
    send_next(c, replies, time);
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
            send_next(&connections[i], options.in_flight, time);
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
    /* A slow server may need longer for one broadcast than the window is long. */
    while (time < end || latency.total == 0) {
        int count = epoll_wait(epoll_fd, events, EVENTS, options.spin ? 0 : 1000);
        time = now();
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) send_unsent(c);
            if (events[i].events & ~(uint32_t)EPOLLOUT) {
                unsigned replies = receive_next(c);
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
        priming[i] = open_connection(i, options.path, false);
    for (unsigned i = 0; i < PRIMING_CONNECTIONS; i++) close(priming[i]);
    settle();
    memory = process_memory(options.server);
    cpu = process_cpu(options.server);
    started = now();
    for (unsigned i = 0; i < options.connections; i++)
        connections[i].fd = open_connection(i, options.path, false);
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
          "  --size BYTES        of payload, at least 6\n"
          "  --text              text messages rather than binary ones\n"
          "  --socketio EVENT    Socket.IO events; their argument is a string of --size bytes\n"
          "  --ack               events ask for an acknowledgement, which has the same argument\n"
          "  --attachment        the argument is binary\n"
          "  --json FILE         the argument is what this file has, with @@@@@@ in a string\n"
          "  --polling           over HTTP long-polling; in mode echo\n"
          "  --path PATH         of the request; raw broadcast uses /subscribe and /control\n"
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
        {"socketio", 1, NULL, 'e'},   {"ack", 0, NULL, 'k'},      {"attachment", 0, NULL, 'A'},
        {"json", 1, NULL, 'j'},       {"polling", 0, NULL, 'l'},  {"help", 0, NULL, 'h'},
        {NULL, 0, NULL, 0},
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
        case 'k': options.ack = true; break;
        case 'A': options.attachment = true; break;
        case 'j': options.json = optarg; break;
        case 'l': options.polling = true; break;
        case 'a': options.path = optarg; break;
        case 'w': options.warmup = atof(optarg); break;
        case 'd': options.seconds = atof(optarg); break;
        case 'P': options.server = atoi(optarg); break;
        case 'h': usage(0);
        default: usage(2);
        }
    if (options.port == 0 || options.connections == 0 || options.in_flight == 0 ||
        options.size < SEQUENCE_SIZE || options.in_flight > 32768 ||
        (options.outstanding && options.in_flight != 1) ||
        (options.event == NULL &&
         (options.ack || options.attachment || options.json || options.polling)) ||
        (options.attachment && (options.ack || options.json || options.polling)) ||
        (options.polling && options.mode != ECHO))
        usage(2);
    if (options.path == NULL)
        options.path = options.event == NULL ? "/"
                       : options.polling     ? "/socket.io/?EIO=4&transport=polling"
                                             : "/socket.io/?EIO=4&transport=websocket";
}

static void open_all(void)
{
    bool raw_broadcast = options.mode == BROADCAST && options.event == NULL;

    for (unsigned i = 0; i < options.connections; i++) {
        if (options.polling) {
            open_session(i);
            continue;
        }
        connections[i].fd = open_connection(i, raw_broadcast ? "/subscribe" : options.path,
                                            options.mode == BROADCAST);
        watch(&connections[i]);
    }
    if (options.mode == BROADCAST) {
        struct connection *control = &connections[options.connections];
        control->fd = open_connection(options.connections,
                                      raw_broadcast ? "/control" : options.path, false);
        watch(control);
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    for (times_mask = 1; times_mask < options.in_flight; times_mask *= 2) {
    }
    times_mask -= 1;
    /* One for each, and one for control; or, with polling, two for each. */
    connections = allocate(2 * options.connections + 1, sizeof *connections);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (options.mode == IDLE) {
        open_idle();
        return 0;
    }
    build_messages();
    open_all();
    exchange();
    return 0;
}
