"""YAML files with the line of every value, checked against a JSON Schema; what is wrong, in plain words."""
