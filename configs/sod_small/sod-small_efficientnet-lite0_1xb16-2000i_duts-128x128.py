# First of two stages: small images at a constant rate, which the second one anneals at 160x160.
_base_ = [
    '../_base_/models/sod_small.py',
    '../_base_/datasets/duts_zoom128.py',
    '../_base_/schedules/adamw_ema.py',
    '../_base_/default_runtime.py',
]
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=300),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2000, val_interval=1000)
