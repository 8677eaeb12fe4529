"""Networks of this package as mmengine and mmseg build them from a config."""
