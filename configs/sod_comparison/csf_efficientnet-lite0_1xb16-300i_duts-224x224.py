# The decoder that learns fastest, at 224x224, on the backbone of sod-small and with its loss.
_base_ = [
    '../_base_/models/csf_efficientnet-lite0.py',
    '../_base_/datasets/duts_zoom224_mild.py',
    '../_base_/schedules/adamw_ema_800i.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        init_cfg=dict(
            _delete_=True, type='Pretrained', checkpoint='zoo:sod-small', prefix='backbone.'
        ),
    ),
    decode_head=dict(loss_decode=dict(_delete_=True, type='sod_plugins.BoundaryWeightedLoss')),
)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.1)}))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 300
param_scheduler[1].T_max = 250
train_cfg = dict(max_iters=300, val_interval=300)
