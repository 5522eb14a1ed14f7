"""Folders of recordings to feature stores."""

from .plan import Failure
from .reading import FeatureStore, StoredFeatures, load
from .report import FolderReport, Progress
from .run import extract_folder
from .verifying import Problem, VerifyReport, verify

__all__ = [
    "Failure",
    "FeatureStore",
    "FolderReport",
    "Problem",
    "Progress",
    "StoredFeatures",
    "VerifyReport",
    "extract_folder",
    "load",
    "verify",
]
