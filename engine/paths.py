"""Where things lie on a host: one place for every path that more than one file names."""

OPT = "/opt/venom"
SOURCES = f"{OPT}/sources"
VENVS = f"{OPT}/venvs"
UIS = f"{OPT}/uis"
PYTHONS = f"{OPT}/python"
NODES = f"{OPT}/node"
TOOLS = f"{OPT}/tools"
RELEASES = f"{OPT}/releases"
CURRENT = f"{OPT}/current"
JOBS = f"{OPT}/jobs"
# One file for each container image of ours; the images themselves lie in the engine's store.
IMAGES = f"{OPT}/images"
OLLAMAS = "/opt/ollama"
# Models of the hub, each a folder whose name is a key of all that is in it.
TREES = f"{OPT}/trees"

ETC = "/etc/venom"
RECEIPT = f"{ETC}/receipt.json"
PROXY = f"{ETC}/proxy.env"
GENERATIONS = f"{ETC}/generations"
AUDIT = "/var/log/venom-provisioner.log"
RECORDS = "/var/log/venom-provisioner"
MEASURED = f"{RECORDS}/measured.jsonl"
UNITS = "/etc/systemd/system"
QUADLETS = "/etc/containers/systemd"
TARGET = "venom.target"
# The first thing of ours that a run puts on a host, and the last that goes: it shows that we are here.
MARK = f"{UNITS}/{TARGET}"

# The door: nginx reads our site among those of others.
NGINX = "nginx.service"
FIREWALL = "venom-firewall.service"
SITE = "/etc/nginx/conf.d/venom.conf"
DOOR = f"{ETC}/door"
CERTIFICATES = f"{ETC}/certificates"
NGINX_BEFORE = f"{ETC}/nginx-before"

STATE = "/var/lib/venom"
ENV_FILE = f"{STATE}/venom.env"
ENV_HISTORY = f"{STATE}/env-history"
# Where Venom up to v1.6 looks for its settings, which knows no ENV_FILE: in its working directory, and its
# panel in the code.
DOT_ENV = ".env"
# Copies of it, each with the generation that wrote it.
SNAPSHOTS = "/var/lib/venom-snapshots"
DEVELOPMENT = "/var/lib/venom-development"
OLLAMA_STATE = "/var/lib/ollama"
MODELS = f"{OLLAMA_STATE}/models"
MANIFESTS = f"{MODELS}/manifests"

BACKUP = f"{ETC}/backup"
BACKED_UP = f"{RECORDS}/backup.json"

# The fleet's store, on the host that serves it.
STORE = "/var/lib/venom-store"
# What a host passes on of it. Not in CACHE: a switch empties that, and others may still be fetching.
PEER = "/var/cache/venom-passed-on"

# What a host that pulls has fetched, and knows of it.
PULLED = "/var/lib/venom-pull"
# What hosts that pull report, on the host that serves the store: its server's own, by whichever user it runs.
RECEIPTS = "/var/lib/venom-receipts"

# Downloads and build trees: may be deleted at any time.
CACHE = "/var/cache/venom"
BUILD = "/var/cache/venom-build"
# The UI unit's own; systemd makes it for whichever user it runs as.
UI_CACHE = "/var/cache/venom-ui"

# Debian's bundle, which update-ca-certificates makes of the distribution's roots and the operator's.
CA_FOLDER = "/etc/ssl/certs"
CA_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
TRUSTED = f"{ETC}/ca-certificates.sha256"
OPERATOR_CA = "/usr/local/share/ca-certificates/venom-operator.crt"
