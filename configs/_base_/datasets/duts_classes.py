# Photos of DUTS by the category of their object: train/<class>/... and val/<class>/... Each is seen
# whole, as a saliency network sees it.
data_root = 'data/duts-classes'
image_size = (224, 224)  # height, width

train_pipeline = [
    dict(type='sod_plugins.LoadSaliencyImage'),
    dict(type='sod_plugins.RandomMarginCrop', max_margin=14),
    dict(type='sod_plugins.RandomSaliencyFlip', prob=0.5),
    dict(type='sod_plugins.ResizeSaliency', size=image_size),
    dict(type='sod_plugins.PackClassInputs'),
]
test_pipeline = [
    dict(type='sod_plugins.LoadSaliencyImage'),
    dict(type='sod_plugins.ResizeSaliency', size=image_size),
    dict(type='sod_plugins.PackClassInputs'),
]

train_dataloader = dict(
    batch_size=24,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='sod_plugins.ResumableSampler'),
    dataset=dict(
        type='sod_plugins.ImageFolderDataset',
        data_root=data_root,
        split='train',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='sod_plugins.ImageFolderDataset',
        data_root=data_root,
        split='val',
        classes_of='train',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader  # there is no other held-out part
val_evaluator = dict(type='sod_plugins.AccuracyMetric', topk=(1,))
test_evaluator = val_evaluator
