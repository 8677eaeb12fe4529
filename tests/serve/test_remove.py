"""``/api/remove``: rembg's interface."""

from __future__ import annotations

import numpy as np
import pytest
from toy_service import TOY_INSTANCES, brightness, make_client, picture, pixels_of

from sod_plugins.data import read_image

CLIENT = make_client()
MAP = np.floor(255 * brightness([read_image(picture())])[0]).astype(np.uint8)
ALPHA = np.clip(2 * MAP.astype(int) - 127, 0, 255)


def post(client=CLIENT, query=None, **fields):
    files = {'file': ('a.png', picture(), 'image/png')}
    return client.post('/api/remove', files=files, data=fields, params=query)


def test_the_answer_is_the_cut_out():
    answer = post()
    assert answer.status_code == 200, answer.text
    assert answer.headers['content-type'] == 'image/png'
    found = pixels_of(answer.content)
    np.testing.assert_array_equal(found[..., 3], ALPHA)
    image = np.where(ALPHA[..., None] > 0, read_image(picture()), 0)
    np.testing.assert_array_equal(found[..., :3], image)
    assert 'x-sod-notice' not in answer.headers
    assert 'x-sod-ignored' not in answer.headers


def test_only_the_mask():
    np.testing.assert_array_equal(pixels_of(post(om='true').content), MAP)
    assert set(np.unique(pixels_of(post(om='true', ppm='true').content))) == {0, 255}


@pytest.mark.parametrize('place', ['form', 'query'])
def test_a_background_colour(place):
    """rembg reads it from the URL, whatever its clients send as a field."""
    values = {'bgc': '255,0,0,255'}
    answer = post(**values) if place == 'form' else post(query=values)
    corner = pixels_of(answer.content)[0, 0, :3]
    share = ALPHA[0, 0] / 255
    expected = share * np.array((20, 30, 40)) + (1 - share) * np.array((255, 0, 0))
    assert np.abs(corner - expected).max() <= 1


@pytest.mark.parametrize('bgc', ['red', '1,2', '1,2,3,256', '1,2,3,-4', ',,,'])
def test_a_wrong_background_is_named(bgc):
    answer = post(bgc=bgc)
    assert answer.status_code == 422
    assert 'bgc' in answer.json()['detail']


def test_other_models_take_this_one_and_say_so():
    answer = post(model='u2net')
    assert answer.status_code == 200
    assert answer.headers['x-sod-model'] == 'toy'
    assert answer.headers['x-sod-notice'] == 'model u2net is not served here; toy was used'
    assert 'x-sod-notice' not in post(model='toy').headers
    assert post(model='a\r\nx: y\u20ac').headers['x-sod-notice'].startswith('model ax: y is')


def test_what_is_not_done_is_said():
    answer = post(a='true', af='200', ab='20', ae='5', vm='true', extras='{"b": 1}', foo='bar')
    assert answer.status_code == 200
    assert answer.headers['x-sod-ignored'] == 'vm, extras'


@pytest.mark.parametrize('field', [{'af': '256'}, {'ab': '-1'}, {'om': 'perhaps'}, {'ae': 'x'}])
def test_ranges_are_those_of_rembg(field):
    answer = post(**field)
    assert answer.status_code == 422
    assert next(iter(field)) in answer.json()['detail']


def test_a_model_of_instances_removes_what_is_in_none():
    alpha = pixels_of(post(make_client(TOY_INSTANCES)).content)[..., 3]
    assert (alpha[:, :20] == 255).all()
    assert (alpha[:, 20:] == 0).all()


def test_urls_are_off_unless_asked_for():
    answer = CLIENT.get('/api/remove', params={'url': 'http://example.org/a.png'})
    assert answer.status_code == 403
    assert '--allow-urls' in answer.json()['detail']


def test_urls_where_they_are_allowed():
    class Fetcher:
        async def fetch(self, url):
            assert url == 'http://example.org/a.png'
            return picture()

    client = make_client(allow_urls=True, fetcher=Fetcher())
    query = {'url': 'http://example.org/a.png', 'om': 'true', 'model': 'silueta'}
    answer = client.get('/api/remove', params=query)
    np.testing.assert_array_equal(pixels_of(answer.content), MAP)
    assert 'silueta' in answer.headers['x-sod-notice']
    assert client.get('/api/remove').status_code == 422  # without a URL
