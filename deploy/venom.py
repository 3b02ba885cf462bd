"""Converge: make each host of the inventory what its plan says, and prove that it serves.

pyinfra inventories/lab.py deploy/venom.py
"""

from pyinfra.context import host

from deploy.survey import survey
from roles.backend.deploy import backend, environment, installed
from roles.base.deploy import base
from roles.common.operations import refusal_ends_this_host
from roles.ollama.deploy import install, no_ollama, ollama
from roles.receipt.deploy import receipt
from roles.release.deploy import switch
from roles.source.deploy import source
from roles.ui.deploy import build, built, ui
from roles.weights.deploy import pull, weights

with refusal_ends_this_host():
    s = survey(host.data.declared)
    plan, release, seen = s.plan, s.release, s.seen

    base(plan=plan, seen=seen)
    source(archive=s.archive, release=release, seen=seen)

    # The long branches go side by side on the host, the longest first.
    build(work=s.ui_work, seen=seen)
    if s.local:
        install(job=s.local.install, seen=seen)
    environment(plan=plan, release=release, lock=s.lock, wheel=s.wheel, job=s.backend_job, seen=seen)
    if s.local:
        ollama(plan=plan, job=s.local.install, service=s.local.service, seen=seen)
        pull(job=s.local.pull, seen=seen)
        weights(
            model=s.local.model,
            port=s.local.port,
            job=s.local.pull,
            gpu=s.gpu,
            proven=s.proven,
            seen=seen,
        )
    else:
        no_ollama(plan=plan, seen=seen)
    installed(job=s.backend_job, seen=seen)
    built(work=s.ui_work, seen=seen)

    # Weights first, backend second: Venom rewrites its settings when its model is not there.
    switch(plan=plan, release=release, launchers=s.launchers, seen=seen)
    backend(plan=plan, service=s.backend, settings=s.settings, seen=seen)
    ui(plan=plan, service=s.ui, seen=seen)
    receipt(
        applied=s.applied,
        settings=sorted(s.settings),
        services=s.services,
        proven=s.proven,
        serves=s.serves,
        seen=seen,
    )
