# DUTS by the recipe of SAMNet, at the size of the semantic segmentation networks beside it.
_base_ = ['./duts_336x336.py']
image_size = (672, 672)  # height, width
train_pipeline = _base_.train_pipeline
train_pipeline[3].update(sizes=[image_size], max_margins=[42])
test_pipeline = _base_.test_pipeline
test_pipeline[1].size = image_size
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0][0].size = image_size
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
