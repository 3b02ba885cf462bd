"""What an operator gets to read when an inventory is not right."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.inventory import InventoryError, load
from schemas.reading.problem import Problem, ProblemsError
from tests.schemas.conftest import Refuse, Write

HOST = "hosts: {box: {address: 192.0.2.1, %s}}\n"


def _one(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, "\n".join(map(str, problems))
    return problems[0]


def test_a_misspelt_profile_is_reported_with_file_line_path_and_the_nearest_word(
    refused: Refuse, write: Write
) -> None:
    text = "hosts:\n  gpu1:\n    address: 192.0.2.1\n    profile: lihgt\n"
    problem = _one(refused(text))
    assert str(problem) == (
        f"{write(text)}:4  hosts.gpu1.profile\n"
        '  found    "lihgt"\n'
        "  allowed  light, llm_off, full\n"
        '  do       did you mean "light"?'
    )


def test_every_problem_is_reported_at_once_in_the_order_of_the_lines(refused: Refuse) -> None:
    problems = refused(
        """\
        defaults:
          ssh: {key: /no/such/key}
        groups:
          big: {model: gemma3:5b}
        hosts:
          one:
            profile: heavy
            colour: blue
            groups: [bigg]
          two:
            address: 192.0.2.2
            environment: {OLLAMA_NUM_PARALEL: 2, OLLAMA_MAX_QUEUE: many}
            secrets: {OPENAI_API_KEY: env:NOT_THERE}
            ports: {ui: 8000}
            groups: [big]
        """
    )
    assert [(p.line, p.path) for p in problems] == [
        (2, "defaults.ssh.key"),
        (4, "groups.big.model"),
        (7, "hosts.one.profile"),
        (8, "hosts.one.colour"),
        (9, "hosts.one.groups[0]"),
        (12, "hosts.two.environment.OLLAMA_MAX_QUEUE"),
        (12, "hosts.two.environment.OLLAMA_NUM_PARALEL"),
        (13, "hosts.two.secrets.OPENAI_API_KEY"),
        (14, "hosts.two.ports.ui"),
    ]


@pytest.mark.parametrize(
    ("setting", "found", "hint"),
    [
        ("profile: off", "off (a boolean)", "llm_off"),
        ("profile: on", "on (a boolean)", "write light"),
        ("ollama: {version: 1.10}", "1.10 (a number)", "the number 1.1: take one that is pinned, in quotes"),
        ("venom: {release: 1.9}", "1.9 (a number)", "write v1.9.0"),
        ('ssh: {port: "22"}', '"22"', "write 22 without quotes"),
        ("mirrors: {files: http://m}", '"http://m"', "write a list: [http://m]"),
        ("model:", "nothing", "give it a value, or remove the line"),
        ("modle: auto", 'the key "modle"', 'did you mean "model"?'),
        ("hosts: {}", 'the key "hosts"', "hosts belongs at the top of the file"),
        ("model: 4b", '"4b"', 'did you mean "gemma3:4b"?'),
        ("venom: {release: v1.9.1}", '"v1.9.1"', "it is not pinned"),
        ("vram_tier: balanced", '"balanced"', "write balanced-12-24gb"),
        (
            "environment: {OLLAMA_MODLE: x}",
            'the name "OLLAMA_MODLE"',
            "OLLAMA_MODEL is no setting of its own: model",
        ),
        ("environment: {OLLAMA_MODEL: gemma3:1b}", '"gemma3:1b"', "write model: gemma3:1b"),
        ("environment: {VENOM_RUNTIME_PROFILE: full}", '"full"', "write profile: full"),
        ("environment: {ENV_FILE: /x}", '"/x"', "remove the line"),
        ("environment: {STORAGE_PREFIX: off}", "off (a boolean)", "put it in quotes"),
        ("secrets: {OLLAMA_MODEL: env:X}", 'the name "OLLAMA_MODEL"', "under environment"),
        ("development: {tree: Venom, user: ada}", '"Venom"', ""),
        ("development: {tree: /srv/../etc, user: ada}", '"/srv/../etc"', ""),
        ("development: {tree: /srv/venom, user: root}", '"root"', ""),
        ("development: {tree: /srv/venom}", "nothing", ""),
        ("development: /srv/venom", '"/srv/venom"', "{tree: /srv/venom, user: ada}"),
        ("venom: v1.9.0", '"v1.9.0"', 'write {release: "v1.9.0"}'),
        ("python: 3.12", "3.12 (a number)", 'write {version: "3.12.14"}'),
        ("requirements: {add: ['-r /etc/passwd']}", '"-r /etc/passwd"', ""),
        ("ssh: {port: 010}", '"010"', "write 10"),
    ],
)
def test_each_trap_has_its_own_words(refused: Refuse, setting: str, found: str, hint: str) -> None:
    problem = _one(refused(f"hosts:\n  box:\n    address: 192.0.2.1\n    {setting}\n"))
    assert problem.found == found
    assert hint in problem.hint
    assert problem.line == 4


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "an empty file"),
        ("# only a comment\n", "an empty file"),
        ("- box\n", "a list of 1"),
        ("hosts\n", '"hosts"'),
        ("hosts:\n\tbox: {}\n", "a tab"),
        ("hosts: {box: {}}\nhosts: {}\n", '"hosts" twice (first on line 1)'),
        ("hosts: &a {box: *a}\n", "an alias inside its own anchor"),
        ("hosts: *nowhere\n", "YAML that cannot be read"),
        ("hosts: {box: [}\n", "YAML that cannot be read"),
        ("hosts: {box: !!python/object:os.system {}}\n", "the tag"),
        ("a: 1\n---\nb: 2\n", "a second document (---)"),
        ("hosts: {box: {address: |\n  192.0.2.1\n  }}\n", "YAML that cannot be read"),
        ("hosts:\n  box:\n    address: |\n      192.0.2.1\n", "a line break"),
        ("hosts: {}\n", "an empty mapping"),
        ("pins: []\n", "nothing"),
        ("[" * 5000, "values nested hundreds deep"),
    ],
)
def test_what_is_no_inventory_is_reported_in_plain_words(refused: Refuse, text: str, found: str) -> None:
    assert any(problem.found.startswith(found) for problem in refused(text))


def test_duplicate_keys_are_reported_with_both_lines(refused: Refuse) -> None:
    problem = _one(refused("hosts:\n  a: {address: 192.0.2.1}\n  b:\n  a:\n"))
    assert (problem.line, problem.path) == (4, "hosts.a")
    assert "first on line 2" in problem.found


def test_a_missing_file_is_a_problem_and_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="no such file"):
        load(tmp_path / "nowhere.yaml")
    with pytest.raises(InventoryError, match="not a regular file"):
        load(tmp_path)


def test_a_file_that_is_no_text_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_bytes(b"hosts: \xff\xfe")
    with pytest.raises(InventoryError, match="UTF-8"):
        load(path)


def test_aliases_that_multiply_are_refused_quickly(refused: Refuse) -> None:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert any("alias multiplies" in problem.allowed for problem in refused("\n".join(lines)))


def test_a_problem_that_many_hosts_inherit_is_reported_once(refused: Refuse) -> None:
    text = "defaults: {model: gemma3:9b}\nhosts:\n  a: {}\n  b: {}\n  c: {}\n"
    assert _one(refused(text)).path == "defaults.model"


def test_a_plan_that_cannot_work_names_each_host_it_concerns(refused: Refuse) -> None:
    text = """\
    defaults: {model: gemma3:27b, vram_tier: low-vram-8-12gb}
    hosts: {a: {}, b: {}}
    """
    problems = refused(text)
    assert [p.path for p in problems] == [f"hosts.{h}.model (defaults.model)" for h in "ab"]
    assert all("18.27 GiB" in p.found and "gemma3:12b" in p.hint for p in problems)


def test_two_names_of_one_machine_are_refused(refused: Refuse) -> None:
    text = "hosts:\n  a: {address: 192.0.2.1}\n  b: {address: 192.0.2.1}\n"
    assert _one(refused(text)).found == "192.0.2.1 port 22, which a has too"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2001:db8::1", "2001:0DB8:0:0:0:0:0:1"),
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("Box.example.org", "box.example.ORG"),
    ],
)
def test_two_spellings_of_one_address_are_one_machine(refused: Refuse, first: str, second: str) -> None:
    text = f'hosts:\n  a: {{address: "{first}"}}\n  b: {{address: "{second}"}}\n'
    assert _one(refused(text)).found == f"{second} port 22, which a has too"


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("192.0.2.11:2222", "write address: 192.0.2.11, ssh: {port: 2222}"),
        ("box.example.org:22", "write address: box.example.org, ssh: {port: 22}"),
        ("ada@box", "write address: box, ssh: {user: ada}"),
        ("ssh://ada@box:2222/", "write address: box, ssh: {user: ada, port: 2222}"),
        ("[2001:db8::1]:2222", "write address: '2001:db8::1', ssh: {port: 2222}"),
        ("[2001:db8::1]", "write address: '2001:db8::1'"),
        ("box.example.org.", "write address: box.example.org"),
        (" box ", "write address: box"),
        ("box one", ""),
        ("box:port", ""),
        ("http://box", ""),
        ("192.0.2.300", ""),
        ("1:2:3", ""),
        ("192.0.2", ""),
    ],
)
def test_an_address_with_more_than_an_address_is_refused(refused: Refuse, address: str, hint: str) -> None:
    problem = _one(refused(f'hosts: {{a: {{address: "{address}"}}}}\n'))
    assert problem.path == "hosts.a.address"
    assert (problem.allowed, problem.hint) == ("a host name, an IP address or @local", hint)


@pytest.mark.parametrize(
    "address", ["192.0.2.1", "2001:db8::1", "::1", "fe80::1%eth0", "box", "b_x-1.example.org", "@local"]
)
def test_an_address_of_any_kind_is_taken(write: Write, address: str) -> None:
    assert load(write(f'hosts: {{a: {{address: "{address}"}}}}\n')).host("a").ssh.address == address


def test_one_address_with_two_ssh_ports_is_two_hosts(write: Write) -> None:
    text = "hosts:\n  a: {address: h}\n  b: {address: h, ssh: {port: 2222}}\n"
    assert len(load(write(text)).hosts) == 2


@pytest.mark.parametrize(
    "venom",
    [
        "{release: v1.9.0, commit: 62ce167a1ff881110b6b00745af6ae5e2a2297ad}",
        "{git: https://a/b.git, repository: .}",
        "{release: v1.9.0, tree: .}",
        "{release: v1.9.0, like: v1.9.0}",
        "{tree: /no/such/tree}",
        "{repository: /etc}",
        "{commit: 62ce167}",
        "{git: not a url}",
    ],
)
def test_a_source_that_is_ambiguous_or_not_there_is_refused(refused: Refuse, venom: str) -> None:
    problems = refused(HOST % f"venom: {venom}")
    assert all(problem.path.startswith("hosts.box.venom") for problem in problems)


def test_an_artifact_without_a_digest_is_refused_with_how_to_pin_it(refused: Refuse) -> None:
    setting = 'ollama: {version: "0.16.1", artifact: {url: https://x.example/o.tar.zst}}'
    problem = _one(refused(HOST % setting))
    assert problem.found == "no sha256"
    assert "sha256sum.txt" in problem.hint
    assert 'ollama: {version: "0.16.1", artifact: {url: …, sha256: …}}' in problem.hint


def test_a_version_that_nobody_pinned_is_refused_with_how_to_pin_it(refused: Refuse) -> None:
    problem = _one(refused(HOST % 'node: {version: "26.0.0"}'))
    assert "24.21.0" in problem.allowed
    assert "SHASUMS256.txt" in problem.hint


def test_a_node_outside_the_range_of_the_release_is_refused(refused: Refuse) -> None:
    digest = "a" * 64
    setting = 'node: {version: "18.20.0", artifact: {url: https://x.example/n.tar.xz, sha256: %s}}'
    problem = _one(refused(HOST % (setting % digest)))
    assert (problem.found, problem.allowed) == (
        '"18.20.0", which v1.9.0 does not run on',
        ">=20.11",
    )


def test_heavy_requirements_need_the_full_profile(refused: Refuse) -> None:
    problem = _one(refused(HOST % "requirements: {extras: [vllm]}"))
    assert problem.hint == "heavy tiers need profile: full"


def test_a_tier_that_the_release_does_not_have_is_refused(refused: Refuse) -> None:
    problem = _one(refused(HOST % "venom: {release: v1.6.0}, requirements: {tier: web}"))
    assert problem.found == '"web", which v1.6.0 does not have'


def test_what_came_after_the_oldest_release_is_refused_with_what_that_has(refused: Refuse) -> None:
    settings = "profile: full, venom: {release: v1.5.0}, requirements: {tier: ollama, extras: [onnx-extras]}"
    problems = refused(HOST % settings)
    assert sorted(it.found for it in problems) == [
        '"ollama", which v1.5.0 does not have',
        '"onnx-extras", which v1.5.0 does not have',
    ]
    assert {it.allowed for it in problems} == {"api, docker-minimal, academy, full"}


def test_speech_extras_go_after_an_onnx_tier(refused: Refuse) -> None:
    problem = _one(refused(HOST % "profile: full, requirements: {extras: [onnx-extras]}"))
    assert problem.allowed == "onnx-extras after onnx or onnx-cpu"


def test_a_secret_where_its_reference_belongs_is_not_repeated(refused: Refuse) -> None:
    secrets = "secrets: {OPENAI_API_KEY: sk-hunter2}, environment: {GOOGLE_API_KEY: sk-hunter3}"
    assert "hunter" not in str(ProblemsError(refused(HOST % secrets)))


def test_a_password_in_a_url_is_refused_and_not_repeated(refused: Refuse) -> None:
    problem = _one(refused(HOST % "mirrors: {pypi: https://me:hunter2@x.example/simple}"))
    assert "hunter" not in str(problem)


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("env:VENOM_TEST_UNSET", "not set"),
        ("file:missing", "no such file"),
        ("file:open", "mode 0644"),
        ("file:.", "not a file"),
        ("command:no-such-program-here --x", "not on the PATH"),
        ('command:"', "cannot be read"),
    ],
)
def test_a_secret_that_is_not_there_is_reported_before_any_connection(
    refused: Refuse, tmp_path: Path, reference: str, found: str
) -> None:
    (tmp_path / "open").write_text("x")
    (tmp_path / "open").chmod(0o644)
    assert found in _one(refused(HOST % f"secrets: {{HF_TOKEN: '{reference}'}}")).found


def test_a_ca_bundle_without_certificates_is_refused(refused: Refuse, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    assert "no PEM certificate" in _one(refused(HOST % "ca_bundle: ca.pem")).found


def test_a_missing_file_of_pins_is_reported_where_it_is_named(refused: Refuse) -> None:
    problem = _one(refused("pins: [nowhere.yaml]\nhosts: {a: {}}\n"))
    assert (problem.line, problem.path) == (1, "pins[0]")


def test_faults_in_a_file_of_pins_are_reported_with_that_file(refused: Refuse, tmp_path: Path) -> None:
    pins = tmp_path / "pins.yaml"
    pins.write_text("artifacts:\n  ollama:\n    0.99.0:\n      amd64:\n        url: https://x/y\n")
    problem = _one(refused("pins: [pins.yaml]\nhosts: {a: {}}\n"))
    assert problem.file.endswith("pins.yaml")
    assert (problem.line, problem.allowed) == (4, "artifacts.ollama.0.99.0.amd64 needs sha256")


@pytest.mark.parametrize(
    ("setting", "path", "words"),
    [
        (
            "proxy: {url: 'http://ada:hunter2@proxy.example.org:3128'}",
            "proxy.url",
            "goes into proxy.credentials",
        ),
        ("proxy: {url: 'proxy.example.org:3128'}", "proxy.url", "http://host:port"),
        ("proxy: {url: 'http://p:1', credentials: 'ada:hunter2'}", "proxy.credentials", "file:PATH"),
        (
            "proxy: {url: 'http://p:1', credentials: 'env:NOT_THERE'}",
            "proxy.credentials",
            "a variable that is set",
        ),
        ("proxy: {except: [example.org]}", "proxy.url", "needs url"),
        (
            "proxy: {url: 'http://p:1', except: ['*.example.org']}",
            "proxy.except[0]",
            "a domain such as example.org",
        ),
        (
            "environment: {HTTPS_PROXY: 'http://ada:hunter2@p:1'}",
            "environment.HTTPS_PROXY",
            "write proxy: {url: …}",
        ),
        ("environment: {no_proxy: example.org}", "environment.no_proxy", "write proxy: {url: …}"),
    ],
)
def test_the_remedy_shows_how_a_proxy_is_written_and_no_password(
    refused: Refuse, setting: str, path: str, words: str
) -> None:
    problem = _one(refused(HOST % setting))
    assert problem.path == f"hosts.box.{path}"
    assert words in str(problem)
    assert "hunter2" not in str(problem)
