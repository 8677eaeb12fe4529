# As duts_zoom224_mild.py, with 256x256 pixels and still fewer zooms: the end of a training.
data_root = 'data/DUTS'
image_size = (256, 256)  # height, width
test_size = (288, 288)  # zooms show objects larger than they are in whole photos

train_pipeline = [
    dict(type='sod_plugins.LoadSaliencyImage', channel_order='bgr'),
    dict(type='sod_plugins.LoadSaliencyMask'),
    dict(type='sod_plugins.RandomZoom', prob=0.5, smallest=0.7),
    dict(type='sod_plugins.ResizeSaliency', size=image_size, antialias=True),
    dict(type='sod_plugins.RandomSaliencyFlip', prob=0.5),
    dict(type='sod_plugins.ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3),
    dict(type='sod_plugins.PackSaliencyInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='sod_plugins.ResizeSaliency', size=test_size, antialias=True),
    dict(type='sod_plugins.LoadSaliencyMask'),  # at its own size, for the hosts' metrics
    dict(type='sod_plugins.PackSaliencyInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='sod_plugins.ResizeSaliency', size=test_size, antialias=True)],
            [dict(type='sod_plugins.RandomSaliencyFlip', prob=prob) for prob in (0.0, 1.0)],
            [dict(type='sod_plugins.LoadSaliencyMask')],
            [dict(type='sod_plugins.PackSaliencyInputs')],
        ],
    ),
]
tta_model = dict(type='sod_plugins.SaliencyTTAModel')

train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='sod_plugins.ResumableSampler', infinite=True),
    dataset=dict(
        type='sod_plugins.SaliencyDataset',
        data_root=f'{data_root}/DUTS-TR',
        list_file='train.txt',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='sod_plugins.SaliencyDataset',
        data_root=f'{data_root}/DUTS-TR',
        list_file='val.txt',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='sod_plugins.SaliencyDataset',
        data_root=f'{data_root}/DUTS-TE',
        preset='duts-te',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
val_evaluator = dict(type='sod_plugins.SaliencyMetric', protocol='salmetric')
test_evaluator = val_evaluator
