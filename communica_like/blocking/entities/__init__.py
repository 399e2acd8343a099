"""Blocking clients and servers."""
