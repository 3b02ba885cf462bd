"""The ground under everything else: Debian packages, certificates, users, directories, the target."""
