"""What a run must know and decide of its hosts before it changes any: assessment, builds, preview, packing.

Runs on the controller. Who only reads hosts (status, verify) assesses them too, and changes nothing.
"""
