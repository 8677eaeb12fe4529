"""Whatever becomes of what a verb prints, its files are complete: they are written before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sod_plugins.cli import main

# Runs each verb with a standard output that takes nothing.
CODE = """
import json, os, sys
from sod_plugins.cli import main

kept, statuses = os.dup(1), []
for words in json.loads(sys.argv[2]):
    if sys.argv[1] == 'full':
        taker = os.open('/dev/full', os.O_WRONLY)
    else:
        unread, taker = os.pipe()
        os.close(unread)
    os.dup2(taker, 1)
    statuses.append(main(words))
    os.dup2(kept, 1)
print(json.dumps(statuses))
"""


@pytest.mark.parametrize('kind', ['full', 'closed'])
def test_results_are_on_disk_before_anything_is_printed(tmp_path, kind):
    if kind == 'full' and not Path('/dev/full').exists():
        pytest.skip('needs /dev/full')
    data = tmp_path / 'data'
    assert main(['data', 'synth', str(data), '--count', '2', '--size', '48', '64']) == 0
    truth = json.loads((data / 'annotations.json').read_text())
    found = [{**entry, 'score': 0.5} for entry in truth['annotations']]
    (tmp_path / 'found.json').write_text(json.dumps(found))
    masks = str(data / 'masks')
    verbs = {
        'eval': [masks, masks, '--csv', 'eval.csv', '--json', 'eval.json', '--curves', 'curves'],
        'eval-instances': ['found.json', str(data / 'annotations.json'), '--json', 'ap.json'],
        'report': [masks, '--data', str(data), '-o', 'report.html'],
        'predict': [str(data / 'images'), '-o', 'maps'],
    }
    commands = [[verb, *words] for verb, words in verbs.items()]
    commands += [
        ['data', 'synth', 'more', '--count', '1', '--size', '48', '64'],
        ['data', 'instances', str(data), '--label-format', 'masks', '-o', 'labels.json'],
    ]
    words = [sys.executable, '-c', CODE, kind, json.dumps(commands)]
    run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == [141] * len(commands)
    assert ('all is done, but not printed' in run.stderr) == (kind == 'full')
    assert len(json.loads((tmp_path / 'eval.json').read_text())) > 3
    assert json.loads((tmp_path / 'ap.json').read_text())['mask_map'] == 1
    assert (tmp_path / 'report.html').read_text().rstrip().endswith('</html>')
    assert len(list((tmp_path / 'maps').glob('*.png'))) == 2
    assert len(list((tmp_path / 'more/images').iterdir())) == 1
    assert len(json.loads((tmp_path / 'labels.json').read_text())['annotations']) == 2
    assert {'eval.csv', 'curves.png', 'curves.pdf'} <= {path.name for path in tmp_path.iterdir()}
