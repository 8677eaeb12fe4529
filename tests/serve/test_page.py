"""The page in a real browser: what users do with a mouse, with keys, on a phone."""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chromium import browser
from PIL import Image
from toy_service import TOY, TOY_INSTANCES, brightness, picture, pixels_of, running

from sod_plugins.cli import main
from sod_plugins.data import draw_scene, read_image
from sod_plugins.serve import open_model

pytestmark = pytest.mark.service

PHOTO = picture(160, 120)
MAP = np.floor(255 * brightness([read_image(PHOTO)])[0]).astype(np.uint8)
ALPHA = np.clip(2 * MAP.astype(int) - 127, 0, 255)  # of cut-outs


@pytest.fixture(scope='module')
def context():
    with browser() as context:
        yield context


@pytest.fixture(scope='module')
def base() -> Iterator[str]:
    with running(TOY) as (base, _):
        yield base


@pytest.fixture(scope='module')
def instances_base() -> Iterator[str]:
    with running(TOY_INSTANCES) as (base, _):
        yield base


@pytest.fixture
def page(context):
    """A page that may neither show an error nor ask another server."""
    page = context.new_page()
    problems: list[str] = []
    page.on('pageerror', lambda error: problems.append(f'error: {error}'))
    page.on('request', lambda request: asked.append(request.url))
    asked: list[str] = []
    page.problems = problems
    yield page
    page.close()
    assert problems == []
    schemes = ('http://127.0.0.1:', 'blob:http://127.0.0.1:', 'data:')
    assert [url for url in asked if not url.startswith(schemes)] == []


def opened(page, base: str):
    page.goto(base)
    page.wait_for_selector('body[data-ready]')
    return page


def upload(page, *photos: tuple[str, bytes]):
    files = [{'name': name, 'mimeType': 'image/png', 'buffer': photo} for name, photo in photos]
    page.set_input_files('#files', files)
    page.wait_for_selector('#stage[aria-busy=false]')


def until(page, condition: str) -> None:
    """Wait for a condition, by a way that the page's policy allows."""
    end = time.monotonic() + 15
    while not page.evaluate(condition):
        assert time.monotonic() < end, f'{condition} never came true'
        page.wait_for_timeout(30)


def download(page, selector: str) -> tuple[str, bytes]:
    with page.expect_download() as caught:
        page.click(selector)
    return caught.value.suggested_filename, Path(caught.value.path()).read_bytes()


def view(page, name: str) -> None:
    page.get_by_role('radio', name=name).check(force=True)


def canvas(page, name: str = 'after'):
    """The pixels that a canvas shows, once what is due is drawn."""
    url = page.evaluate(
        """async (name) => {
            for (let n = 0; n < 2; n += 1) await new Promise(requestAnimationFrame);
            return document.getElementById(name).toDataURL();
        }""",
        name,
    )
    return pixels_of(base64.b64decode(url.partition(',')[2]))


def test_the_downloaded_map_is_that_of_the_command(page, tmp_path):
    scene = draw_scene(np.random.default_rng(7), (900, 1200))  # decoded at half its size
    photo = tmp_path / 'photo.jpg'
    Image.fromarray(scene.image).save(photo, quality=92)
    assert main(['predict', str(photo), '-o', str(tmp_path / 'maps')]) == 0
    with running(open_model()) as (base, _):
        opened(page, base)
        page.set_input_files('#files', photo)
        page.wait_for_selector('#stage[aria-busy=false]')
        view(page, 'Map')
        name, content = download(page, '#download')
    assert name == 'photo-map.png'
    expected = pixels_of((tmp_path / 'maps' / 'photo.png').read_bytes())
    np.testing.assert_array_equal(pixels_of(content), expected)


def test_views_threshold_and_background(page, base):
    upload(opened(page, base), ('a.png', PHOTO))
    np.testing.assert_array_equal(canvas(page, 'before')[..., :3], read_image(PHOTO))
    np.testing.assert_array_equal(canvas(page)[..., 3], ALPHA)
    view(page, 'Map')
    np.testing.assert_array_equal(canvas(page)[..., 0], MAP)
    page.fill('#threshold', '0.3')
    assert page.is_checked('#hard')
    np.testing.assert_array_equal(canvas(page)[..., 0], np.where(MAP >= 76.5, 255, 0))
    view(page, 'Cut-out')
    page.check('[name=background][value="#ffffff"]', force=True)
    shown = canvas(page)
    assert (shown[..., 3] == 255).all()
    np.testing.assert_array_equal(shown[0, 0], (255, 255, 255, 255))
    name, content = download(page, '#download')
    assert name == 'a-cutout.png'
    saved = pixels_of(content)
    assert saved.shape == (120, 160, 3)
    assert np.abs(saved.astype(int) - shown[..., :3]).max() <= 1  # the page and the server agree
    view(page, 'Overlay')
    overlay = canvas(page)[..., :3].astype(int)
    name, content = download(page, '#download')
    assert name == 'a-overlay.jpg'
    assert np.abs(pixels_of(content).astype(int) - overlay).mean() < 2  # of JPEG


