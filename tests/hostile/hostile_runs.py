"""What the scripts of hostile files share: readers in processes that may die, and a table.

A file is refused in a sentence, or read. Counted are, for each reader: files tried, code executed
or files written elsewhere than where the reader writes (``executed``), processes that died
(``crash``), errors that are no sentence (``traceback``) and readers that did not come back
(``hang``).

An older version is measured by its folder in front, and by the readers that it has::

    PYTHONPATH=../older python tests/hostile/checkpoint_files.py --part 4 --readers load extract
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Reader = Callable[[Path, Path], None]
KINDS = ('tried', 'executed', 'crash', 'traceback', 'hang')
LONGEST = 20_000  # characters of a message


@dataclass(frozen=True)
class Corpus:
    """Hostile files, and what reads them.

    Attributes:
        write: Writes every Nth hostile file into a folder and returns the names.
        make_good_files: Writes what readers need beside a hostile file into another folder.
        readers: Each is called with a hostile file and the folder of good ones.
        faulty: Readers with faults, to show that these are found.
        takes: Tells which reader gets which file; by default each gets all.
        changed: Says what a file changed in the process, and undoes it; else an empty text.
        outputs: What readers may write in the folder of good files.
        sentences: The errors whose message is a sentence.
        memory: Bytes that a reader may take.
        patience: Seconds for one reader and file.
    """

    write: Callable[[Path, int], list[str]]
    make_good_files: Callable[[Path], None]
    readers: Sequence[Reader]
    faulty: Sequence[Reader] = ()
    takes: Callable[[str, str], bool] = lambda reader, name: True
    changed: Callable[[], str] = str
    outputs: frozenset[str] = frozenset({'out'})
    sentences: tuple[type[Exception], ...] = (ValueError, OSError)
    memory: int = 4 << 30
    patience: float = 60.0


def read_all(
    corpus: Corpus, readers: Sequence[Reader], hostile: Path, folder: Path, names: list[str]
) -> None:
    """Call every reader with every file and say how it went; runs in a process of its own."""
    sys.argv = ['hostile']
    resource.setrlimit(resource.RLIMIT_AS, (corpus.memory, corpus.memory))
    out = os.fdopen(os.dup(1), 'w', buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    kept = {path.name for path in folder.iterdir()} | corpus.outputs
    for name in names:
        for reader in readers:
            if not corpus.takes(reader.__name__, name):
                continue
            print(json.dumps([name, reader.__name__]), file=out)
            problems = {}
            try:
                with contextlib.suppress(SystemExit):
                    reader(hostile / name, folder)
            except corpus.sentences as error:
                if not str(error).strip() or len(str(error)) > LONGEST:
                    problems['traceback'] = f'no sentence: {error!r:.200}'
            except BaseException:  # what a user would see as a traceback
                problems['traceback'] = traceback.format_exc()[-1200:]
            if change := corpus.changed():
                problems['executed'] = change
            for path in folder.iterdir():
                if path.name not in kept:
                    problems['executed'] = f'{path.name} was written'
                    path.unlink()
            print(json.dumps(problems), file=out)


@dataclass
class Run:
    """Readers in processes of their own, started anew after a crash or a hang."""

    readers: Sequence[Reader]
    options: list[str]
    hostile: Path
    folder: Path
    patience: float
    findings: list[str] = field(default_factory=list)
    processes: int = 0

    def __post_init__(self) -> None:
        self.table = {reader.__name__: dict.fromkeys(KINDS, 0) for reader in self.readers}

    def run(self, names: list[str]) -> None:
        """Give every file to every reader."""
        while names:
            (name, reader), ending = self._run_once(names)
            if ending:  # the file at which the process ended is not tried again
                self._note(name, reader, *ending)
            names = names[names.index(name) + 1 :] if ending else []

    def _run_once(self, names: list[str]) -> tuple[tuple[str, str], tuple[str, str] | None]:
        self.processes += 1
        words = [*self.options, '--read', str(self.hostile), str(self.folder), *names]
        process = subprocess.Popen(
            [sys.executable, sys.argv[0], *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
            env={**os.environ, 'HOSTILE_CANARY': str(self.folder / 'canary')},
        )
        at = (names[0], self.readers[0].__name__)
        assert process.stdout is not None
        with process:
            for line in lines(process.stdout.fileno(), self.patience):
                if line is None:
                    process.kill()
                    return at, ('hang', f'no answer in {self.patience} s')
                value = json.loads(line)
                if isinstance(value, list):
                    at = (value[0], value[1])
                    self.table[at[1]]['tried'] += 1
                    continue
                for kind, what in value.items():
                    self._note(*at, kind, what)
        return at, ('crash', f'status {process.returncode}') if process.returncode else None

    def _note(self, name: str, reader: str, kind: str, what: str) -> None:
        self.table[reader][kind] += 1
        self.findings.append(f'{kind}: {reader} of {name}: {what}')

    def describe(self) -> str:
        """Return the table in Markdown."""
        rows = [['reader', *KINDS], ['---', *['---:'] * len(KINDS)]]
        rows += [[name, *map(str, row.values())] for name, row in self.table.items()]
        return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def lines(stream: int, patience: float) -> Iterator[bytes | None]:
    """Yield lines as they come, and at last None if for too long there is none."""
    buffer = b''
    while True:
        if not select.select([stream], [], [], patience)[0]:
            yield None
            return
        data = os.read(stream, 1 << 16)
        *whole, buffer = (buffer + data).split(b'\n')
        yield from whole
        if not data:
            return


def command(*words: object) -> int:
    """Call ``sod`` and return its status; a command line that it does not know is an error here."""
    from sod_plugins.cli import main as run

    try:
        status = run([str(word) for word in words])
    except SystemExit as error:
        raise AssertionError(f'{words} is no command line') from error
    assert status in (0, 1, 2)
    return status


def clean(name: str) -> str:
    """Return a name without what file systems or shells mind."""
    return ''.join(c if c.isalnum() or c in '-_.' else '_' for c in name)


def main(corpus: Corpus, description: str) -> int:
    """Run a corpus as the command line says, and return 1 if anything was found."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--part', type=int, default=1, metavar='N', help='every Nth file alone')
    parser.add_argument('--files', nargs='+', metavar='PREFIX', help='those of these names alone')
    parser.add_argument('--patience', type=float, default=corpus.patience, metavar='SECONDS')
    names = [reader.__name__ for reader in (*corpus.readers, *corpus.faulty)]
    parser.add_argument('--readers', nargs='+', metavar='NAME', choices=names, help='some alone')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write table and findings')
    parser.add_argument('--read', nargs='+', help=argparse.SUPPRESS)
    parser.add_argument('--faulty', action='store_true', help='call readers with known faults')
    args = parser.parse_args()
    readers = corpus.faulty if args.faulty else corpus.readers
    if args.readers:
        readers = [reader for reader in readers if reader.__name__ in args.readers]
    if args.read:
        read_all(corpus, readers, Path(args.read[0]), Path(args.read[1]), args.read[2:])
        return 0
    options = ['--faulty'] if args.faulty else []
    options += ['--readers', *(reader.__name__ for reader in readers)]
    sys.argv[0] = str(Path(sys.argv[0]).resolve())
    with tempfile.TemporaryDirectory() as scratch:
        hostile, folder = Path(scratch, 'corpus'), Path(scratch, 'work')
        hostile.mkdir()
        folder.mkdir()
        corpus.make_good_files(folder)
        files = corpus.write(hostile, args.part)
        files = [name for name in files if name.startswith(tuple(args.files or ['']))]
        run = Run(readers, options, hostile, folder, args.patience)
        run.run(files)
    print(f'{len(files)} files, {run.processes} processes')
    print(run.describe())
    print(*run.findings, sep='\n')
    if args.json:
        record = {'files': len(files), 'table': run.table, 'findings': run.findings}
        args.json.write_text(json.dumps(record, indent=2))
    return int(bool(run.findings))
