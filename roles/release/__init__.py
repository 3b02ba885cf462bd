"""The release: its parts tied together by links, and the switch to it."""
