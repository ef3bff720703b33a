"""Sphinx configuration.

Usage: ``pip install ".[docs]" && python -m sphinx -W docs docs/_build/html``

Every code cell is executed while building; a warning, or an exception in a cell, fails the build. Nothing in the
finished pages is fetched from the network: MathJax lies beside them, and the build looks for links that would
break this.
"""

import re
import shutil
from importlib.metadata import distribution
from pathlib import Path

from sphinx.util import logging

import fastbs

project = "fastbs"
author = copyright = "The fastbs developers"
version = release = distribution("fastbs").version

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]

html_theme = "furo"
html_title = f"fastbs {release}"
html_copy_source = False
mathjax_path = "mathjax/tex-chtml-full.js"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_show_tb = True  # a cell that raises is a warning with its traceback, hence an error under -W

napoleon_google_docstring = False
napoleon_custom_sections = ["Contract"]
autosummary_generate = True
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "member-order": "bysource"}


def contract(app, what, name, obj, options, lines):
    """Make a field list of the closing lines of the house's docstrings, such as ``Cost      2mn flops``."""
    fact = re.compile(r"([A-Z][a-z]+) {2,}(?=\S)")
    begin = next((i for i, line in enumerate(lines) if fact.match(line)), None)
    if begin is not None:
        end = lines.index("", begin) if "" in lines[begin:] else len(lines)
        lines[begin:end] = ["Contract", "--------", *(fact.sub(r":\1: ", line) for line in lines[begin:end]), ""]


def every_name_has_a_page(app):
    """Warn, and so fail under -W, about a public name that api.md forgets."""
    listed = set(Path(app.srcdir, "api.md").read_text(encoding="utf-8").split())
    listed |= {name.split(".")[0] for name in listed}  # testing.check_adjoint lists testing
    for name in sorted(set(fastbs.__all__) - listed):
        logging.getLogger(__name__).warning("api.md does not list fastbs.%s", name)


def copy_mathjax(app, exception):
    """Put MathJax 3 and its fonts, which a package of its own ships, beside the pages."""
    source = distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline/static/mathjax")
    target = Path(app.outdir, "_static", "mathjax")
    if exception is None and app.builder.format == "html":
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / "tex-chtml-full.js", target)
        shutil.copytree(source / "output/chtml/fonts", target / "output/chtml/fonts", dirs_exist_ok=True)


def find_links_to_the_network(app, exception):
    """Warn, and so fail under -W, about a page that would load a script, style, font or picture."""
    if exception or app.builder.format != "html":
        return
    loads = re.compile(
        r"""<(?:script|img|iframe|source)\b[^>]*\ssrc=["'](?:https?:)?//[^"']*"""
        r"""|<link\b[^>]*rel=["'](?:stylesheet|preload|preconnect)["'][^>]*href=["'](?:https?:)?//[^"']*"""
        r"""|@import\s+(?:url\()?["']?https?://[^"')]*|url\(["']?https?://[^"')]*"""
    )
    for page in sorted(Path(app.outdir).rglob("*")):
        if page.suffix in {".html", ".css"}:
            for link in loads.finditer(page.read_text(encoding="utf-8")):
                logging.getLogger(__name__).warning("%s loads from the network: %s", page.name, link[0])


def setup(app):
    app.connect("builder-inited", every_name_has_a_page)
    app.connect("autodoc-process-docstring", contract, priority=400)  # napoleon reads its result at 500
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", find_links_to_the_network)


# "dtype" as the type of a parameter means numpy.dtype, not one of our attributes of that name
suppress_warnings = ["ref.python"]
