"""Folders of recordings to feature stores."""

from .reading import FeatureStore, load
from .report import FolderReport, Progress
from .run import extract_folder

__all__ = ["FeatureStore", "FolderReport", "Progress", "extract_folder", "load"]
