"""The generated scripts, run in the shells for which they are."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time

import pytest

from sod_plugins.cli import completion, main
from sod_plugins.configs import list_configs
from sod_plugins.zoo import list_models

pytest.importorskip('argcomplete')

BASH = """
source ./script
COMP_LINE="$1" COMP_POINT=${#1} COMP_TYPE=9 COMP_WORDBREAKS=$' \\n'
_python_argcomplete sod
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    """A folder with the command ``sod``, the script of a shell and some files; skips without it."""

    def prepare(name):
        program = shutil.which(name)
        if program is None:
            pytest.skip(f'needs {name}')
        assert main(['completion', name]) == 0
        (tmp_path / 'script').write_text(capsys.readouterr().out)
        command = tmp_path / 'bin' / 'sod'
        command.parent.mkdir()
        lines = (
            f'#!{sys.executable}',
            'from sod_plugins.cli import main',
            'raise SystemExit(main())',
        )
        command.write_text('\n'.join(lines))
        command.chmod(0o755)
        monkeypatch.setenv('PATH', f'{command.parent}:{os.environ["PATH"]}')
        (tmp_path / 'photo.jpg').touch()
        (tmp_path / 'phoenix').mkdir()
        return program

    monkeypatch.chdir(tmp_path)
    return prepare


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return [line.partition('\t')[0].strip() for line in done.stdout.splitlines()]


@pytest.mark.parametrize('name', ['bash', 'fish'])
def test_words_that_may_follow(shell, name):
    program = shell(name)

    def complete(line):
        if name == 'bash':
            return run(program, '--norc', '-c', BASH, 'bash', line)
        return run(program, '-N', '-c', 'source script; complete -C $argv[1]', line)

    assert complete('sod pr') == ['predict', 'prune']
    assert sorted(complete('sod models ')) == sorted(list_models())
    assert complete('sod predict --model sod-s') == ['sod-small']
    assert complete('sod predict --cuto') == ['--cutout']
    assert complete('sod predict --backend open') == ['openvino']
    assert complete('sod data sy') == ['synth']
    csnets = [config for config in list_configs() if config.startswith('csnet/csnet-x1')]
    assert sorted(complete('sod train csnet/csnet-x1')) == csnets
    assert complete('sod train config.py --a') == ['--amp']
    assert complete('sod train config.py --launcher s') == ['slurm']
    assert sorted(complete('sod test --show-dir maps --c')) == ['--cfg-options', '--crf']
    assert {path.rstrip('/') for path in complete('sod test config.py pho')} == {
        'photo.jpg',
        'phoenix',
    }
    assert {path.rstrip('/') for path in complete('sod predict pho')} == {'photo.jpg', 'phoenix'}
    assert complete('sod serve --host loc') in ([], [''])  # nothing fits, and no error is shown


def test_zsh_completes_at_the_key(shell, tmp_path):
    """In a terminal, as zsh completes nowhere else."""
    program = shell('zsh')
    process, terminal = pty.fork()
    if not process:
        os.execvp(program, [program, '-f', '-i'])
    shown = b''

    def type_in(text, until):
        nonlocal shown
        os.write(terminal, text.encode())
        end = time.monotonic() + 60
        while until not in shown and time.monotonic() < end:
            if select.select([terminal], [], [], 1)[0]:
                shown += os.read(terminal, 4096)
        assert until in shown, shown

    try:
        words = 'autoload -U compinit; compinit -u -D; source script; unsetopt beep; echo re""ady\n'
        type_in(words, b'ready')
        type_in('sod predict --model sod\t', b'sod-small')
        type_in(' --backend openv\t', b'openvino')
    finally:
        os.close(terminal)
        os.waitpid(process, 0)


def test_without_its_library_the_extra_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'argcomplete', None)
    assert main(['completion', 'bash']) == 2
    assert "pip install 'sod-plugins[completion]'" in capsys.readouterr().err


def test_nothing_is_completed_where_no_shell_asks(monkeypatch):
    monkeypatch.delenv(completion.ASKED, raising=False)
    assert not completion.is_asked()
