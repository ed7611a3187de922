"""The picture of what rules cost and what they hold off: hand-made SVG, so that nothing has to be installed for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 820, 430
LEFT, RIGHT, TOP, BOTTOM = 70, 300, 40, 60


@dataclass(frozen=True, slots=True)
class Point:
    """One strength of rules with its two figures, as shares."""

    name: str
    honest: float
    attacks: float

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Point":
        """From a row of the bench's figures."""
        return cls(row["rules"], row["honest_share"], row["attacks_share"])


def draw(path: Path, points: Sequence[Point]) -> None:
    """Write the picture: honest work to the right, attacks upwards, each strength with its name and figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*_frame(), *(_point(one, points) for one in points), "</svg>"]) + "\n")


def _frame() -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        "<style>text{font-size:12px}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<path d="M{_x(0.9):.0f} {bottom}V{_y(0.01) - 3:.0f}H{right}V{bottom}Z" fill="#2f9e44" fill-opacity="0.4"/>',
        f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#495057"/>',
        f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 15}" text-anchor="middle">honest tasks, nobody asked</text>',
        f'<text transform="translate(18 {(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">attacks done</text>',
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        lines.append(f'<text x="{_x(share):.0f}" y="{bottom + 18}" text-anchor="middle">{share:.0%}</text>')
        lines.append(f'<text x="{LEFT - 8}" y="{_y(share) + 4:.0f}" text-anchor="end">{share:.0%}</text>')
    return lines


def _point(one: Point, points: Sequence[Point]) -> str:
    at, x, y = points.index(one), _x(one.honest), _y(one.attacks)
    row = TOP + 10 + at * 42
    figures = f"{one.honest:.1%} of work, {one.attacks:.1%} of attacks"
    side = WIDTH - RIGHT + 24
    fill = "#2f9e44" if one.name == "as shipped" else "#1c7ed6"
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="{fill}"/>'
        f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" fill="#fff">{at + 1}</text>'
        f'<text x="{side}" y="{row}">{at + 1}. {escape(one.name)}</text>'
        f'<text x="{side + 14}" y="{row + 16}" fill="#868e96">{figures}</text>'
    )


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - RIGHT - LEFT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
