"""Read a checkpoint file as tensors and plain values, without executing anything in it.

Everything that this package reads goes through :func:`read_checkpoint`. It reads torch's zip files,
torch's older files and plain pickles, by :mod:`~sod_plugins.checkpoints.pickles`, and
``.safetensors``. It keeps no state and changes nothing in the process, so any number of threads may
read at once.
"""

from __future__ import annotations

import contextlib
import io
import json
import mmap
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from sod_plugins._common.reading import open_regular, why
from sod_plugins.checkpoints.pickled_values import Named, PickleError, StandIn
from sod_plugins.checkpoints.pickles import Unpickler

SAFETENSORS = '.safetensors'
# The key of a network's description, in a checkpoint and in the metadata of `.safetensors`.
DESCRIPTION = 'sod_plugins'
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C  # starts torch's older files
DAMAGED = 'is damaged or cut short. Fetch or copy it again.'

# The dtype of a torch storage, by the name of its class or of the dtype itself.
_STORAGES = {
    'DoubleStorage': torch.float64,
    'FloatStorage': torch.float32,
    'HalfStorage': torch.float16,
    'BFloat16Storage': torch.bfloat16,
    'LongStorage': torch.int64,
    'IntStorage': torch.int32,
    'ShortStorage': torch.int16,
    'CharStorage': torch.int8,
    'ByteStorage': torch.uint8,
    'BoolStorage': torch.bool,
    'ComplexFloatStorage': torch.complex64,
    'ComplexDoubleStorage': torch.complex128,
    'UntypedStorage': torch.uint8,
}
_DTYPES = {str(dtype): dtype for dtype in set(_STORAGES.values())}


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Objects of classes, such as those of a training log, become stand-ins without content: see
    :class:`~sod_plugins.checkpoints.pickled_values.StandIn`.

    Args:
        path: A torch file, a plain pickle, or a ``.safetensors`` file. The tensors of the latter
            are returned in ``'state_dict'``, next to the description.

    Raises:
        FileNotFoundError: The file does not exist.
        OSError: It is not a regular file or cannot be read.
        ValueError: It is not a checkpoint; the message names the file and says what it is.
    """
    path = Path(path)
    try:
        with open_regular(path) as file:
            read = _read_safetensors if path.suffix == SAFETENSORS else _read_torch
            content = read(file, path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'There is no checkpoint {path}.') from error
    except OSError as error:
        raise type(error)(f'{path} cannot be read as a checkpoint: {why(error)}.') from error
    except _OtherFileError as error:
        raise ValueError(f'{path} {error}') from error
    except PickleError as error:
        raise ValueError(f'{path} cannot be read as a checkpoint: {error}.') from error
    if isinstance(content, StandIn | Named):
        raise ValueError(
            f"{path} holds an object of the class or function '{content.name[:80]}', which only "
            'code could make: a whole module, say. Where you trust it, load it by the program that '
            'wrote it and save its state_dict().'
        )
    if not isinstance(content, dict):
        raise ValueError(f'{path} holds a {type(content).__name__}, not a checkpoint.')
    return dict(content)


class _OtherFileError(ValueError):
    """A file of another format; the message continues after the file name."""


def _read_torch(file: BinaryIO, path: Path) -> Any:
    size = os.fstat(file.fileno()).st_size
    head = file.read(512)
    file.seek(0)
    _refuse_other_kinds(head)
    if head.startswith(b'PK'):
        return _read_zip(file, size)
    with contextlib.closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as content:
        return _read_pickles(content, size)  # type: ignore[arg-type]  # it has read and readline


def _refuse_other_kinds(head: bytes) -> None:
    """Recognise files that are often mistaken for a checkpoint.

    Raises:
        _OtherFileError: The file begins like one of them.
    """
    start = head.lstrip(b'\xef\xbb\xbf \t\r\n').lower()
    if not head:
        raise _OtherFileError('is empty. Fetch or copy it again.')
    if start.startswith(b'version https://git-lfs'):
        raise _OtherFileError(
            'is a pointer of Git LFS to a checkpoint, not the file itself. Run: git lfs pull'
        )
    if start.startswith((b'<!doctype', b'<html', b'<head', b'<?xml', b'<svg')):
        raise _OtherFileError('is a web page or XML, not a checkpoint. Download the file itself.')
    if head.startswith((b'\x1f\x8b', b'BZh', b'\xfd7zXZ', b'7z\xbc\xaf', b'Rar!')) or (
        head[257:262] == b'ustar'
    ):
        raise _OtherFileError('is an archive. Unpack it and name the checkpoint that was in it.')
    if head[:1] + head[2:3] == b'\x08\x12':  # ONNX's first two fields, of which one has one byte
        raise _OtherFileError(
            'is an exported network (ONNX), which `sod predict` runs. Name the checkpoint that it '
            'was exported from.'
        )


# --- torch's zip files ---------------------------------------------------------------------------


def _read_zip(file: BinaryIO, size: int) -> Any:
    try:
        with zipfile.ZipFile(file) as archive:
            names = {info.filename: info for info in archive.infolist()}
            folder = _folder_of(names)
            order = names.get(f'{folder}/byteorder')
            if order is not None and archive.read(order)[:6] != b'little':
                raise _OtherFileError('was written on a machine with another order of bytes.')
            storages = _Storages(size, lambda key: _open_record(archive, names, folder, key))
            content = io.BytesIO(_read_record(archive, names[f'{folder}/data.pkl']))
            return Unpickler(content, _makers(), storages.load).load()
    except (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise _OtherFileError(DAMAGED) from error


def _folder_of(names: dict[str, zipfile.ZipInfo]) -> str:
    """Return the folder that holds torch's records in an archive."""
    scripted = [name for name in names if name.endswith('/constants.pkl') or '/code/' in name]
    if scripted:
        raise _OtherFileError(
            'is a TorchScript program, not a checkpoint. Load it by torch.jit.load and save its '
            'state_dict().'
        )
    found = [name for name in names if name.endswith('/data.pkl') and name.count('/') == 1]
    if len(found) != 1:
        raise _OtherFileError('is a zip archive, but no checkpoint of torch. Unpack it.')
    return found[0].partition('/')[0]


