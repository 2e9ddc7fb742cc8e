/* A list of extensions, made at load. */
#ifndef POLICY_EXTENSIONS_H
#define POLICY_EXTENSIONS_H

#include "policy/message/extension.h"
#include "shm/base/arena.h"

struct extension_list {
	struct extension *v; /* sorted, each once, after extensions_sort; in the arena */
	size_t n, capacity;
};

void extensions_add(struct extension_list *list, const struct extension *e, struct arena *a);
void extensions_sort(struct extension_list *list);
bool extensions_have(const struct extension_list *list, const char *extension);

#endif
