/* Instructions that run at the same time, on threads that sleep in between. */
#ifndef FASTBS_POOL_H
#define FASTBS_POOL_H

#include "tape.h"

/* Runs code[0:count] on up to `count` threads, the calling one among them, and returns when all are done. There is one
 * set of workers for the process, started when it is first needed; where another plan is using it, or no thread can
 * be started, the calling thread runs what is left by itself. */
void fb_run_parallel(const fb_instruction *code, int64_t count, char **slots);

/* How many workers have been started. */
int fb_workers(void);

#endif
