/*
 * What a stream has yet to send: a list of blocks, each either bytes of its own or a reference
 * into the memory of a Python object (a large payload is not copied).
 *
 * What many streams are sent within a turn lies once, one message behind the other, in a log that
 * their blocks refer to: a stream that gets them all has one block that grows, and the system
 * copies the same warm bytes again and again. What has to wait is copied out of the log, so that a
 * peer that takes little cannot keep more than what is meant for it.
 *
 * A stream that is idle has no block at all. Own blocks come from free lists, last in first out,
 * so a server that answers one connection after another writes into the same warm 2 KiB again and
 * again. Everything here needs the GIL.
 */
#ifndef COOEE_OUTQ_H
#define COOEE_OUTQ_H

#include <Python.h>
#include <stddef.h>
#include <string.h>

typedef struct cooee_block {
    struct cooee_block *next;
    const unsigned char *data; /* first byte not yet sent */
    size_t len;                /* bytes not yet sent */
    PyObject *owner;           /* keeps data alive; NULL when data lies in room[] */
    size_t size;               /* bytes of room[] */
    size_t used;               /* bytes of room[] written so far */
    int shared;                /* data lies in a log */
    unsigned char room[];
} cooee_block;

typedef struct {
    cooee_block *head;
    cooee_block *tail;
    size_t bytes; /* of payload and framing, over all blocks */
    unsigned long long sent; /* bytes that have left, ever */
} cooee_outq;

enum { COOEE_CLASSES = 3 };
static const size_t cooee_class_size[COOEE_CLASSES] = {2048, 16384, 65536};
static const unsigned cooee_class_keep[COOEE_CLASSES] = {1024, 64, 16};

static cooee_block *cooee_free_list[COOEE_CLASSES];
static unsigned cooee_free_count[COOEE_CLASSES];

