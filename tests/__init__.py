"""Every test of the provisioner: `unit` needs no host, `lab` boots real ones."""
