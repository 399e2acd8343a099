"""What is public, and what an import costs."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import communica_like
from communica_like import connectors, exceptions, queues, serializers

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

# Adding a name here is a promise; removing one breaks users' programs. All EXCEPTIONS are at the top too.
TOP = [
    "Backoff",
    "ClientInfo",
    "Codec",
    "Connector",
    "ConnectorGuarantees",
    "Context",
    "FifoConnector",
    "Limits",
    "Link",
    "LinkReceiver",
    "Listener",
    "LocalConnector",
    "ManagerConnector",
    "MemoryConnector",
    "PeerIdentity",
    "PosixMQConnector",
    "RmqConnector",
    "RmqInboxConnector",
    "RouteClient",
    "RouteServer",
    "RouteTable",
    "Serializer",
    "SimpleClient",
    "SimpleServer",
    "StdioConnector",
    "SysVConnector",
    "TcpConnector",
    "connector_from",
    "exceptions",
    "threaded_handler",
]
EXCEPTIONS = [
    "AddressInUse",
    "AuthenticationError",
    "ClientIdInUse",
    "Closed",
    "CommunicaError",
    "ConnectTimeout",
    "ConnectionLost",
    "FeatureNotAvailable",
    "HandlerError",
    "HandshakeError",
    "InsecureAddress",
    "LinkError",
    "LinkRefused",
    "LocalProtocolError",
    "MessageTooBig",
    "NoSuchRoute",
    "PeerGone",
    "PeerNotTrusted",
    "ProtocolError",
    "QueueLimitReached",
    "RemoteProtocolError",
    "ReqError",
    "RequestTimeout",
    "RespError",
    "RouteOverrideError",
    "SerializerError",
    "UnknownError",
    "VersionMismatch",
]
SERIALIZERS = [
    "AdaptixSerializer",
    "Codec",
    "JsonSerializer",
    "LiteralSerializer",
    "OrjsonSerializer",
    "PickleSerializer",
    "RawSerializer",
    "Serializer",
]
QUEUES = [
    "AsyncQueue",
    "Guarantees",
    "ManagerQueue",
    "MemoryQueue",
    "PipeQueue",
    "PosixMQ",
    "ProcessLines",
    "QueueHost",
    "SysVMQ",
    "reap",
]
CONNECTORS = [
    "FifoConnector",
    "LocalConnector",
    "ManagerConnector",
    "MemoryConnector",
    "PosixMQConnector",
    "RmqConnector",
    "RmqInboxConnector",
    "StdioConnector",
    "SysVConnector",
    "TcpConnector",
    "connector_from",
]


def optional(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name != name:
            raise
        return None


TESTING = optional("communica_like.testing")
MODULES = [communica_like, exceptions, serializers, queues, connectors, *filter(None, [TESTING])]
EXPORTS = [(module, name) for module in MODULES for name in getattr(module, "__all__", [])]


@pytest.mark.parametrize(
    "module,names",
    [
        (communica_like, sorted({*TOP, *EXCEPTIONS})),
        (exceptions, EXCEPTIONS),
        (serializers, SERIALIZERS),
        (queues, QUEUES),
        (connectors, CONNECTORS),
    ],
    ids=["communica_like", "exceptions", "serializers", "queues", "connectors"],
)
def test_names(module: ModuleType, names: list[str]) -> None:
    assert sorted(module.__all__) == sorted(names)


@pytest.mark.parametrize("module,name", EXPORTS, ids=[f"{m.__name__}.{n}" for m, n in EXPORTS])
def test_export_exists_and_is_documented(module: ModuleType, name: str) -> None:
    exported = getattr(module, name)
    assert inspect.getdoc(exported)
    if inspect.isclass(exported):
        assert exported.__doc__
        assert not exported.__doc__.startswith(f"{name}("), "a dataclass without a docstring of its own"


@pytest.mark.parametrize("module,name", EXPORTS, ids=[f"{m.__name__}.{n}" for m, n in EXPORTS])
def test_export_is_in_the_reference(module: ModuleType, name: str) -> None:
    text = (ROOT / "docs" / "reference.md").read_text("utf-8")
    assert re.search(rf"\b{name}\b", text)


@pytest.mark.parametrize("name", [name for name in TOP if inspect.isclass(getattr(communica_like, name))])
def test_public_methods_are_documented(name: str) -> None:
    for method, value in inspect.getmembers(getattr(communica_like, name)):
        if not method.startswith("_") and callable(value):
            assert inspect.getdoc(value), f"{name}.{method}"


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_exceptions_share_a_base(name: str) -> None:
    assert issubclass(getattr(exceptions, name), exceptions.CommunicaError)


def loaded_by(statement: str) -> set[str]:
    """Return the modules that a statement loads in a fresh interpreter."""
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_an_import_is_lean() -> None:
    loaded = loaded_by("import communica_like")
    unwanted = {"orjson", "adaptix", "anyio", "attr", "pydantic", "multiprocessing", "http.client", "email"}
    assert not unwanted & loaded
    assert "aiormq" not in loaded_by("from communica_like import RmqConnector")
    # Nothing beside asyncio, which brings ssl along itself.
    assert "communica_like.testing" not in loaded
    assert len(loaded - loaded_by("import asyncio, uuid, dataclasses, json, urllib.parse")) < 120


def test_classic_queues_are_imported_when_they_are_used() -> None:
    script = """
import sys
from communica_like import blocking
kinds = {"manager", "pipes", "posixmq", "sysvmq"}
assert not {f"communica_like.blocking.{kind}" for kind in kinds} & set(sys.modules)
for kind in kinds:
    assert getattr(blocking, kind).__name__ == f"communica_like.blocking.{kind}"
assert not hasattr(blocking, "other")
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_serializers_import_no_optional_package() -> None:
    assert not {"orjson", "adaptix"} & loaded_by("import communica_like.serializers")
    unwanted = {"posix_ipc", "sysv_ipc", "orjson", "multiprocessing"}
    assert not unwanted & loaded_by("import communica_like.queues")


def test_package_is_typed() -> None:
    package = Path(communica_like.__file__).parent
    assert (package / "py.typed").is_file()


def test_versions_agree() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\w*", communica_like.__version__)
    try:
        installed = importlib.metadata.version("communica_like")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("it is not installed")
    assert installed == communica_like.__version__


def test_anyio_is_the_one_runtime_dependency() -> None:
    project = PYPROJECT["project"]
    assert [re.split(r"\W", each)[0] for each in project["dependencies"]] == ["anyio"]
    assert project["optional-dependencies"]["blocking"] == []
    # Not even what blocks: a loop, and anyio with it, is started when something has to wait.
    assert "anyio" not in loaded_by("import communica_like.blocking.posixmq, communica_like.logging")


def test_dir_shows_every_public_name() -> None:
    for module in (communica_like, connectors, queues):
        assert set(module.__all__) <= set(dir(module))
    assert "__version__" in dir(communica_like)


# ------------------------------------------------------------------------------- what CI reads in the README

VENV = "python3 -m venv .venv && .venv/bin/pip install --quiet nox && .venv/bin/nox"


def test_readme_commands() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert re.findall(r"^```sh\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL) == [
        f"{VENV} -s demo\n",
        f"{VENV} -s test\n",
    ]
    # .ci/run takes the second.
    assert len(re.findall(r"^```sh", readme, re.MULTILINE)) == 2


def test_pages_hold_no_traces_of_a_machine() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.py")]:
        text = page.read_text("utf-8")
        found = re.search(r"/home/\w|/Users/\w|/tmp/\w+/|--index-url", text)
        assert not found, f"{page.name}: {found}"
