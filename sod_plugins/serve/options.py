"""The parameters of requests: names, ranges and descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sod_plugins._common.names import ImageFormat, Product
from sod_plugins.serve.refusals import Refusal

Options = TypeVar('Options', bound=BaseModel)


class PredictOptions(BaseModel):
    """The options of ``POST /api/predict``."""

    model_config = ConfigDict(extra='forbid')

    output: Product = Field('map', description='What to return; `instances` is JSON.')
    format: ImageFormat | None = Field(
        None, description='Of images; by default PNG, and JPEG for overlays.'
    )
    quality: int | None = Field(None, ge=1, le=100, description='Of JPEG, WebP and AVIF.')
    threshold: float | None = Field(
        None, gt=0, le=1, description='Saliency from which masks and cut-outs include a pixel.'
    )
    grow: int = Field(
        0, ge=-64, le=64, description='Pixels by which the salient region grows; negative: shrinks.'
    )
    edges: bool = Field(False, description="Let the map follow the photo's edges.")
    crop: bool = Field(False, description='Crop to the bounding box of the salient region.')
    background: str | None = Field(
        None,
        max_length=64,
        description='Background of cut-outs: a CSS colour, or `blur`.',
        json_schema_extra={'format': 'color'},
    )
    foreground: bool = Field(
        False, description='Estimate the colours of cut-outs under soft edges.'
    )
    segmentation: Literal['rle', 'polygons'] = Field('rle', description='Form of the masks.')
    min_score: float = Field(0.0, ge=0, le=1, description='Lowest score of an instance.')


class RemoveOptions(BaseModel):
    """The parameters of rembg's server; like rembg, the service ignores others."""

    model: str = Field(
        '', max_length=200, description='Other names than that of the served model have no effect.'
    )
    a: bool = Field(False, description="Alpha matting: here, let the map follow the photo's edges.")
    af: int = Field(240, ge=0, le=255, description='Ignored.')
    ab: int = Field(10, ge=0, le=255, description='Ignored.')
    ae: int = Field(10, ge=0, description='Ignored.')
    om: bool = Field(False, description='Return the map alone.')
    ppm: bool = Field(False, description='Take 0 or 255, at half saliency, and nothing between.')
    dc: bool = Field(False, description='Estimate the colours under soft edges.')
    vm: bool = Field(False, description='Refinement by ViTMatte: ignored.')
    bgc: str | None = Field(
        None,
        description='Background: `red,green,blue,alpha` from 0 to 255.',
        json_schema_extra={'format': 'rgba'},
    )
    extras: str | None = Field(None, description='Ignored.')

    @property
    def ignored(self) -> list[str]:
        """The requested options that have no effect."""
        return [name for name in ('vm', 'extras') if getattr(self, name)]

    @property
    def background(self) -> tuple[int, ...] | None:
        """The background's colour.

        Raises:
            Refusal: 422, it is not a colour.
        """
        if not self.bgc:
            return None
        words = [word.strip() for word in self.bgc.split(',')]
        if len(words) not in (3, 4) or not all(
            word.isascii() and word.isdecimal() and len(word) <= 3 and int(word) <= 255
            for word in words
        ):
            raise Refusal(
                422, f'bgc is {self.bgc[:40]!r}. Give red,green,blue,alpha from 0 to 255.'
            )
        return tuple(int(word) for word in words)


def read_options(kind: type[Options], values: Mapping[str, Any]) -> Options:
    """Read options from the fields of a request.

    Raises:
        Refusal: 422, with a sentence about every wrong field.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise Refusal(422, describe_errors(error.errors())) from None


def describe_errors(errors: Any) -> str:
    """Turn the errors of pydantic into sentences that name the fields."""
    return ' '.join(
        f'{".".join(str(part) for part in error["loc"] if part not in ("query", "body"))}: '
        f'{error["msg"]}.'
        for error in errors
    )
