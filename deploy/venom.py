"""Converge: make each host of the inventory what its plan says, and prove that it serves.

pyinfra inventories/lab.py deploy/venom.py
pyinfra --data purge=yes inventories/lab.py deploy/venom.py    deletes weights that the plan does not use,
                                                               and what the store holds for nobody
pyinfra --data reboot=yes inventories/lab.py deploy/venom.py   reboots a host whose driver was installed
                                                               (gpu: {driver: install}), and goes on
"""

from pyinfra.context import host

from engine import outcome
from engine.component import carry_out, feed
from engine.lock import host_locked, host_unlocked
from engine.operations import refusal_ends_this_host
from engine.switch import generation_activated
from fleet.assessment import assess
from fleet.card import driver_stage
from fleet.preview import preview
from fleet.rollout import run_of
from fleet.verbs import declared_host, options_of
from roles.base.deploy import host_marked, prerequisites_made
from roles.door.deploy import nginx_state_recorded
from roles.driver.install import driver_installed, host_rebooted, run_continued
from roles.store.deploy import store_purged
from roles.weights.unused import report_unused, weights_purged

options = options_of("deploy/venom.py")
declared = declared_host()
rollout = run_of(declared)


def host_converged() -> None:
    """All that is done on a host whose cards can be asked."""
    with refusal_ends_this_host():
        it = assess(declared, purge=options.flag("purge"))
        planned, observed = it.planned, it.observed
        report_unused(models=it.unused, purge=it.purge)
        for text in (*it.remarks, *it.troubles):
            outcome.adds(host.name, text)

        if it.in_sync:
            outcome.serves(host.name, f"nothing changed: {planned.switch.serves}")
            # All that is left is what other hosts of this run may want of it.
            for work in it.works.values():
                work.share()
            if it.certificate:
                outcome.adds(host.name, it.certificate)
        else:
            preview(it, rollout.wave_of(declared.name))
            host_locked(name="Lock", needed=True, what="deploy/venom.py", generation=observed.current)
            host_marked(observed=observed)
            nginx_state_recorded(name="Door | record what was there", observed=observed)
            ground, ca_bundle = planned.prerequisites, declared.ca_bundle
            # What the others install, they may fetch from the first.
            if it.first:
                prerequisites_made(prerequisites=ground, ca_bundle=ca_bundle, observed=observed)
            feed(it.works, planned.components)
            if not it.first:
                prerequisites_made(prerequisites=ground, ca_bundle=ca_bundle, observed=observed)
            carry_out(it.works, planned.components)
            for wave in host.loop(rollout.waves):  # type: ignore[no-untyped-call]
                generation_activated(
                    name=wave.title,
                    generation=it.generation,
                    observed=observed,
                    needed=not it.proven,
                    switch=planned.switch,
                    turn=rollout.turn(wave, declared.name),
                )
            if it.purge:
                weights_purged(name="Weights | purge", models=it.unused, observed=observed)
                store_purged(name="Store | purge", plan=it.plan)
            host_unlocked(name="Unlock")


with refusal_ends_this_host():
    stage = driver_stage(declared, rollout)
    if stage:
        host.log(stage.preview)
        host_locked(name="Lock", needed=True, what="deploy/venom.py", generation=stage.observed.current)
        host_marked(observed=stage.observed)
        driver_installed(name="Driver", resources=stage.resources, observed=stage.observed)
        host_unlocked(name="Unlock")
        host_rebooted(name="Reboot", asked=options.flag("reboot"), branch=stage.choice.branch)
        run_continued(name="Go on", run=host_converged)
    else:
        host_converged()
