"""report.md of a run date: each job writes its own section, the file is put together anew."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from model.files import write_text


def format_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Format a Markdown table; a bar inside a cell is escaped."""
    lines = [_format_row(headers), _format_row(["---"] * len(headers)), *map(_format_row, rows)]
    return "\n".join(lines) + "\n"


def write_section(folder: Path, name: str, text: str) -> Path:
    """Write one section and report.md, which joins all sections of the folder.

    Args:
        folder: the run date's report folder.
        name: file name under report.d; sections are joined in the order of their names.
        text: Markdown, with its own heading.

    Returns:
        Path of report.md.
    """
    write_text(folder / "report.d" / f"{name}.md", text.rstrip() + "\n")
    parts = sorted((folder / "report.d").glob("*.md"))
    report = folder / "report.md"
    texts = (part.read_text(encoding="utf-8") for part in parts)
    write_text(report, "\n".join(text for text in texts if text.strip()))
    return report


def format_interval(
    value: float | None, low: float | None, high: float | None, sign: str = ""
) -> str:
    """Format a figure as `0.512 [0.498, 0.526]`; a dash for no figure, no brackets for no
    interval."""
    if value is None:
        return "-"
    figure = f"{value:{sign}.3f}"
    if low is None or high is None:
        return figure
    return f"{figure} [{low:{sign}.3f}, {high:{sign}.3f}]"


def _format_row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
