"""``sod predict``: streams, the options of pictures, watched folders, shards."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from sod_command import sod

from sod_plugins.cli import main
from sod_plugins.data import draw_scene

pytest.importorskip('onnxruntime')


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    for number in range(3):
        scene = draw_scene(np.random.default_rng(number), (90, 120)).image
        Image.fromarray(scene).save(folder / f'{number}.jpg', quality=95)
    return folder


def read(path):
    with Image.open(path) as image:
        return image.format, np.asarray(image)


def stream(photo, *words):
    """Run ``sod predict -`` as a shell's pipe does."""
    done = subprocess.run(
        [sys.executable, '-m', 'sod_plugins.cli', 'predict', '-', *words],
        input=photo,
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.decode()


def test_streams_give_what_files_give(capsys, photos, tmp_path):
    out = tmp_path / 'out'
    words = ['--cutout', '--crop', '--threshold', '0.3']
    assert sod(capsys, 'predict', photos / '1.jpg', '-o', out, *words)[0] == 0
    content = (photos / '1.jpg').read_bytes()
    assert stream(content) == (0, (out / '1.png').read_bytes(), '')
    assert stream(content, *words) == (0, (out / 'cutout/1.png').read_bytes(), '')


def test_streams_refuse_what_they_cannot_do(photos):
    status, output, errors = stream(b'no image')
    assert (status, output) == (2, b'') and 'Cannot read image of 8 bytes' in errors
    for words, reason in (
        (['--cutout', '--mask'], 'take one image and give one output'),
        (['another.jpg'], 'take one image and give one output'),
        (['-o', 'folder'], 'has no name below folder. Leave -o out'),
        (['--json'], '--json cannot print there too'),
        (['--watch'], '--watch is for folders'),
        (['--shard', '1/2'], '--shard is for folders'),
        (['--suffix', '_x'], '--suffix is for folders'),
        (['--crop'], '--crop changes nothing here'),
    ):
        status, output, errors = stream(b'', *words)
        assert (status, output) == (2, b'') and reason in errors and errors.count('\n') == 1


def test_no_image_is_printed_on_a_terminal(photos):
    terminal, end = pty.openpty()
    try:
        words = ['-m', 'sod_plugins.cli', 'predict', str(photos / '0.jpg'), '-o', '-', '--overlay']
        done = subprocess.run([sys.executable, *words], stdout=end, stderr=subprocess.PIPE)
    finally:
        os.close(end)
        os.close(terminal)
    assert done.returncode == 2
    assert b'the overlay would be printed on the terminal. Name a file' in done.stderr


def test_a_stream_that_does_not_end_is_refused(capsys, monkeypatch):
    class Endless:
        def read(self, count: int) -> range:  # has a length and takes no memory
            return range(count)

    monkeypatch.setattr(sys, 'stdin', SimpleNamespace(buffer=Endless()))
    status, output, errors = sod(capsys, 'predict', '-')
    assert (status, output) == (2, '') and 'within 1,073,741,824 bytes' in errors


@pytest.mark.parametrize('length', [246, 247, 251])
def test_names_of_outputs_as_long_as_file_systems_allow(capsys, photos, tmp_path, length):
    stem = 'n' * length
    (photos / '0.jpg').rename(photos / f'{stem}.jpg')
    out = tmp_path / 'out'
    words = ['--no-map', '--mask', '--overlay']
    assert sod(capsys, 'predict', photos / f'{stem}.jpg', '-o', out, *words)[0] == 0
    names = {str(path.relative_to(out)) for path in out.rglob('*') if path.is_file()}
    assert names == {f'mask/{stem}.png', f'overlay/{stem}.jpg', 'sod-predict.json'}
    table = tmp_path / f'{stem}.csv'
    assert sod(capsys, 'eval', out / 'mask', out / 'mask', '--csv', table)[0] == 0
    assert len(table.read_text().splitlines()) == 2


def test_a_name_of_an_output_longer_than_file_systems_allow_is_refused(capsys, photos, tmp_path):
    stem = 'n' * 250
    (photos / '0.jpg').rename(photos / f'{stem}.jpg')
    words = [photos / f'{stem}.jpg', '-o', tmp_path / 'out', '--suffix', '_sal']
    status, _, errors = sod(capsys, 'predict', *words)
    assert status == 2 and 'would have a name of more than 255 bytes. Shorten' in errors


def test_a_merge_outside_a_folder_is_refused(capsys, photos):
    status, _, errors = sod(capsys, 'merge', photos / '0.jpg')
    assert (status, errors) == (
        2,
        f"sod: error: '{photos / '0.jpg'}' is not a folder. Name the output folder of "
        'the shards.\n',
    )


def test_a_file_to_standard_output(photos, tmp_path):
    words = ['-m', 'sod_plugins.cli', 'predict', photos / '0.jpg', '-o', '-', '--overlay']
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, check=True)
    with Image.open(io.BytesIO(done.stdout)) as image:
        assert (image.format, image.size) == ('JPEG', (120, 90))