@pytest.mark.parametrize('background', ['blur', 'image'])
def test_other_backgrounds_are_those_of_the_server(page, base, background):
    upload(opened(page, base), ('a.png', PHOTO))
    page.check(f'[name=background][value={background}]', force=True)
    if background == 'image':
        file = {'name': 'b.png', 'mimeType': 'image/png', 'buffer': picture(80, 60, color='green')}
        page.set_input_files('#image', file)
        page.wait_for_timeout(200)
    shown = canvas(page)[..., :3].astype(int)
    saved = pixels_of(download(page, '#download')[1]).astype(int)
    assert np.abs(shown - saved).mean() < (4 if background == 'blur' else 1)


def test_the_slider_goes_from_before_to_after(page, base):
    upload(opened(page, base), ('a.png', PHOTO))
    share = "getComputedStyle(document.getElementById('before')).clipPath"
    assert page.evaluate(share) == 'inset(0px calc(50%) 0px 0px)' or '50%' in page.evaluate(share)
    page.focus('#split')
    for _ in range(10):
        page.keyboard.press('ArrowRight')
    assert '40%' in page.evaluate(share)
    box = page.locator('#frame').bounding_box()
    page.mouse.move(box['x'] + 0.6 * box['width'], box['y'] + 20)
    page.mouse.down()
    page.mouse.move(box['x'] + 0.2 * box['width'], box['y'] + 20, steps=4)
    page.mouse.up()
    assert page.input_value('#split') == '20'


def test_photos_in_a_row(page, base):
    photos = [(f'{n}.png', picture(60 + n, 40)) for n in range(4)]
    upload(opened(page, base), *photos, ('broken.png', PHOTO[:300]))
    until(page, "document.getElementById('progress').value === 5")
    assert page.inner_text('#progress-text') == '5 of 5 photos, 1 failed'
    assert '5 of 5' in page.inner_text('#status')
    page.get_by_role('button', name='3.png').click()
    until(page, "document.getElementById('caption').textContent.includes('63 \\u00d7 40')")
    page.get_by_role('button', name='broken.png').click()
    assert 'damaged' in page.get_by_role('alert').inner_text()
    assert page.locator('#viewer').is_hidden()
    page.get_by_role('button', name='0.png').click()
    view(page, 'Map')
    name, content = download(page, '#download-all')
    assert name == 'maps.zip'
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f'map/{n}.png' for n in range(4)]
        expected = np.floor(255 * brightness([read_image(photos[2][1])])[0])
        np.testing.assert_array_equal(pixels_of(archive.read('map/2.png')), expected)


def test_a_folder_is_dropped_and_a_photo_pasted(page, base):
    opened(page, base)
    page.evaluate(
        """([name, bytes]) => {
            const file = new File([new Uint8Array(bytes)], name, {type: 'image/png'});
            const transfer = new DataTransfer();
            transfer.items.add(file);
            document.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true}));
            const paste = new ClipboardEvent('paste', {clipboardData: transfer, bubbles: true});
            document.dispatchEvent(paste);
        }""",
        ['a.png', list(PHOTO)],
    )
    until(page, "document.getElementById('progress').value === 2")


def test_a_chosen_folder_goes_in_whole(page, base, tmp_path):
    (tmp_path / 'holiday' / 'day 1').mkdir(parents=True)
    (tmp_path / 'holiday' / 'a.png').write_bytes(PHOTO)
    (tmp_path / 'holiday' / 'day 1' / 'b.png').write_bytes(PHOTO)
    (tmp_path / 'holiday' / 'notes.txt').write_text('no photo')
    opened(page, base)
    page.set_input_files('#folder', tmp_path / 'holiday')
    until(page, "document.getElementById('progress').value === 2")
    assert page.inner_text('#progress-text') == '2 of 2 photos'
    assert page.get_by_role('button', name='holiday/day 1/b.png').count() == 1


def test_it_waits_where_the_service_is_busy(page, base):
    answers = iter([429, 503])

    def busy(route):
        status = next(answers, None)
        if status is None:
            route.continue_()
        else:
            body = json.dumps({'detail': 'busy'})
            route.fulfill(status=status, headers={'Retry-After': '1'}, body=body)

    opened(page, base)
    page.route('**/api/predict', busy)
    upload(page, ('a.png', PHOTO))
    np.testing.assert_array_equal(canvas(page)[..., 3], ALPHA)


