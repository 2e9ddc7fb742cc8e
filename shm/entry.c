/* One entry of a list as bytes: its key, its value, and back. */
#include "shm/entries.h"

bool entry_key_make(struct entry_key *k, const char *scope, enum list_key kind, const void *rest,
		    size_t n)
{
	size_t scope_n = strlen(scope);

	if (scope_n > SCOPE_MAX || n > LIST_KEY_MAX)
		return false;
	memcpy(k->b, scope, scope_n + 1);
	k->b[scope_n + 1] = (unsigned char)kind;
	if (n > 0)
		memcpy(k->b + scope_n + 2, rest, n);
	k->n = scope_n + 2 + n;
	return true;
}

/* 16 bytes and a length: the end of a key, behind what entry_key_make wrote. */
static void network_bytes(unsigned char dst[17], const struct net *net)
{
	memcpy(dst, net->ip.b, 16);
	dst[16] = net->bits;
}

bool entry_key_of(struct entry_key *k, const char *scope, enum list_key kind, const char *text)
{
	char form[LIST_KEY_MAX + 1], message[8];
	struct buf err = buf_over(message, sizeof(message));
	unsigned char bytes[17];
	struct net net;

	if (!list_key_normalize(kind, text_of(text), form, &err))
		return false;
	if (kind != LIST_CLIENT)
		return entry_key_make(k, scope, kind, form, strlen(form));
	if (!net_parse(text_of(form), &net))
		return false;
	network_bytes(bytes, &net);
	return entry_key_make(k, scope, kind, bytes, sizeof(bytes));
}

enum { FLAG_AT_CONNECT = 1 };

size_t entry_value_make(unsigned char dst[ENTRY_VALUE_MAX], const struct list_entry *e, uint64_t id)
{
	struct entry_head head = {
	    .id = id,
	    .added = e->added_wall_us,
	    .expires = e->expires_wall_us,
	    .flags = e->at_connect ? FLAG_AT_CONNECT : 0,
	    .by_n = (uint16_t)strnlen(e->by, LIST_BY_MAX),
	    .reason_n = (uint16_t)strnlen(e->reason, LIST_REASON_MAX),
	};

	memcpy(dst, &head, sizeof(head));
	memcpy(dst + sizeof(head), e->by, head.by_n);
	memcpy(dst + sizeof(head) + head.by_n, e->reason, head.reason_n);
	return sizeof(head) + head.by_n + head.reason_n;
}

bool entry_value_head(struct text value, struct entry_head *head)
{
	if (value.n < sizeof(*head))
		return false;
	memcpy(head, value.p, sizeof(*head));
	return head->by_n <= LIST_BY_MAX && head->reason_n <= LIST_REASON_MAX &&
	       value.n == sizeof(*head) + head->by_n + head->reason_n;
}

static void value_read(struct text value, const struct entry_head *head, struct list_entry *out)
{
	const char *by = value.p + sizeof(*head);

	out->id = head->id;
	out->added_wall_us = head->added;
	out->expires_wall_us = head->expires;
	out->at_connect = head->flags & FLAG_AT_CONNECT;
	text_cstr(text_make(by, head->by_n), out->by, sizeof(out->by));
	text_cstr(text_make(by + head->by_n, head->reason_n), out->reason, sizeof(out->reason));
}

bool entry_key_read(struct text key, const char **scope, struct list_entry *out)
{
	size_t scope_n = text_find(key, '\0');

	if (scope_n > SCOPE_MAX || key.n < scope_n + 2 ||
	    (unsigned char)key.p[scope_n + 1] >= LIST_KEYS)
		return false;
	struct text rest = text_make(key.p + scope_n + 2, key.n - scope_n - 2);

	if (scope)
		*scope = key.p;
	out->kind = (enum list_key)key.p[scope_n + 1];
	memset(&out->net, 0, sizeof(out->net));
	if (out->kind != LIST_CLIENT)
		return text_cstr(rest, out->key, sizeof(out->key)) == rest.n;
	if (rest.n != 17)
		return false;
	memcpy(out->net.ip.b, rest.p, 16);
	out->net.bits = (uint8_t)rest.p[16];
	net_format(&out->net, out->key);
	return true;
}

bool entry_read(struct text key, struct text value, const char **scope, struct list_entry *out)
{
	struct entry_head head;

	if (!entry_value_head(value, &head) || !entry_key_read(key, scope, out))
		return false;
	value_read(value, &head, out);
	return true;
}

enum answer entry_answer(int rc, struct text key, struct text value, int64_t now_wall_us,
			 struct list_entry *out)
{
	struct entry_head head;

	if (rc == MDB_NOTFOUND)
		return ANSWER_NO;
	if (rc != 0 || !entry_value_head(value, &head))
		return ANSWER_UNKNOWN;
	if (head.expires != 0 && head.expires <= now_wall_us)
		return ANSWER_NO;
	if (out && !entry_read(key, value, NULL, out))
		return ANSWER_UNKNOWN;
	return ANSWER_YES;
}
