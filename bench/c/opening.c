/*
 * Connections, one after another and blocking: nothing here is in the measured window but in mode
 * idle.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"
#include "handshake.h"
#include "load.h"

enum {
    PER_ADDRESS = 16000,  /* connections from one source address; ports are no shortage then */
    OPENING_TIMEOUT = 10, /* seconds */
};

static const char *KEY = "dGhlIHNhbXBsZSBub25jZQ==";

void send_exactly(int fd, const void *data, size_t length)
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

void expect_prefix(const char *prefix, const char *packet, size_t length)
{
    if (length < strlen(prefix) || memcmp(packet, prefix, strlen(prefix)) != 0)
        fail("expected a packet %s..., got %.*s", prefix, (int)length, packet);
}

/* The server's next text frame must begin with `prefix`. */
static void expect_packet(int fd, const char *prefix)
{
    unsigned char header[4];
    char payload[65536];
    size_t length;

    receive_exactly(fd, header, 2);
    length = header[1];
    if (length == 126) {
        receive_exactly(fd, header + 2, 2);
        length = (size_t)header[2] << 8 | header[3];
    }
    if (header[0] != (FIN | OPCODE_TEXT) || header[1] > 126) fail("unexpected frame while opening");
    receive_exactly(fd, payload, length);
    expect_prefix(prefix, payload, length);
}

/* Send a short text frame. */
static void send_packet(int fd, const char *packet)
{
    unsigned char frame[LONGEST_HEADER + 125];
    size_t length = strlen(packet), header = put_header(frame, FIN | OPCODE_TEXT, MASKED, length);

    memcpy(frame + header, MASK, MASKING_KEY_SIZE);
    apply_mask(frame + header + MASKING_KEY_SIZE, (const unsigned char *)packet, length, MASK);
    send_exactly(fd, frame, header + MASKING_KEY_SIZE + length);
}

static void handshake(int fd, const char *path)
{
    static char head[1024], response[8192], accept[ACCEPT_LENGTH + 1];
    int length = snprintf(head, sizeof head,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                          "Sec-WebSocket-Version: 13\r\n\r\n",
                          path, options.port, KEY);
    ssize_t got;
    char *end = NULL;

    send_exactly(fd, head, (size_t)length);
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
}

int open_socket(unsigned number)
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
    return fd;
}

/*
 * A WebSocket; with Socket.IO, a socket of the main namespace, which `joins` a room or not: the
 * acknowledgement says that it is in there.
 */
int open_connection(unsigned number, const char *path, bool joins)
{
    int fd = open_socket(number);

    handshake(fd, path);
    if (options.event == NULL) return fd;
    expect_packet(fd, "0{");
    send_packet(fd, "40");
    expect_packet(fd, "40");
    if (joins) {
        send_packet(fd, "420[\"join\",\"everyone\"]");
        expect_packet(fd, "430[");
    }
    return fd;
}
