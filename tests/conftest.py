"""What all tests share: a kernel cache of their own, and where the conformance data are."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

# Before Numba is imported anywhere: tests must compile what they test, and leave the user's cache alone.
os.environ["NUMBA_CACHE_DIR"] = os.environ.get("AUDIOTCONV_TEST_CACHE") or tempfile.mkdtemp(prefix="audiotconv-tests-")

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

if "AUDIOTCONV_TEST_CACHE" not in os.environ:
    atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") != "1"

settings.register_profile(
    "audiotconv",
    max_examples=60 if JIT else 10,
    deadline=None,  # the first example compiles
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("audiotconv")

ROOT = Path(__file__).parent.parent
SMALL = Path(__file__).parent / "small.toml"  # a recipe of BANDS short filters
BANDS = 3


@pytest.fixture(scope="session")
def conformance() -> Path:
    folder = Path(os.environ.get("AUDIOTCONV_CONFORMANCE", ROOT.parent / "shared" / "conformance"))
    if not folder.is_dir():
        pytest.skip(f"no conformance data in {folder}; set AUDIOTCONV_CONFORMANCE")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(12345)
