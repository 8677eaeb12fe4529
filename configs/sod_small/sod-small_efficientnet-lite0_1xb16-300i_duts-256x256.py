# Ninth stage: the average of the fifth and the eighth one's weights by the fifth one's recipe,
# longer and with the eighth one's loss.
_base_ = ['./sod-small_efficientnet-lite0_1xb16-180i_duts-256x256.py']
load_from = 'work_dirs/sod-small.safetensors'  # written by sod average
model = dict(decode_head=dict(loss_decode=dict(iou_weight=2.0)))
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 300
param_scheduler[1].T_max = 280
randomness = dict(seed=5)  # another order than the other stages'
train_cfg = dict(max_iters=300, val_interval=300)
