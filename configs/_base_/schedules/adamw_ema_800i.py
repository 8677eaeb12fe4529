# As adamw_ema.py, annealed over 800 iterations.
_base_ = ['./adamw_ema.py']
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=800, T_max=750),
]
custom_hooks = _base_.custom_hooks
custom_hooks[0].momentum = 0.01  # a short run is averaged over fewer iterations
train_cfg = dict(type='IterBasedTrainLoop', max_iters=800, val_interval=400)
