# Ninth stage: the eighth one's weights by the same recipe, longer and at a higher rate.
_base_ = ['./sod-small_efficientnet-lite0_1xb16-500i_duts-msra10k-256x256.py']
load_from = 'work_dirs/sod-small_efficientnet-lite0_1xb16-500i_duts-msra10k-256x256/iter_500.pth'
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 600
param_scheduler[1].T_max = 580
randomness = dict(seed=5)  # another order than the eighth stage's
train_cfg = dict(max_iters=600, val_interval=200)
