# MSRA10K in very small: inputs of 64x64 for what needs many steps on CPU cores.
_base_ = ['./msra10k_112x112.py']
image_size = (64, 64)  # height, width
train_pipeline = _base_.train_pipeline
train_pipeline[4].size = image_size
test_pipeline = _base_.test_pipeline
test_pipeline[1].size = image_size
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0][0].size = image_size
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
