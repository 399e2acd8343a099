"""Every check of the project. ``nox`` runs the default ones, ``nox -l`` lists them all."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
PYTHONS = ["3.11", "3.12", "3.13"]
LOWEST_PYTHON = PYTHONS[0]
# The packages that do no I/O. Each of their modules is covered completely, by its own test files.
CORE = ["wire", "session"]

PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "layers", "tests", "core_coverage", "lowest", "examples", "demo"]
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
    pinned, count = re.subn(r"^([\w.-]+)\s*[>=]=\s*([\w.]+)(\s*;.*)?$", r"\1==\2\3", requirement)
    if not count:
        raise ValueError(f"no lower bound of the form name>=X: {requirement!r}")
    return pinned


def install_for_tests(session: nox.Session, *more: str) -> None:
    session.install("-e", ".[all]", *group("test"), *more)


def coverage_env(session: nox.Session, name: str = "all") -> dict[str, str]:
    # Not in session.create_tmp(): that moves TMPDIR, and a socket's path must be short.
    return {"COVERAGE_FILE": str(Path(session.virtualenv.location).resolve() / f".coverage.{name}")}


# ------------------------------------------------------------------------------------ default sessions


@nox.session
def lint(session: nox.Session) -> None:
    """ruff."""
    session.install(*group("lint"))
    session.run("ruff", "check", *(session.posargs or ["."]))


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict."""
    session.install("-e", ".[all]", *group("types"))
    session.run("mypy", *session.posargs)


@nox.session
def layers(session: nox.Session) -> None:
    """Who may import whom."""
    session.install(*group("layers"))
    session.run("lint-imports", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """pytest."""
    install_for_tests(session)
    session.run("pytest", *session.posargs)


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
    """pytest with the oldest version of everything that pyproject.toml allows."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    named = [*extras["orjson"], *extras["adaptix"], *extras["posixmq"], *extras["sysvmq"]]
    requirements = [*named, *group("test")]
    session.install("-e", ".[all]", *map(lowest, requirements))
    session.run("pytest", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """Every example does what it says."""
    install_for_tests(session)
    session.run("pytest", "tests/test_examples.py", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Install the package as a user would, and run examples/demo.py."""
    session.install(".[all]")
    session.run("python", "examples/demo.py", *session.posargs)


# -------------------------------------------------------------------------------------- other sessions


@nox.session
def chaos(session: nox.Session) -> None:
    """The long tests: random faults and steady load. At most 15 minutes."""
    install_for_tests(session)
    limits = ["--timeout=900", "--session-timeout=900"]
    session.run("pytest", "-m", "chaos or soak", *limits, *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmarks. Arguments after ``--`` are theirs."""
    session.install("-e", ".[all]")
    session.run("python", "-m", "benchmarks", *session.posargs)
    session.run("python", "-m", "benchmarks.queues", *(["--check"] if "--check" in session.posargs else []))
