"""Status: how each host stands, and what of it is neither as it was left nor as the inventory says.

pyinfra -y inventories/lab.py deploy/status.py        a table for each host
pyinfra --json inventories/lab.py deploy/status.py    one document, alone on standard output

It changes nothing and takes no lock. Exit status: 0 all in sync, 2 drift, 1 a host that could not be
reached, planned or looked at.
"""

from engine.command_line import command_line
from fleet.assessment import observe_host, plan_one
from fleet.verbs import declared_host, options_of
from roles.preflight.deploy import probe
from roles.status.deploy import errors_collected, report_host, request_state
from roles.status.report import Wanted, report

options = options_of("deploy/status.py")
declared = declared_host()
planned = told = observed = wanted = None
errors: list[str] = []

with errors_collected(errors):
    told = request_state()
with errors_collected(errors):
    planned = plan_one(declared, probe(containers=declared.by_image).hardware, offline=True)
managed = [it for it in (told, planned) if it]
if told and told.provisioned:
    with errors_collected(errors):
        observed = observe_host(
            [r for it in managed for r in it.resources],
            [p for it in managed for p in it.store_paths],
            [u for it in managed for u in it.units],
            [s for it in managed if it.generation for s in it.generation.services],
        )
if planned and observed:
    hardware = planned.hardware
    wanted = Wanted(planned.generation, planned.differs(observed), hardware.gpus, hardware.remarks)

told_so = report(
    declared.name, declared.ssh.address, told=told, observed=observed, wanted=wanted, errors=errors
)
report_host(told_so, json_form=options.flag("json") or command_line().json)
