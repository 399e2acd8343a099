"""Every check of the project.

``nox -s test`` runs the test suite once, ``nox`` all checks on all Pythons; ``nox -l`` lists the sessions.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
from itertools import chain
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
PYTHONS = ["3.11", "3.12", "3.13"]
LOWEST_PYTHON = PYTHONS[0]
# The packages that do no I/O. Each of their modules is covered completely, by its own test files.
CORE = ["wire", "session"]
# Tests of what other packages have a part in: kernel queues, the broker, the portal, serializers.
USERS = ["tests/serializers", "tests/queues", "tests/interop", "tests/test_exports.py", "tests/blocking"]
USERS += ["--ignore-glob=tests/blocking/*/test_interrupts.py", "--ignore=tests/blocking/test_exit.py"]
for name in ("amqp", "kernel"):
    USERS.append(f"tests/connectors/{name}")
# Of the group "interop", what is written in C and has few wheels.
COMPILED = "ipcqueue"
# The whole suite: for much of their time its tests wait for other processes.
AT_ONCE = ["-n", "4"]
# What nox leaves out on all but the oldest Python, for the time that it takes.
ONE_PYTHON = ["-m", "not quiet and not chaos and not one_python"]

PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")

# Each run of the tests would compile them again, in each of its processes.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "layers", "tests", "quiet", "core_coverage", "lowest", "demo"]
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False
nox.options.error_on_external_run = True


# --------------------------------------------------------------------------------------- interpreters


def works(python: str | Path, version: str) -> bool:
    """Whether *python* runs and is of *version*. A pyenv shim may exist and still not run."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.strip() == version


def find_interpreter(version: str) -> bool:
    """Look for Python *version* on PATH, then among those that pyenv installed, which go on PATH."""
    name = f"python{version}"
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return True
    on_path = shutil.which(name)
    if on_path is not None and works(on_path, version):
        return True
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = pyenv.glob(f"versions/{version}.*/bin/{name}")
    for python in sorted(found, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parts[-3])]):
        if works(python, version):
            os.environ["PATH"] = os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)])
            return True
    return False


def show_missing_interpreters(missing: list[str]) -> None:
    bar = "!" * 80
    names = ", ".join(f"Python {version}" for version in missing)
    print(
        f"\n{bar}\n!!  MISSING: {names}\n"
        "!!  The sessions for these versions are SKIPPED: nothing is known about them.\n"
        f"!!  Put the interpreters on PATH, or install them with pyenv.\n{bar}\n",
        file=sys.stderr,
        flush=True,
    )


def needs_all_interpreters(arguments: list[str]) -> bool:
    """Whether this run of nox is one that uses PYTHONS: not, say, ``nox -s demo``."""
    words = " ".join(arguments).replace("=", " ").split()
    chosen = any(word in ("-s", "-e", "--session", "--sessions") for word in words)
    return not chosen or any(word.startswith(("tests", "lowest")) for word in words)


MISSING = [version for version in PYTHONS if not find_interpreter(version)]
if MISSING and needs_all_interpreters(sys.argv[1:]):
    show_missing_interpreters(MISSING)
    atexit.register(show_missing_interpreters, MISSING)


# --------------------------------------------------------------------------------------- dependencies


def group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PYPROJECT, name))


def lowest(requirement: str) -> str:
    """``name>=X`` as ``name==X``; an exact pin stays as it is."""
    pinned, count = re.subn(r"^([\w.-]+)\s*[>=]=\s*([\w.]+)(?:,<[\w.]+)?(\s*;.*)?$", r"\1==\2\3", requirement)
    if not count:
        raise ValueError(f"no lower bound of the form name>=X: {requirement!r}")
    return pinned


def install_for_tests(session: nox.Session, *more: str) -> None:
    session.install("-e", ".[all]", *group("test"), *more)
    compile_package(session)


def compile_package(session: nox.Session) -> None:
    """The tests start thousands of processes, and none of them is to compile the package again."""
    session.run("python", "-m", "compileall", "-q", "communica_like", silent=True)


def install_originals(session: nox.Session, requirements: list[str]) -> dict[str, str]:
    """Install the packages of the group "interop"; return the variable that makes their tests run.

    One of them has to be compiled where the index has no wheel of it for this Python: without a compiler it
    is left out, and its tests are skipped. All else that goes wrong is an error.
    """
    installed = []
    for requirement in requirements:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        try:
            session.install(requirement)
        except nox.command.CommandFailed:
            if name != COMPILED or shutil.which("cc") or shutil.which("gcc"):
                raise
            session.warn(f"{name} needs a C compiler, and there is none: its tests are SKIPPED")
        else:
            installed.append(name)
    return {"COMMUNICA_LIKE_INTEROP": " ".join(installed)}


def broker_env() -> dict[str, str]:
    """The variable that makes the tests with a RabbitMQ broker fail without one, where one is installed."""
    installed = shutil.which("rabbitmq-server") or Path("/usr/sbin/rabbitmq-server").exists()
    return {"COMMUNICA_LIKE_BROKER": "required"} if installed else {}


def coverage_env(session: nox.Session, name: str = "all") -> dict[str, str]:
    # Not in session.create_tmp(): that moves TMPDIR, and a socket's path must be short.
    return {"COVERAGE_FILE": str(Path(session.virtualenv.location).resolve() / f".coverage.{name}")}


