# As duts_zoom224_mild.py, with 256x256 pixels and still fewer zooms: the end of a training.
_base_ = ['./duts_zoom224_mild.py']
image_size = (256, 256)  # height, width
train_pipeline = _base_.train_pipeline
train_pipeline[2].update(prob=0.5, smallest=0.7)
train_pipeline[3].size = image_size
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
