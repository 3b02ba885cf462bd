"""The lab: disposable real hosts on this machine, and an upstream for them to download from."""