def _read_record(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    _require_stored(info)
    return archive.read(info)


def _open_record(
    archive: zipfile.ZipFile, names: dict[str, zipfile.ZipInfo], folder: str, key: str
) -> tuple[int, BinaryIO]:
    """Return the size of a storage's record, and the open record."""
    info = names.get(f'{folder}/data/{key}')
    if info is None:
        raise PickleError('it lacks the values of some tensors')
    _require_stored(info)
    return info.file_size, archive.open(info)  # type: ignore[return-value]


def _require_stored(info: zipfile.ZipInfo) -> None:
    """Reject records that torch never writes, and those that would expand without limit."""
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise _OtherFileError('is compressed or encrypted, as torch writes none. Save it again.')


# --- torch's older files, and plain pickles ------------------------------------------------------


def _read_pickles(file: BinaryIO, size: int) -> Any:
    """Read an older torch file: its pickles, followed by the values of all storages."""
    first = Unpickler(file, _makers()).load()
    if first != MAGIC_NUMBER:
        return first
    Unpickler(file).load()  # the version
    Unpickler(file).load()  # about the machine that wrote it
    storages = _Storages(size)
    content = Unpickler(file, _makers(), storages.load).load()
    keys = Unpickler(file).load()
    if not isinstance(keys, list):
        raise PickleError('it is damaged or cut short')
    storages.fill(file, keys)
    return content


# --- tensors -------------------------------------------------------------------------------------


@dataclass
class _Storage:
    """The values of one or more tensors."""

    dtype: torch.dtype
    values: torch.UntypedStorage

    @property
    def count(self) -> int:
        return len(self.values) // self.dtype.itemsize


class _Storages:
    """The storages of a file, each of which several tensors may share.

    Args:
        size: The size of the file, which all storages together may not exceed.
        open_record: Opens the record of a storage and returns its size; None if the values follow
            the pickle.
    """

    def __init__(
        self, size: int, open_record: Callable[[str], tuple[int, BinaryIO]] | None = None
    ) -> None:
        self.left = size
        self.open_record = open_record
        self.known: dict[str, _Storage] = {}

    def load(self, reference: Any) -> Any:
        """Return the storage that a pickle refers to."""
        if not isinstance(reference, tuple) or len(reference) < 5:
            return StandIn('torch.module')  # the oldest files store the source of their modules
        kind, named, key, _, count = reference[:5]
        dtype = _STORAGES.get(named.name.rpartition('.')[2]) if isinstance(named, Named) else None
        if kind != 'storage' or dtype is None or not isinstance(key, str):
            raise PickleError('it holds a tensor of an unknown type')
        if len(reference) > 5 and reference[5] is not None:
            raise PickleError('it holds a view of a storage, as torch wrote before 0.4')
        if key not in self.known:
            self.known[key] = self._new(dtype, key, count)
        return _Storage(dtype, self.known[key].values)

    def _new(self, dtype: torch.dtype, key: str, count: Any) -> _Storage:
        if type(count) is not int or not 0 <= count * dtype.itemsize <= self.left:
            raise PickleError('it declares more values than it holds')
        self.left -= count * dtype.itemsize
        storage = _Storage(dtype, torch.UntypedStorage(count * dtype.itemsize))  # type: ignore[no-untyped-call]
        if self.open_record is not None:
            size, record = self.open_record(key)
            with record:
                if size != len(storage.values):
                    raise PickleError('it declares more values than it holds')
                _fill(storage.values, record)
        return storage

    def fill(self, file: BinaryIO, keys: list[Any]) -> None:
        """Read the values of storages that follow the pickle, in the order of ``keys``."""
        for key in keys:
            storage = self.known.pop(key, None) if isinstance(key, str) else None
            count = int.from_bytes(file.read(8), 'little')
            if storage is None or count != storage.count:
                raise PickleError('it is damaged or cut short')
            _fill(storage.values, file)
        if self.known:
            raise PickleError('it lacks the values of some tensors')


def _fill(values: torch.UntypedStorage, file: BinaryIO) -> None:
    if not len(values):
        return
    target = torch.empty(0, dtype=torch.uint8).set_(values).numpy()
    done = 0
    while done < len(target):
        part = file.read(min(1 << 24, len(target) - done))
        if not part:
            raise PickleError('it is damaged or cut short')
        target[done : done + len(part)] = memoryview(part)
        done += len(part)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """Create a tensor after checking that it lies within its storage."""
    if not isinstance(storage, _Storage):
        raise PickleError('it holds a tensor without values')
    lengths = _whole_numbers(size)
    steps = _whole_numbers(stride)
    (start,) = _whole_numbers((offset,))
    if len(lengths) != len(steps):
        raise PickleError('it holds a damaged tensor')
    count = last = 1
    for length, step in zip(lengths, steps, strict=True):
        count *= length
        last += (length - 1) * step
    if count and (start + last > storage.count or count > storage.count):
        raise PickleError('it declares more values than it holds')
    if not count:
        return torch.empty(_bounded(lengths), dtype=storage.dtype)
    return torch.empty(0, dtype=storage.dtype).set_(storage.values, start, lengths, steps)


def _whole_numbers(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple) or len(values) > 64:
        raise PickleError('it holds a damaged tensor')
    if not all(type(value) is int and 0 <= value < 1 << 62 for value in values):
        raise PickleError('it holds a damaged tensor')
    return values


def _bounded(lengths: tuple[int, ...]) -> tuple[int, ...]:
    """Return the lengths of an empty tensor, rejecting those with an absurd product."""
    product = 1
    for length in lengths:
        product *= max(length, 1)
    if product >= 1 << 62:
        raise PickleError('it holds a damaged tensor')
    return lengths


def _parameter(data: Any, *_: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise PickleError('it holds a parameter without values')
    return data


def _typed(function: Any, kind: Any, arguments: Any, state: Any = None) -> Any:
    """Create a tensor without its Python attributes."""
    maker = _makers().get(function.name) if isinstance(function, Named) else None
    if maker is None or maker is _typed or not isinstance(arguments, tuple):
        raise PickleError('it holds a tensor of an unknown type')
    return maker(*arguments)


def _size(lengths: Any = ()) -> torch.Size:
    return torch.Size(_whole_numbers(tuple(lengths)))


def _device(*arguments: Any) -> StandIn:
    return StandIn('torch.device', arguments)


def _makers() -> dict[str, Callable[..., Any]]:
    return {
        'torch._utils._rebuild_tensor': _tensor,
        'torch._utils._rebuild_tensor_v2': _tensor,
        'torch._utils._rebuild_parameter': _parameter,
        'torch._utils._rebuild_parameter_with_state': _parameter,
        'torch.nn.parameter.Parameter': _parameter,
        'torch._tensor._rebuild_from_type_v2': _typed,
        'torch.Size': _size,
        'torch.device': _device,
    }


# --- .safetensors --------------------------------------------------------------------------------


def _read_safetensors(file: BinaryIO, path: Path) -> dict[str, Any]:
    head = file.read(512)
    _refuse_other_kinds(head)
    try:
        with safetensors.safe_open(str(path), 'pt') as content:
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
            metadata = content.metadata() or {}
    except (safetensors.SafetensorError, RuntimeError, TypeError, ValueError) as error:
        raise _OtherFileError(DAMAGED) from error
    described = metadata.get(DESCRIPTION)
    if described is None:
        return {'state_dict': tensors}
    try:
        return {DESCRIPTION: _with_tuples(json.loads(described)), 'state_dict': tensors}
    except (ValueError, RecursionError) as error:
        raise _OtherFileError('holds a description that is not JSON. Write it again.') from error


def _with_tuples(value: Any) -> Any:
    """Convert lists to tuples, which JSON cannot represent."""
    if isinstance(value, dict):
        return {key: _with_tuples(content) for key, content in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
