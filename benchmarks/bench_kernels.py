"""Own kernels against BLAS and NumPy, as ratios that are tracked from commit to commit."""

from .kernel_cases import FUNCTIONS, PRODUCTS, functions, products
from .paired import compare


class Products:
    """c = a b; in a case such as (32, 8, 32, "CF"), a (32, 32) is in C and b (32, 8) in Fortran order."""

    params = (PRODUCTS, ("float64", "float32"))
    param_names = ("m, n, k, orders", "dtype")
    unit = "of BLAS's time"

    def track_to_blas(self, case, dtype):
        m, n, k, orders = case
        return compare(products(m, n, k, dtype, orders)[0], "BLAS").ratio("own").median


class Functions:
    params = (tuple(FUNCTIONS), ("float64", "float32"))
    param_names = ("function", "dtype")
    unit = "of NumPy's time"

    def track_to_numpy(self, name, dtype):
        return compare(functions(name, dtype)[0], "NumPy").ratio("own").median
