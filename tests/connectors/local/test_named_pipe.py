from __future__ import annotations

import getpass
import sys

import pytest

from communica_like.connectors.local.named_pipe import connect_pipe, listen_on_pipe, pipe_path
from communica_like.exceptions import FeatureNotAvailable
from tests.connectors.recorder import Recorder


def test_paths() -> None:
    assert pipe_path("name") == rf"\\.\pipe\communica_like-{getpass.getuser()}-name"
    assert pipe_path("//./pipe/x") == r"\\.\pipe\x"


@pytest.mark.skipif(sys.platform == "win32", reason="there they are")
async def test_there_are_none_here() -> None:
    with pytest.raises(FeatureNotAvailable, match="ProactorEventLoop"):
        await connect_pipe(pipe_path("x"), Recorder())
    with pytest.raises(FeatureNotAvailable, match=sys.platform):
        await listen_on_pipe(pipe_path("x"), lambda link: Recorder(), "local://x")
