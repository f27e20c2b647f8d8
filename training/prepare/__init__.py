"""The data step: raw files -> a prepared data set that training streams, with a report of what was left out and why.

    python -m training.prepare photos/ more.zip --out prepared/ --task image-classification --image-size 64

collect -> index (one pass: contents are hashed, nothing is kept) -> clean -> divide into parts -> write (a second pass:
each row goes to its place in a shard) -> manifest and report. Memory holds the index, about 50 bytes a row and the
names of images, never the rows. The same input gives the same bytes, on any file system and with any number of workers.
"""
