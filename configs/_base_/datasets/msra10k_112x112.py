# MSRA10K in small: inputs of 112x112, flipped left-right only, for recipes of an hour on two CPU
# cores.
_base_ = ['./msra10k.py']
image_size = (112, 112)  # height, width
train_pipeline = _base_.train_pipeline
train_pipeline[3] = dict(type='sod_plugins.RandomSaliencyFlip', prob=0.5)
train_pipeline[4].size = image_size
test_pipeline = _base_.test_pipeline
test_pipeline[1].size = image_size
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0][0].size = image_size
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
