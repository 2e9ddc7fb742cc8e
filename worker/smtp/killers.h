/* Messages of which inspectors have died, by a digest of what they are: counted in the shared
 * memory, for a day. */
#ifndef WORKER_SMTP_KILLERS_H
#define WORKER_SMTP_KILLERS_H

#include <stdbool.h>

struct smtp_session;

/* One may be an accident. */
enum { KILLER_DEATHS = 2 };

/* One more inspector has died of the session's message; how many that are.  May yield. */
unsigned killers_note(struct smtp_session *ss);
/* Have that many died of it?  Costs nothing as long as none died of any.  May yield. */
bool killers_knows(struct smtp_session *ss);

#endif
