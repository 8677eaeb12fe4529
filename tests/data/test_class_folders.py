from __future__ import annotations

import pytest

from sod_plugins.data import DataError, class_names, find_labelled_images


@pytest.fixture
def tree(tmp_path):
    """Return a function that makes empty files below a folder, and the folder."""

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def relative(found, root):
    return [(path.relative_to(root).as_posix(), label) for path, label in found.images]


def test_folders_are_classes_of_images_at_any_depth(tree):
    root = tree(
        'cat/b.JPEG', 'cat/deep/er/a.png', 'ant/c.jpg', 'ant/notes.txt', 'ant/.hidden.jpg',
        'ant/.thumbs/c.jpg', '.cache/d.jpg', 'beside.jpg', '10/e.jpg', '9/f.jpg',
    )  # fmt: skip
    found = find_labelled_images(root)
    assert found.classes == class_names(root) == ('10', '9', 'ant', 'cat')
    assert relative(found, root) == [
        ('10/e.jpg', 0),
        ('9/f.jpg', 1),
        ('ant/c.jpg', 2),
        ('cat/b.JPEG', 3),
        ('cat/deep/er/a.png', 3),
    ]


@pytest.mark.parametrize(
    ('labels', 'classes', 'numbers'),
    [
        (('10', '9', '10'), ('9', '10'), [1, 0, 1]),
        (('dog', 'cat', 'dog'), ('cat', 'dog'), [1, 0, 1]),
        (('9', 'cat', '10'), ('10', '9', 'cat'), [1, 2, 0]),
    ],
)
def test_lists_give_paths_and_labels(labels, classes, numbers, tree):
    root = tree('in/a.jpg', 'in/b c.jpg', 'in/d.jpg')
    first, second, third = labels
    (root / 'list.txt').write_text(f'd.jpg {first}\n\nb c.jpg\t{second} \n  a.jpg   {third}\n')
    found = find_labelled_images(root / 'in', list_file=root / 'list.txt')
    assert found.classes == class_names(root / 'list.txt') == classes
    assert relative(found, root / 'in') == list(
        zip(('d.jpg', 'b c.jpg', 'a.jpg'), numbers, strict=True)
    )


def test_classes_of_the_training_set_count(tree):
    root = tree('train/ant/a.jpg', 'train/bee/b.jpg', 'train/cat/c.jpg', 'val/cat/d.jpg')
    found = find_labelled_images(root / 'val', classes=class_names(root / 'train'))
    assert found.classes == ('ant', 'bee', 'cat')
    assert relative(found, root) == [('val/cat/d.jpg', 2)]


def test_what_is_wrong_is_named(tree):
    root = tree('train/ant/a.jpg', 'train/bee/readme.txt', 'flat/a.jpg', 'val/wasp/b.jpg')
    for folder, message in (
        ('nowhere', r"folder of classes '.*nowhere' does not exist"),
        ('flat/a.jpg', r"folder of classes '.*a\.jpg' is not a folder"),
        ('flat', r"flat' holds no class folders"),
        ('train', r"class folder '.*bee' holds no image files"),
    ):
        with pytest.raises(DataError, match=message):
            find_labelled_images(root / folder)
    with pytest.raises(DataError, match=r"val' has classes that the training set has not: wasp"):
        find_labelled_images(root / 'val', classes=('ant', 'bee'))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (None, r"Cannot read the list '.*list\.txt'"),
        ('\n', r"list '.*list\.txt' must name an image and its class, but it has no line"),
        ('a.jpg 1\nb.jpg\n', r'must name an image and its class, but it has b\.jpg'),
        ('a.jpg 1\nc.jpg 0\n', r"list '.*list\.txt' names files that do not exist: .*c\.jpg"),
    ],
)
def test_what_is_wrong_with_a_list_is_named(text, message, tree):
    root = tree('a.jpg', 'b.jpg')
    if text is not None:
        (root / 'list.txt').write_text(text)
    with pytest.raises(DataError, match=message):
        find_labelled_images(root, list_file=root / 'list.txt')
