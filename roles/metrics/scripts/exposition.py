"""Runs on the host: the metrics that there are, and their text as node-exporter reads it."""

# Name → type, and what it means. Times are in seconds since 1970: Prometheus makes ages of them.
METRICS = {
    "venom_applied_info": ("gauge", "What was applied last, in its labels; 1."),
    "venom_applied_time_seconds": ("gauge", "When that was applied."),
    "venom_version_info": ("gauge", "The version of a program that Venom runs on, in its labels; 1."),
    "venom_service_up": ("gauge", "Whether the unit is active."),
    "venom_service_ready": ("gauge", "Whether the service answers at its address as it should."),
    "venom_service_restarts_total": ("counter", "Restarts by systemd itself since the unit was started."),
    "venom_service_start_time_seconds": ("gauge", "Since when the unit is active."),
    "venom_service_memory_bytes": ("gauge", "What the processes of the unit have in main memory."),
    "venom_drift": ("gauge", "How many things on the host are not as they were applied."),
    "venom_certificate_expiry_time_seconds": ("gauge", "Until when the door's certificate is valid."),
    "venom_model_loaded": ("gauge", "Whether the model is loaded."),
    "venom_model_size_bytes": ("gauge", "What the loaded model takes."),
    "venom_model_vram_bytes": ("gauge", "What of it lies in VRAM."),
    "venom_model_vram_ratio": ("gauge", "The share of it that lies in VRAM, 0 to 1."),
    "venom_model_vram_wanted": ("gauge", "Whether all of it should lie there."),
    "venom_model_tokens_per_second": ("gauge", "How fast the model answered when that was measured last."),
    "venom_model_measured_time_seconds": ("gauge", "When that was measured."),
    "venom_pull_period_seconds": ("gauge", "How often a host that pulls reports to this one."),
    "venom_pull_receipt_time_seconds": ("gauge", "When it reported last; 0: never."),
    "venom_pull_applied": ("gauge", "Whether it had applied the plan that it found."),
    "venom_pull_applied_time_seconds": ("gauge", "When it applied one last, by its own clock."),
    "venom_collected_time_seconds": ("gauge", "When all of this was collected."),
    "venom_collection_seconds": ("gauge", "How long collecting it took."),
}


class Samples:
    """Values of metrics, in the order in which they came."""

    def __init__(self):
        self.lines = {}  # name → its lines

    def add(self, name, value, /, **labels):
        """A value of a metric that is known. True counts as 1."""
        if name not in METRICS:
            raise KeyError(name)
        pairs = ",".join('%s="%s"' % (key, escaped(labels[key])) for key in sorted(labels))
        number = repr(float(value)) if isinstance(value, float) else "%d" % value
        self.lines.setdefault(name, []).append("%s%s %s" % (name, "{%s}" % pairs if pairs else "", number))

    def text(self):
        """All of them; each metric with its help and its type in front."""
        found = []
        for name, (kind, meaning) in METRICS.items():
            if name in self.lines:
                found += ["# HELP %s %s" % (name, meaning), "# TYPE %s %s" % (name, kind), *self.lines[name]]
        return "".join(line + "\n" for line in found)


def escaped(value):
    """A label's value as it stands between quotation marks."""
    return str(value).replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
