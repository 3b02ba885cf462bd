"""Migration: what an older installation of Venom is, and the inventory that reproduces it."""
