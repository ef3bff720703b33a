/* LU factors of blocks of 9 to MOST_LU rows, four elements of a column at a time. After blocks_fours.h.
 *
 * Rows stay where they are, and those that are done are masked, so that nothing branches on where pivots stand. The
 * next column goes first, since its pivot is waited for.
 */
#if REAL_BYTES == 8
#define WORD int64_t
#define MAGNITUDE ((WORD)0x7fffffffffffffe0) /* of a number, and room for a row */
#else
#define WORD int32_t
#define MAGNITUDE ((WORD)0x7fffffe0)
#endif
#define MASK NAME(mask)
#define ROWS_OF(g) (31 - 4 * (g) - (MASK){0, 1, 2, 3})
typedef WORD MASK __attribute__((vector_size(4 * sizeof(WORD))));

INLINE MASK NAME(larger)(MASK a, MASK b)
{
    const MASK first = a > b;
    return (a & first) | (b & ~first);
}

/* Halves, or neighbours, exchanged; as numbers, since compilers exchange neighbouring integers slowly */
INLINE MASK NAME(halves)(MASK a) { return (MASK)SHUFFLE((FOUR)a, (FOUR)a, 2, 3, 0, 1); }
INLINE MASK NAME(neighbours)(MASK a) { return (MASK)SHUFFLE((FOUR)a, (FOUR)a, 1, 0, 3, 2); }

/* The columns of a; of the next ones, up to a multiple of 4, zeros */
INLINE void NAME(load_columns)(int64_t m, const REAL *a, int64_t rs, int64_t cs, FOUR (*w)[8])
{
    const int64_t whole = m / 4 * 4;
    if (cs == 1)
        for (int64_t i = 0; i < whole; i += 4)
            for (int64_t j = 0; j < whole; j += 4) {
                FOUR square[4];
                UNROLL
                for (int r = 0; r < 4; r++) square[r] = NAME(load)(4, a + (i + r) * rs + j, 1);
                NAME(transpose)(square);
                UNROLL
                for (int c = 0; c < 4; c++) w[j + c][i / 4] = square[c];
            }
    else
        for (int64_t j = 0; j < whole; j++) NAME(load_all)(whole, a + j * cs, rs, w[j]);
    for (int64_t j = 0; j < whole && whole < m; j++)
        NAME(load_all)(m - whole, a + whole * rs + j * cs, rs, w[j] + whole / 4);
    for (int64_t j = whole; j < m; j++) NAME(load_all)(m, a + j * cs, rs, w[j]);
    for (int64_t j = m; j < whole + 4 && m > whole; j++)
        for (int64_t g = 0; g <= whole / 4; g++) w[j][g] = (FOUR){0};
}

