# Penn-Fudan's pedestrians as salient instances in COCO's form, at 320x320. The annotations are made
# once from the numbered masks by tools/dataset_converters/salient_instances.py.
data_root = 'data/pennfudan'
train_annotations = 'annotations/train.json'
val_annotations = 'annotations/val.json'
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
        data_root=data_root,
        ann_file=train_annotations,
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
        data_root=data_root,
        ann_file=val_annotations,
        data_prefix=dict(img='images/'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader  # there is no other held-out part
val_evaluator = dict(type='sod_plugins.SalientInstanceMetric')
test_evaluator = val_evaluator
