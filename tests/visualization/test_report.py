from __future__ import annotations

import base64
import io
import os
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from sod_plugins.data import DataError, find_pairs
from sod_plugins.metrics import evaluate_folders
from sod_plugins.visualization.overlays import error_map
from sod_plugins.visualization.report import report_folder, write_report

# From the worst to the best prediction.
STEMS = ('d', 'a', 'e', 'c', 'b')


@pytest.fixture
def dataset(tmp_path):
    """Five images whose predictions get better in the order of STEMS; b is perfect."""
    rng = np.random.default_rng(0)
    for name in ('images', 'masks', 'predictions'):
        (tmp_path / name).mkdir()
    mask = np.zeros((20, 30), np.uint8)
    mask[5:15, 5:25] = 255
    for quality, stem in enumerate(STEMS):
        image = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        noise = rng.integers(0, 256, (20, 30))
        prediction = np.where(rng.random((20, 30)) < quality / 4, mask, noise).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / 'images' / f'{stem}.jpg')
        Image.fromarray(mask).save(tmp_path / 'masks' / f'{stem}.png')
        Image.fromarray(prediction).save(tmp_path / 'predictions' / f'{stem}.png')
    return tmp_path


class Page(HTMLParser):
    """Collects what the tests look at."""

    def __init__(self, path):
        super().__init__()
        self.images, self.links, self.tables, self.text = {}, [], [], []
        self.feed(path.read_text(encoding='utf-8'))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == 'img':
            self.images[attributes['alt']] = attributes['src']
        elif tag in ('link', 'script', 'iframe', 'object'):
            self.links += [value for name, value in attributes.items() if name in ('src', 'href')]
        elif tag == 'table':
            self.tables.append([])
        elif tag == 'tr':
            self.tables[-1].append([])
        elif tag in ('td', 'th'):
            self.tables[-1][-1].append('')

    def handle_data(self, data):
        self.text.append(data)
        if self.tables and self.tables[-1] and self.tables[-1][-1]:
            self.tables[-1][-1][-1] += data.strip()

    def pixels(self, alt):
        _, data = self.images[alt].split('base64,')
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            return np.asarray(picture)


def make(dataset, **options):
    evaluation = evaluate_folders(
        dataset / 'predictions', dataset / 'masks', protocol='salmetric', progress=False
    )
    path = write_report(
        dataset / 'out' / 'report.html',
        evaluation,
        find_pairs(dataset),
        dataset / 'predictions',
        **options,
    )
    return evaluation, Page(path)


def test_summary_has_measures_and_protocol_of_every_method(dataset):
    evaluation, _ = make(dataset)
    other = replace(evaluation, measures={**evaluation.measures, 'max_f': 0.25})
    _, page = make(dataset, method='<mine>', others={'other': other}, title='R&D')
    head, mine, theirs = page.tables[0]
    assert head[:3] == ['method', 'protocol', 'max F\u00a0↑']
    assert head[-3:] == ['MAE\u00a0↓', 'IoU\u00a0↑', 'BER\u00a0↓']
    measures = evaluation.measures
    assert mine == ['<mine>', 'salmetric', *(f'{value:.4f}' for value in measures.values())]
    assert theirs[:3] == ['other', 'salmetric', '0.2500']
    assert 'R&D' in page.text
    assert '5 images, protocol ' in page.text


def test_all_images_are_in_the_table_the_worst_first(dataset):
    evaluation, page = make(dataset)
    scores = {record['stem']: record for record in evaluation.per_image}
    ranked = sorted(scores, key=lambda stem: (scores[stem]['max_f'], -scores[stem]['mae']))
    assert ranked == list(STEMS)  # else the data set of this test is no ranking
    head, *rows = page.tables[1]
    assert [row[0] for row in rows] == ranked
    column = head.index('MAE\u00a0↓')
    assert [row[column] for row in rows] == [f'{scores[stem]["mae"]:.4f}' for stem in ranked]


def test_strips_show_the_worst_and_the_best_without_repeating(dataset):
    _, page = make(dataset, shown=2)
    shown = [alt.removeprefix('image of ') for alt in page.images if alt.startswith('image of')]
    assert shown == ['d', 'a', 'b', 'c']
    assert len(page.images) == 4 * 5
    _, page = make(dataset, shown=8)
    shown = [alt.removeprefix('image of ') for alt in page.images if alt.startswith('image of')]
    assert shown == ['d', 'a', 'e', 'b', 'c']


def test_the_page_shows_the_measures_of_the_evaluation(dataset):
    options = {'progress': False, 'measures': ['si_mae', 'max_kappa']}
    other = replace(
        evaluate_folders(dataset / 'predictions', dataset / 'masks', progress=False),
        measures={'mae': 0.5},
    )
    evaluation = report_folder(
        dataset / 'r.html', dataset / 'predictions', dataset, others={'other': other}, **options
    )
    page = Page(dataset / 'r.html')
    head, mine, theirs = page.tables[0]
    assert head[2:] == ['SI MAE\u00a0↓', 'max kappa\u00a0↑', 'MAE\u00a0↓']
    assert mine[2:] == [*(f'{value:.4f}' for value in evaluation.measures.values()), '-']
    assert theirs[2:4] == ['-', '-']
    assert theirs[4].startswith('0.5000')
    assert 'Worst SI MAE' in page.text
    errors = [float(row[1]) for row in page.tables[1][1:]]
    assert errors == sorted(errors, reverse=True) != sorted(errors)


