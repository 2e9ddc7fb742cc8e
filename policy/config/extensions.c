/* The list of extensions: what the option says, and what stands in its file. */
#include "policy/extensions.h"
#include "policy/config/internal.h"

static void add(struct loading *l, struct extension_list *list, struct text word, struct text file,
		int line)
{
	struct extension e;

	if (extension_normalize(word, &e))
		extensions_add(list, &e, l->arena);
	else
		config_mistake_in(l, file, line,
				  "\"%.*s\" is no extension of a file's name, such as exe",
				  TEXT(word));
}

static void add_file(struct loading *l, struct extension_list *list, const struct file_text *file)
{
	struct text rest = file->content, line, comment, word;

	for (int number = 1; rest.n > 0; number++) {
		text_split(rest, '\n', &line, &rest);
		text_split(line, '#', &line, &comment);
		while ((line = text_trim(line)).n > 0) {
			text_split(line, ' ', &word, &line);
			add(l, list, word, file->path, number);
		}
	}
}

void config_compile_extensions(struct loading *l, struct settings *set,
			       const struct raw_section *section)
{
	struct extension_list *list = arena_new(l->arena, struct extension_list);
	const struct text_list *words = &set->attachment.extensions;
	int line = section ? raw_line(section, "extensions") : 0;

	for (size_t i = 0; i < words->n; i++)
		add(l, list, words->v[i], l->path, line);
	add_file(l, list, &set->attachment.extensions_file);
	extensions_sort(list);
	set->extensions = list;
}
