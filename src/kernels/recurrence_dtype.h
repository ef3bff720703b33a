/* Recurrences of one dtype. REAL, SUFFIX, DTYPE: as in cluster_dtype.h. */

static void NAME(recurrence)(const fb_recurrence *t, char *const *slots)
{
    REAL value[FB_SCALARS];
    char *at[FB_MOVING];
    int64_t step[FB_MOVING];
    const fb_access *const moving = t->accesses + t->n_first, *const end = moving + t->n_rows + t->n_before + t->n_after;
    for (const fb_access *a = t->accesses; a < moving; a++)
        value[a->reg] = NAME(number_at)(a->type, slots[a->slot] + a->offset * fb_sizes[a->type]);
    for (const fb_access *a = moving; a < end; a++) {
        at[a - moving] = slots[a->slot] + a->offset * fb_sizes[a->type];
        step[a - moving] = a->strides[0] * fb_sizes[a->type];
    }
    for (int64_t i = 0; i < t->length; i++) {
        char **p = at;
        const int64_t *s = step;
        const fb_access *a = moving;
        for (const fb_access *stop = a + t->n_rows; a < stop; a++, *p++ += *s++) value[a->reg] = NAME(number_at)(a->type, *p);
        for (const fb_access *stop = a + t->n_before; a < stop; a++, *p++ += *s++) NAME(put_number)(a->type, value[a->reg], *p);
        NAME(run_numbers)(t->ops, t->ops + t->n_ops, value);
        for (; a < end; a++, *p++ += *s++) NAME(put_number)(a->type, value[a->reg], *p);
        for (const fb_carried *c = t->carried, *stop = c + t->n_carried; c < stop; c++) value[c->to] = value[c->from];
    }
    for (const fb_access *a = end, *stop = a + t->n_last; a < stop; a++)
        NAME(put_number)(a->type, value[a->reg], slots[a->slot] + a->offset * fb_sizes[a->type]);
}
