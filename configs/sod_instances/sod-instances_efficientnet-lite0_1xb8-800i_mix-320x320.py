# First stage: ternary RoIMasking for salient instances of any kind. The backbone starts from that
# of sod-small.
_base_ = [
    '../_base_/models/s4net_efficientnet-lite0.py',
    '../_base_/datasets/instances_mix.py',
    '../_base_/schedules/adamw_ema_800i.py',
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
default_hooks = dict(visualization=dict(type='DetVisualizationHook'))
