"""The one decoder: the formats of Pillow's registry, orientation, metadata, hostile files."""

from __future__ import annotations

import io
import os
import struct
import sys
import types
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from sod_plugins.data import DataError, image_extensions, read_image, read_mask, read_size
from sod_plugins.data.decoding import (
    LEFT_OUT,
    _load_plugins,
    image_formats,
    load_upright,
    measure,
    stated_pixels,
    why_left_out,
)

ORIENTATION = 0x0112
TURNS = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: np.rot90,
}


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def encode(array: np.ndarray, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind, **options)
    return stream.getvalue()


def oriented(orientation: object) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


# --- formats ---


def writable_formats() -> list[str]:
    """The formats of this Pillow that it reads, and writes from RGB or grey."""
    found = []
    for name in image_formats():
        if name in Image.SAVE and name not in ('SPIDER', 'XBM', 'MSP', 'BLP', 'GBR', 'PALM'):
            found.append(name)
    return found


@pytest.mark.parametrize('name', writable_formats())
def test_every_format_of_the_registry_is_read(tmp_path, name):
    """Where Pillow writes it: the array equals what Pillow itself reads of the same file."""
    size = 32 if name in ('ICO', 'ICNS', 'CUR') else 40
    path = tmp_path / 'photo'
    Image.fromarray(noise(size, size, 3)).save(path, name)
    with Image.open(path) as image:
        expected = np.asarray(image.convert('RGB'))
    np.testing.assert_array_equal(read_image(path), expected)


def test_extensions_are_those_of_the_registry():
    usual = {'.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.apng', '.bmp', '.tif', '.tiff', '.webp'}
    others = {'.gif', '.ppm', '.pgm', '.pbm', '.tga', '.jp2', '.mpo', '.psd', '.ico'}
    assert usual | others <= image_extensions()
    for end in ('.eps', '.ps', '.wmf', '.emf', '.bufr', '.grib', '.h5', '.mpg', '.pdf', '.txt'):
        assert end not in image_extensions()


def test_a_format_that_a_plugin_registers_is_read(tmp_path, monkeypatch):
    class Row(ImageFile.ImageFile):
        format = 'ROW'

        def _open(self):
            self._mode, self._size = 'L', (len(self.fp.read()) - 4, 1)
            self.tile = [('raw', (0, 0, *self._size), 4, ('L', 0, 1))]

    for registry in ('OPEN', 'EXTENSION'):
        monkeypatch.setattr(Image, registry, dict(getattr(Image, registry)))
    monkeypatch.setattr(Image, 'ID', list(Image.ID))
    Image.register_open('ROW', Row, lambda start: start[:4] == b'ROW!')
    Image.register_extension('ROW', '.row')
    (tmp_path / 'a.row').write_bytes(b'ROW!\x01\x02\x03')
    assert '.row' in image_extensions()
    np.testing.assert_array_equal(read_image(tmp_path / 'a.row')[0, :, 0], [1, 2, 3])


def test_a_file_is_what_it_holds_not_what_it_is_called(tmp_path):
    (tmp_path / 'photo.png').write_bytes(encode(noise(4, 4, 3), 'BMP'))
    np.testing.assert_array_equal(read_image(tmp_path / 'photo.png'), noise(4, 4, 3))


HOSTILE_STARTS = {
    'EPS': b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n',
    'WMF': b'\xd7\xcd\xc6\x9a\x00\x00' + bytes(40),
    'BUFR': b'BUFR' + bytes(40),
    'GRIB': b'GRIB\0\0\0\x01' + bytes(40),
    'HDF5': b'\x89HDF\r\n\x1a\n' + bytes(40),
    'MPEG': b'\x00\x00\x01\xb3' + bytes(40),
}


@pytest.mark.parametrize('name', HOSTILE_STARTS)
@pytest.mark.parametrize('end', ['.png', '.eps', '.jpg'])
@pytest.mark.parametrize('reader', [read_image, read_mask, read_size])
def test_left_out_formats_are_never_opened(tmp_path, monkeypatch, name, end, reader):
    def opened(*args):
        raise AssertionError(f'{name} was opened')

    image_formats()  # all registered
    monkeypatch.setitem(Image.OPEN, name, (opened, Image.OPEN[name][1]))
    path = tmp_path / f'x{end}'
    path.write_bytes(HOSTILE_STARTS[name])
    with pytest.raises(DataError, match=f'it is {name}, which is left out, as {LEFT_OUT[name]}'):
        reader(path)


def test_iptc_is_left_out_as_it_may_wrap_any_other():
    assert 'IPTC' in LEFT_OUT and 'IPTC' not in image_formats()


