"""Packing Venom into images on a build host: base, layers, bill of materials, publication."""
