/* Having a message's signatures judged. */
#include "worker/smtp/dkim.h"

#include "worker/inspect/ask.h"

void smtp_ask_dkim(struct smtp_session *ss, struct dkim_result *out)
{
	(void)ss;
	out->why = text_of(inspect_result_text(INSPECT_EXHAUSTED));
}
