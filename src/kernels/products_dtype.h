/* Products of small real matrices, register-blocked: c = alpha a b + beta d, any strides, d not read if beta = 0.
 *
 * d may be c, or one row or column for all of c.
 */
#include "tiles_dtype.h"
#include "outer_dtype.h"
#include "thin_dtype.h"

#define FEW 3 /* rows of a product that is dot products */

/* n = 1, or m = n = 1 */
INLINE void NAME(product_of_vector)(const fb_product *p)
{
    const REAL s = (REAL)p->alpha, t = (REAL)p->beta;
    if (p->a.rs == 1 && (p->a.cs != 1 || p->k < LANES))
        NAME(sum_of_columns)(p->m, p->k, s, p->a, p->b, t, p->d, p->c);
    else if (p->a.cs == 1 && (p->b.rs == 1 || p->k == 1))
        NAME(matrix_times_vector)(p->m, p->k, s, p->a, (const REAL *)p->b.p, t, p->d, p->c);
    else if (p->a.cs == 1)
        NAME(few_columns)(p->m, 1, p->k, s, p->a, p->b, t, p->d, p->c);
    else
        NAME(product_plain)(p);
}

/* n > 1 and c of unit column stride */
static void NAME(product_of_rows)(const fb_product *p)
{
    const REAL s = (REAL)p->alpha;
    REAL t = (REAL)p->beta;
    fb_view d = p->d;
    if (t != 0 && d.cs != 0 && d.cs != 1) { /* no way to read it in vectors */
        NAME(axpby)(p->m, p->n, p->beta, d, 0, d, p->c, 0);
        d = p->c;
        t = 1;
    }
    if (p->k == 1 && t == 0)
        NAME(outer)(p->m, p->n, s, p->a, p->b, p->c);
    else if (p->n < LANES && p->a.cs == 1 && p->k >= 2 * LANES * p->n) /* else too short for their sums */
        NAME(few_columns)(p->m, p->n, p->k, s, p->a, p->b, t, d, p->c);
    else if (p->n < LANES && p->a.rs == 1 && p->m >= LANES)
        NAME(few_columns_transposed)(p->m, p->n, p->k, s, p->a, p->b, t, d, p->c);
    else if (p->m <= FEW && p->a.cs == 1 && p->b.rs == 1 && p->b.cs != 1 && p->k >= 2 * LANES)
        NAME(few_columns)(p->n, p->m, p->k, s, NAME(transposed)(p->b), NAME(transposed)(p->a), t, NAME(transposed)(d),
                          NAME(transposed)(p->c)); /* without packing b */
    else
        NAME(tiles)(p->m, p->n, p->k, s, p->a, p->b, t, d, p->c);
}

static void NAME(product)(const fb_product *p)
{
    if (p->m == 0 || p->n == 0)
        return;
    if (p->k == 0)
        NAME(product_plain)(p);
    else if (p->n == 1)
        NAME(product_of_vector)(p);
    else if (p->m > 1 && p->c.cs == 1)
        NAME(product_of_rows)(p);
    else { /* C' = B' A' */
        const fb_product q = {
            p->n, p->m, p->k, p->alpha, p->beta, NAME(transposed)(p->b), NAME(transposed)(p->a),
            NAME(transposed)(p->c), NAME(transposed)(p->d), p->flags,
        };
        if (q.n == 1)
            NAME(product_of_vector)(&q);
        else if (q.c.cs == 1)
            NAME(product_of_rows)(&q);
        else
            NAME(product_plain)(&q);
    }
}

/* A matrix of unit column stride times a vector, alone or added to d. */
#define TIMES_VECTOR(name, beta)                                                                                   \
    static void NAME(name)(const fb_instruction *t, char *a, char *b, char *c, char *d)                            \
    {                                                                                                              \
        NAME(matrix_times_vector)(t->m, t->k, 1, (fb_view){t->a.rs, 1, a}, (const REAL *)b, beta,                  \
                                  (fb_view){t->d.rs, 1, d}, (fb_view){t->c.rs, 1, c});                             \
    }
TIMES_VECTOR(tile_of_vector, 0)
TIMES_VECTOR(tile_of_vector_added, 1)
#undef TIMES_VECTOR

/* The kernel of a product of a frequent form; NULL for any other. */
static fb_tile NAME(tile_for)(const fb_instruction *t)
{
    const int is_vector = t->n == 1 && t->k >= LANES && t->a.cs == 1 && t->b.rs == 1;
    if (is_vector && t->alpha == 1 && (t->beta == 0 || t->beta == 1))
        return t->beta == 0 ? NAME(tile_of_vector) : NAME(tile_of_vector_added);
    return NAME(tile_of_registers)(t);
}

#undef PANEL_SIZE
#undef FEW
