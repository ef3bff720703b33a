/* Instructions that run several times: the steps of a loop, or the branch that a flag chooses.
 *
 * What changes from step to step has slots of its own, whose pointers are set before each step: rows of arrays, and
 * states, which a step reads in one place and writes in another; or other slots, named step by step. All else are the
 * slots of the tape.
 */
#ifndef FASTBS_LOOP_H
#define FASTBS_LOOP_H

#include "tape.h"

/* By which number a pointer moves: the step, its last bit, or one of the two places that the schedule names. */
enum fb_by { FB_BY_STEP, FB_BY_PARITY, FB_BY_SOURCE, FB_BY_TARGET };

typedef struct {
    int64_t slot, offset; /* bytes; slot -1 for none */
} fb_place;

/* slots[slot] = base + step * number, but `first` in the first step and `last` in the last one */
typedef struct {
    int64_t slot;
    int64_t by;
    int64_t step; /* bytes */
    fb_place base, first, last;
} fb_move;

typedef struct {
    int64_t length; /* steps */
    int64_t count;  /* instructions of a step */
    int64_t n_moves;
    fb_instruction *code;
    fb_move *moves;
    int64_t n_named, first; /* so many slots from `first` on are, in each step, those that its line of `names` says */
    int32_t *names;         /* [length][n_named] */
} fb_body;

typedef struct {
    int32_t body, step, source, target;
} fb_entry;

typedef struct {
    int64_t n_bodies, n_entries;
    fb_body *bodies;
    fb_entry *entries; /* in which order bodies and steps run; NULL for the steps of one body in their order */
    fb_place flag;     /* a truth value that must be `wanted` for anything to run; slot -1 for none */
    int64_t wanted;
    int64_t state;     /* two slots: the entry and, plus one, the instruction where a run was interrupted; else 0 */
} fb_loop;

/* Where a tape that stopped at `*at` has to call: the instruction, behind which the tape is moved; NULL if it stopped
 * for another reason. `failed` says whether it stopped at a matrix that is singular or not positive definite. */
const fb_instruction *fb_take_call(const fb_instruction *code, int64_t *at, int64_t count, char **slots, int failed);

#endif
