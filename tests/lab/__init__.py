"""Tests that need real hosts: they boot them, provision them and look at them from outside."""
