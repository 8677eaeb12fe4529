# Generated scenes as salient instances, at 320x320: one call of
# sod_plugins.data.generate_scenes(..., size=(240, 320)) for each of train, val and test.
data_root = 'data/synthetic'
image_size = (320, 320)  # width, height: photos are squashed to it

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='Resize', scale=image_size, keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_size, keep_ratio=False),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='sod_plugins.ResumableSampler', infinite=True),
    dataset=dict(
        type='sod_plugins.SalientInstanceDataset',
        data_root=f'{data_root}/train',
        ann_file='annotations.json',
        data_prefix=dict(img='images/'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='sod_plugins.SalientInstanceDataset',
        data_root=f'{data_root}/val',
        ann_file='annotations.json',
        data_prefix=dict(img='images/'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='sod_plugins.SalientInstanceDataset',
        data_root=f'{data_root}/test',
        ann_file='annotations.json',
        data_prefix=dict(img='images/'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
val_evaluator = dict(type='sod_plugins.SalientInstanceMetric')
test_evaluator = val_evaluator
