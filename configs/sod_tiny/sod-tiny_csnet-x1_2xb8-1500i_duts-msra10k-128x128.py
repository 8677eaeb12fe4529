# Second stage: the first one's averaged weights, with MSRA10K beside DUTS-TR and 16 images a step.
_base_ = [
    './sod-tiny_csnet-x1_1xb8-1600i_duts-128x128.py',
    '../_base_/datasets/duts_and_msra10k.py',
]
load_from = 'work_dirs/sod-tiny_csnet-x1_1xb8-1600i_duts-128x128/iter_1600.pth'
duts_and_msra10k = _base_.duts_and_msra10k
duts_and_msra10k.datasets[0].times = 1
duts_and_msra10k.datasets[0].dataset.pipeline = _base_.train_pipeline
duts_and_msra10k.datasets[1].pipeline = _base_.train_pipeline
train_dataloader = dict(dataset=dict(_delete_=True, **duts_and_msra10k))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 1500
param_scheduler[1].T_max = 1450
randomness = dict(seed=1)  # another order than the first stage's
train_cfg = dict(max_iters=1500, val_interval=500)
