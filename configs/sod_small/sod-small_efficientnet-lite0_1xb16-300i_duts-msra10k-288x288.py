# Tenth stage: the ninth one's average by the eighth one's recipe, shorter and larger.
_base_ = ['./sod-small_efficientnet-lite0_1xb16-500i_duts-msra10k-256x256.py']
load_from = 'work_dirs/sod-small-9.safetensors'  # written by sod average
train_pipeline = _base_.train_pipeline
train_pipeline[3].size = (288, 288)
datasets = _base_.train_dataloader.dataset.datasets
datasets[0].dataset.pipeline = train_pipeline
datasets[1].pipeline = train_pipeline
train_dataloader = dict(dataset=dict(datasets=datasets))
del datasets
test_pipeline = _base_.test_pipeline
test_pipeline[1].size = (320, 320)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0][0].size = (320, 320)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 300
param_scheduler[1].T_max = 280
custom_hooks = _base_.custom_hooks
custom_hooks[0].momentum = 0.01
randomness = dict(seed=6)  # another order than the other stages'
train_cfg = dict(max_iters=300, val_interval=300)
