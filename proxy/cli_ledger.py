"""``countermark ledger``: what can be done with records, one command each.

The law: a command reads what another process writes, at any time, and holds it up by nothing; none changes a record.
"""

from typing import Final

import typer

from proxy.cli_audit import verify_records
from proxy.cli_checkpoint import export_checkpoint, show_key
from proxy.cli_export import export
from proxy.cli_find import find_records
from proxy.cli_prove import check_proof, prove_record
from proxy.cli_prune import prune_records
from proxy.cli_ship import ship_records
from proxy.cli_stats import stats

__all__ = ["ledger"]

ledger: Final = typer.Typer(
    name="ledger",
    help="The records of what was labelled, when, and by which rule: find, check and export them.",
    no_args_is_help=True,
)

ledger.command("find")(find_records)
ledger.command()(export)
ledger.command()(stats)
ledger.command("verify")(verify_records)
ledger.command("prove")(prove_record)
ledger.command("check")(check_proof)
ledger.command("checkpoint")(export_checkpoint)
ledger.command("key")(show_key)
ledger.command("prune")(prune_records)
ledger.command("ship")(ship_records)
