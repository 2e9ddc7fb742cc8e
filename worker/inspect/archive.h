/* The question about archives: what goes to the inspector and what comes back.
 *
 * The message comes as a descriptor.  Each part that is asked for is decoded into memory, and its
 * files are listed by libarchive, in archives inside of archives as well; what several programs
 * read in different ways (the two directories of a zip, the trees of names of a disc) is read in
 * each of them.  A zip is looked through by a scan of ours, too (archive_zip.h). */
#ifndef WORKER_INSPECT_ARCHIVE_H
#define WORKER_INSPECT_ARCHIVE_H

#include "policy/archives.h"
#include "worker/inspect/question.h"

/* Room for the body of a question. */
size_t archives_question_size(const struct archives_request *rq);
/* False: no room, or more than ARCHIVES_PARTS_MAX parts. */
bool archives_question_put(struct buf *b, const struct archives_request *rq);
/* The parts stand in the arena.  False: it is none. */
bool archives_question_get(struct text body, struct arena *a, struct archives_request *rq);

/* Texts are views of `body`, the arrays stand in the arena; all but `reason` is filled in.  False:
 * it is no answer to such a question. */
bool archives_answer_get(struct text body, struct arena *a, const struct archives_request *rq,
			 struct archives_facts *out);

/* In the zygote, before it is jailed: what the libraries would read from files later on. */
void archives_prepare(void);

#endif
