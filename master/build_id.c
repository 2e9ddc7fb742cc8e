/* The build id of this very executable: with it a crash in the log names the code that crashed. */
#include "master/master.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

static char hex[41];

static int find_note(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		if (ph->p_type != PT_NOTE)
			continue;
		const char *p = (const char *)(info->dlpi_addr + ph->p_vaddr),
			   *end = p + ph->p_memsz;
		while (p + sizeof(ElfW(Nhdr)) <= end) {
			const ElfW(Nhdr) *note = (const void *)p;
			const unsigned char *id =
			    (const void *)(p + sizeof(*note) + ((note->n_namesz + 3) & ~3U));
			if (note->n_type == NT_GNU_BUILD_ID) {
				for (unsigned k = 0; k < note->n_descsz && k < 20; k++)
					snprintf(hex + 2 * k, 3, "%02x", id[k]);
				return 1;
			}
			p = (const char *)id + ((note->n_descsz + 3) & ~3U);
		}
	}
	return 1; /* the first object is the program itself */
}

const char *build_id(void)
{
	if (!hex[0])
		dl_iterate_phdr(find_note, NULL);
	return hex;
}
