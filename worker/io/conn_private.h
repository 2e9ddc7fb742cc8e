/* What the files of the connection share, and nobody else includes. */
#ifndef WORKER_IO_CONN_PRIVATE_H
#define WORKER_IO_CONN_PRIVATE_H

#include "worker/io/buffer.h"
#include "worker/io/conn.h"

#define CONN_WRITE_TIMEOUT_US INT64_C(60000000)

extern const struct conn_transport conn_transport_plain;

struct buffer_pool *conn_pool(const struct conn *c);

/* Adds at least one byte to the input, which must not fill its buffer. */
enum conn_result conn_fill(struct conn *c, int64_t deadline_us);

/* The buffers go back whatever they hold. */
void conn_drop_input(struct conn *c);
void conn_drop_output(struct conn *c);

#endif
