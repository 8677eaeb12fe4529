# Second stage: the first one's averaged weights, against the hardest negatives alone. Against all
# of them, which are nearly all easy, parts of objects get scores like those of whole ones.
_base_ = ['./sod-instances_efficientnet-lite0_1xb8-800i_mix-320x320.py']
load_from = 'work_dirs/sod-instances_efficientnet-lite0_1xb8-800i_mix-320x320/iter_800.pth'
model = dict(bbox_head=dict(objectness='ohem'))
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 20
param_scheduler[1].begin = 20
param_scheduler[1].end = 300
param_scheduler[1].T_max = 280
randomness = dict(seed=1)  # another order than the first stage's
train_cfg = dict(max_iters=300, val_interval=300)
