# As duts_zoom256_mild.py, with MSRA10K beside DUTS-TR, as in duts_msra10k_zoom224.py.
_base_ = ['./duts_zoom256_mild.py']
train_pipeline = _base_.train_pipeline
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(
                type='RepeatDataset',
                times=2,
                dataset=dict(
                    type='sod_plugins.SaliencyDataset',
                    data_root='data/DUTS/DUTS-TR',
                    list_file='train.txt',
                    pipeline=train_pipeline,
                ),
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
