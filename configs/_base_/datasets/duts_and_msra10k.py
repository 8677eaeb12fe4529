# MSRA10K, whose photos show one large object, beside DUTS-TR, which is read `times` as often. The
# configs that use it add the pipeline.
duts_and_msra10k = dict(
    type='ConcatDataset',
    datasets=[
        dict(
            type='RepeatDataset',
            times=2,
            dataset=dict(
                type='sod_plugins.SaliencyDataset',
                data_root='data/DUTS/DUTS-TR',
                list_file='train.txt',
            ),
        ),
        dict(
            type='sod_plugins.SaliencyDataset',
            data_root='data/msra10k',
            list_file='train.txt',
        ),
    ],
)
