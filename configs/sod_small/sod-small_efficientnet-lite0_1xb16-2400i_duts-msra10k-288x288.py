# Eleventh stage: the tenth one's average by its recipe, eight times as long, at a higher rate and
# with as much of MSRA10K as in the seventh: measures on ECSSD, whose objects are large, lag behind.
_base_ = ['./sod-small_efficientnet-lite0_1xb16-300i_duts-msra10k-288x288.py']
load_from = 'work_dirs/sod-small-10.safetensors'  # written by sod average
datasets = _base_.train_dataloader.dataset.datasets
datasets[0].times = 2
train_dataloader = dict(dataset=dict(datasets=datasets))
del datasets
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 2400
param_scheduler[1].T_max = 2380
custom_hooks = _base_.custom_hooks
custom_hooks[0].momentum = 0.002
randomness = dict(seed=7)  # another order than the other stages'
train_cfg = dict(max_iters=2400, val_interval=600)
