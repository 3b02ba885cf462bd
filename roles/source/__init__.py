"""Venom's source: packed on the controller by commit, delivered to a host whole or not at all."""
