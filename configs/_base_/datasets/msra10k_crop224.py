# MSRA10K by PiCANet's recipe: 256x256, of which 224x224 are cropped, flipped left-right.
_base_ = ['./msra10k.py']
train_pipeline = [
    dict(type='sod_plugins.LoadSaliencyImage', channel_order='bgr'),
    dict(type='sod_plugins.LoadSaliencyMask'),
    dict(type='sod_plugins.ResizeSaliency', size=(256, 256)),
    dict(type='sod_plugins.RandomSaliencyFlip', prob=0.5),
    dict(type='sod_plugins.RandomSaliencyCrop', size=_base_.image_size),
    dict(type='sod_plugins.PackSaliencyInputs'),
]
train_dataloader = dict(batch_size=9, dataset=dict(pipeline=train_pipeline))
