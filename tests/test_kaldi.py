"""Kaldi's programs: every spectrogram, fbank and MFCC of the conformance data, and kaldi-native-fbank."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import ROOT

from audiotconv.bench.kaldi_archives import KINDS, archives, options_of, read_archive, recipe_of

DATA = Path(os.environ.get("AUDIOTCONV_CONFORMANCE", ROOT.parent / "shared" / "conformance")) / "kaldi"


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no conformance data in {DATA}; set AUDIOTCONV_CONFORMANCE")
@pytest.mark.parametrize("path", [path for kind in KINDS for path in archives(DATA, kind)], ids=lambda path: path.stem)
def test_archives(path):
    kind, options = options_of(path)
    x, rate = soundfile.read(DATA / "kaldi_file.wav", dtype="int16")
    got = recipe_of(kind, options).build(rate).run(x[None])[0].T
    np.testing.assert_allclose(got, read_archive(path), atol=1e-3, rtol=1e-4)


def test_the_archives_are_there():
    if DATA.is_dir():
        assert {kind: len(archives(DATA, kind)) for kind in KINDS} == {"spec": 74, "fbank": 47, "mfcc": 74}
