"""``POST /api/predict``: what goes in, what comes out, and what is refused with which words."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image
from toy_service import TOY, TOY_INSTANCES, brightness, make_client, picture, pixels_of

from sod_plugins.data import Instances, decode_segmentation, read_image
from sod_plugins.inference import OutputOptions, encode_prediction
from sod_plugins.inference.edges import enlarge_along_edges

CLIENT = make_client()


def post(image: bytes, form: bool = False, client=CLIENT, **options):
    if form:
        return client.post('/api/predict', files={'file': ('a.png', image)}, data=options)
    kind = {'content-type': 'image/png'}
    return client.post('/api/predict', content=image, params=options, headers=kind)


def refused(answer, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers['content-type'] == 'application/json'
    assert list(answer.json()) == ['detail']
    for word in words:
        assert word in answer.json()['detail']


@pytest.mark.parametrize('form', [False, True], ids=['raw', 'form'])
def test_the_map_is_that_of_the_model(form):
    answer = post(picture(), form)
    assert answer.status_code == 200, answer.text
    assert answer.headers['content-type'] == 'image/png'
    assert answer.headers['x-sod-model'] == 'toy'
    stages = answer.headers['server-timing']
    assert [part.split(';')[0] for part in stages.split(', ')] == [
        *('queue', 'decode', 'network', 'encode')
    ]
    (expected,) = brightness([read_image(picture())])
    np.testing.assert_array_equal(pixels_of(answer.content), np.floor(255 * expected))


@pytest.mark.parametrize('form', [False, True], ids=['raw', 'form'])
@pytest.mark.parametrize(
    ('options', 'pictures'),
    [
        ({'output': 'mask', 'threshold': 0.3, 'grow': 2}, OutputOptions(threshold=0.3, grow=2)),
        ({'output': 'cutout'}, OutputOptions()),
        ({'output': 'cutout', 'crop': 'true', 'format': 'webp'}, OutputOptions('webp', crop=True)),
        ({'output': 'overlay', 'quality': 50}, OutputOptions(quality=50)),
    ],
)
def test_options_reach_the_picture(options, pictures, form):
    answer = post(picture(), form, **options)
    assert answer.status_code == 200, answer.text
    image = read_image(picture())
    expected = encode_prediction(image, brightness([image])[0], options['output'], pictures)
    assert answer.content == expected.content
    assert answer.headers['content-type'] == expected.media_type


def test_the_map_follows_edges_where_asked():
    image = read_image(picture())
    followed = enlarge_along_edges(brightness([image])[0], image)
    found = pixels_of(post(picture(), edges='true').content)
    np.testing.assert_array_equal(found, np.floor(255 * followed))
    assert (found != np.floor(255 * brightness([image])[0])).any()


def test_a_photo_is_decoded_in_full_only_where_it_is_shown():
    sizes = []

    def prepare(image):
        sizes.append(image.shape[:2])
        return image

    model = dataclasses.replace(TOY, prepare=prepare, least=(30, 40))
    client = make_client(model)
    image = picture(320, 240, 'JPEG')
    assert pixels_of(post(image, client=client).content).shape == (240, 320)
    assert pixels_of(post(image, client=client, output='cutout').content).shape == (240, 320, 4)
    assert sizes == [(60, 80), (240, 320)]  # a quarter; an eighth has sides below 40


def test_a_background_is_a_colour_or_a_picture():
    image = picture(color=(0, 0, 0))  # of which nothing is salient
    red = post(image, output='cutout', background='#f00')
    assert (pixels_of(red.content) == (255, 0, 0)).all()
    green = picture(color=(0, 255, 0))
    files = {'file': ('a.png', image), 'background': ('b.png', green)}
    answer = CLIENT.post('/api/predict', files=files, data={'output': 'cutout'})
    assert (pixels_of(answer.content) == (0, 255, 0)).all()


def test_the_name_of_a_file_is_no_background(tmp_path):
    secret = tmp_path / 'secret.png'
    secret.write_bytes(picture())
    answer = post(picture(), output='cutout', background=str(secret)[-60:])
    refused(answer, 422, 'background', 'no colour')
    refused(post(picture(), output='cutout', background='/etc/passwd'), 422, 'no colour')


def test_photos_are_turned_upright():
    exif = Image.Exif()
    exif[274] = 6
    answer = post(picture(40, 30, 'JPEG', exif=exif.tobytes()))
    assert pixels_of(answer.content).shape == (40, 30)


@pytest.mark.parametrize('segmentation', ['rle', 'polygons'])
def test_instances_are_those_of_the_model(segmentation):
    client = make_client(TOY_INSTANCES)
    answer = post(picture(40, 30), client=client, output='instances', segmentation=segmentation)
    assert answer.headers['content-type'] == 'application/json'
    body = answer.json()
    assert (body['height'], body['width']) == (30, 40)
    assert [entry['score'] for entry in body['annotations']] == pytest.approx([0.9, 0.3], abs=1e-6)
    found = Instances.from_coco(body['annotations'], (30, 40))
    expected = np.zeros((30, 40), bool)
    expected[:, :20] = True
    np.testing.assert_array_equal(found.masks[0], expected)
    if segmentation == 'polygons':
        assert body['annotations'][1]['segmentation'] == [[20, 0, 40, 0, 40, 15, 20, 15]]
    else:
        mask = decode_segmentation(body['annotations'][1]['segmentation'], (30, 40))
        assert mask.sum() == 20 * 15


def test_instances_of_a_low_score_are_left_out():
    client = make_client(TOY_INSTANCES)
    answer = post(picture(), client=client, output='instances', min_score=0.5)
    assert len(answer.json()['annotations']) == 1


def test_instances_make_pictures_too():
    client = make_client(TOY_INSTANCES)
    found = pixels_of(post(picture(40, 30), client=client, output='mask').content)
    assert (found[:, :20] == 255).all()
    assert (found[:, 20:] == 0).all()  # the second is below the score of overlays


def test_a_saliency_model_has_no_instances():
    answer = post(picture(), output='instances')
    # The toy's name, and what there is.
    refused(answer, 422, 'toy', 'map or mask or cutout or overlay')


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'output': 'cutot'}, ['output', "'cutout'"]),
        ({'threshold': 7}, ['threshold', 'less than or equal to 1']),
        ({'threshold': 'nan'}, ['threshold']),
        ({'treshold': 0.5}, ['treshold']),
        ({'grow': 65}, ['grow']),
        ({'output': 'cutout', 'format': 'jpeg'}, ['jpeg holds no transparency']),
    ],
)
@pytest.mark.parametrize('form', [False, True], ids=['raw', 'form'])
def test_a_wrong_option_is_named(options, words, form):
    refused(post(picture(), form, **options), 422, *words)


@pytest.mark.parametrize(
    ('image', 'status', 'word'),
    [
        (b'', 422, 'empty'),
        (b'hello', 415, 'no image of'),
        (b'%PDF-1.7 ...', 415, 'no image of'),
        (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n', 415, 'no image of'),
        (picture(format='PPM'), 415, 'no image of'),
        (picture(400, 300)[:-500], 422, 'damaged'),
        (picture(400, 300, 'JPEG')[:900], 422, 'damaged'),
    ],
)
@pytest.mark.parametrize('form', [False, True], ids=['raw', 'form'])
def test_what_is_no_image_is_refused(image, status, word, form):
    refused(post(image, form), status, word)


def test_an_image_of_too_many_pixels_is_not_decoded():
    client = make_client(max_pixels=1000)
    refused(post(picture(40, 30), client=client), 413, '40 x 30', '1,000')
    assert post(picture(40, 25), client=client).status_code == 200


def test_a_bomb_is_refused_by_its_header():
    image = io.BytesIO()
    Image.new('1', (30_000, 30_000)).save(image, 'PNG')
    assert len(image.getvalue()) < 200_000
    refused(post(image.getvalue()), 413, 'pixels')


def test_a_jpeg_of_endless_scans_is_refused():
    scans = picture(format='JPEG') + b'\xff\xda' * 101
    refused(post(scans), 422, 'scans')


@pytest.mark.parametrize('form', [False, True], ids=['raw', 'form'])
def test_a_body_of_too_many_bytes_is_refused(form):
    client = make_client(max_body=10_000)
    refused(post(picture(color='red') + bytes(10_000), form, client), 413, '10,000')


def test_a_body_without_length_is_counted_as_it_comes():
    client = make_client(max_body=10_000)
    parts = iter([bytes(4_000)] * 5)
    answer = client.post('/api/predict', content=parts, headers={'content-type': 'image/png'})
    refused(answer, 413, '10,000')


def test_bodies_in_memory_are_bounded():
    client = make_client(max_held=5_000)
    answer = post(picture() + bytes(6_000), client=client)
    refused(answer, 503, 'memory')
    assert int(answer.headers['retry-after']) >= 1
    assert post(picture(), client=client).status_code == 200  # nothing is held any more


@pytest.mark.parametrize(
    ('headers', 'word'),
    [
        ({'content-type': 'application/json'}, 'application/json'),
        ({'content-type': 'text/html'}, 'text/html'),
        ({'content-type': 'image/png', 'content-encoding': 'gzip'}, 'compressed'),
    ],
)
def test_bodies_of_other_types_are_refused(headers, word):
    refused(CLIENT.post('/api/predict', content=picture(), headers=headers), 415, word)


@pytest.mark.parametrize(
    'kind', ['image/jpeg', 'application/octet-stream', 'application/x-www-form-urlencoded', None]
)
def test_the_image_decides_not_the_stated_type(kind):
    headers = {} if kind is None else {'content-type': kind}
    assert CLIENT.post('/api/predict', content=picture(), headers=headers).status_code == 200


def test_forms_without_an_image_are_refused():
    answer = CLIENT.post('/api/predict', files={'photo': ('a.png', picture())})
    refused(answer, 422, 'no file', 'file')
    headers = {'content-type': 'multipart/form-data'}
    refused(CLIENT.post('/api/predict', content=b'--x', headers=headers), 400, 'boundary')
    headers = {'content-type': 'multipart/form-data; boundary=x'}
    refused(CLIENT.post('/api/predict', content=b'nonsense', headers=headers), 400, 'form')


def test_a_failing_model_is_an_answer_too():
    def fail(images):
        raise RuntimeError('out of memory')

    client = make_client(TOY.__class__('bad', 'saliency', fail, {}), fails_loudly=False)
    refused(post(picture(), client=client), 500, 'RuntimeError')
    assert 'status="500"' in client.get('/metrics').text
