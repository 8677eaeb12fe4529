# Fifth stage: the fourth one's averaged weights at 256x256, the rate annealed to zero.
_base_ = [
    '../_base_/models/sod_small.py',
    '../_base_/datasets/duts_zoom256_mild.py',
    '../_base_/schedules/adamw_ema.py',
    '../_base_/default_runtime.py',
]
load_from = (
    'work_dirs/sod-small_efficientnet-lite0_1xb16-1100i_duts-224x224/iter_1100.pth'  # fourth stage
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=180, T_max=160),
]
custom_hooks = _base_.custom_hooks
custom_hooks[0].momentum = 0.01  # a short run is averaged over fewer iterations
randomness = dict(seed=1)  # another order than the fourth stage's
train_cfg = dict(type='IterBasedTrainLoop', max_iters=180, val_interval=180)
