/* The table of tanh for one number. */
#include <math.h>

#include "functions.h"

fb_tanh_table fb_tanh_terms;

/* y = sum of c[n] r^n solves y' = 1 - y^2, so (n + 1) c[n + 1] is [n = 0] minus the sum of c[i] c[n - i]. */
void fb_fill_tanh_terms(void)
{
    for (int k = 0; k <= FB_TANH_STEPS * FB_TANH_END; k++) {
        long double c[8] = {tanhl((long double)k / FB_TANH_STEPS)};
        for (int n = 0; n < 7; n++) {
            long double sum = n == 0;
            for (int i = 0; i <= n; i++) sum -= c[i] * c[n - i];
            c[n + 1] = sum / (n + 1);
        }
        for (int n = 0; n < 8; n++) {
            fb_tanh_terms.f64[k][n] = (double)c[n];
            fb_tanh_terms.f32[k][n] = (float)c[n];
        }
    }
}
