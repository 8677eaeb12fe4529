# Penn-Fudan for semantic segmentation: photos in images/, labels of training photos made from their
# salient instances and the keyword "person", and labels of the others from their true masks. Both
# are written once by tools/dataset_converters/pseudo_labels.py, into train_labels and val_labels.
data_root = 'data/pennfudan'
train_labels = 'pseudo/train'
val_labels = 'semantic/val'
metainfo = dict(classes=('background', 'person'), palette=[[0, 0, 0], [220, 20, 60]])
scale = (256, 256)  # of the photos' longer side

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=scale, ratio_range=(0.8, 1.4), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(160, 160), cat_max_ratio=0.9),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='sod_plugins.ResumableSampler', infinite=True),
    dataset=dict(
        type='BaseSegDataset',
        metainfo=metainfo,
        data_root=data_root,
        ann_file=f'{train_labels}/list.txt',
        data_prefix=dict(img_path='images', seg_map_path=f'{train_labels}/labels'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BaseSegDataset',
        metainfo=metainfo,
        data_root=data_root,
        ann_file=f'{val_labels}/list.txt',
        data_prefix=dict(img_path='images', seg_map_path=f'{val_labels}/labels'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='mmseg.IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
