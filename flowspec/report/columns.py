"""Aligns columns of text by their width on a terminal: East Asian characters and emoji take two cells, accents none."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def cells(text: str) -> int:
    """Returns the number of terminal cells that a line takes."""
    if text.isascii():
        return len(text)
    # Not at the top: the import takes 40 ms, and a report without such letters does not need it.
    from rich.cells import cell_len

    return cell_len(text)


def padded(text: str, width: int) -> str:
    """Returns a text, padded with spaces to a number of cells."""
    return text + " " * (width - cells(text))


def aligned(rows: Sequence[Sequence[str]], *, numbers: Collection[int] = ()) -> list[str]:
    """Returns a line for each row, with aligned columns and two spaces between them.

    The columns whose indexes are in `numbers` are aligned to the right.
    """
    columns = [_aligned_column(column, right=index in numbers) for index, column in enumerate(zip(*rows, strict=True))]
    return ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]


def _aligned_column(column: Sequence[str], *, right: bool) -> list[str]:
    width = max(map(cells, column))
    return [" " * (width - cells(text)) + text if right else padded(text, width) for text in column]
