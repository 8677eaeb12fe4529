# DUTS by the recipe of SAMNet: 336x336, changed colours, small crops.
data_root = 'data/DUTS'
image_size = (336, 336)  # height, width

train_pipeline = [
    dict(type='sod_plugins.LoadSaliencyImage', channel_order='bgr'),
    dict(type='sod_plugins.LoadSaliencyMask'),
    dict(type='sod_plugins.ColorJitter', brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1),
    dict(type='sod_plugins.MultiSizeResize', sizes=[image_size], max_margins=[10]),
    # All flips are up-down, as in SAMNet's released training.
    dict(type='sod_plugins.RandomSaliencyFlip', prob=0.5, directions=['vertical']),
    dict(type='sod_plugins.PackSaliencyInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='sod_plugins.ResizeSaliency', size=image_size),
    dict(type='sod_plugins.LoadSaliencyMask'),  # at its own size, for the hosts' metrics
    dict(type='sod_plugins.PackSaliencyInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='sod_plugins.ResizeSaliency', size=image_size)],
            [dict(type='sod_plugins.RandomSaliencyFlip', prob=prob) for prob in (0.0, 1.0)],
            [dict(type='sod_plugins.LoadSaliencyMask')],
            [dict(type='sod_plugins.PackSaliencyInputs')],
        ],
    ),
]
tta_model = dict(type='sod_plugins.SaliencyTTAModel')

train_dataloader = dict(
    batch_size=20,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='sod_plugins.ResumableSampler'),
    dataset=dict(
        type='sod_plugins.SaliencyDataset',
        data_root=f'{data_root}/DUTS-TR',
        preset='duts-tr',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='sod_plugins.SaliencyDataset',
        data_root=f'{data_root}/DUTS-TE',
        preset='duts-te',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader  # DUTS has no other held-out part
val_evaluator = dict(type='sod_plugins.SaliencyMetric', protocol='fastsaliency')
test_evaluator = val_evaluator
