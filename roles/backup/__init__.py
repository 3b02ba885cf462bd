"""Backups of what people wrote: made on the host by restic, and brought back."""
