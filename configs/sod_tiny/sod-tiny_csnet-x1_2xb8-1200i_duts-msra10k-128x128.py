# Third stage: the second one's weights once more by its recipe, shorter.
_base_ = ['./sod-tiny_csnet-x1_2xb8-1500i_duts-msra10k-128x128.py']
load_from = 'work_dirs/sod-tiny-2.safetensors'  # written by sod extract
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 1200
param_scheduler[1].T_max = 1150
randomness = dict(seed=2)  # another order than the other stages'
train_cfg = dict(max_iters=1200, val_interval=400)
