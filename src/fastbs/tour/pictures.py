"""The run as pictures: PNG files in a directory, each written whole or not at all."""

import io
import os
from pathlib import Path

import numpy as np

import fastbs as fb

from .errors import InputError
from .report import shortened

__all__ = ["Pictures"]

INK, RED, BLUE, GREY = "#222222", "#c0392b", "#1f5fa8", "#8a8a8a"
DPI = 150
DIGIT_ROWS, DIGIT_COLUMNS = 5, 8
MOST_WRITTEN_CLASSES = 15  # counts are legible in the squares of a matrix up to this size


class Pictures:
    """Collects figures and writes them at the end.

    Parameters
    ----------
    directory : path
        Made, with its parents, when the pictures are written.

    Raises    InputError, before any work is done, if matplotlib is missing or the directory cannot be one
    """

    def __init__(self, directory):
        try:
            from matplotlib.figure import Figure  # an extra: only this class needs it
        except ImportError as error:
            raise InputError(
                f"--plot needs matplotlib, which cannot be imported ({error}); pip install 'fastbs[plot]' brings it"
            ) from error
        self._figure = Figure  # not pyplot: no window, no global state
        self.directory = Path(directory)
        existing = next(path for path in (self.directory, *self.directory.absolute().parents) if path.exists())
        if not existing.is_dir():
            raise InputError(f"--plot {directory}: must be a directory; {existing} is a file")
        if not os.access(existing, os.W_OK):
            raise InputError(f"--plot {directory}: {existing} is not writable")
        self._figures = {}

    def _axes(self, name, size, columns=1):
        figure = self._figure(figsize=size, layout="constrained")
        self._figures[name] = figure
        return figure.subplots(1, columns, squeeze=False)[0]

    def write(self):
        """Render all figures, then put each in its place; the paths written."""
        contents = {}
        for name, figure in self._figures.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=DPI)
            contents[self.directory / f"{name}.png"] = buffer.getvalue()
        partial = {path: path.with_suffix(".png.partial") for path in contents}
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            for path, content in contents.items():
                partial[path].write_bytes(content)
            for path in contents:
                os.replace(partial[path], path)
        except OSError as error:
            raise InputError(f"--plot {self.directory}: {error.strerror}: {error.filename}") from error
        finally:
            for path in partial.values():
                path.unlink(missing_ok=True)
        return list(contents)

    def system(self, D, I_L):
        """The block patterns of D and I - L, side by side."""
        axes = self._axes("system", (9, 4.5), columns=2)
        for ax, A, title in zip(axes, (D, I_L), ("D", "I − L"), strict=True):
            fb.spy(A, ax=ax)
            ax.set_title(title)

    def losses(self, losses):
        """Training and held-out loss over the iterations of the optimizer."""
        (ax,) = self._axes("loss", (6.4, 4))
        for values, label, color in zip(np.transpose(losses), ("training", "held out"), (BLUE, RED), strict=True):
            ax.semilogy(values, color=color, label=f"{label}: {values[-1]:.3g} at the end")
        ax.set(xlabel="iteration of L-BFGS-B", ylabel="loss, without the penalty")
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("{x:g}" if np.max(losses) < 10 * np.min(losses) else "")
        ax.legend(frameon=False)
        ax.grid(color="#e6e6e6")
        ax.spines[["top", "right"]].set_visible(False)

    def confusion(self, names, confusion):
        """The confusion matrix in shades of each row's share, with its counts."""
        side = min(3 + 0.4 * len(names), 12)
        (ax,) = self._axes("confusion", (side + 0.8, side))
        share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
        image = ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
        if len(names) <= MOST_WRITTEN_CLASSES:
            for (i, j), count in np.ndenumerate(confusion):
                if count:
                    color = "white" if share[i, j] > 0.5 else INK
                    ax.text(j, i, count, ha="center", va="center", color=color, fontsize=9)
        ticks = [literal(shortened(name, 16)) for name in names]
        ax.set_xticks(range(len(names)), ticks, rotation=90 if max(map(len, ticks)) > 3 else 0)
        ax.set_yticks(range(len(names)), ticks)
        right = np.trace(confusion)
        ax.set(xlabel="predicted", ylabel="true", title=f"{right} of {confusion.sum()} held-out examples right")
        ax.figure.colorbar(image, label="share of the true class", shrink=0.8)

    def digits(self, images, truth, predicted):
        """Forty held-out images with what was read: the mistakes first, in red."""
        wrong = truth != predicted
        shown = np.argsort(~wrong, kind="stable")[: DIGIT_ROWS * DIGIT_COLUMNS]
        (ax,) = self._axes("digits", (8, 5.8))
        # One pair of axes for all images, since forty pairs take matplotlib two seconds; 8 pixels make 8 units.
        for place, i in enumerate(shown):
            row, column = divmod(place, DIGIT_COLUMNS)
            x, y = 11 * column, -12 * row
            ax.imshow(images[i], cmap="gray_r", vmin=0, vmax=images.max(), extent=(x, x + 8, y - 8, y))
            read = f"{predicted[i]}, not {truth[i]}" if wrong[i] else f"{predicted[i]}"
            ax.text(x + 4, y + 0.6, read, color=RED if wrong[i] else INK, ha="center")
        ax.set(xlim=(-1, 11 * DIGIT_COLUMNS - 2), ylim=(4 - 12 * DIGIT_ROWS, 3))
        ax.axis("off")
        ax.set_title(
            f"{len(shown)} of {len(truth)} held-out images and what was read; the {wrong.sum()} mistakes first"
        )

    def numbers(self, title, truth, predicted):
        """Predicted against true numbers on the held-out part, with the line where they are equal."""
        (ax,) = self._axes("predictions", (5.4, 5))
        ax.axline((truth.mean(), truth.mean()), slope=1, color=GREY, linewidth=1, label="predicted = true")
        ax.scatter(truth, predicted, s=14, color=BLUE, alpha=0.6, edgecolors="none")
        ax.set(xlabel="true", ylabel="predicted", title=f"{literal(title)}, {len(truth)} held-out rows")
        ax.legend(frameon=False)
        ax.grid(color="#e6e6e6")
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)


def literal(text):
    """``text`` for matplotlib, which would read what is between dollars as mathematics."""
    return text.replace("$", r"\$")
