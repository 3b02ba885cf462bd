"""Bundles: how they are made, checked and filled, with real files and real keys."""
