# Second of two stages: the first one's averaged weights at 160x160, with the rate annealed to zero.
_base_ = [
    '../_base_/models/sod_small.py',
    '../_base_/datasets/duts_zoom160.py',
    '../_base_/schedules/adamw_ema.py',
    '../_base_/default_runtime.py',
]
load_from = (
    'work_dirs/sod-small_efficientnet-lite0_1xb16-2000i_duts-128x128/iter_2000.pth'  # first stage
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=2000, T_max=1950),
]
custom_hooks = _base_.custom_hooks
custom_hooks[0].momentum = 0.005  # a short run is averaged over fewer iterations
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2000, val_interval=1000)
