"""jsonschema, with an integer that is one; the module that imports it, and nothing else.

`validate` imports this where there is something to check: it takes longer to import than an inventory to
read, and most runs read what an earlier one found sound.
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import extend


def _integer(_checker: object, value: object) -> bool:
    # JSON Schema takes 8000.0 for an integer; a port is none.
    return isinstance(value, int) and not isinstance(value, bool)


Checker: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _integer),
)
