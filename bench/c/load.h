/*
 * What the parts of the load generator share: options, connections, and what each part offers.
 *
 *   load.c      command line; modes; the measured window
 *   opening.c   connections, WebSocket handshakes, Socket.IO sessions
 *   messages.c  requests and the replies to them, as bytes on the wire
 *   polling.c   Socket.IO over HTTP long-polling
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    READ_SIZE = 1 << 20,
    SEQUENCE_SIZE = 6,        /* octal digits: harmless in binary, text and JSON, and an ack id */
    PRIMING_CONNECTIONS = 32, /* opened and closed before memory and CPU per connection are read */
};

enum mode { ECHO, BROADCAST, IDLE };

struct options {
    enum mode mode;
    int port;
    unsigned connections;
    unsigned in_flight;   /* per connection; broadcast: triggers outstanding */
    unsigned outstanding; /* over all connections, which then take turns; 0: no such limit */
    size_t size;          /* bytes of payload; of Socket.IO's string argument or attachment */
    bool text;
    bool spin;
    const char *event; /* Socket.IO event name; NULL: raw WebSocket */
    bool ack;          /* the reply is the event's acknowledgement */
    bool attachment;   /* the event's argument is binary */
    bool polling;
    const char *json; /* file with the event's argument */
    const char *path;
    double warmup, seconds;
    pid_t server;
};

struct connection {
    int fd;
    uint16_t sent, received; /* sequence numbers of the next request and the next reply */
    size_t offset;           /* bytes of the reply being received that have arrived */
    unsigned char *unsent;
    size_t unsent_length;
    uint64_t *sent_at; /* by sequence number; a power of two of entries */
    struct session *session; /* polling: see polling.c */
};

extern struct options options;
extern struct connection *connections;
extern uint32_t times_mask;
extern unsigned char read_buffer[READ_SIZE];

__attribute__((format(printf, 1, 2), noreturn)) void fail(const char *format, ...);
void *allocate(size_t count, size_t size);

/* load.c: what is watched on a connection; what is sent now, or when there is room. */
void watch(struct connection *c);
void send_bytes(struct connection *c, const unsigned char *data, size_t length);
size_t receive(struct connection *c);

/* opening.c: blocking; nothing of it is in the measured window but in mode idle. */
int open_socket(unsigned number);
int open_connection(unsigned number, const char *path, bool joins);
void send_exactly(int fd, const void *data, size_t length);
void expect_prefix(const char *prefix, const char *packet, size_t length);

/* messages.c */

/* Bytes with places where the sequence number is to be written. */
struct message {
    unsigned char *bytes;
    size_t size;
    struct place {
        size_t at;
        uint64_t mask;
    } places[2];
    unsigned place_count;
};

extern const unsigned char MASK[4]; /* every client's */
extern struct message request, reply;

void build_messages(void);
void number_message(const struct message *m, unsigned char *bytes, uint16_t number);
unsigned check_replies(struct connection *c, const unsigned char *data, size_t length);
void send_requests(struct connection *c, unsigned count, uint64_t time);

/* polling.c */
void open_session(unsigned number);
void post_events(struct connection *c, unsigned count, uint64_t time);
unsigned receive_poll(struct connection *c);

#endif