def test_pictures_as_the_user_likes(capsys, photos, tmp_path):
    out = tmp_path / 'out'
    words = ['--no-map', '--mask', '--cutout', '--overlay', '--format', 'webp', '--suffix', '_sal']
    words += ['--background', '#00ff00', '--grow=2', '--foreground', '--edges', '--quality', '80']
    status, output, _ = sod(capsys, 'predict', photos, '-o', out, *words)
    assert status == 0 and output == f'outputs of 3 images written to {out}\n'
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob('*') if p.is_file()) == [
        *(f'{kind}/{n}_sal.webp' for kind in ('cutout', 'mask', 'overlay') for n in range(3)),
        'sod-predict.json',
    ]
    kind, mask = read(out / 'mask/0_sal.webp')
    assert kind == 'WEBP' and set(np.unique(mask)) <= {0, 255}
    _, cutout = read(out / 'cutout/0_sal.webp')
    assert cutout.shape == (90, 120, 3)
    assert np.abs(cutout[mask[..., 0] == 0].mean(0) - (0, 255, 0)).max() < 60


@pytest.mark.parametrize(
    ('words', 'reason'),
    [
        (['--format', 'jpeg', '--cutout'], 'jpeg holds no transparency'),
        (['--no-map'], 'No output is asked for'),
        (['--background', 'bleu'], "background 'bleu' is no colour"),
        (['--threshold', '2'], 'threshold is 2.0'),
        (['--quality', '0'], 'quality is 0'),
        (['--shard', '3/2'], 'There is no shard 3/2'),
        (['--background', 'white'], '--background changes nothing here. Add --cutout.'),
        (['--crop', '--mask'], '--crop changes nothing here. Add --cutout.'),
        (['--foreground', '--overlay'], '--foreground changes nothing here. Add --cutout.'),
        (['--threshold', '0.4'], '--threshold changes nothing here. Add --mask or --cutout.'),
        (['--grow=-2', '--overlay'], '--grow changes nothing here. Add --mask or --cutout.'),
        (['--format', 'jpeg', '--mask'], 'maps and masks are never jpeg'),
        (['--quality', '80'], '--quality changes nothing here'),
        (['--quality', '80', '--cutout'], '--quality changes nothing here'),
        (['--quality', '80', '--overlay', '--format', 'png'], '--quality changes nothing here'),
        (['--batch', '0'], 'batch_size is 0'),
        (['--batch', '9' * 20], 'Give 1 to 65,536 images'),
        (['--suffix', '/../a'], 'Give text that may stand within a file name'),
        (['--suffix', 'a' * 252], 'a name of more than 255 bytes'),
        (['--half', '--device', 'cpu'], '--half needs a CUDA device'),
        (['--watch', '--shard', '1/2'], 'it has no shards'),
        (['--model', 'sod-smal'], "Did you mean 'sod-small'"),
    ],
)
def test_wrong_options_are_refused_before_work(capsys, photos, tmp_path, words, reason):
    status, _, errors = sod(capsys, 'predict', photos, '-o', tmp_path / 'out', *words)
    assert status == 2 and reason in errors and errors.count('\n') == 1
    assert not (tmp_path / 'out').exists()


