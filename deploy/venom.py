"""Converge: make each host of the inventory what its plan says, and prove that it serves.

pyinfra inventories/lab.py deploy/venom.py
"""

from pyinfra.context import host

from deploy.survey import survey
from roles.backend.deploy import backend, environment
from roles.base.deploy import base
from roles.common import jobs, services
from roles.common.operations import refusal_ends_this_host
from roles.ollama.deploy import install, no_ollama, ollama
from roles.receipt.deploy import receipt
from roles.release.deploy import switch
from roles.source.deploy import source
from roles.ui.deploy import build, ui
from roles.weights.deploy import pull, weights

with refusal_ends_this_host():
    s = survey(host.data.declared)
    plan, seen = s.plan, s.seen

    base(plan, seen)
    source(s.archive, s.release, seen)

    # The long branches go side by side on the host, the longest first.
    build(s.ui_job, seen)
    if s.ollama_job:
        install(s.ollama_job, seen)
    environment(plan, s.release, s.lock, s.wheel, s.backend_job, seen)

    # Weights first, backend second: Venom rewrites its settings when its model is not there.
    if plan.ollama and plan.model and s.ollama_job and s.ollama and s.weights_job:
        ollama(plan, s.ollama_job, s.ollama, seen)
        pull(s.weights_job, seen)
        weights(plan.model, plan.ollama.port, s.weights_job, s.gpu, not s.proven, seen)
    else:
        no_ollama(plan, seen)
    jobs.finish(name="Backend packages | finish", job=s.backend_job, seen=seen)
    jobs.finish(name="UI build | finish", job=s.ui_job, seen=seen)

    switch(plan, s.release, s.launchers, seen)
    backend(plan, s.backend, s.settings, seen)
    ui(plan, s.ui, seen)
    services.ready(name="Backend | wait", service=s.backend, seen=seen, needed=not s.proven)
    services.ready(name="UI | wait", service=s.ui, seen=seen, needed=not s.proven)
    receipt(s.applied, sorted(s.settings), not s.proven, seen)
