"""Which pinned versions have a known advisory, by a database in a file: nothing is asked of a network.

The database has the form of OSV (https://ossf.github.io/osv-schema/), as osv.dev gives it out: one JSON file
an advisory, in folders or in zip files.
"""