def test_names_that_are_no_utf_8_are_shown(dataset):
    for folder, suffix in (('images', '.jpg'), ('masks', '.png'), ('predictions', '.png')):
        name = f'{dataset}/{folder}/caf'.encode() + b'\xe9' + suffix.encode()
        (dataset / folder / f'a{suffix}').rename(os.fsdecode(name))
    _, page = make(dataset)
    assert 'caf\ufffd' in [row[0] for row in page.tables[1]]


@pytest.mark.parametrize(
    ('pattern', 'options'),
    [
        ('{}_sal.png', {'pred_suffix': '_sal'}),
        ('{}.jpg.png', {'pred_suffix': '.jpg'}),
        ('x-{}.png', {'pred_prefix': 'x-'}),
    ],
)
def test_predictions_may_have_other_names(dataset, pattern, options):
    for path in [*(dataset / 'predictions').iterdir()]:
        path.rename(path.with_name(pattern.format(path.stem)))
    folders = dataset / 'predictions', dataset
    evaluation = report_folder(dataset / 'r.html', *folders, progress=False, **options)
    assert evaluation.count == len(STEMS)
    assert [row[0] for row in Page(dataset / 'r.html').tables[1][1:]] == list(STEMS)


def test_coded_maps_are_shown_as_they_are_scored(dataset):
    mask = np.asarray(Image.open(dataset / 'masks' / 'a.png'))
    for stem in STEMS:
        Image.fromarray(mask // 255).save(dataset / 'predictions' / f'{stem}.png')
    evaluation, page = make(dataset)
    assert evaluation.measures['mae'] == 0
    np.testing.assert_array_equal(page.pixels('prediction of b'), mask)
    Image.fromarray(mask).save(dataset / 'predictions' / 'a.png')  # so the others are dark
    evaluation, page = make(dataset)
    assert evaluation.dark == ('b', 'c', 'd', 'e')
    assert any('4 maps of hardly any value' in text for text in page.text)
    np.testing.assert_array_equal(page.pixels('prediction of b'), mask // 255)


def test_photos_and_masks_may_lie_together(dataset):
    together = dataset / 'Imgs'
    together.mkdir()
    for folder in ('images', 'masks'):
        for path in [*(dataset / folder).iterdir()]:
            path.rename(together / path.name)
        (dataset / folder).rmdir()
    evaluation = report_folder(dataset / 'r.html', dataset / 'predictions', dataset, progress=False)
    assert evaluation.count == len(STEMS)


def test_pictures_are_those_of_the_image(dataset):
    _, page = make(dataset)
    folders = {'ground truth': 'masks', 'prediction': 'predictions'}
    loaded = {}
    for name, folder in folders.items():
        with Image.open(dataset / folder / 'd.png') as picture:
            loaded[name] = np.asarray(picture)
        np.testing.assert_array_equal(page.pixels(f'{name} of d'), loaded[name])
    expected = error_map(
        *(loaded[name].astype(np.float32) / 255 for name in ('prediction', 'ground truth'))
    )
    np.testing.assert_array_equal(page.pixels('error of d'), expected)


def test_page_needs_nothing_from_outside(dataset):
    _, page = make(dataset, facts={'MACs': '0.6 G'})
    assert page.links == []
    assert all(source.startswith('data:image/') for source in page.images.values())
    text = (dataset / 'out' / 'report.html').read_text(encoding='utf-8')
    # XML namespaces are names, not addresses that a browser opens.
    addresses = re.sub(r'xmlns(:\w+)?="[^"]*"', '', text)
    assert re.findall(r'https?://|url\((?!#)|@import', addresses) == []


def test_facts_are_shown_and_long_ones_folded(dataset):
    _, page = make(dataset, facts={'parameters': '210,985', 'config': 'lr = 1\nmodel = "<x>"'})
    assert '210,985' in page.text
    assert 'lr = 1\nmodel = "<x>"' in page.text
    text = (dataset / 'out' / 'report.html').read_text(encoding='utf-8')
    assert text.count('<details>') == 1


def test_other_protocols_and_other_images_are_refused(dataset):
    evaluation, _ = make(dataset)
    for change in ({'protocol': 'survey'}, {'count': 4}):
        with pytest.raises(DataError, match='Evaluate both alike'):
            make(dataset, others={'other': replace(evaluation, **change)})


def test_images_of_another_size_are_refused(dataset):
    Image.new('RGB', (30, 21)).save(dataset / 'images' / 'd.jpg')
    with pytest.raises(DataError, match=r"d\.jpg' \(21, 30\).*differ in size"):
        make(dataset)


def test_pairs_of_another_data_set_are_refused(dataset):
    evaluation, _ = make(dataset)
    pairs = [pair for pair in find_pairs(dataset) if pair.stem != 'c']
    with pytest.raises(DataError, match=r"image 'c' is not in the data set"):
        write_report(dataset / 'r.html', evaluation, pairs, dataset / 'predictions')
    assert not (dataset / 'r.html').exists()


def test_folder_report_equals_its_parts(dataset):
    (dataset / 'list.txt').write_text('a\nd\n')
    evaluation = report_folder(
        dataset / 'r.html',
        dataset / 'predictions',
        dataset,
        list_file='list.txt',
        protocol='salmetric',
        progress=False,
        method='mine',
    )
    page = Page(dataset / 'r.html')
    assert evaluation.count == 2
    assert [row[0] for row in page.tables[1][1:]] == ['d', 'a']
    assert page.tables[0][1][:2] == ['mine', 'salmetric']
    expected = evaluate_folders(
        dataset / 'predictions',
        dataset / 'masks',
        list_file=dataset / 'list.txt',
        protocol='salmetric',
        progress=False,
    )
    assert evaluation.measures == expected.measures
