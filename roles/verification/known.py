"""What a page of Venom asks for in vain although the host is as it should be: each with its reason.

Everything else that fails to load, or is written to the console as an error, fails the acceptance.
"""

from __future__ import annotations

# As the browser records it (METHOD PATH: why, or the line on the console), up to here → why it is no fault.
KNOWN = {
    "GET /v1/daemon/status: net::ERR_CONNECTION_REFUSED": (
        "the daemon of Gemma 4, a server of its own that no profile runs"
    ),
    "GET /api/v1/memory/graph: status 500": "the memory's graph needs lancedb, which no light tier has",
    "GET /api/v1/knowledge/entries: status 500": "the knowledge needs lancedb, which no light tier has",
    "GET /api/v1/academy/adapters/audit: status 503": "the academy is a requirements tier of its own",
    "Failed to load adapter audit for chat selector": "the academy is a requirements tier of its own",
    # v1.5.0
    "GET /api/v1/academy/models/trainable: status 503": "the academy is a requirements tier of its own",
    "Failed to fetch trainable models": "the academy is a requirements tier of its own",
    "GET /api/v1/calendar/events: status 503": "the calendar needs a Google account, and none is configured",
}

# Of one release alone.
_OF_RELEASES = {
    "v1.7.0": {
        "Error: Minified React error #418; visit https://react.dev/errors/418?args[]=text": (
            "its server renders Polish, and a browser of another language renders the page anew"
        ),
    },
}


def reason(fault: str, release: str) -> str:
    """Why it is no fault in a release of Venom ("" where there is none); empty where it is one."""
    known = {**KNOWN, **_OF_RELEASES.get(release, {})}
    return next((why for start, why in known.items() if fault.startswith(start)), "")
