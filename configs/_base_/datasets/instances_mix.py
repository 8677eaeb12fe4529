# Salient instances of any kind at 320x320: composites, whole images with one object, COCO's large
# objects and pedestrians; configs/sod_instances/README.md says how they are made. Validated on
# composites of other images.
image_size = (320, 320)  # width, height: images are squashed to it

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='Resize', scale=image_size, keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='sod_plugins.ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3),
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
dataset_type = 'sod_plugins.SalientInstanceDataset'
composites = [
    dict(
        type=dataset_type,
        data_root=f'data/composites/{folder}',
        ann_file='annotations.json',
        data_prefix=dict(img='images/'),
        pipeline=train_pipeline,
    )
    for folder in ('train', 'train-msra10k', 'single', 'single-msra10k')
]
photos = [
    dict(
        type='RepeatDataset',
        times=3,  # they are few
        dataset=dict(
            type=dataset_type,
            data_root=data_root,
            ann_file=annotations,
            data_prefix=dict(img='images/'),
            pipeline=train_pipeline,
        ),
    )
    for data_root, annotations in (
        ('data/coco_mix', 'large/train.json'),
        ('data/pennfudan', 'annotations/train.json'),
    )
]

train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='sod_plugins.ResumableSampler', infinite=True),
    dataset=dict(
        type='ConcatDataset',
        datasets=[*composites, *photos],
        ignore_keys=['ann_file'],  # of the metainfo, which differs
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root='data/composites/val',
        ann_file='annotations.json',
        data_prefix=dict(img='images/'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader  # photos are predicted and scored by the command line
val_evaluator = dict(type='sod_plugins.SalientInstanceMetric')
test_evaluator = val_evaluator