def test_what_is_left_out_is_explained_by_its_extension():
    assert why_left_out('a.jpg') is None
    assert why_left_out('notes.txt') is None
    assert why_left_out('a.EPS') == 'EPS is left out, as reading it starts another program'
    assert 'does not read this format' in why_left_out('a.nef')


# --- HEIC ---


def without_heif(monkeypatch):
    image_formats()  # what is installed is registered once, and here taken away again
    monkeypatch.delitem(Image.OPEN, 'HEIF', raising=False)
    monkeypatch.setattr(Image, 'ID', [name for name in Image.ID if name != 'HEIF'])
    ends = {end: name for end, name in Image.EXTENSION.items() if name != 'HEIF'}
    monkeypatch.setattr(Image, 'EXTENSION', ends)


def test_heic_without_its_package_is_one_sentence(tmp_path, monkeypatch):
    without_heif(monkeypatch)
    (tmp_path / 'h.jpg').write_bytes(struct.pack('>I', 24) + b'ftypheic' + bytes(60))
    with pytest.raises(DataError, match=r"Run: pip install 'sod-plugins\[heic\]'\.$"):
        read_image(tmp_path / 'h.jpg')
    assert "pip install 'sod-plugins[heic]'" in why_left_out('h.heic')


def test_the_package_for_heic_is_registered(monkeypatch):
    calls = []
    module = types.SimpleNamespace(register_heif_opener=lambda: calls.append(1))
    monkeypatch.setitem(sys.modules, 'pillow_heif', module)
    _load_plugins.cache_clear()
    image_formats()
    assert calls == [1]


@pytest.mark.parametrize('orientation', range(1, 9))
def test_heic(tmp_path, orientation):
    pillow_heif = pytest.importorskip('pillow_heif')
    pillow_heif.register_heif_opener()
    smooth = np.stack(np.meshgrid(np.arange(64), np.arange(48)), axis=2) * 4
    smooth = np.dstack([smooth, smooth[..., 0]]).astype(np.uint8)
    options = {'quality': -1, 'chroma': 444, 'exif': oriented(orientation).tobytes()}
    Image.fromarray(smooth).save(tmp_path / 'h.heic', 'HEIF', **options)
    expected = TURNS[orientation](smooth).astype(int)
    assert np.abs(read_image(tmp_path / 'h.heic') - expected).max() <= 8  # of YCbCr's rounding
    assert read_size(tmp_path / 'h.heic') == expected.shape[:2]


# --- orientation ---

LOSSLESS = {
    'PNG': {},
    'TIFF': {},
    'TIFF LZW': {'compression': 'tiff_lzw'},
    'TIFF tiles': {'tiffinfo': {322: 16, 323: 16}},
    'WEBP': {'lossless': True},
}


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('mode', ['L', 'RGB', 'RGBA'])
@pytest.mark.parametrize('kind', LOSSLESS)
def test_every_orientation_of_every_format(tmp_path, kind, mode, orientation):
    pixels = noise(20, 35, 3)
    path = tmp_path / 'photo'
    image = Image.fromarray(pixels).convert(mode)
    pixels = np.asarray(image.convert('RGB'))
    options = {'exif': oriented(orientation), **LOSSLESS[kind]}
    if 'tiffinfo' in options:
        options = {'tiffinfo': {**options['tiffinfo'], ORIENTATION: orientation}}
    image.save(path, kind.split()[0], **options)
    expected = TURNS[orientation](pixels)
    for source in (path, path.read_bytes()):
        np.testing.assert_array_equal(read_image(source), expected)
        np.testing.assert_array_equal(read_image(source, exif='ignore'), pixels)
        assert read_size(source) == expected.shape[:2]
        assert read_size(source, exif='ignore') == (20, 35)
        # An opaque WEBP holds three channels, whatever it was made of.
        mode = 'RGB' if kind.startswith('WEBP') else image.mode
        assert measure(source, 'image') == ((20, 35), orientation, mode)


