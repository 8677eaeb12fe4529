# DUTS: trained on DUTS-TR, measured on DUTS-TE, both unpacked in one folder.
data_root = 'data/DUTS'
image_size = (224, 224)  # height, width

train_pipeline = [
    dict(type='sod_plugins.LoadSaliencyImage', channel_order='bgr'),
    dict(type='sod_plugins.LoadSaliencyMask'),
    dict(type='sod_plugins.RandomMarginCrop', max_margin=14),
    # Half of the flips are up-down, as in CSNet's released training.
    dict(type='sod_plugins.RandomSaliencyFlip', prob=0.5, directions=['horizontal', 'vertical']),
    dict(type='sod_plugins.ResizeSaliency', size=image_size),
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
    batch_size=24,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='sod_plugins.ResumableSampler', infinite=True),
    dataset=dict(
        type='sod_plugins.SaliencyDataset',
        data_root=f'{data_root}/DUTS-TR',
        preset='duts-tr',
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
        data_root=f'{data_root}/DUTS-TE',
        preset='duts-te',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader  # DUTS has no other held-out part
val_evaluator = dict(type='sod_plugins.SaliencyMetric', protocol='salmetric')
test_evaluator = val_evaluator
