/* Recurrences of one dtype. REAL, SUFFIX, DTYPE: as in cluster_dtype.h. */

static void NAME(recurrence)(const fb_recurrence *t, char *const *slots)
{
    REAL value[FB_NUMBERS];
    char *at[FB_MOVING];
    const fb_number *const moving = t->numbers + t->n_first, *const results = moving + t->n_rows;
    const fb_number *const after = results + t->n_before, *const end = after + t->n_after, *const last = end + t->n_last;
    for (const fb_number *a = t->numbers; a < moving; a++)
        value[a->reg] = NAME(number_at)(a->type, slots[a->slot] + a->offset);
    for (const fb_number *a = moving; a < end; a++) at[a - moving] = slots[a->slot] + a->offset;
    for (int64_t i = 0; i < t->length; i++) {
        char **p = at;
        const int64_t *step = t->steps;
        const fb_number *a = moving;
        for (; a < results; a++, *p++ += *step++) value[a->reg] = NAME(number_at)(a->type, *p);
        for (; a < after; a++, *p++ += *step++) NAME(put_number)(a->type, value[a->reg], *p);
        NAME(run_numbers)(t->ops, t->ops + t->n_ops, value);
        for (; a < end; a++, *p++ += *step++) NAME(put_number)(a->type, value[a->reg], *p);
        for (const fb_carried *c = t->carried, *stop = c + t->n_carried; c < stop; c++) value[c->to] = value[c->from];
    }
    for (const fb_number *a = end; a < last; a++)
        NAME(put_number)(a->type, value[a->reg], slots[a->slot] + a->offset);
}
