"""How a host of the fleet stands: asked, planned and looked at, with whatever of that could not be done.

Nothing is changed and nothing refused: what can be known is reported, and why the rest cannot be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine import paths
from engine.component import Component
from engine.observation import Observed
from engine.question import observe_host
from fleet.assessment import Planned, look, plan_one, possible_components
from roles.preflight.deploy import probe
from roles.pull.receipts import pulled
from roles.status.deploy import errors_collected, request_state
from roles.status.drift import Desired, drift
from roles.status.report import Report, report
from roles.status.state import HostState
from roles.store.server import holdings
from roles.verification import history, metrics
from roles.verification.acceptance import HostAcceptance, Measured
from roles.verification.deploy import judge, unreached
from roles.verification.trying import Subject
from schemas.inventory import DeclaredHost

_NEVER = "was never provisioned: run deploy/venom.py"


@dataclass(frozen=True)
class Standing:
    """What could be known of one host; None is what could not, and `errors` say why."""

    state: HostState | None  # what it reports of what serves there
    planned: Planned | None  # what it is to be
    observed: Observed | None  # how everything that either names is
    errors: Sequence[str]
    store: Mapping[str, Any] = field(default_factory=dict)  # what it holds, where it serves one
    pulls: Sequence[Mapping[str, Any]] = ()  # what hosts that pull have reported there

    @property
    def desired(self) -> Desired | None:
        """What the plan makes of the host, and what of it the host is not."""
        if self.planned is None or self.observed is None:
            return None
        planned, hardware = self.planned, self.planned.hardware
        return Desired(planned.generation, planned.differs(self.observed), hardware.gpus, hardware.remarks)


def standing(declared: DeclaredHost) -> Standing:
    """Ask the current host, plan for it, and look at all that was applied or is planned."""
    errors: list[str] = []
    state = planned = observed = None
    store: Mapping[str, Any] = {}
    pulls: Sequence[Mapping[str, Any]] = ()
    possible: tuple[Component, ...] = ()
    # Which versions to ask for. Whether the plan can be is decided by the host's own hardware, below.
    with errors_collected([]):
        possible = possible_components(declared)
    with errors_collected(errors):
        state = request_state(possible)
    with errors_collected(errors):
        hardware = probe(containers=declared.by_image).hardware
        planned = plan_one(declared, hardware, offline=True)
    if state and state.provisioned:
        with errors_collected(errors):
            if planned:
                planned, observed = look(planned, lambda it: _observe(state, it))
            else:
                observed = _observe(state)
    if observed and observed.there(paths.STORE) and declared.serves_store:
        with errors_collected(errors):
            store = holdings(declared.serves_store)
            pulls = pulled(declared.serves_store.pullers)
    return Standing(state, planned, observed, errors, store, pulls)


def _observe(*of: HostState | Planned | None) -> Observed:
    """How all is that any of these names."""
    managed = [it for it in of if it]
    return observe_host(
        [resource for it in managed for resource in it.resources],
        [path for it in managed for path in it.store_paths],
        [unit for it in managed for unit in it.units],
        [service for it in managed if it.generation for service in it.generation.services],
    )


def status_of(declared: DeclaredHost) -> Report:
    """How the current host stands, for the operator."""
    it = standing(declared)
    return report(
        declared.name,
        declared.ssh.address,
        state=it.state,
        observed=it.observed,
        desired=it.desired,
        errors=it.errors,
        store=it.store,
        pulls=it.pulls,
        budgets=metrics.held(_last(it.state), declared.budgets),
    )


def _last(state: HostState | None) -> Measured | None:
    """The figures of the last acceptance, as the host remembers them."""
    return next(iter(history.parsed([state.measured])), None) if state else None


def acceptance_of(declared: DeclaredHost, *, suites: bool) -> HostAcceptance:
    """Try everything on the current host, and judge it. `suites`: whether Venom's own run, too."""
    it = standing(declared)
    state, planned, observed, desired = it.state, it.planned, it.observed, it.desired
    if state is None or planned is None or observed is None or desired is None:
        never = not it.errors and not (state and state.provisioned)
        return unreached(declared, _NEVER if never else "\n".join(it.errors))
    plan = planned.plan
    changed, pending = drift(state, observed, desired)
    loaded = plan.model is not None and plan.model.name in (state.models or {}).get("loaded", {})
    subject = Subject(
        plan=plan,
        generation=planned.generation,
        components=planned.components,
        archive=planned.build.archive,
        applied=state.applied,
        changed=changed,
        pending=pending,
        observed=observed,
        cards=[card.name for card in planned.hardware.gpus],
        loaded=loaded,
        secrets=[planned.settings[name] for name in plan.backend.secrets],
        budgets=declared.budgets,
        suites=suites,
    )
    return judge(declared, subject, planned.serves.removeprefix("serves "), plan.source.release)
