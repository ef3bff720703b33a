/* Recurrences: a straight-line program of numbers that runs once for each step of a loop, its states in registers.
 * A cluster of one element is a recurrence of one step.
 */
#ifndef FASTBS_RECURRENCE_H
#define FASTBS_RECURRENCE_H

#include "cluster.h"

#define FB_NUMBERS 1024 /* registers, at most */
#define FB_MOVING 64    /* numbers that a step reads and writes, at most */

/* A register and where its number lies in memory. */
typedef struct {
    int64_t offset; /* bytes */
    int32_t slot;
    uint16_t type, reg;
} fb_number;

typedef struct {
    uint16_t to, from; /* registers */
} fb_carried;

typedef struct {
    int64_t length;     /* steps */
    int32_t n_first;    /* numbers that are loaded once, in front of the first step, */
    int32_t n_rows;     /* that are loaded in each step, */
    int32_t n_before;   /* that are stored in each step before anything is computed, */
    int32_t n_after;    /* and behind all, before states are carried on, */
    int32_t n_last;     /* that are stored once, behind the last step */
    int32_t n_ops, n_carried;
    fb_number *numbers; /* in this order */
    int64_t *steps;     /* how far those of each step move to the next one, in bytes */
    fb_micro *ops;
    fb_carried *carried; /* one after the other */
} fb_recurrence;

typedef void (*fb_recurrence_runner)(const fb_recurrence *recurrence, char *const *slots);

extern const fb_recurrence_runner fb_recurrences_base[2], fb_recurrences_avx2[2];
extern const fb_recurrence_runner *fb_recurrence_table; /* [FB_F32, FB_F64], chosen once by fb_choose_kernels */

#endif
