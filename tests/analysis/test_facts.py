from __future__ import annotations

import pytest

from sod_plugins.analysis.facts import network_facts
from sod_plugins.networks import CSNet, Preprocessing, save_network


def test_facts_are_those_of_the_paper(tmp_path):
    save_network(tmp_path / 'net.pth', CSNet(width=1.0), Preprocessing(size=(64, 96)))
    facts = network_facts(tmp_path / 'net.pth', (224, 224))
    assert facts['parameters'] == '210,985'
    assert facts["MACs, CSNet authors' counter"] == '0.6106 G'
    assert facts['network'].startswith('CSNet(width=1.0, ')
    assert network_facts(tmp_path / 'net.pth')['input'] == '64 x 96 (height x width)'


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.pth'):
        network_facts(tmp_path / 'none.pth')
