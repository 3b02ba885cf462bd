"""Runs on the host: why a plan is not applied, as requirement, finding and remedy."""


class PullError(Exception):
    """Nothing was changed for this plan; what served before serves."""

    def __init__(self, required, found, remedy=""):
        lines = ["required  " + required, "found     " + found]
        super().__init__("\n".join(lines + (["do        " + remedy] if remedy else [])))
