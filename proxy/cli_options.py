"""Options that several commands have, in the same words."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The configuration; config.yaml is the sample.")
]
ProviderOption = Annotated[
    str | None, typer.Option("--provider", metavar="ID", help="Without a file: your provider code or name.")
]