static inline cooee_block *cooee_block_new(size_t size)
{
    cooee_block *block;
    for (int i = 0; i < COOEE_CLASSES; i++) {
        if (size <= cooee_class_size[i]) {
            size = cooee_class_size[i];
            if (cooee_free_list[i] != NULL) {
                block = cooee_free_list[i];
                cooee_free_list[i] = block->next;
                cooee_free_count[i]--;
                goto ready;
            }
            break;
        }
    }
    block = (cooee_block *)PyMem_RawMalloc(sizeof(cooee_block) + size);
    if (block == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    block->size = size;
ready:
    block->next = NULL;
    block->data = block->room;
    block->len = 0;
    block->owner = NULL;
    block->used = 0;
    block->shared = 0;
    return block;
}

static inline void cooee_block_free(cooee_block *block)
{
    if (block->owner != NULL) {
        PyObject *owner = block->owner;
        PyMem_RawFree(block);
        Py_DECREF(owner);
        return;
    }
    for (int i = 0; i < COOEE_CLASSES; i++) {
        if (block->size == cooee_class_size[i] && cooee_free_count[i] < cooee_class_keep[i]) {
            block->next = cooee_free_list[i];
            cooee_free_list[i] = block;
            cooee_free_count[i]++;
            return;
        }
    }
    PyMem_RawFree(block);
}

static inline void cooee_outq_link(cooee_outq *queue, cooee_block *block)
{
    if (queue->tail != NULL)
        queue->tail->next = block;
    else
        queue->head = block;
    queue->tail = block;
}

/* Room for n bytes in a row, which count as written; NULL with MemoryError set. */
static inline unsigned char *cooee_outq_reserve(cooee_outq *queue, size_t n)
{
    cooee_block *block = queue->tail;
    if (block == NULL || block->owner != NULL || block->size - block->used < n) {
        size_t want = n;
        /* A queue that grows gets larger blocks, so that a slow peer costs few of them. */
        if (block != NULL && block->owner == NULL)
            for (int i = 0; i + 1 < COOEE_CLASSES; i++)
                if (block->size == cooee_class_size[i] && want < cooee_class_size[i + 1])
                    want = cooee_class_size[i + 1];
        block = cooee_block_new(want);
        if (block == NULL)
            return NULL;
        cooee_outq_link(queue, block);
    }
    unsigned char *p = block->room + block->used;
    block->used += n;
    block->len += n;
    queue->bytes += n;
    return p;
}

static inline int cooee_outq_link_owner(
    cooee_outq *queue, PyObject *owner, const unsigned char *data, size_t n, int shared)
{
    cooee_block *block = (cooee_block *)PyMem_RawMalloc(sizeof(cooee_block));
    if (block == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    Py_INCREF(owner);
    block->next = NULL;
    block->data = data;
    block->len = n;
    block->owner = owner;
    block->size = block->used = 0;
    block->shared = shared;
    cooee_outq_link(queue, block);
    queue->bytes += n;
    return 0;
}

/* Queue n bytes at data, which lie in owner; 0, or -1 with MemoryError set. */
static inline int cooee_outq_refer(cooee_outq *queue, PyObject *owner, const void *data, size_t n)
{
    return cooee_outq_link_owner(queue, owner, (const unsigned char *)data, n, 0);
}

enum {
    COOEE_LOG_SIZE = 16384,
    COOEE_LOG_LEAST = 256, /* up to here copying costs less than a block */
};

static PyObject *cooee_log;         /* bytes of this size, which nobody else sees */
static size_t cooee_log_used;
static PyObject *cooee_log_last;    /* the message that was appended last */
static const unsigned char *cooee_log_last_at;

/* Where a message, a bytes object of at most COOEE_LOG_SIZE bytes, lies in the log: appended unless
   it is the one that was last; NULL with MemoryError set. */
static inline const unsigned char *cooee_log_find(PyObject *message)
{
    size_t n = (size_t)PyBytes_GET_SIZE(message);
    if (message == cooee_log_last)
        return cooee_log_last_at;
    if (cooee_log != NULL && Py_REFCNT(cooee_log) == 1)
        cooee_log_used = 0; /* all have been sent */
    if (cooee_log == NULL || COOEE_LOG_SIZE - cooee_log_used < n) {
        PyObject *log = PyBytes_FromStringAndSize(NULL, COOEE_LOG_SIZE);
        if (log == NULL)
            return NULL;
        Py_XSETREF(cooee_log, log);
        cooee_log_used = 0;
    }
    unsigned char *at = (unsigned char *)PyBytes_AS_STRING(cooee_log) + cooee_log_used;
    memcpy(at, PyBytes_AS_STRING(message), n);
    cooee_log_used += n;
    cooee_log_last_at = at;
    Py_INCREF(message);
    Py_XSETREF(cooee_log_last, message);
    return at;
}

/* Queue a message that other streams are sent too; 0, or -1 with MemoryError set. */
static inline int cooee_outq_share(cooee_outq *queue, PyObject *message)
{
    const unsigned char *at = cooee_log_find(message);
    size_t n = (size_t)PyBytes_GET_SIZE(message);
    cooee_block *tail = queue->tail;
    int copy = 0;
    if (at == NULL)
        return -1;
    if (tail != NULL && tail->owner == cooee_log && tail->data + tail->len == at) {
        tail->len += n;
        queue->bytes += n;
        return 0;
    }
    /* To a stream that gets others between, or not all of them, blocks for each would cost more
       than the bytes. A log that begins is nobody's choice. */
    if (tail != NULL && tail->owner == NULL)
        copy = tail->size - tail->used >= n;
    else if (tail != NULL)
        copy = n <= COOEE_LOG_LEAST && at != (unsigned char *)PyBytes_AS_STRING(cooee_log);
    if (!copy)
        return cooee_outq_link_owner(queue, cooee_log, at, n, 1);
    unsigned char *room = cooee_outq_reserve(queue, n);
    if (room == NULL)
        return -1;
    memcpy(room, at, n);
    return 0;
}

/* Forget the first n bytes, which have been sent. An owner's last reference may go with them, and
   its finalizer may clear the queue or add to it. */
static inline void cooee_outq_consume(cooee_outq *queue, size_t n)
{
    queue->bytes -= n;
    queue->sent += n;
    while (queue->head != NULL && (n > 0 || queue->head->len == 0)) {
        cooee_block *block = queue->head;
        if (n < block->len) {
            block->data += n;
            block->len -= n;
            return;
        }
        n -= block->len;
        queue->head = block->next;
        if (queue->head == NULL)
            queue->tail = NULL;
        cooee_block_free(block);
    }
}

/* Copy what lies in logs, since it has to wait; 0, or -1 with MemoryError set. */
static inline int cooee_outq_own(cooee_outq *queue)
{
    cooee_block *block = queue->head;
    while (block != NULL && !block->shared)
        block = block->next;
    if (block == NULL)
        return 0;
    block = queue->head;
    queue->head = queue->tail = NULL;
    queue->bytes = 0;
    int failed = 0;
    while (block != NULL) {
        cooee_block *next = block->next;
        unsigned char *room = NULL;
        if (!failed && (block->shared || block->owner == NULL)) {
            room = cooee_outq_reserve(queue, block->len);
            failed = room == NULL;
        }
        if (room != NULL) {
            memcpy(room, block->data, block->len);
            cooee_block_free(block);
        } else {
            block->next = NULL;
            cooee_outq_link(queue, block);
            queue->bytes += block->len;
        }
        block = next;
    }
    return -failed;
}

static inline void cooee_outq_clear(cooee_outq *queue)
{
    cooee_block *block = queue->head;
    queue->head = queue->tail = NULL;
    queue->bytes = 0;
    while (block != NULL) {
        cooee_block *next = block->next;
        cooee_block_free(block);
        block = next;
    }
}

#endif
