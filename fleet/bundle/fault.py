"""What is wrong with a bundle, as requirement, finding and remedy. Needs Python's own library only."""

from __future__ import annotations


class BundleError(Exception):
    """A bundle that cannot be made or used; nothing was put in place."""

    def __init__(self, requirement: str, found: str, remedy: str = "") -> None:
        self.requirement, self.found, self.remedy = requirement, found, remedy
        lines = [
            f"required  {requirement}",
            f"found     {found}",
            *([f"do        {remedy}"] if remedy else []),
        ]
        super().__init__("\n".join(lines))


COPY_AGAIN = "copy the bundle again from where it was made; that medium may be failing"