def test_what_is_wrong_is_said(page, base):
    upload(opened(page, base), ('a.png', PHOTO))
    page.set_input_files('#files', {'name': 'a.txt', 'mimeType': 'text/plain', 'buffer': b'x'})
    assert 'no photo' in page.get_by_role('alert').inner_text()
    page.route('**/api/predict', lambda route: route.abort())
    page.click('#download')
    until(page, "document.getElementById('error').textContent.includes('reached')")


def test_instances_are_pointed_at_and_toggled(page, instances_base):
    upload(opened(page, instances_base), ('a.png', PHOTO))
    first, second = (page.locator('#instances button').nth(n) for n in range(2))
    assert first.get_attribute('aria-pressed') == 'true'
    assert second.get_attribute('aria-pressed') == 'false'  # below the least score
    box = page.locator('#frame').bounding_box()
    upper_right = box['x'] + 0.9 * box['width'], box['y'] + 0.2 * box['height']
    page.mouse.move(*upper_right)
    assert 'pointed' in second.get_attribute('class')
    assert canvas(page, 'marks')[10, 159, 3] == 255  # its outline at the border
    page.mouse.click(*upper_right)
    assert second.get_attribute('aria-pressed') == 'true'
    first.focus()
    page.keyboard.press('Space')
    assert first.get_attribute('aria-pressed') == 'false'
    view(page, 'Cut-out')
    name, content = download(page, '#download')
    assert name == 'a-cutout.png'
    alpha = np.zeros((120, 160), np.uint8)
    alpha[:60, 80:] = 255
    np.testing.assert_array_equal(pixels_of(content)[..., 3], alpha)
    name, content = download(page, '#download-data')
    assert name == 'a.json'
    assert [entry['score'] for entry in json.loads(content)['annotations']] == [0.3]
    page.fill('#threshold', '0.2')
    assert first.get_attribute('aria-pressed') == 'true'


def test_everything_by_keyboard(page, base):
    opened(page, base)
    page.keyboard.press('Tab')
    assert page.evaluate('document.activeElement.textContent') == 'Skip to the content'
    page.keyboard.press('Enter')
    for _ in range(3):
        page.keyboard.press('Tab')
    assert page.evaluate('document.activeElement.id') == 'sample'
    page.keyboard.press('Enter')
    page.wait_for_selector('#stage[aria-busy=false]')
    page.keyboard.press('Tab')
    page.keyboard.press('ArrowRight')
    assert page.evaluate('document.activeElement.value') == 'overlay'
    until(page, "document.getElementById('download').textContent === 'Overlay'")
    order = []
    for _ in range(6):
        page.keyboard.press('Tab')
        order.append(page.evaluate('document.activeElement.id || document.activeElement.name'))
    assert order[:5] == ['split', 'hard', 'threshold', 'background', 'download']
    page.focus('#show-card')
    page.keyboard.press('Enter')
    assert page.get_by_role('dialog').is_visible()
    assert page.inner_text('#card-title') == 'toy'
    page.keyboard.press('Escape')
    assert page.evaluate('document.activeElement.id') == 'show-card'


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [1280, 360])
@pytest.mark.parametrize('task', ['saliency', 'instances'])
def test_nothing_stands_in_the_way_of_anyone(page, base, instances_base, task, width, scheme):
    """axe finds no violation, and nothing has to be scrolled sideways."""
    axe = pytest.importorskip('axe_playwright_python.sync_playwright').Axe()
    page.set_viewport_size({'width': width, 'height': 800})
    page.emulate_media(color_scheme=scheme, reduced_motion='reduce')
    opened(page, base if task == 'saliency' else instances_base)
    # The page's policy keeps axe's script out, too.
    states = [violations(axe, page)]
    upload(page, ('a.png', PHOTO), ('b.png', PHOTO), ('c.png', PHOTO[:300]))
    until(page, "document.getElementById('progress').value === 3")
    states.append(violations(axe, page))
    page.check('[name=background][value=colour]', force=True)
    page.get_by_role('button', name='c.png').click()
    states.append(violations(axe, page))
    page.click('#show-card')
    states.append(violations(axe, page))
    assert states == [[]] * 4


def violations(axe, page) -> list[str]:
    assert page.evaluate('document.documentElement.scrollWidth <= innerWidth')
    found = axe.run(page).response['violations']
    return [f'{one["id"]}: {[node["html"] for node in one["nodes"]]}' for one in found]


def test_the_api_page_shows_the_routes(page, base):
    page.goto(f'{base}/docs')
    page.wait_for_selector('.opblock')
    assert page.locator('.opblock').count() == 6
