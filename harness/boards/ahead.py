"""Whether a PRM's score of a step may change with what follows it, as far as its spec says."""

from __future__ import annotations

from harness.prms import catalog
from harness.prms.critics.recipe import with_recipe as with_critic
from harness.prms.joint import members
from harness.prms.recipe import with_recipe
from harness.registry import JOINT, PRMS, parse_spec
from harness.types import Spec


def reads_ahead(prm: str | Spec) -> bool:
    """Return whether a step is scored with later steps in sight.

    Those are critics that are shown a solution to its end, and readings whose last step is
    followed by an `end` that the others do not have.

    Args:
        prm: as on the command line, or what that stands for.

    Raises:
        ConfigError: an unknown name or recipe.
    """
    if isinstance(prm, str):
        specs = {name: entry.spec for name, entry in catalog.entries().items()}
        prm = parse_spec(prm, adapters=PRMS, catalog=specs, what="PRM")
    if prm.adapter in JOINT:
        return any(map(reads_ahead, members(prm.target)))
    if prm.adapter == "critic":
        return with_critic(prm).options.get("per", "solution") in ("solution", "pair")
    options = with_recipe(prm).options
    return bool(options.get("end")) and options.get("inputs", "once") == "once"
