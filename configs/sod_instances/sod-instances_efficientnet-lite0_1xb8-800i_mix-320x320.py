# First stage: ternary RoIMasking for salient instances of any kind. The backbone starts from that
# of sod-small.
_base_ = [
    '../_base_/models/s4net_efficientnet-lite0.py',
    '../_base_/datasets/instances_mix.py',
    '../_base_/schedules/adamw_ema.py',
    '../_base_/default_runtime_mmdet.py',
]
model = dict(
    backbone=dict(
        init_cfg=dict(
            _delete_=True, type='Pretrained', checkpoint='zoo:sod-small', prefix='backbone.'
        ),
    ),
)
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(bypass_duplicate=True),  # heads may share convolutions
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=800, T_max=750),
]
custom_hooks = _base_.custom_hooks
custom_hooks[0].momentum = 0.01  # a short run is averaged over fewer iterations
train_cfg = dict(type='IterBasedTrainLoop', max_iters=800, val_interval=400)
default_hooks = dict(visualization=dict(type='DetVisualizationHook'))
