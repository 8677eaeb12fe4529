# Boxes of Penn-Fudan's pedestrians at 300x300. The annotations are made once from the numbered
# masks by tools/dataset_converters/salient_instances.py.
data_root = 'data/pennfudan'
train_annotations = 'annotations/train.json'
val_annotations = 'annotations/val.json'
classes = dict(classes=('salient',))
image_size = (300, 300)  # width, height: photos are squashed to it

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PhotoMetricDistortion'),
    dict(type='MinIoURandomCrop', min_ious=(0.5, 0.7, 0.9), min_crop_size=0.5),
    dict(type='Resize', scale=image_size, keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_size, keep_ratio=False),
    dict(
        type='PackDetInputs',
        # The metric takes the true boxes from `instances`.
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances'),
    ),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=0,  # mmdet's transforms draw from global generators: only so a resume is exact
    drop_last=True,
    sampler=dict(type='sod_plugins.ResumableSampler', infinite=True),
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file=train_annotations,
        data_prefix=dict(img='images/'),
        metainfo=classes,
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file=val_annotations,
        data_prefix=dict(img='images/'),
        metainfo=classes,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader  # there is no other held-out part
val_evaluator = dict(type='mmdet.CocoMetric', metric='bbox')
test_evaluator = val_evaluator