def test_shards_are_merged_by_the_command(capsys, photos, tmp_path):
    out = tmp_path / 'out'
    (photos / 'broken.jpg').write_bytes(b'no image')
    statuses = [sod(capsys, 'predict', photos, '-o', out, '--shard', f'{i}/2')[0] for i in (1, 2)]
    assert sorted(statuses) == [0, 1]
    status, output, errors = sod(capsys, 'merge', out)
    assert status == 1 and output == f'4 images of 2 shards joined in {out}\n'
    assert 'unreadable images: 1' in errors and 'broken.jpg' in errors
    status, _, errors = sod(capsys, 'merge', out)
    assert status == 2 and 'has no shards' in errors


def test_a_watched_folder(photos, tmp_path):
    """What comes while it is watched is predicted, what is broken is named once."""
    out = tmp_path / 'out'
    words = ['predict', photos, '-o', out, '--watch']
    process = subprocess.Popen(
        [sys.executable, '-m', 'sod_plugins.cli', *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(out / '2.png')
        (photos / 'broken.jpg').write_bytes(b'no image')
        (photos / '3.jpg').write_bytes((photos / '1.jpg').read_bytes())
        wait_for(out / '3.png')
        time.sleep(3)  # three looks more
    finally:
        os.kill(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output.splitlines()[0].startswith('watching ')
    assert errors.count('unreadable images: 1') == 1
    assert (out / '3.png').read_bytes() == (out / '1.png').read_bytes()


def test_what_names_no_image_is_said_with_its_reason(capsys, photos, tmp_path):
    (tmp_path / 'empty').mkdir()
    for path, reason in (
        (tmp_path / 'empty', 'has no image in it. Name'),
        (tmp_path, 'has no image in it, but folders (recursive=True, --recursive). Name'),
        (photos / '*.gif', 'matches no image. Name'),
        (photos / 'a.gif', 'is no file, folder or pattern. Name'),
    ):
        status, _, errors = sod(capsys, 'predict', path, '-o', tmp_path / 'out')
        assert status == 2 and f"'{path}' {reason} images that exist." in errors


def test_only_folders_and_patterns_are_watched(capsys, photos, tmp_path):
    for path, reason in ((photos / '0.jpg', 'is a file'), (tmp_path / 'none', 'not a folder')):
        status, _, errors = sod(capsys, 'predict', path, '-o', tmp_path / 'out', '--watch')
        assert status == 2 and reason in errors


def wait_for(path):
    deadline = time.monotonic() + 90
    while not path.exists():
        assert time.monotonic() < deadline, f'{path.name} did not come'
        time.sleep(0.05)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_half_precision_and_batches_on_a_gpu(capsys, photos, tmp_path):
    gpu = ['--device', 'cuda', '--half', '--batch', '2', '--cutout']
    assert sod(capsys, 'predict', photos, '-o', tmp_path / 'gpu', *gpu)[0] == 0
    assert sod(capsys, 'predict', photos, '-o', tmp_path / 'cpu', '--device', 'cpu')[0] == 0
    for number in range(3):
        maps = [read(tmp_path / d / f'{number}.png')[1].astype(int) for d in ('gpu', 'cpu')]
        assert np.abs(maps[0] - maps[1]).mean() < 2  # of 255: half precision has 11 bits


@pytest.mark.parametrize('chosen', [None, 'ACTIVE'])
@pytest.mark.parametrize('verb', ['predict', 'serve'])
def test_waiting_threads_sleep_unless_the_user_chose(monkeypatch, tmp_path, verb, chosen):
    """Before anything is opened, as torch reads the variable when it is imported."""
    monkeypatch.setenv('OMP_WAIT_POLICY', '')  # so that it is restored
    monkeypatch.delenv('OMP_WAIT_POLICY')
    if chosen:
        monkeypatch.setenv('OMP_WAIT_POLICY', chosen)
    words = ['predict', 'a.jpg', '-o', str(tmp_path)] if verb == 'predict' else ['serve']
    assert main([*words, '--checkpoint', str(tmp_path / 'none.pth')]) == 2
    assert os.environ['OMP_WAIT_POLICY'] == (chosen or 'PASSIVE')
