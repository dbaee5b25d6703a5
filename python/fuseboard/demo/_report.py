"""What remains when the demo has run: figures side by side, and promises with their verdicts."""

import dataclasses
import json

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fuseboard.demo._figures import Figures
from fuseboard.demo._plan import Plan
from fuseboard.demo._promises import Verdict


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """All that is known in the end; ``seconds`` is how long the demo took."""

    plan: Plan
    shared: Figures
    private: Figures
    verdicts: list[Verdict]
    seconds: float

    @property
    def failed(self) -> int:
        """How many promises were not kept."""
        return sum(not verdict.held for verdict in self.verdicts)


def show(report: Report, console: Console) -> None:
    """Prints the promises, and last, so that it is on the screen in the end, the table of figures: 24 lines or less."""
    console.print()
    console.print(_promises(report.verdicts))
    console.print()
    console.print(_comparison(report.shared, report.private))
    word = f"{report.failed} of {len(report.verdicts)} promises FAILED" if report.failed else "All promises held"
    style = "bold red" if report.failed else "bold green"
    console.print(Text(f"{word}. {report.seconds:.0f} s.", style=style))


def as_json(report: Report) -> str:
    """All figures as one JSON object; times in seconds."""
    facts = {
        "ok": not report.failed,
        "seconds": round(report.seconds, 1),
        "plan": dataclasses.asdict(report.plan),
        "shared": dataclasses.asdict(report.shared),
        "per_process": dataclasses.asdict(report.private),
        "promises": [dataclasses.asdict(verdict) for verdict in report.verdicts],
    }
    return json.dumps(facts, indent=2)


def _comparison(shared: Figures, private: Figures) -> Table:
    table = Table(title="One outage, counted", box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    table.add_column("")
    table.add_column("one table for\nthe host", justify="right", style="green")
    table.add_column("one breaker\nper process", justify="right", style="red")
    for label, left, right in _rows(shared, private):
        table.add_row(label, left, right)
    return table


def _rows(shared: Figures, private: Figures) -> list[tuple[str, str, str]]:
    def row(label: str, name: str, form: str = "{}") -> tuple[str, str, str]:
        def cell(figures: Figures) -> str:
            value = getattr(figures, name)
            return "-" if value is None else form.format(value)

        return label, cell(shared), cell(private)

    return [
        row("the server was sick for", "outage_seconds", "{:.1f} s"),
        row("requests that reached it", "sick_requests"),
        row("  let through by a closed fuse", "let_through"),
        row("    by a restarted worker's", "let_through_after_restart"),
        row("  probes", "probes"),
        row("calls rejected at once", "rejections"),
        row("trips, with failed probes", "trips"),
        row("alarms (closed to open)", "alarms"),
        row("workers killed and replaced", "restarts"),
        row("a new worker's calls to find it open", "calls_to_find_open"),
        row("  and how long that took", "seconds_to_find_open", "{:.4f} s"),
    ]


def _promises(verdicts: list[Verdict]) -> Table:
    table = Table(
        title="Promises", box=None, title_justify="left", title_style="bold", show_header=False, pad_edge=False
    )
    table.add_column(width=6, no_wrap=True)
    table.add_column(ratio=3)
    table.add_column(ratio=1, justify="right")
    for verdict in verdicts:
        mark = Text("ok", style="bold green") if verdict.held else Text("FAILED", style="bold white on red")
        table.add_row(mark, Text(verdict.promise), Text(verdict.measured, style="dim"))
    return table
