"""A result of an examination."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Status = Literal['ok', 'note', 'problem']


@dataclass(frozen=True)
class Finding:
    """A fact about the installation.

    Attributes:
        section: What it is about, such as ``'hosts'``.
        name: What was examined, such as ``'mmcv'``.
        status: ``'ok'``; ``'note'`` for what may be intended; or ``'problem'``.
        value: What was found.
        advice: What to do about it, if anything.
    """

    section: str
    name: str
    status: Status
    value: str
    advice: str = ''

    def to_dict(self) -> dict[str, str]:
        """Return the finding as plain values."""
        return asdict(self)
