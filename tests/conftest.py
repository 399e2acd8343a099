"""Settings of every test run. That warnings are errors is said in pyproject.toml."""

from __future__ import annotations

from hypothesis import settings

# The same examples in every run, and no failures for being slow on a busy machine.
# To look for new examples: pytest --hypothesis-profile=default
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("ci")
