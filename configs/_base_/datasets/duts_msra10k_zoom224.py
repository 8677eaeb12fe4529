# As duts_zoom224_mild.py, with MSRA10K beside DUTS-TR: one of four samples shows one large object.
_base_ = ['./duts_zoom224_mild.py', './duts_and_msra10k.py']
duts_and_msra10k = _base_.duts_and_msra10k
duts_and_msra10k.datasets[0].dataset.pipeline = _base_.train_pipeline
duts_and_msra10k.datasets[1].pipeline = _base_.train_pipeline
train_dataloader = dict(dataset=dict(_delete_=True, **duts_and_msra10k))
