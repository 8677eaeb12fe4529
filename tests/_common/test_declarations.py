from __future__ import annotations

import inspect

import pytest

from sod_plugins._common.declarations import description, passes_on


class Decoder:
    """Maps to logits.

    Any pyramid will do.

    Args:
        in_channels: Channels of each map.
        depth: Layers,
            at least one.
        norm: Makes a norm.

    Raises:
        ValueError: If there is no layer.
    """

    def __init__(self, in_channels: int, depth: int = 2, *, norm: object = None) -> None:
        self.given = (in_channels, depth, norm)


class Adapter:
    """What adapters share.

    Args:
        init: How weights begin.
        unused: Of no constructor here.
    """

    def __init__(self, *args: object, init: str = 'he', **arguments: object) -> None:
        self.init = init
        self.net = Decoder(*args, **arguments)


@passes_on(Adapter, Decoder, without=('norm',))
class Head(Adapter):
    """A decoder for a host.

    Args:
        norm_cfg: Describes a norm.

    Raises:
        KeyError: If there is no such norm.
    """

    def __init__(self, *args: object, norm_cfg: str | None = None, **arguments: object) -> None:
        super().__init__(*args, norm=norm_cfg, **arguments)


@passes_on(Decoder, without=('in_channels',))
class Network:
    """A whole network.

    Args:
        backbone: Its name.
    """

    def __init__(self, backbone: str = 'vgg', **decoder: int) -> None:
        self.decoder = Decoder(len(backbone), **decoder)


def test_the_signature_shows_what_is_passed_on():
    assert str(inspect.signature(Head)) == (
        "(in_channels: 'int', depth: 'int' = 2, *, init: 'str' = 'he', "
        "norm_cfg: 'str | None' = None) -> 'None'"
    )
    assert str(inspect.signature(Network)) == (
        "(backbone: 'str' = 'vgg', *, depth: 'int' = 2, norm: 'object' = None) -> 'None'"
    )


def test_the_docstring_has_every_argument_in_the_signature_s_order():
    assert inspect.getdoc(Head) == inspect.cleandoc(
        """A decoder for a host.

        Args:
            in_channels: Channels of each map.
            depth: Layers,
                at least one.
            init: How weights begin.
            norm_cfg: Describes a norm.

        Raises:
            KeyError: If there is no such norm.
            ValueError: If there is no layer.
        """
    )


def test_a_description_is_the_text_alone():
    assert description(Decoder.__doc__) == 'Maps to logits.\n\nAny pyramid will do.'
    assert description(None) == ''


def test_arguments_arrive_with_and_without_their_names():
    head = Head(3, 4, norm_cfg='BN', init='glorot')
    assert (head.net.given, head.init) == ((3, 4, 'BN'), 'glorot')
    assert Head(in_channels=3).net.given == (3, 2, None)
    assert Network('samnet', depth=5).decoder.given == (6, 5, None)


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        ({'in_channels': 3, 'dept': 1}, "got an unexpected keyword argument 'dept'"),
        ({'in_channels': 3, 'norm': 'BN'}, "got an unexpected keyword argument 'norm'"),
        ({}, "missing a required argument: 'in_channels'"),
    ],
)
def test_what_does_not_fit_is_refused_in_the_name_of_the_class(arguments, reason):
    with pytest.raises(TypeError) as refused:
        Head(**arguments)
    assert str(refused.value) == (
        f'Head {reason}. Its arguments are in_channels, depth, init, norm_cfg.'
    )


def test_a_subclass_with_a_constructor_of_its_own_shows_that_one():
    class Wider(Head):
        def __init__(self, width: int) -> None:
            super().__init__(width, depth=width)

    assert list(inspect.signature(Wider).parameters) == ['width']
    assert Wider(3).net.given == (3, 3, None)
