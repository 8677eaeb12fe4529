"""Every config trains on generated scenes, is killed, resumed exactly, and tested."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
import torch
from d2_configs import ALL, USER_DATA, finish, options_of, start

from sod_plugins.checkpoints import load_network
from sod_plugins.checkpoints.reading import read_checkpoint


def test_all_configs_are_covered():
    assert len(ALL) == 10
    for config in ALL:
        assert options_of(config, Path('scenes'))


@pytest.mark.slow
@pytest.mark.parametrize('config', ALL, ids=lambda path: path.name)
def test_trains_is_killed_resumes_exactly_and_is_tested(config, scenes, tmp_path):
    (tmp_path / 'user_data.py').write_text(USER_DATA.format(root=scenes))
    own = ['--cfg-options', *options_of(config, scenes), '--import', tmp_path / 'user_data.py']
    whole, broken = tmp_path / 'whole', tmp_path / 'broken'
    log = tmp_path / 'log.txt'
    finish(start('train.py', config, '--work-dir', whole, *own, log=log), log)

    process = start('train.py', config, '--work-dir', broken, *own, log=log)
    deadline = time.monotonic() + 600
    while not (broken / 'model_0000004.pth').exists() and time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-3000:]
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (broken / 'model_final.pth').exists()
    finish(start('train.py', config, '--work-dir', broken, '--resume', *own, log=log), log)

    straight, resumed = (
        read_checkpoint(folder / 'model_final.pth')['model'] for folder in (whole, broken)
    )
    assert straight.keys() == resumed.keys()
    for name, value in straight.items():
        assert torch.equal(value, resumed[name]), name

    checkpoint = broken / 'model_final.pth'
    done = start('test.py', config, checkpoint, '--work-dir', tmp_path / 'test', *own, log=log)
    finish(done, log)
    results = json.loads((tmp_path / 'test/test_results.json').read_text())
    assert results and all(measures for measures in results.values())
    if config.stem.startswith(('csnet', 'samnet', 'picanet_', 'itdbu', 's4net')):
        assert load_network(checkpoint).task in ('saliency', 'instances')
