"""Pair images with masks in all common folder layouts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sod_plugins._common.names import ExifRule
from sod_plugins.data.errors import DataError, list_files
from sod_plugins.data.folders import folders_like, image_files, images_in, require_folder
from sod_plugins.data.lists import read_list, select_listed
from sod_plugins.data.name_patterns import NamePattern
from sod_plugins.data.names import FileFinder

# (images, masks) below the root, compared case-insensitively.
LAYOUTS = (
    ('DUTS-TR/DUTS-TR-Image', 'DUTS-TR/DUTS-TR-Mask'),
    ('DUTS-TE/DUTS-TE-Image', 'DUTS-TE/DUTS-TE-Mask'),
    ('DUTS-TR-Image', 'DUTS-TR-Mask'),
    ('DUTS-TE-Image', 'DUTS-TE-Mask'),
    ('images', 'masks'),
    ('images', 'GT'),
    ('images', 'ground_truth_mask'),
    ('Image', 'Mask'),
    ('imgs', 'gt'),
    ('im', 'gt'),
)
# Folders besides the root that hold images and masks together: MSRA10K's.
SHARED_FOLDERS = ('Imgs',)
# In these, images are JPEG files and masks, whose values must stay exact, are not.
_PHOTO_EXTENSIONS = frozenset(('.jpg', '.jpeg', '.jpe', '.jfif'))


@dataclass(frozen=True)
class SaliencyPair:
    """One image and its saliency mask.

    Attributes:
        stem: The file name without prefix, suffix and extension, unique in its data set.
        image: The image file.
        mask: The mask file; None only if masks are not required.
        exif: Whether both are turned upright; ``'ignore'`` reads them as stored.
    """

    stem: str
    image: Path
    mask: Path | None
    exif: ExifRule = 'apply'


@dataclass(frozen=True)
class Pairing:
    """The pairs of a data set, and its files without a partner, all sorted by stem."""

    pairs: list[SaliencyPair]
    images_without_mask: list[Path]
    masks_without_image: list[Path]


def find_pairs(
    root: str | Path | None = None,
    *,
    image_dir: str | Path | None = None,
    mask_dir: str | Path | None = None,
    list_file: str | Path | None = None,
    image_prefix: str = '',
    image_suffix: str = '',
    mask_prefix: str = '',
    mask_suffix: str = '',
    require_masks: bool = True,
    exif: ExifRule | None = None,
) -> list[SaliencyPair]:
    """Find the images of a data set and their masks.

    The arguments are those of ``FolderLayout``.

    Args:
        root: The folder of the data set.
        image_dir: The image folder, if the layout is not a known one.
        mask_dir: The mask folder, if the layout is not a known one.
        list_file: A text file that selects the samples.
        image_prefix: Text before the stem in the names of images.
        image_suffix: Text after the stem in the names of images.
        mask_prefix: Text before the stem in the names of masks.
        mask_suffix: Text after the stem in the names of masks.
        require_masks: Whether an image without a mask is an error; otherwise its mask is None.
        exif: How images and masks are read, see ``FolderLayout``.

    Returns:
        The pairs, sorted by stem.

    Raises:
        DataError: A folder is missing, empty or of no known layout (or of several), stems are
            not unique, a file lacks its partner, or a line of the list matches no file.
    """
    pairing = FolderLayout(
        root,
        image_dir=image_dir,
        mask_dir=mask_dir,
        list_file=list_file,
        image_prefix=image_prefix,
        image_suffix=image_suffix,
        mask_prefix=mask_prefix,
        mask_suffix=mask_suffix,
        require_masks=require_masks,
        exif=exif,
    ).match()
    lonely = []
    if require_masks and pairing.images_without_mask:
        lonely.append(f'images without mask: {list_files(pairing.images_without_mask)}')
    if pairing.masks_without_image:
        lonely.append(f'masks without image: {list_files(pairing.masks_without_image)}')
    if lonely:
        raise DataError(
            f'Files lack their partner; {"; ".join(lonely)}. Add or remove files, correct the '
            'prefixes and suffixes, or name the complete pairs in a list file.'
        )
    return pairing.pairs


@dataclass(frozen=True)
class FolderLayout:
    """The files of a data set, and how their names are paired.

    Given only a root, the layout is recognised by the folder names in ``LAYOUTS``. Images and masks
    may also lie together in the root or its ``Imgs``. There a mask prefix or suffix tells them
    apart; if names differ only in their extension, the image is the JPEG file. Files are paired by
    stem: the name without extension, prefix and suffix, so extensions may be mixed. Hidden files,
    subfolders, files without an image extension and files without the requested prefix or suffix
    are ignored.

    Attributes:
        root: The folder of the data set; the other relative paths start here.
        image_dir: The image folder, if the layout is not a known one.
        mask_dir: The mask folder, if the layout is not a known one. It may equal the image folder.
        list_file: A text file that selects the samples, one per line: a stem, the path of an
            image, or the paths of an image and a mask (separated by a tab if paths hold spaces).
            The file itself may also lie below the root. Paths of pairs start at image_dir and
            mask_dir if given, at the root, or at the folder of the list. Without any folder, the
            folder of the list is the root.
        image_prefix: Text before the stem in the names of images.
        image_suffix: Text after the stem in the names of images, such as ``'_sat'``.
        mask_prefix: Text before the stem in the names of masks.
        mask_suffix: Text after the stem in the names of masks, such as ``'_mask'``.
        require_masks: Whether every image needs a mask. Otherwise a root of no known layout is
            taken as the image folder.
        exif: ``'apply'`` turns images and masks upright, each by its stated orientation.
            ``'ignore'`` reads them as stored, for masks drawn over images that were not turned.
            None (not specified) works like ``'apply'``, but the check of the data set then asks.
    """

    root: str | Path | None = None
    image_dir: str | Path | None = None
    mask_dir: str | Path | None = None
    list_file: str | Path | None = None
    image_prefix: str = ''
    image_suffix: str = ''
    mask_prefix: str = ''
    mask_suffix: str = ''
    require_masks: bool = True
    exif: ExifRule | None = None

    def match(self) -> Pairing:
        """Pair the files; a file without a partner is not an error here."""
        if self.root is not None:
            require_folder(Path(self.root), 'data set folder')
        if self.list_file is None:
            images, masks = self._index()
            return self._pairing(images, masks, images.keys(), masks.keys() - images.keys())
        path = self.list_path(self.list_file)
        entries = read_list(path)
        layout = self
        if self.root is None and self.image_dir is None and self.mask_dir is None:
            layout = replace(self, root=path.parent)
        if all(len(entry) == 2 for entry in entries):
            images, masks = layout._index_listed(path, entries)
            return self._pairing(images, masks, images.keys())
        if any(len(entry) == 2 for entry in entries):
            raise DataError(
                f"The list '{path}' names masks in some lines only. Name one in every line or none."
            )
        images, masks = layout._index()
        return self._pairing(
            images, masks, select_listed(path, [name for name, *_ in entries], images)
        )

    def masks(self) -> dict[str, Path]:
        """Map stems to masks, for uses that need no images.

        The root may then be the mask folder itself, with or without images among them.

        Raises:
            DataError: A folder is missing, empty or of no known layout, or stems are not unique.
        """
        root = Path(self.root or '')
        require_folder(root, 'mask folder')
        if self.list_file is not None:
            path = self.list_path(self.list_file)
            listed = self._listed_masks(path, read_list(path))
            if listed:
                return listed
        files = image_files(root.iterdir())
        if not files and (_layouts_in(root) or self._shared_folder(root)):
            _, folder = self._folders()
            files = images_in(folder or root, 'mask')
        elif not files:
            files = images_in(root, 'mask')
        return self._mask_names().index(self._masks_among(files) or files)

    def list_path(self, list_file: str | Path) -> Path:
        """Return the path of a list, which may be relative to the root."""
        path = self._below_root(list_file)
        return path if path.exists() else Path(list_file)

    def _below_root(self, path: str | Path) -> Path:
        return Path(path) if self.root is None else Path(self.root, path)

    def _pairing(
        self,
        images: Mapping[str, Path],
        masks: Mapping[str, Path],
        stems: Iterable[str],
        lonely_masks: Iterable[str] = (),
    ) -> Pairing:
        stems = sorted(stems)
        return Pairing(
            [
                SaliencyPair(stem, images[stem], masks.get(stem), self.exif or 'apply')
                for stem in stems
                if stem in masks or not self.require_masks
            ],
            [images[stem] for stem in stems if stem not in masks],
            [masks[stem] for stem in sorted(lonely_masks)],
        )

    def _index(self) -> tuple[dict[str, Path], dict[str, Path]]:
        """Map stems to images and stems to masks, for the two folders."""
        image_dir, mask_dir = self._folders()
        image_names = NamePattern('image', self.image_prefix, self.image_suffix)
        files = images_in(image_dir, 'image')
        if mask_dir is None:
            return image_names.index(files), {}
        if mask_dir != image_dir:
            return image_names.index(files), self._mask_names().index(images_in(mask_dir, 'mask'))
        mask_files = set(self._masks_among(files))
        if not mask_files:
            raise DataError(
                f"'{image_dir}' holds both images and masks. Give the mask prefix or suffix that "
                'tells them apart.'
            )
        images = image_names.index(path for path in files if path not in mask_files)
        return images, self._mask_names().index(sorted(mask_files))

    def _mask_names(self) -> NamePattern:
        return NamePattern('mask', self.mask_prefix, self.mask_suffix)

    def _masks_among(self, files: Sequence[Path]) -> list[Path]:
        """Return the masks among images and masks; none if nothing tells them apart."""
        if self.mask_prefix or self.mask_suffix:
            names = self._mask_names()
            return [path for path in files if names.stem(path) is not None]
        photos = {path.stem for path in files if path.suffix.lower() in _PHOTO_EXTENSIONS}
        others = [path for path in files if path.suffix.lower() not in _PHOTO_EXTENSIONS]
        return others if any(path.stem in photos for path in others) else []

    def _index_listed(
        self, list_file: Path, entries: Iterable[Sequence[str]]
    ) -> tuple[dict[str, Path], dict[str, Path]]:
        """Map stems to images and stems to masks, for the lines of a list."""
        names = NamePattern('image', self.image_prefix, self.image_suffix)
        finder = FileFinder()
        missing: list[Path] = []
        for base in self._list_bases(list_file):
            image_dir, mask_dir = base / (self.image_dir or ''), base / (self.mask_dir or '')
            paths = [
                (finder.find(image_dir, image), finder.find(mask_dir, mask))
                for image, mask in entries
            ]
            lost = [path for pair in paths for path in pair if not path.is_file()]
            missing = missing or lost
            if not lost:
                break
        else:
            raise DataError(
                f"The list '{list_file}' names files that do not exist: {list_files(missing)}. "
                'Correct the list or the folder that its paths start at.'
            )
        mask_of = dict(paths)
        images = names.index(image for image, _ in paths)
        strange = sorted(mask_of.keys() - images.values())
        if strange:
            raise DataError(
                f"The list '{list_file}' names images that lack the prefix '{self.image_prefix}' "
                f"or the suffix '{self.image_suffix}': {list_files(strange)}. Correct either."
            )
        return images, {stem: mask_of[image] for stem, image in images.items()}

    def _listed_masks(
        self, list_file: Path, entries: Sequence[Sequence[str]]
    ) -> dict[str, Path] | None:
        """Map the stems of listed images to the listed masks; None if a mask does not exist."""
        if not all(len(entry) == 2 for entry in entries):
            return None
        images = NamePattern('image', self.image_prefix, self.image_suffix).index(
            Path(image) for image, _ in entries
        )
        mask_of = {Path(image): mask for image, mask in entries}
        for base in self._list_bases(list_file):
            masks = {stem: base / mask_of[image] for stem, image in images.items()}
            if all(path.is_file() for path in masks.values()):
                return masks
        return None

    def _list_bases(self, list_file: Path) -> tuple[Path, Path]:
        """Return the bases of relative paths in a list: the root, and the list's own folder."""
        return Path(self.root or ''), list_file.parent

    def _folders(self) -> tuple[Path, Path | None]:
        """Return the folders as given, or those of the single layout that matches the root."""
        if self.image_dir is not None:
            mask_dir = None if self.mask_dir is None else self._below_root(self.mask_dir)
            if mask_dir is None and self.require_masks:
                raise DataError(f"image_dir '{self.image_dir}' was given alone. Give mask_dir too.")
            return self._below_root(self.image_dir), mask_dir
        if self.mask_dir is not None:
            raise DataError(f"mask_dir '{self.mask_dir}' was given alone. Give image_dir too.")
        if self.root is None:
            raise DataError('No data was named. Give root, image_dir and mask_dir, or list_file.')
        root = Path(self.root)
        found = _layouts_in(root)
        if len(found) > 1:
            texts = [f"'{a.relative_to(root)}' + '{b.relative_to(root)}'" for a, b in found]
            raise DataError(
                f"Several layouts fit '{root}': {', '.join(texts)}. "
                'Choose one with image_dir and mask_dir.'
            )
        if found:
            return found[0]
        if not self.require_masks:
            return root, None
        shared = self._shared_folder(root)
        if shared is not None:
            return shared, shared
        known = ', '.join(f'{images} + {masks}' for images, masks in LAYOUTS)
        raise DataError(
            f"No known layout in '{root}'. Name its folders with image_dir and mask_dir, "
            f'or arrange them as one of: {known}.'
        )

    def _shared_folder(self, root: Path) -> Path | None:
        """Find the folder that holds images and masks together."""
        folders = [folder for name in SHARED_FOLDERS for folder in folders_like(root, name)]
        for folder in (*folders, root):
            if self._masks_among(image_files(folder.iterdir())):
                return folder
        return None


def _layouts_in(root: Path) -> list[tuple[Path, Path]]:
    """Find the layouts whose two folders exist below the root, ignoring case."""
    return [
        (image_dir, mask_dir)
        for images, masks in LAYOUTS
        for image_dir in folders_like(root, images)
        for mask_dir in folders_like(root, masks)
    ]
