"""Networks of this package as built by mmengine and mmseg from a config."""
