"""``sod eval`` and ``sod report``: measures chosen and added, names, files and what is printed."""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sod_command import sod

from sod_plugins._common import user_code
from sod_plugins.cli import main
from sod_plugins.metrics import MEASURE_NAMES, evaluate_folders
from sod_plugins.visualization.curves import curve_files

OWN_MEASURE = """
from sod_plugins.metrics import Measure, register_measure


def size(image):
    return image.mask.mean()


register_measure(Measure('size', 'object size', 'higher', size))
"""


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def dataset(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    for stem in ('a', 'b', 'c'):
        pixels = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        mask = (pixels[..., 0] > 99).astype(np.uint8) * 255
        save(tmp_path / 'images' / f'{stem}.jpg', pixels)
        save(tmp_path / 'masks' / f'{stem}.png', mask)
        save(tmp_path / 'maps' / f'{stem}.png', pixels[..., 0])
    return tmp_path


def test_eval_computes_the_chosen_measures(capsys, dataset):
    folders = dataset / 'maps', dataset / 'masks'
    status, output, _ = sod(
        capsys, 'eval', *folders, '--measures', 'max_kappa,si_mae', '--json', dataset / 's.json'
    )
    assert status == 0
    assert output.splitlines()[0] == '| method | protocol | images | max kappa ↑ | SI MAE ↓ |'
    expected = evaluate_folders(*folders, measures=['all'], progress=False).measures
    record = json.loads((dataset / 's.json').read_text())
    assert [info['key'] for info in record['measures']] == ['max_kappa', 'si_mae']
    assert {key: record[key] for key in ('max_kappa', 'si_mae')}.items() <= expected.items()
    status, output, errors = sod(capsys, 'eval', *folders, '--measures', 'max_g')
    assert (status, output) == (2, '')
    assert "Did you mean 'max_f'?" in errors


@pytest.mark.usefixtures('restored_registry')
@pytest.mark.parametrize('workers', [0, 1])
def test_a_users_measure_is_in_everything_written(capsys, dataset, monkeypatch, workers):
    monkeypatch.setattr(user_code, '_IMPORTED', [])
    (dataset / 'mine.py').write_text(OWN_MEASURE)
    out = dataset / 'out'
    kinds = ('json', 'csv', 'per-image', 'markdown', 'latex')
    options = [word for kind in kinds for word in (f'--{kind}', out / kind)]
    words = ['--import', dataset / 'mine.py', '--workers', workers]
    status, output, _ = sod(capsys, 'eval', dataset / 'maps', dataset / 'masks', *words, *options)
    assert status == 0
    sizes = [np.asarray(Image.open(path)).mean() / 255 for path in (dataset / 'masks').iterdir()]
    mean = np.mean(sizes)
    assert output.splitlines()[0].endswith('| BER ↓ | object size ↑ |')
    assert (out / 'markdown').read_text('utf-8') == output
    assert r'& object size $\uparrow$ \\' in (out / 'latex').read_text()
    assert json.loads((out / 'json').read_text())['size'] == pytest.approx(mean)
    (row,) = csv.DictReader((out / 'csv').read_text().splitlines())
    assert row['size'] == f'{mean:.4f}'
    rows = list(csv.DictReader((out / 'per-image').read_text().splitlines()))
    assert sorted(float(row['size']) for row in rows) == pytest.approx(sorted(sizes))
    page = dataset / 'page.html'
    words += ['--compare', f'other={out / "json"}']
    assert sod(capsys, 'report', dataset / 'maps', '--data', dataset, '-o', page, *words)[0] == 0
    assert page.read_text('utf-8').count('object size\u00a0↑') == 2  # of the set, of the images


def test_a_measure_of_an_installed_package_needs_no_word(dataset):
    (dataset / 'mine.py').write_text(OWN_MEASURE)
    offer = dataset / 'mine-1.0.dist-info'
    offer.mkdir()
    (offer / 'METADATA').write_text('Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n')
    (offer / 'entry_points.txt').write_text('[sod_plugins]\nmeasures = mine\n')
    words = [sys.executable, '-m', 'sod_plugins.cli', 'eval', dataset / 'maps', dataset / 'masks']
    paths = os.pathsep.join([str(dataset), *sys.path])
    run = subprocess.run(
        [*words, '--workers', '1'],
        env={**os.environ, 'PYTHONPATH': paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.splitlines()[0].endswith('| BER ↓ | object size ↑ |')


def test_code_that_cannot_be_imported_is_named(capsys, dataset):
    words = ['eval', dataset / 'maps', dataset / 'masks', '--import', 'absent_module_of_a_user']
    status, output, errors = sod(capsys, *words)
    assert (status, output) == (2, '')
    assert "Cannot import 'absent_module_of_a_user': there is no such module" in errors


def test_json_may_go_to_standard_output(capsys, dataset):
    words = ['eval', dataset / 'maps', dataset / 'masks', '--json', '-']
    status, output, _ = sod(capsys, *words)
    assert status == 0
    assert json.loads(output).keys() > set(MEASURE_NAMES)
    assert not Path('-').exists()


def test_curves_are_drawn_whatever_is_measured(capsys, dataset):
    words = ['eval', dataset / 'maps', dataset / 'masks', '--measures', 'mae']
    assert sod(capsys, *words, '--curves', dataset / 'c', '--json', dataset / 's.json')[0] == 0
    assert (dataset / 'c.pdf').stat().st_size > 1000
    assert 'max_f' not in json.loads((dataset / 's.json').read_text())


def test_a_method_without_curves_is_compared_by_its_measures(capsys, dataset):
    other, page = dataset / 'other.json', dataset / 'page.html'
    words = ['eval', dataset / 'maps', dataset / 'masks', '--measures', 'mae', '--json', other]
    assert sod(capsys, *words)[0] == 0
    words = ['report', dataset / 'maps', '--data', dataset, '-o', page]
    words += ['--compare', f'other={other}', '--curves', dataset / 'c']
    assert sod(capsys, *words)[0] == 0
    text = page.read_text('utf-8')
    assert 'Evaluated without curves: other.' in text
    assert '<td>other</td>' in text
    assert (dataset / 'c.png').exists()


def test_names_with_affixes_are_scored_and_reported(capsys, dataset):
    for path in [*(dataset / 'maps').iterdir()]:
        path.rename(path.with_name(f'{path.stem}_sal.png'))
    for path in [*(dataset / 'masks').iterdir()]:
        path.rename(path.with_name(f'gt-{path.name}'))
    affixes = ['--pred-suffix', '_sal', '--mask-prefix', 'gt-']
    status, _, errors = sod(capsys, 'eval', dataset / 'maps', dataset / 'masks', *affixes[2:])
    assert status == 2
    assert "give --pred-suffix '_sal', which fits these names" in errors
    for source in (dataset / 'masks', dataset):  # the masks alone, or the data set
        status, output, _ = sod(capsys, 'eval', dataset / 'maps', source, *affixes)
        assert (status, '| maps | pysodmetrics | 3 |' in output) == (0, True)
    page = dataset / 'page.html'
    words = ['report', dataset / 'maps', '--data', dataset, '-o', page, *affixes]
    assert sod(capsys, *words)[0] == 0
    assert '3 images' in page.read_text('utf-8')


def test_turned_files_are_read_as_stored_where_asked(capsys, dataset):
    """Photos turned by their EXIF tag, masks drawn on the stored pixels: a common mishap."""
    for name in ('images/a.jpg', 'masks/a.png'):
        path = dataset / name
        with Image.open(path) as image:
            exif = image.getexif()
            exif[0x0112] = 6
            image.copy().save(path, exif=exif)
    folders = dataset / 'maps', dataset / 'masks'
    status, _, errors = sod(capsys, 'eval', *folders)
    assert (status, 'is 30x20 but' in errors) == (2, True)
    assert sod(capsys, 'eval', *folders, '--exif', 'ignore')[0] == 0
    page = dataset / 'page.html'
    words = ['report', dataset / 'maps', '--data', dataset, '-o', page]
    assert sod(capsys, *words)[0] == 2
    assert sod(capsys, *words, '--exif', 'ignore')[0] == 0


def test_maps_that_are_taken_as_dark_are_named(capsys, dataset):
    save(dataset / 'maps' / 'b.png', np.eye(20, 30, dtype=np.uint8))
    words = ['eval', dataset / 'maps', dataset / 'masks', '--measures', 'mae']
    status, output, errors = sod(capsys, *words, '--protocol', 'salmetric')
    assert status == 0
    assert 'b' in errors.splitlines()[-1]
    assert '1 maps hold no values above 1' in errors
    assert '1 maps' not in output


def test_pipes_are_named_and_not_waited_for(capsys, dataset):
    os.mkfifo(dataset / 'pipe')
    words = ['report', dataset / 'maps', '--data', dataset, '-o', dataset / 'page.html']
    for options in (['--compare', f'other={dataset / "pipe"}'], ['--config', dataset / 'pipe']):
        status, output, errors = sod(capsys, *words, *options)
        assert (status, output) == (2, '')
        (line,) = errors.splitlines()
        assert re.match(f"sod: error: .*'{dataset / 'pipe'}'.*: it is a pipe or a device", line)
    assert not (dataset / 'page.html').exists()


@pytest.mark.parametrize(
    ('named', 'stem'), [('c', 'c'), ('c.png', 'c'), ('c.pdf', 'c'), ('v1.2', 'v1.2')]
)
def test_curves_have_two_files_by_any_name(named, stem):
    assert curve_files(f'new/{named}') == [Path(f'new/{stem}.png'), Path(f'new/{stem}.pdf')]


@pytest.mark.parametrize('taken', ['c.png', 'c.pdf'])
def test_names_of_curves_that_are_taken_are_refused_before_work(capsys, dataset, taken):
    (dataset / taken).mkdir()
    words = ['eval', dataset / 'absent', dataset / 'masks', '--curves', dataset / 'c']
    status, _, errors = sod(capsys, *words)
    assert (status, f"'{dataset / taken}' is a folder. Name a file" in errors) == (2, True)


def test_what_was_computed_is_printed_though_a_file_cannot_be_written(capsys, dataset, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('sod_plugins.visualization.curves.save_curves', fail)
    words = ['eval', dataset / 'maps', dataset / 'masks', '--measures', 'mae']
    words += ['--curves', dataset / 'c', '--json', dataset / 's.json']
    status, output, errors = sod(capsys, *words)
    assert (status, 'No space left' in errors) == (1, True)
    assert output.splitlines()[2].startswith('| maps | pysodmetrics | 3 |')
    assert (dataset / 's.json').exists()


def test_what_was_computed_is_written_though_it_cannot_be_printed(dataset, monkeypatch):
    """Results are on disk before the summary is printed."""

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, 'Broken pipe')

    monkeypatch.setattr(sys, 'stdout', Closed())
    files = ['--json', str(dataset / 's.json'), '--csv', str(dataset / 's.csv')]
    assert main(['eval', str(dataset / 'maps'), str(dataset / 'masks'), *files]) == 141
    assert (dataset / 's.json').exists()
    assert (dataset / 's.csv').exists()


@pytest.mark.parametrize('name', [b'maps-\xe9', b'$maps_', b'<maps&'])
def test_a_method_of_any_name_is_reported(capsys, dataset, name):
    folder = dataset / os.fsdecode(name)
    (dataset / 'maps').rename(folder)
    page = dataset / 'page.html'
    words = ['report', folder, '--data', dataset, '-o', page, '--curves', dataset / 'c']
    assert sod(capsys, *words)[0] == 0
    shown = html.escape(name.decode('utf-8', 'replace'))
    assert page.read_text('utf-8').count(shown) >= 3  # in the heading, the table and the legend


def test_a_pipe_that_nobody_reads_on_is_no_error(dataset):
    words = [sys.executable, '-m', 'sod_plugins.cli', 'eval', dataset / 'maps', dataset / 'masks']
    command = ' '.join(f"'{word}'" for word in words)
    run = subprocess.run(
        ['bash', '-c', f'set -o pipefail; {command} --json {dataset / "s.json"} | true'],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 141
    assert not re.search('error|Exception|Traceback', run.stderr)
    assert (dataset / 's.json').exists()


@pytest.mark.parametrize('encoding', ['utf-8', 'ascii'])
def test_names_and_signs_that_a_terminal_lacks_cost_nothing(dataset, encoding):
    name = os.fsdecode(b'maps-caf\xe9')
    (dataset / 'maps').rename(dataset / name)
    for folder in ('masks', name):
        (dataset / folder / 'a.png').rename(dataset / folder / os.fsdecode(b'\xe9.png'))
    files = [f'--{kind}={dataset / kind}' for kind in ('per-image', 'csv', 'markdown', 'latex')]
    words = [sys.executable, '-m', 'sod_plugins.cli', 'eval', dataset / name, dataset / 'masks']
    run = subprocess.run(
        [*words, *files],
        env={**os.environ, 'PYTHONIOENCODING': f'{encoding}:strict', 'PYTHONUTF8': '0'},
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert b'| maps-caf\\udce9 | pysodmetrics | 3 |' in run.stdout
    assert b'\n\xe9,pysodmetrics,' in (dataset / 'per-image').read_bytes()
    assert (dataset / 'csv').read_bytes().splitlines()[1].startswith(b'maps-caf\xe9,')
