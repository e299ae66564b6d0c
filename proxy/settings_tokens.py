"""The law of this file: how the length of texts is told is known before the first request, and its table is there.

tokens: {encoding: o200k_base, tables: null}     # an estimate; with a folder in ``tables``, the encoding counts
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, StrictStr

from proxy.policy.errors import Fault
from proxy.tokens import fault

__all__ = ["ESTIMATED", "TokenSettings", "TokensFile", "token_faults", "token_settings"]


class TokensFile(BaseModel):
    """``tokens``: how the length of texts is told, where a rule asks for it (min_tokens)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoding: Literal["o200k_base", "o200k_harmony", "cl100k_base", "p50k_base", "r50k_base"] = "o200k_base"
    tables: StrictStr | None = None


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """The encoding that counts, and the folder that its table lies in; None where tokens are estimated."""

    encoding: str = "o200k_base"
    tables: Path | None = None


ESTIMATED = TokenSettings()


def token_settings(tokens: TokensFile, folder: Path) -> TokenSettings:
    """What the section says, paths in it from ``folder`` on."""
    return TokenSettings(tokens.encoding, None if tokens.tables is None else folder / tokens.tables)


def token_faults(tokens: TokenSettings) -> tuple[Fault, ...]:
    """What is wrong with the table, which is read for that."""
    wrong = fault(tokens.encoding, tokens.tables)
    return (Fault(("tokens", "tables"), wrong),) if wrong else ()
