"""Images: pack Venom into images on a build host, and publish them in a registry of your own.

pyinfra --limit build1 inventories/office.py deploy/images.py        packs venom-backend-light, venom-frontend
  --data variants=venom-backend-onnx,venom-frontend                  others of schemas/data/artifacts.yaml
  --data registry=registry.example.org/venom --data tag=v1.9.0       publishes them as a release
  --data registry=… --data confirmed=yes --data extra=rc1           publishes them by hand

The parts are made as deploy/venom.py makes them, and what is on the host already is not made again.
"""

from pyinfra.context import host

from engine import jobs, outcome
from engine.lock import acquired, released
from engine.operations import refusal_ends_this_host
from fleet.packing import packing, parts
from fleet.verbs import declared_host, options_of
from roles.base.deploy import base, marked
from roles.packing.deploy import described, published, summary, told

options = options_of("deploy/images.py")
declared = declared_host()

with refusal_ends_this_host():
    p = packing(declared, options)
    seen = p.seen

    if p.in_sync:
        outcome.serves(host.name, f"nothing changed: {summary(p.contents, p.publication, p.records)}")
    else:
        acquired(name="Lock", needed=True, what="deploy/images.py", generation=p.current)
        marked(seen=seen)
        base(plan=p.contents[0].plan, ground=p.ground, seen=seen)
        if p.missing:
            jobs.start(name="Base | start", job=p.base, seen=seen)
            parts(p)
            jobs.finish(name="Base | finish", job=p.base, seen=seen)
        for it in p.missing:
            name, job = it.contents.variant.name, p.pack_job(it)
            described(
                name=f"{name} | bill of materials",
                contents=it.contents,
                base=p.base,
                system=p.system,
                seen=seen,
            )
            jobs.start(name=f"{name} | start", job=job, seen=seen)
            jobs.finish(name=f"{name} | finish", job=job, seen=seen)
        if p.publication:
            published(name="Publish", publication=p.publication, needed=bool(p.unpublished))
        told(name="Tell", images=p.contents, publication=p.publication)
        released(name="Unlock")
