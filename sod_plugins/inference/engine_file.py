"""The format of exported files."""

# The key of the description in the file's metadata, and the names of its input and output.
DESCRIPTION = 'sod_plugins'
INPUT, OUTPUT = 'image', 'logits'
