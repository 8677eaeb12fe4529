# Salient instances of any kind at 320x320: composites, whole images with one object, COCO's large
# objects and pedestrians; configs/sod_instances/README.md says how they are made. Validated on
# composites of other images.
_base_ = ['./pennfudan_instances.py']
train_pipeline = _base_.train_pipeline
train_pipeline.insert(
    -1, dict(type='sod_plugins.ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3)
)
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
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[*composites, *photos],
        ignore_keys=['ann_file'],  # of the metainfo, which differs
    ),
)
val_dataloader = dict(dataset=dict(data_root='data/composites/val', ann_file='annotations.json'))
test_dataloader = val_dataloader  # photos are predicted and scored by the command line
