/* The version, in one place. */
#ifndef MASTER_VERSION_H
#define MASTER_VERSION_H

#define GATEPOST_VERSION "0.1.0"

#endif