# ------------------------------------------------------------------------------------ default sessions


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff and codespell."""
    session.install(*group("lint"))
    session.run("ruff", "check", *(session.posargs or ["."]))
    session.run("codespell", *session.posargs)


@nox.session
def types(session: nox.Session) -> None:
    """Run mypy --strict."""
    session.install("-e", ".[all]", *group("types"))
    session.run("mypy", *session.posargs)


@nox.session
def layers(session: nox.Session) -> None:
    """Check which modules import which."""
    session.install(*group("layers"))
    session.run("lint-imports", *session.posargs)


def run_suite(session: nox.Session, *selection: str) -> None:
    install_for_tests(session)
    env = {**install_originals(session, group("interop")), **broker_env()}
    session.run("pytest", *(session.posargs or [*AT_ONCE, *selection]), env=env)


@nox.session
def test(session: nox.Session) -> None:
    """Run the test suite once, on the Python that runs nox."""
    run_suite(session)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the test suite on every Python."""
    run_suite(session, *([] if session.python == PYTHONS[0] else ONE_PYTHON))


@nox.session
def quiet(session: nox.Session) -> None:
    """Run the tests that measure time, one after another."""
    install_for_tests(session)
    session.run("pytest", "-m", "quiet", *session.posargs, env=broker_env())


def own_tests(module: Path) -> list[Path]:
    """The test files of a module X of the core: test_X.py, and all test_X_*.py beside it.

    Where there is a module X_Y too, test_X_Y.py and test_X_Y_*.py are its own, and not those of X.
    """
    folder = Path("tests", module.parent.relative_to("communica_like"))
    name = module.stem.lstrip("_")
    others = [other.stem.lstrip("_") for other in module.parent.glob("*.py")]
    foreign = tuple(f"test_{other}_" for other in others if other.startswith(f"{name}_"))
    more = sorted(folder.glob(f"test_{name}_*.py"))
    return [folder / f"test_{name}.py", *(test for test in more if not f"{test.stem}_".startswith(foreign))]


@nox.session
def core_coverage(session: nox.Session) -> None:
    """Each module of the core: 100 % of its branches, by its own tests alone.

    For a module X these are test_X.py and all test_X_*.py beside it, run together.
    """
    install_for_tests(session)
    problems = []
    checked = 0
    for package in CORE:
        for module in sorted(Path("communica_like", package).rglob("*.py")):
            if module.name == "__init__.py":
                continue
            checked += 1
            own = own_tests(module)
            if not own[0].is_file():
                problems.append(f"{module}: there is no {own[0]}")
                continue
            env = coverage_env(session, f"{package}.{module.stem}")
            try:
                session.run("coverage", "erase", env=env)
                session.run("coverage", "run", "-m", "pytest", *map(str, own), env=env)
                session.run("coverage", "report", f"--include={module}", "--fail-under=100", env=env)
            except nox.command.CommandFailed:
                names = ", ".join(map(str, own))
                problems.append(f"{module}: its tests fail, or do not cover it completely: {names}")
    if not checked:
        problems.append(f"no modules found in {' and '.join(CORE)}")
    if problems:
        session.error("\n  ".join(["the core is not covered:", *problems]))


@nox.session(python=LOWEST_PYTHON, name="lowest")
def lowest_versions(session: nox.Session) -> None:
    """Run the tests of what uses other packages, with the oldest versions that pyproject.toml allows."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    named = [extra for name, extra in extras.items() if name not in ("all", "uvloop")]
    requirements = [*PYPROJECT["project"]["dependencies"], *chain.from_iterable(named), *group("test")]
    session.install("-e", ".[all]", *map(lowest, requirements))
    compile_package(session)
    originals = install_originals(session, [lowest(requirement) for requirement in group("interop")])
    command = session.posargs or [*AT_ONCE, *USERS]
    session.run("pytest", *command, env={**originals, **broker_env()})


@nox.session
def examples(session: nox.Session) -> None:
    """Check that every example does what it says."""
    install_for_tests(session)
    session.run("pytest", "tests/test_examples.py", *session.posargs, env=broker_env())


@nox.session
def demo(session: nox.Session) -> None:
    """Install the package as a user would, and run examples/demo.py."""
    session.install(".[all]")
    session.run("python", "examples/demo.py", *session.posargs)


# -------------------------------------------------------------------------------------- other sessions


@nox.session
def chaos(session: nox.Session) -> None:
    """Run the long tests: random faults and steady load, for ten minutes at most."""
    install_for_tests(session)
    command = ["pytest", "-m", "chaos", *AT_ONCE, "--timeout=300", "--session-timeout=600", *session.posargs]
    session.run(*command, env=broker_env())


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks. --check, --quick and --rounds=N go to all of them, other arguments to the first."""
    session.install("-e", ".[all]", *group("broker"))
    install_originals(session, group("interop"))
    common = [word for word in session.posargs if re.fullmatch(r"--(check|quick|rounds=\d+)", word)]
    failed = []
    for module, arguments in (
        ("benchmarks", session.posargs),
        ("benchmarks.queues", common),
        ("benchmarks.connectors", common),
        ("benchmarks.blocking", common),
        *([("benchmarks.broker", common)] if broker_env() else []),
    ):
        try:
            session.run("python", "-m", module, *arguments)
        except nox.command.CommandFailed:
            failed.append(module)
    if failed:
        session.error(f"failed: {', '.join(failed)}")
