"""Tables that print: lists of rows, which polars and pandas take as they are."""

from typing import Any


class Table(list[dict[str, Any]]):
    """Rows as dicts with the same keys; printed, they stand in columns."""

    def __str__(self) -> str:
        if not self:
            return "(no rows)"
        cells = [list(self[0]), *([_text(value) for value in row.values()] for row in self)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        right = [isinstance(value, int | float) or value is None for value in self[0].values()]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if flush else cell.ljust(width)
                for cell, width, flush in zip(row, widths, right, strict=True)
            ).rstrip()
            for row in cells
        )


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
