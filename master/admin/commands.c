/* All commands, in the order of the manual. */
#include "master/admin/tool.h"

const struct command *const command_tables[] = {
    ban_commands,       exempt_commands,   extension_commands, signature_commands,
    recipient_commands, verified_commands, user_commands,      explain_commands,
    limits_commands,    blocks_commands,   status_commands,    NULL,
};
