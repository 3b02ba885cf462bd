#!/bin/sh
# Managed by the Venom provisioner: what is changed here is changed back.
# Starts what serves from a developer's tree, in the unit of it. Arguments: the port, then the command
# that will listen there. The status 78 says that another try would end the same way.
port=$1
shift
if ! /usr/bin/python3 -I -c '
import socket, sys
with socket.socket() as it:
    it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    it.bind(("127.0.0.1", int(sys.argv[1])))
' "$port" 2>/dev/null; then
    echo "port $port is in use: as root, ss -ltnp 'sport = :$port' names the process" >&2
    echo "stop it, then: systemctl start venom.target" >&2
    exit 78
fi

# The UI starts in the folder of its package-lock.json. What it was installed from is noted beside what
# was installed, so a changed lock file or another Node means a new installation at the next start.
if [ -e package-lock.json ]; then
    wanted="$(sha256sum <package-lock.json | cut -d ' ' -f 1) $(node --version)"
    if [ "$(cat node_modules/.venom-packages 2>/dev/null)" != "$wanted" ]; then
        echo "npm ci: the packages of $PWD"
        npm ci --no-progress --loglevel=error || exit 78
        echo "$wanted" >node_modules/.venom-packages
    fi
fi

# Copies of the settings, which the configuration panel makes in the tree, are nobody else's to read.
if [ -n "$VENOM_SETTINGS" ]; then
    mkdir -p config/env-history && chmod 0700 config/env-history || exit 78
fi

# What the process is started with becomes its fingerprint: the backend's settings are part of it.
if [ -n "$VENOM_SETTINGS" ]; then
    settings=$(grep -E "^($VENOM_SETTINGS)=" "$ENV_FILE" | LC_ALL=C sort | sha256sum | cut -c 1-16)
    export VENOM_FINGERPRINT="$VENOM_FINGERPRINT.$settings"
fi
exec "$@"
