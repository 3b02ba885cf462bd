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


def reason(fault: str) -> str:
    """Why it is no fault; empty where it is one."""
    return next((why for start, why in KNOWN.items() if fault.startswith(start)), "")
