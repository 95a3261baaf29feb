"""Looks for inputs that break a parser's contract, guided by which code they reach: `python -m tests.fuzz`.

Each parser has its turn in a process of its own. What is found is kept under ``tests/fuzz/cases``, where
``tests/property/test_parsers.py`` reads it again for ever after. Needs the extra ``fuzz`` (atheris).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

CASES = Path(__file__).parent / "cases"

#: Bytes of one input: most faults are small, and small inputs are tried more often.
_LONGEST = 4_096
#: Bytes of memory and seconds for one input, beyond which it is a finding by itself.
_MEMORY_MB = 3_072
_SECONDS_EACH = 20


def main() -> int:
    """Fuzz each parser for a while; return 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=30, help="how long each parser is tried")
    parser.add_argument("--only", help="the name of one parser")
    parser.add_argument("--target", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args()
    if options.target:
        _fuzz(options.target, rest)
    names = [options.only] if options.only else _names()
    found = [name for name in names if not _take_turn(name, options.seconds)]
    print(f"{len(names)} parsers were tried for {options.seconds} s each; with findings: {', '.join(found) or 'none'}.")
    return 1 if found else 0


def _names() -> list[str]:
    from tests.fuzz.parsers import PARSERS

    return list(PARSERS)


def _take_turn(name: str, seconds: int) -> bool:
    """Fuzz one parser; return whether nothing was found."""
    kept = CASES / name.replace(" ", "_")
    kept.mkdir(parents=True, exist_ok=True)
    before = len(list(kept.iterdir()))
    with tempfile.TemporaryDirectory() as folder:
        words = Path(folder) / "words"
        words.write_text(_dictionary(name))
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        seeds = [str(kept)] if before else []
        command = [sys.executable, "-m", "tests.fuzz", "--target", name, str(corpus), *seeds]
        command += [f"-max_total_time={seconds}", f"-max_len={_LONGEST}", f"-dict={words}", f"-timeout={_SECONDS_EACH}"]
        command += [f"-artifact_prefix={kept}/", f"-rss_limit_mb={_MEMORY_MB}", "-print_final_stats=1", "-verbosity=0"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    tried = next((line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line), "?")
    good = done.returncode == 0
    print(f"{name:12} {tried:>10} inputs  {'nothing found' if good else 'FOUND SOMETHING'}", flush=True)
    if not good:
        print(done.stderr[-4_000:], file=sys.stderr, flush=True)
    if not list(kept.iterdir()):
        kept.rmdir()
    return good


def _dictionary(name: str) -> str:
    from tests.fuzz.parsers import PARSERS

    escaped = ("".join(f"\\x{byte:02x}" for byte in word.encode("latin-1", "replace")) for word in PARSERS[name].words)
    return "".join(f'"{word}"\n' for word in escaped)


def _fuzz(name: str, arguments: list[str]) -> None:
    import atheris

    with atheris.instrument_imports(include=["engine", "workers"]):
        from tests.fuzz.parsers import PARSERS
    atheris.Setup([f"fuzz {name}", *arguments], PARSERS[name].try_on)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
