"""Models of the hub on a host: a job fetches each file, verifies it, and puts the tree in place whole."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import paths, remote
from engine.component import Component, JobsWork, Need
from engine.jobs import Job
from engine.observation import Observed
from engine.operations import Commands
from engine.secrets import reveal
from engine.templates import render
from schemas.model import HostPlan, Secret, Tree

TITLE = "Model of the hub"
# The header by which a gated repository knows who asks, as a file of curl's: there while the job runs.
TOKEN = f"{paths.CACHE}/hub-token.curl"


def tree_job(tree: Tree, *, gated: bool) -> Job:
    """Makes the tree: whole, verified and root's. `gated`: whether the hub is shown a token."""
    folders = sorted({it.path.rpartition("/")[0] for it in tree.files} - {""})
    script = render(
        __file__,
        "tree.sh.j2",
        tree=tree.path,
        name=tree.repository,
        size=tree.size,
        folders=folders,
        gets=[_get(it.path, it.sha256, it.size, it.urls) for it in tree.files],
        hub=tree.hub,
        token=TOKEN if gated else "",
    )
    key = tree.path.rpartition("-")[2]
    return Job(name="tree", title=f"Model {tree.repository}", key=key, makes=tree.path, script=script)


def _get(path: str, sha256: str, size: int, urls: Sequence[str]) -> str:
    return shlex.join(["get", path, sha256, str(size), *urls])


@operation()
def token_delivered(secret: Secret | None, job: Job, observed: Observed) -> Commands:
    """
    Let the job show the hub a token, where the inventory has one.

    + secret: the token's reference
    + job: what needs it, and deletes it
    + observed: what the host has
    """
    if secret is None or job.done(observed):
        host.noop("no token is needed")
        return
    token = reveal({"HF_TOKEN": secret})["HF_TOKEN"]
    escaped = token.replace("\\", "\\\\").replace('"', '\\"')
    header = f'header = "Authorization: Bearer {escaped}"\n'
    yield remote.shell("put.sh", TOKEN, "root", "0600", stdin=header)


@dataclass(frozen=True)
class _Laying(JobsWork):
    """What a run does for a tree: its job is started once the token is there."""

    secret: Secret | None

    def begin(self) -> None:
        """Start it."""
        [job] = self.jobs
        token_delivered(name=f"{self.title} | token", secret=self.secret, job=job, observed=self.observed)
        super().begin()


def component(plan: HostPlan) -> Component:
    """The tree of vLLM's model; absent where there is none."""
    if plan.vllm is None:
        return Component(name="trees")
    tree, secret = plan.vllm.tree, plan.vllm.token
    job = tree_job(tree, gated=secret is not None)
    need = Need(
        what=f"model {tree.repository}",
        unless={tree.path: ""},
        disk={paths.OPT: tree.size},
        sources=tree.files[0].urls,
        brings=tuple(f"{it.path} of {tree.repository}" for it in tree.files),
    )
    return Component(
        name="trees",
        jobs=(job,),
        work=lambda _host, observed: _Laying(TITLE, (job,), observed, secret),
        store_paths=(tree.path,),
        needs=(need,),
        sizes={"tree": tree.path},
    )
