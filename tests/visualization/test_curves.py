from __future__ import annotations

import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from sod_plugins.visualization.curves import (
    curves_as_svg,
    draw_curves,
    require_matplotlib,
    save_curves,
)

THRESHOLDS = np.linspace(0, 1, 5)
METHODS = {
    'first': {
        'thresholds': THRESHOLDS,
        'precision': np.array([0.2, 0.5, 0.6, 0.8, 0.9]),
        'recall': np.array([1.0, 0.9, 0.7, 0.4, 0.1]),
        'f': np.array([0.3, 0.5, 0.75, 0.6, 0.2]),
    },
    'second': {
        'thresholds': THRESHOLDS,
        'precision': np.array([0.1, 0.2, 0.3, 0.4, 0.5]),
        'recall': np.array([1.0, 0.8, 0.6, 0.4, 0.2]),
        'f': np.array([0.125, 0.1, 0.1, 0.1, 0.1]),
    },
}


def test_both_panels_show_every_method():
    figure = draw_curves(METHODS, 'a title')
    precision_recall, f_measure = figure.axes
    for curves, pr_line, f_line in zip(
        METHODS.values(), precision_recall.lines, f_measure.lines, strict=True
    ):
        np.testing.assert_array_equal(
            pr_line.get_xydata().T, [curves['recall'], curves['precision']]
        )
        np.testing.assert_array_equal(f_line.get_xydata().T, [curves['thresholds'], curves['f']])
    labels = [text.get_text() for text in f_measure.get_legend().get_texts()]
    assert labels == ['first, max 0.750', 'second, max 0.125']
    assert [line.get_markevery() for line in f_measure.lines] == [[2], [0]]
    assert figure.get_suptitle() == 'a title'


def test_png_and_pdf_are_saved(tmp_path):
    for name in ('curves', 'curves.v2', 'curves.png'):
        png, pdf = save_curves(tmp_path / name / name, METHODS)
        stem = 'curves.v2' if name == 'curves.v2' else 'curves'
        assert (png.name, pdf.name) == (f'{stem}.png', f'{stem}.pdf')
        with Image.open(png) as picture:
            assert np.asarray(picture.convert('L')).std() > 0
        assert pdf.read_bytes().startswith(b'%PDF')


def test_svg_takes_the_colour_of_the_text_around_it():
    svg = curves_as_svg({'<b>&': METHODS['first']})
    ET.fromstring(svg)
    assert 'currentColor' in svg
    assert '&lt;b&gt;&amp;' in svg
    # Black is what Matplotlib draws text and axes in if it is not told otherwise.
    assert '#000000' not in svg
    assert svg == curves_as_svg({'<b>&': METHODS['first']})


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match='no curves'):
        draw_curves({})
    part = {name: curve for name, curve in METHODS['first'].items() if name != 'f'}
    with pytest.raises(ValueError, match='evaluation of part has no F-measure curve'):
        draw_curves({**METHODS, 'part': part})


def test_a_figure_is_saved_whole_or_not_at_all(tmp_path, monkeypatch):
    (tmp_path / 'c.png').write_bytes(b'older')
    monkeypatch.setattr('matplotlib.figure.Figure.savefig', lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_curves(tmp_path / 'c', METHODS)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b'older']


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    with pytest.raises(ImportError, match=r'sod-plugins\[report\]'):
        require_matplotlib()