@pytest.mark.parametrize('kind', ['JPEG', 'AVIF', 'MPO'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_orientation_of_lossy_formats(kind, orientation):
    if kind == 'AVIF' and 'AVIF' not in image_formats():
        pytest.skip('this Pillow reads no AVIF')
    content = encode(noise(16, 40, 3), kind, exif=oriented(orientation))
    stored = read_image(content, exif='ignore')
    if kind == 'AVIF':  # whose file states rotation and mirroring instead
        stored = np.asarray(Image.open(io.BytesIO(content)).convert('RGB'))
    np.testing.assert_array_equal(read_image(content), TURNS[orientation](stored))


def test_orientation_in_xmp():
    xmp = '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    info = PngImagePlugin.PngInfo()
    info.add_itxt('XML:com.adobe.xmp', xmp)
    content = encode(noise(5, 7, 3), 'PNG', pnginfo=info)
    np.testing.assert_array_equal(read_image(content), TURNS[6](noise(5, 7, 3)))


@pytest.mark.parametrize('stated', [0, 9, 77, 65535])
@pytest.mark.parametrize('kind', ['PNG', 'TIFF', 'WEBP'])
def test_orientation_of_no_meaning_changes_nothing(kind, stated):
    content = encode(noise(5, 7, 3), kind, exif=oriented(stated), lossless=True)
    np.testing.assert_array_equal(read_image(content), noise(5, 7, 3))


def test_masks_turn_as_photos_do(tmp_path):
    mask = np.zeros((5, 7), np.uint8)
    mask[0, 0] = 255
    path = tmp_path / 'm.tif'
    Image.fromarray(mask).save(path, exif=oriented(6))
    np.testing.assert_array_equal(read_mask(path), TURNS[6](mask) / 255)
    np.testing.assert_array_equal(read_mask(path, exif='ignore'), mask / 255)


def test_other_rules_are_refused():
    with pytest.raises(DataError, match="exif must be one of 'apply', 'ignore', got 'aply'"):
        load_upright(encode(noise(2, 2), 'PNG'), 'image', 'aply')


# --- broken metadata ---


def png_with(kind: bytes, content: bytes, checksum: int | None = None) -> bytes:
    """A PNG with a chunk more, before its pixels."""
    png = encode(noise(6, 9, 3), 'PNG')
    checksum = zlib.crc32(kind + content) if checksum is None else checksum
    chunk = struct.pack('>I', len(content)) + kind + content + struct.pack('>I', checksum)
    return png[:33] + chunk + png[33:]


@pytest.mark.parametrize(
    ('kind', 'content', 'checksum'),
    [
        (b'tEXt', b'a\0b', 7),  # a checksum that is wrong
        (b'pHYs', b'\0\0', None),
        (b'cHRM', b'\1\2\3', None),
        (b'gAMA', b'', None),
        (b'iCCP', b'x\0\0not deflated', None),
        (b'iCCP', b'x' * 200, None),
        (b'zTXt', b'a\0\0' + zlib.compress(bytes(10**8)), None),  # a bomb
        (b'iTXt', b'\xff\xff', None),
        (b'eXIf', b'MM\0*\xff\xff\xff\xff', None),
        (b'eXIf', b'nonsense', None),
        (b'acTL', b'\0', None),
        (b'tIME', b'', None),
        (b'sRGB', b'', None),
        (b'quUx', bytes(1000), 1),
    ],
)
def test_broken_chunks_of_png_cost_no_pixel(kind, content, checksum):
    png = png_with(kind, content, checksum)
    np.testing.assert_array_equal(read_image(png), noise(6, 9, 3))
    assert read_size(png) == (6, 9)


def test_a_broken_chunk_does_not_cost_the_orientation():
    png = png_with(b'pHYs', b'\0\0')
    exif = oriented(6).tobytes()[6:]
    chunk = struct.pack('>I', len(exif)) + b'eXIf' + exif
    png = png[:33] + chunk + struct.pack('>I', zlib.crc32(chunk[4:])) + png[33:]
    np.testing.assert_array_equal(read_image(png), TURNS[6](noise(6, 9, 3)))


def jpeg_with(marker: int, content: bytes) -> bytes:
    jpeg = encode(noise(16, 24, 3), 'JPEG', quality=90)
    return (
        jpeg[:2] + bytes([0xFF, marker]) + struct.pack('>H', len(content) + 2) + content + jpeg[2:]
    )


@pytest.mark.parametrize(
    ('marker', 'content'),
    [
        (0xE1, b'Exif\0\0MM\0*\xff\xff\xff\xff'),
        (0xE1, b'Exif\0\0nonsense'),
        (0xE1, b'http://ns.adobe.com/xap/1.0/\0\xff\xfe tiff:Orientation="x"'),
        (0xE2, b'ICC_PROFILE\0'),
        (0xE2, b'ICC_PROFILE\0\x09\x01' + bytes(10)),
        (0xE2, b'MPF\0nonsense'),
        (0xED, b'Photoshop 3.0\x008BIM\x04\x04'),
        (0xED, b'Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\x03abc'),
        (0xEE, b'Adobe'),
        (0xE0, b'JFIF\0\x01'),
        (0xFE, b''),
    ],
)
def test_broken_segments_of_jpeg_cost_no_pixel(marker, content):
    expected = read_image(encode(noise(16, 24, 3), 'JPEG', quality=90))
    jpeg = jpeg_with(marker, content)
    np.testing.assert_array_equal(read_image(jpeg), expected)
    assert read_size(jpeg) == (16, 24)


@pytest.mark.parametrize('compression', [None, 'tiff_lzw'])
@pytest.mark.parametrize('kind', [0, 1, 2, 3, 5, 7, 12, 13, 99])
@pytest.mark.parametrize(('count', 'value'), [(1, 0), (5, 2**32 - 1), (2**32 - 1, 8)])
def test_broken_tags_of_tiff_cost_no_pixel(compression, kind, count, value):
    """Each tag that says nothing about pixels in turn, with a type, count and place of no sense."""
    tags = {270: 'a description', 282: 72.0, 283: 72.0, 296: 2, 305: 'a program', 315: 'a name'}
    tags = {**tags, ORIENTATION: 6}
    content = encode(noise(6, 9, 3), 'TIFF', compression=compression, tiffinfo=tags)
    directory = struct.unpack_from('<I', content, 4)[0]
    entries = struct.unpack_from('<H', content, directory)[0]
    broken = 0
    for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
        if struct.unpack_from('<H', content, entry)[0] in tags.keys() - {ORIENTATION}:
            changed = bytearray(content)
            struct.pack_into('<HII', changed, entry + 2, kind, count, value)
            np.testing.assert_array_equal(read_image(bytes(changed)), TURNS[6](noise(6, 9, 3)))
            broken += 1
    assert broken == 6


def test_broken_chunks_of_webp_cost_no_pixel():
    content = encode(noise(6, 9, 3), 'WEBP', lossless=True, exif=oriented(6), xmp=b'<x/>')
    start = content.index(b'XMP ')
    broken = content[: start + 4] + struct.pack('<I', 2**31) + content[start + 8 :]
    np.testing.assert_array_equal(read_image(broken), TURNS[6](noise(6, 9, 3)))


# --- files that are none ---


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no named pipes here')
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / 'p.png')
    with pytest.raises(DataError, match=r"image '.*p\.png': it is a pipe or a device"):
        read_image(tmp_path / 'p.png')


@pytest.mark.skipif(not Path('/dev/zero').exists(), reason='no such device here')
def test_a_device_is_refused():
    with pytest.raises(DataError, match="mask '/dev/zero': it is a pipe or a device"):
        read_mask('/dev/zero')


@pytest.mark.parametrize('reader', [read_image, read_mask, read_size])
def test_more_pixels_than_the_limit_are_named_as_such(tmp_path, monkeypatch, reader):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 50)
    path = tmp_path / 'huge.png'
    path.write_bytes(encode(noise(20, 20), 'PNG'))
    with pytest.raises(DataError, match=r"huge\.png': it is larger than 100 pixels, the limit"):
        reader(path)


