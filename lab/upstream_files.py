"""The lab's file server: what github.com, nodejs.org and others publish, under `/HOST/PATH`.

Files lie as `wget -x` writes them. `/_fault/KIND/HOST/PATH` is the same file with a fault (see
`lab.upstream_http`), so that a host's `mirrors.files` can point at trouble.
"""

from __future__ import annotations

from pathlib import Path

from lab.upstream_http import KINDS, STATUS_FAULTS, FileHandler

_FAULT_PREFIX = "/_fault/"


class FilesHandler(FileHandler):
    """Serves the files below the server's root."""

    role = "files"

    def respond(self, path: str, fault: str) -> None:
        """Send the file of this path."""
        if path.startswith(_FAULT_PREFIX):
            fault, _, path = path.removeprefix(_FAULT_PREFIX).partition("/")
            if fault not in KINDS:
                self.send_text(404, f"no such fault: {fault}\n")
                return
            if fault in STATUS_FAULTS:
                self.send_text(STATUS_FAULTS[fault], f"{fault}, as asked for\n")
                return
        file = self._file(path)
        if file is None:
            self.send_text(404, "not found\n")
            return
        self.send_file(file, "application/octet-stream", {}, fault)

    def _file(self, path: str) -> Path | None:
        root = self.server.root.resolve()
        file = (root / path.lstrip("/")).resolve()
        return file if file.is_relative_to(root) and file.is_file() else None
