"""Models of the hub: trees pinned by the digest of each file, laid down by a job."""
