"""The demo on the terminal: chapters, tables, live progress; plain text where it is no terminal."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.syntax import Syntax
from rich.table import Table

_LONGEST = 400  # characters that are shown of what somebody said


def shortened(text: str) -> str:
    """The text, or its beginning where it is long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()} … ({len(text)} letters)"


class Story:
    """Tells what happens, with the evidence beside it."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)

    def opening(self, title: str, lines: Iterable[str]) -> None:
        """The panel at the top."""
        self.console.print(Panel("\n".join(lines), title=f"[bold]{title}[/]", expand=False))

    def chapter(self, number: int, title: str, line: str) -> None:
        """Begins a step."""
        self.console.print()
        self.console.rule(f"[bold cyan]{number}  {title}[/]", align="left")
        self.console.print(f"[dim]{line}[/]\n")

    def say(self, who: str, text: str, note: str = "") -> None:
        """A line of dialogue; the text may be hostile and is shown as it is, if not in full."""
        tail = f"  [dim]{escape(note)}[/]" if note else ""
        self.console.print(f"  [bold]{escape(who):>7}[/]  {escape(shortened(text))}{tail}")

    def note(self, text: str) -> None:
        """A quiet remark."""
        self.console.print(f"           [dim]{escape(text)}[/]")

    def code(self, source: str) -> None:
        """A piece of Python, indented."""
        self.console.print(
            Syntax(source.rstrip(), "python", theme="ansi_dark", background_color="default"),
            style="none",
            width=min(self.console.width, 100),
        )

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A small table; cells are shown as they are."""
        table = Table(
            title=title, title_justify="left", header_style="bold", box=None, pad_edge=True
        )
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(escape(str(cell)) for cell in row))
        self.console.print(table)

    def verdict(self, sentence: str, holds: bool) -> None:
        """A claim and whether it was proven."""
        mark = "[bold green]✓[/]" if holds else "[bold red]✗[/]"
        self.console.print(f"  {mark} {escape(sentence)}")

    def trouble(self, sentence: str) -> None:
        """Why the demo stops."""
        self.console.print(Panel(escape(sentence), title="[bold red]stopped[/]", expand=False))

    def progress(self) -> Progress:
        """A live bar; on a plain stream only its last state is printed."""
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self.console,
        )
