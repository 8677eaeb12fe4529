# Second stage: the first one's averaged weights, with MSRA10K beside DUTS-TR and 16 images a step.
_base_ = ['./sod-tiny_csnet-x1_1xb8-1600i_duts-128x128.py']
load_from = 'work_dirs/sod-tiny_csnet-x1_1xb8-1600i_duts-128x128/iter_1600.pth'
train_pipeline = _base_.train_pipeline
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(
                type='sod_plugins.SaliencyDataset',
                data_root='data/DUTS/DUTS-TR',
                list_file='train.txt',
                pipeline=train_pipeline,
            ),
            dict(
                type='sod_plugins.SaliencyDataset',
                data_root='data/msra10k',
                list_file='train.txt',
                pipeline=train_pipeline,
            ),
        ],
    ),
)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 1500
param_scheduler[1].T_max = 1450
randomness = dict(seed=1)  # another order than the first stage's
train_cfg = dict(max_iters=1500, val_interval=500)
