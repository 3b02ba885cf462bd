"""The short way over a real host: from bare to serving, to something else, back, and away.

For who changes the product and wants an answer in minutes; the other files go into every corner.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import provisioning, visitor
from tests.lab.conftest import LabHost, Provision
from tests.lab.provisioning import fleet_of
from tests.lab.visitor import BACKEND, LIGHT, LLM_OFF, OLLAMA, UI

pytestmark = pytest.mark.tour


def test_a_bare_host_serves_changes_survives_a_broken_release_goes_back_and_is_bare_again(
    lab_host: LabHost, provision: Provision, tmp_path: Path
) -> None:
    host = lab_host(12)

    assert "serves" in provision(fleet_of(host)).check().endings[host.name]
    for url in (f"{BACKEND}/healthz", f"{UI}/", f"{OLLAMA}/api/version"):
        assert visitor.fetch(host, url).status == 200
    assert visitor.chat(host, "Are you there?").status == "COMPLETED"

    serving = visitor.processes(host, LIGHT)
    assert provision(fleet_of(host)).check().changed_operations == []
    assert visitor.processes(host, LIGHT) == serving

    provision(fleet_of(host, profile="llm_off")).check()
    off = visitor.processes(host, LIGHT)
    assert (off["ollama.service"], off["venom-ui.service"]) == (0, serving["venom-ui.service"])

    tree = provisioning.own_venom(tmp_path / "venom")
    main = tree / "venom_core" / "main.py"
    text = main.read_text(encoding="utf-8")
    settled = "    await startup.settle_model()"
    assert settled in text
    main.write_text(text.replace(settled, '    raise RuntimeError("the database is gone")'), encoding="utf-8")
    broken = provision(fleet_of(host, profile="llm_off", venom={"tree": str(tree)}))
    assert broken.status == 1
    assert "RuntimeError: the database is gone" in broken.endings[host.name]
    assert "What served before serves again" in broken.endings[host.name]
    assert visitor.fetch(host, f"{BACKEND}/healthz").status == 200

    back = provision(fleet_of(host), deploy="deploy/rollback.py").check()
    assert "serves" in back.endings[host.name]
    assert all(visitor.processes(host, LIGHT).values())

    removed = provision(fleet_of(host), "--data", "purge=yes", deploy="deploy/remove.py").check()
    assert removed.endings[host.name].startswith("removed, with data and weights")
    assert visitor.processes(host, LLM_OFF) == dict.fromkeys(LLM_OFF, 0)
    assert host.run("ls -d /opt/venom /opt/ollama /etc/venom /var/lib/venom", check=False).stdout == ""
