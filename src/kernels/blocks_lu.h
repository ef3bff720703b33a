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

/* A block on its way to factors: its columns, and where its rows go */
typedef struct {
    FOUR w[MOST_LU][8];
    REAL inverses[MOST_LU];
    int32_t row_at[MOST_LU], place_of[MOST_LU];
} NAME(elimination);

/* Column k, `own`, which is 0 in rows that are done, gets its pivot and becomes l, the multipliers of the rows `left`;
 * the row of the pivot, or -1 where it has no finite reciprocal */
INLINE int32_t NAME(eliminate)(const int count, int64_t k, FOUR *own, MASK *left, FOUR *l, NAME(elimination) *e,
                               int32_t *pivots)
{
    const int divides_early = count <= 4; /* all candidates while the pivot is sought: a division less to wait for */
    FOUR candidate[8], *w = e->w[k];
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
        w[g] = (FOUR)((MASK)w[g] & ~left[g]);
        left[g] &= ~here;
        own[g] = (FOUR)((MASK)own[g] & ~here);
    }
    chosen |= NAME(halves)(chosen);
    chosen |= NAME(neighbours)(chosen);
    const FOUR inverse = divides_early ? (FOUR)chosen : 1 / (FOUR)chosen; /* in all lanes */
    e->inverses[k] = inverse[0];
    if (inverse[0] - inverse[0] != 0)
        return -1;
    UNROLL
    for (int g = 0; g < count; g++) {
        /* l of rows that are done is 0, perhaps -0, which is not for w */
        l[g] = own[g] * inverse;
        w[g] = (FOUR)((MASK)w[g] | ((MASK)l[g] & left[g]));
    }
    const int32_t p = 31 - (int32_t)(most[0] & 31), place = e->place_of[p], row = e->row_at[k];
    pivots[k] = place;
    e->row_at[place] = row;
    e->place_of[row] = place;
    e->place_of[p] = (int32_t)k;
    return p;
}

/* As lu for m rows in `count` fours: 1, or 0 where a pivot has no finite reciprocal. Two pivots meet the columns behind
 * them together, so that these are loaded and stored half as often. */
INLINE int NAME(lu_of)(const int count, int64_t m, const REAL *a, int64_t rs, int64_t cs, REAL *f, int32_t *pivots)
{
    NAME(elimination) e;
    FOUR own[8], l[8], l2[8], square[4];
    MASK left[8]; /* the rows that are left */
    NAME(load_columns)(m, a, rs, cs, e.w);
    for (int32_t i = 0; i < m; i++) e.row_at[i] = e.place_of[i] = i;
    UNROLL
    for (int g = 0; g < count; g++) left[g] = (MASK){0, 1, 2, 3} + 4 * g < (WORD)m;
    UNROLL
    for (int g = 0; g < count; g++) own[g] = (FOUR)((MASK)e.w[0][g] & left[g]);
    for (int64_t k = 0; k < m; k += 2) {
        const int32_t p = NAME(eliminate)(count, k, own, left, l, &e, pivots);
        if (p < 0)
            return 0;
        if (k + 1 == m)
            break;
        const REAL first = ((const REAL *)e.w[k + 1])[p];
        UNROLL
        for (int g = 0; g < count; g++) own[g] = (FOUR)((MASK)e.w[k + 1][g] & left[g]) - l[g] * first;
        if (k + 2 < m) {
            const REAL second = ((const REAL *)e.w[k + 2])[p];
            UNROLL
            for (int g = 0; g < count; g++) e.w[k + 2][g] -= l[g] * second;
        }
        const int32_t q = NAME(eliminate)(count, k + 1, own, left, l2, &e, pivots);
        if (q < 0)
            return 0;
        if (k + 2 == m)
            break;
        const REAL third = ((const REAL *)e.w[k + 2])[q], of_q = ((const REAL *)e.w[k])[q];
        UNROLL
        for (int g = 0; g < count; g++) own[g] = (FOUR)((MASK)e.w[k + 2][g] & left[g]) - l2[g] * third;
        for (int64_t j = k + 3; j < m; j++) {
            const REAL *x = (const REAL *)e.w[j];
            const FOUR u = x[p] - (FOUR){0}, v = x[q] - of_q * u;
            UNROLL
            for (int g = 0; g < count; g++) e.w[j][g] = e.w[j][g] - l[g] * u - l2[g] * v;
        }
    }
    for (int64_t i = 0; i < m; i += 4)
        for (int64_t j = 0; j < m; j += 4) {
            UNROLL
            for (int c = 0; c < 4; c++) square[c] = e.w[j + c][i / 4];
            NAME(transpose)(square);
            UNROLL
            for (int c = 0; c < 4; c++)
                if (i + c < m) {
                    REAL *row = f + e.place_of[i + c] * m + j;
                    if (j + 4 <= m)
                        NAME(store)(4, square[c], row, 1);
                    else
                        for (int64_t q = 0; q < m - j; q++) row[q] = square[c][q];
                }
        }
    for (int64_t i = 0; i < m; i++) f[i * (m + 1)] = e.inverses[i];
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
