# Ternary RoIMasking for salient instances of any kind.
_base_ = [
    '../_base_/models/s4net_efficientnet-lite0.py',
    '../_base_/datasets/composites_instances.py',
    '../_base_/schedules/adamw_ema.py',
    '../_base_/default_runtime_mmdet.py',
]
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(bypass_duplicate=True),  # heads may share convolutions
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=300),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=300, end=4000, T_max=3700),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=4000, val_interval=1000)
default_hooks = dict(visualization=dict(type='DetVisualizationHook'))
