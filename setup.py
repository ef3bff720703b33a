"""Extensions and Cython directives; everything else stands in pyproject.toml and setup.cfg."""

import os
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNELS = Path("src/kernels")

# Set once, here: a misspelled directive in a file header is silently ignored, here it is an error.
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
    "embedsignature": True,
    "freethreading_compatible": False,
}

# -fno-trapping-math lets GCC vectorize loops with selects; never -ffast-math (NaN and -0 must pass).
GNU_FLAGS = ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden"]
MSVC_FLAGS = ["/O2"]


class BuildExtension(build_ext):
    """Chooses the optimization flags by the compiler that is really used."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self):
        flags = MSVC_FLAGS if self.compiler.compiler_type == "msvc" else GNU_FLAGS
        for extension in self.extensions:
            extension.extra_compile_args = flags
        super().build_extensions()


def extension(name, *sources):
    return Extension(
        f"fastbs.{name}",
        sources=[str(KERNELS / source) for source in sources],
        include_dirs=[numpy.get_include(), str(KERNELS)],
        depends=[str(path) for suffix in ("h", "pxd", "pxi") for path in sorted(KERNELS.glob(f"*.{suffix}"))],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
    )


setup(
    cmdclass={"build_ext": BuildExtension},
    ext_modules=cythonize(
        [
            extension(
                "_tape",
                "tape.pyx",
                "executor.c",
                "pool.c",
                "kernels_base.c",
                "kernels_avx2.c",
                "kernels_avx512.c",
                "tanh.c",
                "cluster_base.c",
                "cluster_avx2.c",
            ),
            extension("_trace", "trace.pyx"),
            extension("_graph", "graph.pyx", "graph_structure.c", "graph_base.c", "graph_avx2.c"),
            extension("_blocks", "blocks.pyx", "blocks_base.c", "blocks_avx2.c", "blocks_avx512.c"),
            extension("_kronecker", "kronecker.pyx", "chain_base.c", "chain_avx2.c", "chain_avx512.c"),
        ],
        include_path=["src"],
        compiler_directives=DIRECTIVES,
    ),
)
