"""Folders of recordings to feature stores."""

from .reading import FeatureStore, load
from .run import FolderReport, extract_folder

__all__ = ["FeatureStore", "FolderReport", "extract_folder", "load"]
