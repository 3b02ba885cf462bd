"""Verify: whether each host does what its profile promises, tried from outside and from inside.

pyinfra -y inventories/lab.py deploy/verify.py
pyinfra -y --data suites=yes inventories/lab.py deploy/verify.py    runs Venom's own suites, too

It changes nothing on a host but what two chats leave there, and a line with its figures. The report
lies in reports/<UTC time>/.
Exit status: 0 every host is accepted, 1 not.
"""

from fleet.assessment import observe_host, plan_one
from fleet.verbs import declared_host, options_of
from roles.preflight.deploy import probe
from roles.status.deploy import errors_collected, request_state
from roles.status.report import Wanted, drift
from roles.verification.deploy import documents, judge, report_acceptance, unreached
from roles.verification.trying import Subject

options = options_of("deploy/verify.py")
declared = declared_host()
told = planned = observed = None
errors: list[str] = []

with errors_collected(errors):
    told = request_state()
    facts = probe(containers=declared.by_image)
    planned = plan_one(declared, facts.hardware, offline=True)
    observed = observe_host(
        planned.resources, planned.store_paths, planned.units, planned.generation.services
    )

if told is None or planned is None or observed is None:
    result = unreached(declared, "\n".join(errors) or "was never provisioned: run deploy/venom.py")
elif not told.provisioned:
    result = unreached(declared, "was never provisioned: run deploy/venom.py")
else:
    plan = planned.plan
    changed, asked = drift(told, observed, Wanted(planned.generation, planned.differs(observed)))
    loaded = plan.model is not None and plan.model.name in (told.models or {}).get("loaded", {})
    subject = Subject(
        plan=plan,
        generation=planned.generation,
        components=planned.components,
        archive=planned.build.archive,
        applied=told.applied,
        changed=changed,
        asked=asked,
        observed=observed,
        cards=[it.name for it in facts.hardware.gpus],
        loaded=loaded,
        secrets=[planned.settings[name] for name in plan.backend.secrets],
        budgets=declared.budgets,
        suites=options.flag("suites"),
    )
    result = judge(declared, subject, planned.serves.removeprefix("serves "), plan.source.release)

report_acceptance(result, documents)
