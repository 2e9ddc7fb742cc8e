/* Questions and answers as bytes: RFC 1035, EDNS of RFC 6891.  No network here.
 *
 * ldns builds and reads them; what it must not be given (a TSIG record, which it leaks; chains of
 * compression pointers that cost more than they say) is sorted out before. */
#ifndef WORKER_IO_DNS_MESSAGE_H
#define WORKER_IO_DNS_MESSAGE_H

#include "shm/base/dns.h"

/* Answers by UDP may be this large (the value of DNS flag day 2020: never a fragment). */
#define DNS_UDP_BYTES 1232

/* What c-ares takes off a question for a server without EDNS: its last bytes have to be this OPT
 * record. */
#define DNS_OPT_BYTES 11

/* A question for `name` (dns_name_ok), recursion wanted, validation welcome.  In a block of malloc;
 * NULL: no memory. */
uint8_t *dns_message_ask(struct text name, uint16_t type, uint16_t id, size_t *n);

/* What the message says to that question; a block of malloc in which all of it lies.  NULL: no
 * memory. */
struct dns_answer *dns_message_read(const uint8_t *wire, size_t n, struct text name, uint16_t type);

/* dns_message_walk.c: May ldns see it?  All records lie inside, there are not absurdly many, names
 * point backwards only and not through chains, and none is a TSIG. */
bool dns_message_sane(const uint8_t *wire, size_t n);

#endif
