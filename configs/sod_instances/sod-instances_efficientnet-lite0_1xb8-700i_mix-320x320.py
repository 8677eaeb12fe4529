# Third stage: on from the second one's averaged weights, at the first one's rate again.
_base_ = ['./sod-instances_efficientnet-lite0_1xb8-300i_mix-320x320.py']
load_from = 'work_dirs/sod-instances_efficientnet-lite0_1xb8-300i_mix-320x320/iter_300.pth'
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 700
param_scheduler[1].T_max = 680
randomness = dict(seed=2)
train_cfg = dict(max_iters=700, val_interval=140)
