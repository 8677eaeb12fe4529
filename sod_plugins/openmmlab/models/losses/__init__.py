"""Losses as decode heads take them by ``loss_decode``."""

from sod_plugins.openmmlab.models.losses.boundary_weighted_loss import BoundaryWeightedLoss

__all__ = ['BoundaryWeightedLoss']
