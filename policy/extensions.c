/* Lists of extensions. */
#include "policy/extensions.h"

#include <stdlib.h>

void extensions_add(struct extension_list *list, const struct extension *e, struct arena *a)
{
	if (list->n == list->capacity) {
		const size_t capacity = list->capacity ? list->capacity * 2 : 64;
		struct extension *v = arena_alloc(a, capacity * sizeof(*v));

		if (list->n > 0)
			memcpy(v, list->v, list->n * sizeof(*v));
		list->v = v;
		list->capacity = capacity;
	}
	list->v[list->n++] = *e;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

void extensions_sort(struct extension_list *list)
{
	size_t kept = 0;

	if (list->n > 0)
		qsort(list->v, list->n, sizeof(list->v[0]), compare);
	for (size_t i = 0; i < list->n; i++) {
		if (i == 0 || strcmp(list->v[i].s, list->v[kept - 1].s) != 0)
			list->v[kept++] = list->v[i];
	}
	list->n = kept;
}

bool extensions_have(const struct extension_list *list, const char *extension)
{
	return list && list->n > 0 &&
	       bsearch(extension, list->v, list->n, sizeof(list->v[0]), compare) != NULL;
}
