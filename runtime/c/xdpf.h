/* xdpf for C, and for whatever calls C: compile filters, run packets through them, receive packets by AF_XDP.
 *
 *     char *messages = NULL;
 *     xdpf_filter *filter = xdpf_compile("match udp.dport == 53 -> xsk", "dns.xdpf", &messages);
 *     if (filter == NULL)
 *         fputs(messages, stderr);
 *
 * Texts that are handed out belong to the caller: xdpf_free_text(). Where a function takes `char **error`, NULL is
 * fine; else it is set to a text where the function fails and to NULL where it does not: what could not be done, the
 * system call and its errno, the cause, a command that helps. An object is used by one thread at a time.
 *
 * Within one XDPF_ABI functions are only added, and structures only grow at their end: they begin with their size. */
#ifndef XDPF_H
#define XDPF_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XDPF_ABI 1
#if defined(__GNUC__)
#define XDPF_API __attribute__((visibility("default")))
#else
#define XDPF_API
#endif

/* That of the library that is loaded. */
XDPF_API unsigned xdpf_abi(void);
XDPF_API const char *xdpf_version(void);
XDPF_API void xdpf_free_text(char *text);

/* ---- Filters ------------------------------------------------------------------------------------------------ */

typedef struct xdpf_filter xdpf_filter;

/* Compiles a source; `name` is what messages call it. `messages` gets what the compiler says, or NULL where it says
 * nothing; warnings may come with a filter. NULL: there are errors. */
XDPF_API xdpf_filter *xdpf_compile(const char *source, const char *name, char **messages);
XDPF_API xdpf_filter *xdpf_compile_file(const char *path, char **messages);
XDPF_API void xdpf_filter_free(xdpf_filter *filter);

/* The ELF object, for bpftool and libbpf; good as long as the filter. */
XDPF_API const void *xdpf_filter_object(const xdpf_filter *filter, size_t *size);

/* As XDP_… of <linux/bpf.h>. */
enum xdpf_verdict { XDPF_ABORTED, XDPF_DROP, XDPF_PASS, XDPF_TX, XDPF_REDIRECT };

/* What the filter decides about a packet (from its Ethernet header on), in this process: no kernel, no rights. Its maps
 * keep what it puts into them from one packet to the next. `line`, where it is not NULL, gets the line of the rule that
 * decided, from 1, or 0 where none matched. */
XDPF_API enum xdpf_verdict xdpf_filter_run(xdpf_filter *filter, const void *packet, size_t size, uint32_t rx_queue,
                                           uint32_t *line);

/* ---- Sessions: a filter at work on an interface ---------------------------------------------------------------- */

typedef struct xdpf_session xdpf_session;

enum xdpf_mode { XDPF_MODE_AUTO, XDPF_MODE_NATIVE, XDPF_MODE_SKB };

struct xdpf_options {
    size_t size;           /* sizeof(struct xdpf_options) */
    const char *interface; /* must be there */
    const char *program;   /* NULL: the filter's first */
    enum xdpf_mode mode;   /* auto: native, else skb */
    uint32_t frames;       /* of each queue, a power of two; 0: 4096 */
    int sends;             /* whether packets are to be sent, too */
};

/* Loads, binds a socket to each queue of the interface, attaches. The filter may be freed afterwards. */
XDPF_API xdpf_session *xdpf_open(const xdpf_filter *filter, const struct xdpf_options *options, char **error);
/* Detaches and closes; the session is gone whatever is returned. 0, or -1 with an error. */
XDPF_API int xdpf_close(xdpf_session *session, char **error);

/* Readable, for poll and epoll, when xdpf_wait() would not wait. */
XDPF_API int xdpf_fd(const xdpf_session *session);
/* Waits for packets; a negative timeout waits for ever. 1: there are some, 0: there are none, -1: the interface is
 * gone, or somebody else detached the filter. */
XDPF_API int xdpf_wait(xdpf_session *session, int timeout_ms, char **error);
/* Ends a wait, from any thread or signal handler. */
XDPF_API void xdpf_stop(xdpf_session *session);

struct xdpf_packet {
    uint8_t *data; /* from the Ethernet header on; may be written to */
    uint32_t size;
    uint32_t queue;
};

/* Packets that are there, at most `most` (64 at once), without waiting; how many. They are good until the next call of
 * xdpf_receive(), xdpf_release() or xdpf_close(). */
XDPF_API size_t xdpf_receive(xdpf_session *session, struct xdpf_packet *packets, size_t most);
XDPF_API void xdpf_release(xdpf_session *session);

/* Sends packet `index` of the last xdpf_receive() back by the queue that it came from, as it lies there. Sends a copy
 * of other bytes by a queue (its place in the order, from 0). 0, or -1: the ring is full; xdpf_flush(), and again. */
XDPF_API int xdpf_send_back(xdpf_session *session, size_t index);
XDPF_API int xdpf_send(xdpf_session *session, size_t queue, const void *packet, size_t size);
XDPF_API int xdpf_flush(xdpf_session *session, char **error);

struct xdpf_counts {
    size_t size;              /* sizeof(struct xdpf_counts) */
    uint64_t received;        /* packets that xdpf_receive() handed out */
    uint64_t lost;            /* redirected, but no frame was free or a ring full (XDP_STATISTICS) */
    uint64_t sent, completed; /* packets */
};
XDPF_API int xdpf_get_counts(const xdpf_session *session, struct xdpf_counts *counts, char **error);

/* Maps and parameters, as text as in sources: "10.0.0.1", "{packets = 3}". NULL or -1 with an error. A key that is not
 * there gives NULL with no error. */
XDPF_API char *xdpf_map_get(xdpf_session *session, const char *map, const char *key, char **error);
XDPF_API int xdpf_map_set(xdpf_session *session, const char *map, const char *key, const char *value, char **error);
XDPF_API int xdpf_map_delete(xdpf_session *session, const char *map, const char *key, char **error);
XDPF_API int xdpf_set_parameter(xdpf_session *session, const char *name, const char *value, char **error);

#ifdef __cplusplus
}
#endif
#endif
