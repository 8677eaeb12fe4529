# ImageNet, or any folder of class folders: train/<class>/... and val/<class>/...
data_root = 'data/imagenet'
image_size = (224, 224)  # height, width

train_pipeline = [
    dict(type='sod_plugins.LoadSaliencyImage'),
    dict(type='sod_plugins.RandomResizedCrop', size=image_size),
    dict(type='sod_plugins.RandomSaliencyFlip', prob=0.5),
    dict(type='sod_plugins.PackClassInputs'),
]
test_pipeline = [
    dict(type='sod_plugins.LoadSaliencyImage'),
    dict(type='sod_plugins.ResizeCenterCrop', size=image_size, short_edge=256),
    dict(type='sod_plugins.PackClassInputs'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=8,
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
    batch_size=64,
    num_workers=8,
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
test_dataloader = val_dataloader  # the labels of ImageNet's test part are not public
val_evaluator = dict(type='sod_plugins.AccuracyMetric', topk=(1, 5))
test_evaluator = val_evaluator
