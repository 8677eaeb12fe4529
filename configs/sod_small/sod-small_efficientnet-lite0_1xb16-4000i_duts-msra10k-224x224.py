# Sixth stage: the fifth one's averaged weights at a constant rate, with MSRA10K beside DUTS-TR.
_base_ = [
    '../_base_/models/sod_small.py',
    '../_base_/datasets/duts_msra10k_zoom224.py',
    '../_base_/schedules/adamw_ema.py',
    '../_base_/default_runtime.py',
]
load_from = (
    'work_dirs/sod-small_efficientnet-lite0_1xb16-180i_duts-256x256/iter_180.pth'  # fifth stage
)
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
]
custom_hooks = _base_.custom_hooks
custom_hooks[0].momentum = 0.005  # a short run is averaged over fewer iterations
randomness = dict(seed=2)  # another order than the fifth stage's
train_cfg = dict(type='IterBasedTrainLoop', max_iters=4000, val_interval=4000)
