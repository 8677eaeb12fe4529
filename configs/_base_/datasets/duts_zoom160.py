# As duts_zoom128.py, with 160x160 pixels.
_base_ = ['./duts_zoom128.py']
image_size = (160, 160)  # height, width
test_size = (224, 224)  # zooms show objects larger than they are in whole photos
train_pipeline = _base_.train_pipeline
train_pipeline[3].size = image_size
test_pipeline = _base_.test_pipeline
test_pipeline[1].size = test_size
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0][0].size = test_size
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
