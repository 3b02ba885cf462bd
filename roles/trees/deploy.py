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
# The header by which a gated repository knows who asks, as a file of curl's: there while a job runs.
TOKEN = f"{paths.CACHE}/hub-token-%s.curl"


def tree_job(engine: str, tree: Tree, *, gated: bool) -> Job:
    """Makes the tree of an engine: whole, verified and root's. `gated`: whether the hub is shown a token."""
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
        token=TOKEN % engine if gated else "",
    )
    key = tree.path.rpartition("-")[2]
    title = f"Model {tree.repository}"
    return Job(name=f"tree-{engine}", title=title, key=key, makes=tree.path, script=script)


def _get(path: str, sha256: str, size: int, urls: Sequence[str]) -> str:
    return shlex.join(["get", path, sha256, str(size), *urls])


@operation()
def token_delivered(path: str, secret: Secret | None, job: Job, observed: Observed) -> Commands:
    """
    Let the job show the hub a token, where the inventory has one.

    + path: where the job reads it
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
    yield remote.shell("put.sh", path, "root", "0600", stdin=header)


@dataclass(frozen=True)
class _Laying(JobsWork):
    """What a run does for trees: each job is started once the token is there."""

    tokens: Sequence[tuple[str, Secret | None]]  # of each job: where it reads it, and the reference

    def begin(self) -> None:
        """Start them."""
        for job, (path, secret) in zip(self.jobs, self.tokens, strict=True):
            token_delivered(
                name=f"{self.title} | token", path=path, secret=secret, job=job, observed=self.observed
            )
        super().begin()


def component(plan: HostPlan) -> Component:
    """The trees of the engines' models; absent where there is none."""
    # Two engines may have one model.
    trees = {tree.path: (name, tree, token) for name, (tree, token) in plan.trees.items()}
    if not trees:
        return Component(name="trees")
    jobs = tuple(tree_job(name, tree, gated=secret is not None) for name, tree, secret in trees.values())
    tokens = [(TOKEN % name, secret) for name, _, secret in trees.values()]
    return Component(
        name="trees",
        jobs=jobs,
        work=lambda _host, observed: _Laying(TITLE, jobs, observed, tokens),
        store_paths=tuple(trees),
        needs=tuple(_need(tree) for _, tree, _ in trees.values()),
        sizes={"tree" if len(trees) == 1 else f"tree-{name}": path for path, (name, _, _) in trees.items()},
    )


def _need(tree: Tree) -> Need:
    return Need(
        what=f"model {tree.repository}",
        unless={tree.path: ""},
        disk={paths.OPT: tree.size},
        sources=tree.files[0].urls,
        brings=tuple(f"{it.path} of {tree.repository}" for it in tree.files),
    )
