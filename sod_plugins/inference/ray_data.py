"""Prediction of data sets of any size by Ray Data, on one machine or many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sod_plugins._common.choices import require_choice
from sod_plugins._common.names import OUTPUT_KINDS, PRODUCTS, ExifRule, Product
from sod_plugins.inference.products import open_products
from sod_plugins.inference.rendering import OutputOptions, check_outputs

ERROR = 'error'


def ray_predict(
    dataset: Any,
    model: Any = None,
    *,
    products: Sequence[Product] = ('map',),
    options: OutputOptions | None = None,
    column: str = 'bytes',
    exif: ExifRule = 'apply',
    backend: str | None = None,
    device: str | None = None,
    actors: int | tuple[int, int] = 2,
    batch_size: int = 8,
    **resources: Any,
) -> Any:
    """Predict the images of a data set of Ray's, lazily, and return the data set of the results.

    Each actor holds the model. If an actor or its machine dies, Ray predicts its batch again, and
    the rows of the batch come once. An image that cannot be read gives a row with its error, and
    never ends the job.

    Args:
        dataset: A ``ray.data.Dataset`` with a column of encoded images, such as
            ``ray.data.read_binary_files(folder, include_paths=True)`` gives.
        model: ``zoo:NAME``, a checkpoint or an exported file that every machine can read, or a
            network; by default the default model.
        products: ``'map'``, ``'mask'``, ``'cutout'`` and ``'overlay'`` of a saliency model;
            ``'instances'``, as JSON, and ``'overlay'`` of a model for instances.
        options: The appearance of the outputs.
        column: The column of the images.
        exif: As for :func:`predict_files`.
        backend: As for :func:`open_network`.
        device: As for :class:`SaliencyPredictor`.
        actors: How many processes hold the model, or the fewest and the most.
        batch_size: Rows that an actor gets at once.
        resources: What an actor reserves, as for ``map_batches``: ``num_cpus`` (0.5 by default, to
            leave processors to the tasks that read files), ``num_gpus``, ``memory``, ...

    Returns:
        A ``ray.data.Dataset``: the columns of ``dataset`` but for the images, a column of bytes for
        each product (PNG, or what ``options`` say), empty where there is an error, and ``'error'``,
        empty where there is none. Rows keep the order of the data set if Ray is told to.

    Raises:
        ImportError: Ray is not installed.
        ValueError: A product or option is wrong.
    """
    try:
        from ray.data import ActorPoolStrategy
    except ImportError as error:
        raise ImportError(
            "Ray Data is not installed. Run: pip install 'sod-plugins[ray]'."
        ) from error
    options = options or OutputOptions()
    for product in products:
        require_choice('product', product, PRODUCTS)
    kinds = [kind for kind in OUTPUT_KINDS if kind in products]
    if len(kinds) == len(products):
        check_outputs(kinds, options)
    fewest, most = (actors, actors) if isinstance(actors, int) else actors
    return dataset.map_batches(
        _Actor,
        fn_constructor_kwargs={
            'model': str(model) if isinstance(model, Path) else model,
            'products': tuple(products),
            'options': options,
            'column': column,
            'settings': {'exif': exif, 'backend': backend, 'device': device},
        },
        batch_format='pyarrow',
        batch_size=batch_size,
        compute=ActorPoolStrategy(min_size=fewest, max_size=most),
        **{'num_cpus': 0.5, **resources},
    )


class _Actor:
    """Holds the model and predicts tables of rows."""

    def __init__(
        self,
        model: Any,
        products: tuple[Product, ...],
        options: OutputOptions,
        column: str,
        settings: dict[str, Any],
    ) -> None:
        self._products = products
        self._column = column
        self._predict = open_products(model, products, options, **settings)

    def __call__(self, table: Any) -> Any:
        import pyarrow

        if self._column not in table.column_names:
            raise ValueError(f"The data set has no column '{self._column}' of encoded images.")
        rows: list[dict[str, Any]] = []
        for content in table[self._column].to_pylist():
            try:
                rows.append({**self._predict(content), ERROR: ''})
            except ValueError as error:
                rows.append({**dict.fromkeys(self._products, b''), ERROR: str(error)})
        table = table.drop_columns([self._column])
        for product in self._products:
            values = pyarrow.array([row[product] for row in rows], pyarrow.large_binary())
            table = table.append_column(product, values)
        return table.append_column(ERROR, pyarrow.array([r[ERROR] for r in rows], pyarrow.string()))
