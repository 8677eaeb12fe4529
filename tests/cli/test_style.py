"""Colours appear on terminals only, and where nobody objects."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys

import pytest

from sod_plugins.cli.style import paint


class Terminal(io.StringIO):
    """A stream that shows colours."""

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.delenv('NO_COLOR', raising=False)
    monkeypatch.setenv('TERM', 'xterm')


def test_a_terminal_gets_colours_and_a_file_none():
    assert paint('text', 'red', Terminal()) == '\x1b[31mtext\x1b[0m'
    assert paint('text', 'red', io.StringIO()) == 'text'
    assert paint('', 'red', Terminal()) == ''


@pytest.mark.parametrize(
    ('name', 'value', 'coloured'),
    [('NO_COLOR', '1', False), ('NO_COLOR', '', True), ('TERM', 'dumb', False)],
)
def test_variables(monkeypatch, name, value, coloured):
    monkeypatch.setenv(name, value)
    assert ('\x1b' in paint('text', 'bold', Terminal())) == coloured


@pytest.mark.parametrize('coloured', [True, False])
def test_errors_and_lists_of_a_whole_command(coloured):
    """On a pseudo-terminal: what is coloured reads the same without the codes."""
    environ = {**os.environ, **({} if coloured else {'NO_COLOR': '1'})}
    for words, red in (
        (['predcit'], '\x1b[31msod: error:\x1b[0m'),
        (['complexity', 'none.pth'], '\x1b[31msod: error:\x1b[0m'),
        (['models'], '\x1b[1msod-small'),
    ):
        ours, theirs = pty.openpty()
        command = [sys.executable, '-m', 'sod_plugins.cli', *words]
        subprocess.run(command, stdout=theirs, stderr=theirs, env=environ, check=False)
        os.close(theirs)
        text = os.read(ours, 1 << 16).decode()
        os.close(ours)
        assert (red in text) == coloured
        assert ('\x1b' in text) == coloured
        assert 'sod' in text
