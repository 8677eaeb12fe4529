from __future__ import annotations

import os

import pytest

from sod_plugins._common.text import printable


@pytest.mark.parametrize(
    ('name', 'shown'),
    [(b'caf\xe9.png', 'caf\ufffd.png'), ('café'.encode(), 'café'), (b'plain', 'plain')],
)
def test_what_is_no_utf_8_becomes_a_mark(name, shown):
    assert printable(os.fsdecode(name)) == shown
