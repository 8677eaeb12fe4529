# Third stage: the second one's averaged weights at 224x224, the rate annealed to zero once more.
_base_ = [
    '../_base_/models/sod_small.py',
    '../_base_/datasets/duts_zoom224.py',
    '../_base_/schedules/adamw_ema.py',
    '../_base_/default_runtime.py',
]
load_from = (
    'work_dirs/sod-small_efficientnet-lite0_1xb16-2000i_duts-160x160/iter_2000.pth'  # second stage
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=30),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=30, end=500, T_max=470),
]
custom_hooks = _base_.custom_hooks
custom_hooks[0].momentum = 0.01  # a short run is averaged over fewer iterations
train_cfg = dict(type='IterBasedTrainLoop', max_iters=500, val_interval=500)
