"""Programs that use an original package in a process of their own: see tests/interop/original.py."""
