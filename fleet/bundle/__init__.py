"""Bundles: all that the plans of an inventory need in one folder, for a fleet without the Internet.

A bundle is `manifest.json`, its signature, a bill of materials, and a tar archive of the store's tree in
parts. What reads one (`__main__.py` and all that it imports) needs Python's own library and ssh-keygen only:
it runs where nothing is installed yet, from the archive of Python that lies in each bundle.
"""
