"""The parts of the API's description that do not follow from its types."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from sod_plugins.serve.options import PredictOptions, RemoveOptions
from sod_plugins.serve.refusals import ErrorBody

IMAGE_TYPES = ('image/jpeg', 'image/png', 'image/webp', 'application/octet-stream')
_RETRY = {'Retry-After': {'description': 'Seconds.', 'schema': {'type': 'integer', 'minimum': 1}}}
_BINARY = {'type': 'string', 'format': 'binary'}


class HealthBody(BaseModel):
    """The state of the service."""

    status: str
    model: str
    version: str
    queued: int


def _answer(text: str, **more: Any) -> dict[str, Any]:
    return {'model': ErrorBody, 'description': text, **more}


ANSWERS_OF_IMAGES: dict[int | str, dict[str, Any]] = {
    400: _answer('The form cannot be read, or the body ended early.'),
    408: _answer('The body took too long to arrive.'),
    413: _answer('The body has too many bytes, or the image too many pixels.'),
    415: _answer('The body is of another type, or an image of a format that is not read.'),
    422: _answer('An option is wrong, or the image is damaged.'),
    429: _answer('The queue is full.', headers=_RETRY),
    500: _answer('The service failed.'),
    503: _answer('The image was not done in time, or memory is full.', headers=_RETRY),
}
ANSWERS_OF_FETCHING: dict[int | str, dict[str, Any]] = {
    403: _answer('URLs are not allowed, or this one is not public.'),
    502: _answer('The server of the URL did not give the image.'),
    504: _answer('The server of the URL did not answer in time.'),
}
IMAGE_ANSWER = {
    'description': 'What was asked for.',
    'content': {
        **{f'image/{name}': {'schema': _BINARY} for name in ('png', 'jpeg', 'webp', 'avif')},
        'application/json': {
            'schema': {
                'type': 'object',
                'description': "The image's size, and annotations as COCO has them.",
                'properties': {
                    'height': {'type': 'integer'},
                    'width': {'type': 'integer'},
                    'annotations': {'type': 'array', 'items': {'type': 'object'}},
                },
                'required': ['height', 'width', 'annotations'],
            }
        },
    },
}
REMOVE_ANSWER = {
    'description': 'The cut-out, or the map.',
    'content': {'image/png': {'schema': _BINARY}},
    'headers': {
        name: {'description': text, 'schema': {'type': 'string'}}
        for name, text in (
            ('X-Sod-Model', 'The model that was used.'),
            ('X-Sod-Notice', 'That the model asked for is another one.'),
            ('X-Sod-Ignored', 'Parameters that were sent and changed nothing.'),
        )
    },
}


def _form(options: type[BaseModel], **files: Any) -> dict[str, Any]:
    """Return the schema of a form of files and options, which may be absent but not null."""
    fields = options.model_json_schema()['properties']
    for name, schema in fields.items():
        if 'anyOf' in schema:
            kind = schema.pop('anyOf')[0]
            fields[name] = {k: v for k, v in (kind | schema).items() if v is not None}
    return {
        'schema': {
            'type': 'object',
            'properties': {**files, **fields},
            'required': ['file'],
        }
    }


_FILE = {**_BINARY, 'description': 'The image.'}
_BACKGROUND = {**_BINARY, 'description': 'An image to put behind cut-outs.'}
PREDICT_BODY = {
    'requestBody': {
        'required': True,
        'content': {
            'multipart/form-data': _form(PredictOptions, file=_FILE),
            **{kind: {'schema': _BINARY} for kind in IMAGE_TYPES},
        },
    }
}
REMOVE_BODY = {
    'requestBody': {
        'required': True,
        'content': {'multipart/form-data': _form(RemoveOptions, file=_FILE)},
    }
}