def test_a_bomb_is_refused_unpacked(tmp_path):
    """A PNG of a few bytes that states 40,000 x 40,000 pixels."""
    header = struct.pack('>IIBBBBB', 40000, 40000, 8, 2, 0, 0, 0)
    png = bytearray(encode(noise(2, 2, 3), 'PNG'))
    png[16:29] = header
    png[29:33] = struct.pack('>I', zlib.crc32(b'IHDR' + header))
    with pytest.raises(DataError, match='larger than 178,956,970 pixels'):
        read_image(bytes(png))


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:0', 'pointer of Git LFS'),
        (b'<!DOCTYPE html><html>', 'it is not an image that Pillow can identify'),
        (b'', 'it is not an image that Pillow can identify'),
        (b'II*\0\x08\0\0\0\0\0\0\0\0\0', 'a TIFF of a kind that Pillow does not read'),
    ],
)
def test_what_else_a_file_may_be(content, reason):
    with pytest.raises(DataError, match=reason):
        read_image(content)


def test_random_damage_is_an_image_or_one_sentence():
    """Bytes changed anywhere: the decoder raises nothing but ``DataError``."""
    rng = np.random.default_rng(1)
    outcomes = set()
    for kind in ('PNG', 'JPEG', 'TIFF', 'GIF', 'BMP', 'WEBP', 'PPM', 'TGA', 'ICO', 'SGI', 'PCX'):
        content = encode(noise(16, 16, 3), kind)
        for _ in range(20):
            changed = bytearray(content)
            for place in rng.integers(0, len(content), 6):
                changed[place] = rng.integers(256)
            try:
                outcomes.add(read_image(bytes(changed)).ndim)
            except DataError as error:
                outcomes.add(str(error).count('\n'))
    assert outcomes == {3, 0}


def test_pixels_are_read_from_the_header_alone(tmp_path):
    path = tmp_path / 'a.jpg'
    content = encode(noise(30, 50, 3), 'JPEG')
    path.write_bytes(content[: len(content) // 2])  # enough for the header, not for the pixels
    assert stated_pixels(path) == 1500
    path.write_bytes(b'no image')
    assert stated_pixels(path) is None
    assert stated_pixels(tmp_path / 'none.jpg') is None
