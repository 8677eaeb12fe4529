# MSRA10K, which ITDBU's paper calls THUS10K, by its recipe: 224x224, flipped left-right, cropped.
_base_ = ['./msra10k.py']
train_pipeline = _base_.train_pipeline
train_pipeline[3] = dict(type='sod_plugins.RandomSaliencyFlip', prob=0.5)
train_dataloader = dict(
    batch_size=4,
    sampler=dict(infinite=False),
    dataset=dict(pipeline=train_pipeline),
)
