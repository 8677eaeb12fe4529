# Adam; a trained backbone learns by `backbone_lr_factor` of the rate of the rest.
import torch
from detectron2.config import LazyCall as L

from sod_plugins.detectron2 import optimizer_params

optimizer = L(torch.optim.Adam)(
    params=L(optimizer_params)(base_lr='${..lr}', backbone_lr_factor=1.0),
    lr=1e-4,
    betas=(0.9, 0.999),
    weight_decay=0.0,
)