/* As lu for m rows in `count` fours: 1, or 0 where a pivot has no finite reciprocal */
INLINE int NAME(lu_of)(const int count, int64_t m, const REAL *a, int64_t rs, int64_t cs, REAL *f, int32_t *pivots)
{
    const int divides_early = count <= 4; /* all candidates while the pivot is sought: a division less to wait for */
    FOUR w[MOST_LU][8], candidate[8], l[8], square[4];
    FOUR own[8];  /* the column of the next pivot, 0 in rows that are done */
    MASK left[8]; /* the rows that are left */
    REAL inverses[MOST_LU];
    int32_t row_at[MOST_LU], place_of[MOST_LU];
    NAME(load_columns)(m, a, rs, cs, w);
    for (int32_t i = 0; i < m; i++) row_at[i] = place_of[i] = i;
    UNROLL
    for (int g = 0; g < count; g++) left[g] = (MASK){0, 1, 2, 3} + 4 * g < (WORD)m;
    UNROLL
    for (int g = 0; g < count; g++) own[g] = (FOUR)((MASK)w[0][g] & left[g]);
    for (int64_t k = 0; k < m; k++) {
        /* the largest, and of equals the first: its row in the last five bits, counted backwards */
        MASK key[8] = {{0}}, most;
        UNROLL
        for (int g = 0; g < count; g++) candidate[g] = divides_early ? 1 / own[g] : own[g];
        UNROLL
        for (int g = 0; g < count; g++) key[g] = ((MASK)own[g] & MAGNITUDE) | ROWS_OF(g);
        UNROLL
        for (int g = 0; g < (count + 1) / 2; g++)
            if (2 * g + 1 < count)
                key[g] = NAME(larger)(key[2 * g], key[2 * g + 1]);
            else
                key[g] = key[2 * g];
        most = NAME(larger)(key[0], key[1]);
        if (count > 4)
            most = NAME(larger)(most, NAME(larger)(key[2], count > 6 ? key[3] : key[2]));
        most = NAME(larger)(most, NAME(halves)(most));
        most = NAME(larger)(most, NAME(neighbours)(most));
        MASK chosen = {0};
        UNROLL
        for (int g = 0; g < count; g++) {
            const MASK here = (most & 31) == ROWS_OF(g);
            chosen |= (MASK)candidate[g] & here;
            w[k][g] = (FOUR)((MASK)w[k][g] & ~left[g]);
            left[g] &= ~here;
            own[g] = (FOUR)((MASK)own[g] & ~here);
        }
        chosen |= NAME(halves)(chosen);
        chosen |= NAME(neighbours)(chosen);
        const REAL inverse = inverses[k] = divides_early ? ((FOUR)chosen)[0] : 1 / ((FOUR)chosen)[0];
        if (inverse - inverse != 0)
            return 0;
        UNROLL
        for (int g = 0; g < count; g++) {
            /* l of rows that are done is 0, perhaps -0, which is not for w */
            l[g] = own[g] * inverse;
            w[k][g] = (FOUR)((MASK)w[k][g] | ((MASK)l[g] & left[g]));
        }
        const int32_t p = 31 - (int32_t)(most[0] & 31), place = place_of[p], row = row_at[k];
        pivots[k] = place;
        row_at[place] = row;
        place_of[row] = place;
        place_of[p] = (int32_t)k;
        if (k + 1 == m)
            break;
        const REAL first = ((const REAL *)w[k + 1])[p];
        UNROLL
        for (int g = 0; g < count; g++) own[g] = (FOUR)((MASK)w[k + 1][g] & left[g]) - l[g] * first;
        for (int64_t j = k + 2; j < m; j++) {
            const REAL u = ((const REAL *)w[j])[p];
            UNROLL
            for (int g = 0; g < count; g++) w[j][g] -= l[g] * u;
        }
    }
    for (int64_t i = 0; i < m; i += 4)
        for (int64_t j = 0; j < m; j += 4) {
            UNROLL
            for (int c = 0; c < 4; c++) square[c] = w[j + c][i / 4];
            NAME(transpose)(square);
            UNROLL
            for (int c = 0; c < 4; c++)
                if (i + c < m) {
                    REAL *row = f + place_of[i + c] * m + j;
                    if (j + 4 <= m)
                        NAME(store)(4, square[c], row, 1);
                    else
                        for (int64_t q = 0; q < m - j; q++) row[q] = square[c][q];
                }
        }
    for (int64_t i = 0; i < m; i++) f[i * (m + 1)] = inverses[i];
    return 1;
}

static int NAME(lu)(int64_t m, const REAL *a, int64_t rs, int64_t cs, REAL *f, int32_t *pivots)
{
    switch ((m + 3) / 4) {
    case 3: return NAME(lu_of)(3, m, a, rs, cs, f, pivots);
    case 4: return NAME(lu_of)(4, m, a, rs, cs, f, pivots);
    case 5:
    case 6: return NAME(lu_of)(6, m, a, rs, cs, f, pivots);
    default: return NAME(lu_of)(8, m, a, rs, cs, f, pivots);
    }
}
#undef MASK
#undef ROWS_OF
#undef MAGNITUDE
#undef WORD
