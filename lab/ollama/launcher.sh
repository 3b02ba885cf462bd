#!/bin/sh
# bin/ollama of the lab's stand-in: runs its code with the Python that lies beside it in lib/ollama.
here=$(dirname "$(readlink -f "$0")")
lib=${here%/bin}/lib/ollama
# -I: nothing of the caller's environment or directory; -S: no site packages. Nothing is written there.
# Threads that wait must sleep: a host of the lab has few cores.
export OMP_WAIT_POLICY=passive
exec "$lib/python/bin/python3.12" -I -S -B "$lib/stand-in.py" "$@"
