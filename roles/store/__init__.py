"""The fleet's store: one host serves what all fetch, each thing under its digest, and nothing unverified."""
