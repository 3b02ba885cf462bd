"""Images: pack Venom into images on a build host, and publish them in a registry of your own.

pyinfra --limit build1 inventories/office.py deploy/images.py        packs venom-backend-light, venom-frontend
  --data variants=venom-backend-onnx,venom-frontend                  others of schemas/data/artifacts.yaml
  --data registry=registry.example.org/venom --data tag=v1.9.0       publishes them as a release
  --data registry=… --data confirmed=yes --data extra=rc1           publishes them by hand

The parts are made as deploy/venom.py makes them, and what is on the host already is not made again.
"""

from pyinfra.context import host

from engine import jobs, outcome
from engine.lock import host_locked, host_unlocked
from engine.operations import refusal_ends_this_host
from fleet.packing import make_parts, plan_packing
from fleet.verbs import declared_host, options_of
from roles.base.deploy import host_marked, prerequisites_made
from roles.packing.deploy import bill_of_materials_written
from roles.packing.publication import images_published
from roles.packing.summary import summary, summary_reported

options = options_of("deploy/images.py")
declared = declared_host()

with refusal_ends_this_host():
    p = plan_packing(declared, options)
    observed = p.observed

    if p.in_sync:
        outcome.serves(host.name, f"nothing changed: {summary(p.contents, p.publication, p.records)}")
    else:
        host_locked(name="Lock", needed=True, what="deploy/images.py", generation=p.current)
        host_marked(observed=observed)
        prerequisites_made(prerequisites=p.prerequisites, ca_bundle=declared.ca_bundle, observed=observed)
        if p.missing:
            jobs.job_started(name="Base | start", job=p.base, observed=observed)
            make_parts(p)
            jobs.job_finished(name="Base | finish", job=p.base, observed=observed)
        for it in p.missing:
            name, job = it.contents.variant.name, p.pack_job(it)
            bill_of_materials_written(
                name=f"{name} | bill of materials",
                contents=it.contents,
                base=p.base,
                system=p.system,
                observed=observed,
            )
            jobs.job_started(name=f"{name} | start", job=job, observed=observed)
            jobs.job_finished(name=f"{name} | finish", job=job, observed=observed)
        if p.publication:
            images_published(name="Publish", publication=p.publication, needed=bool(p.unpublished))
        summary_reported(name="Tell", images=p.contents, publication=p.publication)
        host_unlocked(name="Unlock")
