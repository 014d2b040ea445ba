"""Entra Lake: Microsoft Entra ID logs in your own S3, and the proof that none is missing.

The day's way, in reading order:

    streams/  schema            what a log stream is: data
    slices                      which part of the event time is asked for
    graph  gate  pages          Microsoft Graph, at its pace, page by page
    extract  listing  news  raw   what is new, as received
    build  windows  versions    one Parquet object from all raw parts
    flatten  arrow  footer      records as rows, and what the object says of itself
    load  store  layout         into the lake, under a condition
    tables  athena  sql         tables, partitions, statements
    views  front_matter         the views for analysts: SQL files that say what they show
    detections  parameters      activity policies: SQL files that say what they find, and why
    verify  manifest            counted by Athena, acknowledged
    collect  lake  settings     the steps together; what they work on
    tasks  alerts  hooks/       the same for Airflow: the only modules that know it
"""

import os
import sys

if sys.platform == "linux":
    # Arrow looks once, when it is first used: builds take less CPU and memory than with its own choice (docs/adr/0017).
    # Who has chosen another allocator keeps it.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")

__version__ = "0.1.0"
