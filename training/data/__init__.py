"""The data of a job: what a channel holds, found out, checked, split and ready to be read window by window.

    load(channel, options, Host())

| the channel holds | task | read by |
| --- | --- | --- |
| a prepared data set (python -m training.prepare) | any | prepared: in memory, or streamed from its shards |
| one CSV of pixels and a label, no header (the digits) | image-* | pixels |
| folders of images, one for each class | image-* | folder: as the data step would, into memory |
| CSV, JSONL or Parquet with a text and a label column | text-classification | text |
| CSV with a header, JSONL or Parquet | tabular-* | table |

Importing this costs nothing but numpy; each source imports what it needs when it is used.
"""

from training.data.sources import load
from training.data.types import DataSet, Host, Part, Window

__all__ = ["DataSet", "Host", "Part", "Window", "load"]
