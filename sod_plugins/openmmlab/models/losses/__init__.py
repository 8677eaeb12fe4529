"""Losses for ``loss_decode`` of decode heads."""

from sod_plugins.openmmlab.models.losses.boundary_weighted_loss import BoundaryWeightedLoss

__all__ = ['BoundaryWeightedLoss']
