"""FeatureExtractor, the one-frame stages in recipes, and what scikit-learn expects of transformers."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from conftest import JIT, ROOT, SMALL

import audiotconv as atc
from audiotconv.errors import AudioError, AudioFileError, ParameterError, RecipeError
from audiotconv.stages import Statistics

learn = pytest.importorskip("audiotconv.learn", exc_type=ImportError)

from sklearn.base import clone  # noqa: E402
from sklearn.linear_model import RidgeClassifier  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402


def sounds(count=3, rate=8000):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(n).astype(np.float32) / 8 for n in rng.integers(rate // 4, rate // 2, count)]


@pytest.fixture
def paths(tmp_path):
    names = []
    for number, sound in enumerate(sounds()):
        names.append(tmp_path / f"{number}.wav")
        soundfile.write(names[-1], sound, 8000, subtype="FLOAT")
    return names


def test_rows_are_statistics_of_the_maps(paths):
    extractor = learn.FeatureExtractor(SMALL, pool=("mean", "std", "p90", "delta_abs")).fit(paths)
    rows = extractor.transform(paths)
    maps = [atc.extract(path, SMALL).values[0].astype(np.float64) for path in paths]
    for row, values in zip(rows, maps, strict=True):
        steps = np.abs(np.diff(values, axis=1)).mean(axis=1)
        want = [values.mean(axis=1), values.std(axis=1), np.percentile(values, 90, axis=1), steps]
        np.testing.assert_allclose(row, np.concatenate(want), rtol=1e-6)
    names = extractor.get_feature_names_out()
    assert len(names) == rows.shape[1]
    assert names[0].startswith("mean ")
    assert extractor.set_params(n_jobs=2).transform(paths).tobytes() == rows.tobytes()


def test_paths_arrays_maps_and_stores_are_the_same(paths, tmp_path):
    extractor = learn.FeatureExtractor(SMALL, sample_rate=8000).fit(paths)
    want = extractor.transform(paths)
    np.testing.assert_array_equal(extractor.transform(sounds()), want)
    np.testing.assert_array_equal(extractor.transform(np.array([str(path) for path in paths])), want)
    np.testing.assert_array_equal(extractor.transform(path for path in paths), want)
    np.testing.assert_array_equal(extractor.transform([atc.extract(path, SMALL) for path in paths]), want)
    atc.extract_folder(tmp_path, tmp_path / "out", SMALL)
    store = atc.load(tmp_path / "out")
    np.testing.assert_array_equal(extractor.transform(store), want)
    np.testing.assert_array_equal(learn.FeatureExtractor(SMALL).fit(store).transform(store[:2]), want[:2])
    pooled = atc.extract_folder(tmp_path, tmp_path / "pooled", atc.get_recipe(SMALL).pooled("stats"))
    assert pooled.done == 3
    rows = np.stack([recording.values[0, :, 0] for recording in atc.load(tmp_path / "pooled")])
    np.testing.assert_array_equal(rows, want)


def test_maps_for_transformers_of_series(paths):
    maps = learn.FeatureExtractor(SMALL, pool=None).fit(paths).transform(paths)
    assert [each.shape for each in maps] == [atc.extract(path, SMALL).values[0].shape for path in paths]
    model = make_pipeline(
        learn.FeatureExtractor(SMALL, pool=None), learn.MiniRocket(84, random_state=0), RidgeClassifier()
    )
    assert model.fit(paths, [0, 1, 1]).predict(paths).shape == (3,)
    assert model[:-1].transform(paths).shape == (3, 84)


def test_it_is_an_estimator(paths):
    extractor = learn.FeatureExtractor(SMALL, segments=2)
    with pytest.raises(ValueError, match="not fitted"):
        extractor.transform(paths)
    rows = extractor.fit(paths).transform(paths)
    again = pickle.loads(pickle.dumps(extractor))
    np.testing.assert_array_equal(again.transform(paths), rows)
    assert not hasattr(clone(extractor), "recipe_")
    search = GridSearchCV(
        make_pipeline(learn.FeatureExtractor(SMALL), RidgeClassifier()),
        {"featureextractor__recipe": [str(SMALL), "gammatone-64"], "featureextractor__pool": ["stats", ["mean"]]},
        cv=2,
        error_score="raise",
    )
    if JIT:
        search.fit([*paths, *paths], [0, 1, 0, 0, 1, 0])
        assert search.best_params_["featureextractor__recipe"] in (str(SMALL), "gammatone-64")


def test_output_as_a_table(paths):
    pandas = pytest.importorskip("pandas")
    table = learn.FeatureExtractor(SMALL).set_output(transform="pandas").fit(paths).transform(paths)
    assert isinstance(table, pandas.DataFrame)
    assert table.columns[0].startswith("mean ")


@pytest.mark.parametrize(
    ("parameters", "x", "error", "message"),
    [
        ({"pool": "all"}, None, ParameterError, 'pool is .all.; it must be "stats"'),
        ({"pool": ["mean", "avg"]}, None, ParameterError, "statistics name 'avg'"),
        ({"segments": 0}, None, ParameterError, "segments is 0"),
        ({"attention": np.ones(2)}, None, ParameterError, "attention is float64"),
        ({"recipe": "gamatone-64"}, None, RecipeError, "did you mean gammatone-64"),
        ({}, [], ParameterError, "X holds no recordings"),
        ({}, "a.wav", ParameterError, "X is 'a.wav'; it must be a list"),
        ({}, ["none.wav"], AudioFileError, "none.wav"),
        ({}, sounds(), ParameterError, "sample_rate"),
        ({"sample_rate": 8000}, [np.zeros(0)], AudioError, "recording 0: the signal holds no samples"),
        ({"sample_rate": 8000}, [np.full(4000, np.nan)], AudioError, "recording 0: "),
        ({"recipe": "kaldi-fbank-23", "sample_rate": 8000}, [np.zeros(20)], AudioError, "recording 0 is shorter than"),
    ],
)
def test_bad_input_is_one_clear_error(paths, parameters, x, error, message):
    with pytest.raises(error, match=message):
        learn.FeatureExtractor(**{"recipe": SMALL} | parameters).fit(paths if x is None else x)


def test_features_that_mean_something_else(paths, tmp_path):
    soundfile.write(tmp_path / "other.wav", np.zeros(8000), 16000)
    extractor = learn.FeatureExtractor("kaldi-fbank-23").fit(paths)
    with pytest.raises(ParameterError, match=r"recording 1 has other features .* take a recipe with a sample_rate"):
        extractor.transform([paths[0], tmp_path / "other.wav"])
    other = atc.extract(paths[0], "gabor-40")
    with pytest.raises(ParameterError, match="recording 0 is a map of 40 features"):
        learn.FeatureExtractor(SMALL).fit([other])


def test_a_pool_in_a_recipe(tmp_path):
    x = sounds(1)[0]
    whole = atc.extract(x, SMALL, sample_rate=8000).values[0].astype(np.float64)
    recipe = atc.get_recipe(SMALL)
    row = atc.extract(x, recipe.pooled("max,median"), sample_rate=8000).values
    np.testing.assert_allclose(row[0, :, 0], np.concatenate([whole.max(axis=1), np.median(whole, axis=1)]), rtol=1e-6)
    model = learn.MiniRocket(168, random_state=0).fit([whole])
    model.save(tmp_path / "model.npz")
    pooled = recipe.pooled(f"minirocket:{tmp_path / 'model.npz'}")
    row = atc.extract(x, pooled, sample_rate=8000).values
    np.testing.assert_array_equal(row[0, :, 0], model.transform([whole])[0])
    np.testing.assert_array_equal(atc.extract(x, pickle.loads(pickle.dumps(pooled)), sample_rate=8000).values, row)
    assert pooled.hash == recipe.pooled(f"minirocket:{tmp_path / 'model.npz'}").hash != recipe.hash
    for pool, message in (
        ("average", "statistics name 'average'"),
        ("mean,mean", "each can be there once"),
        ("minirocket:", "it must be the path of a .npz file"),
        (f"minirocket:{SMALL}", "is not an .npz file"),
    ):
        with pytest.raises(RecipeError, match=message):
            recipe.pooled(pool)
    with pytest.raises(RecipeError, match="was fitted to 3 channels, and there are 40 features"):
        atc.get_recipe("gabor-40").pooled(f"minirocket:{tmp_path / 'model.npz'}")


def test_windows_of_minirocket_along_a_recording(tmp_path):
    x = sounds(1)[0]
    whole = atc.extract(x, SMALL, sample_rate=8000).values[0]
    model = learn.MiniRocket(168, random_state=0).fit([whole])
    model.save(tmp_path / "model.npz")
    table = {"kind": "minirocket", "file": str(tmp_path / "model.npz"), "length": 20, "hop": 8}
    small = atc.get_recipe(SMALL)
    minirocket = atc.Recipe.from_dict({"name": "m", "version": 1, "stage": [{"kind": "samples"}, table]}).stages[1]
    recipe = small.changed(stages=(*small.stages, minirocket))
    found = atc.extract(x, recipe, sample_rate=8000)
    assert found.shape == (1, 168, (whole.shape[1] - 20) // 8 + 1)
    # A window as long as the recording has the share of all outputs, which is the feature of kernels without a margin.
    everything = dict(minirocket[1]) | {"length": whole.shape[1], "hop": whole.shape[1]}
    one = small.changed(stages=(*small.stages, ("minirocket", tuple(sorted(everything.items())))))
    free = model.bank_.leads(whole.shape[1]) == 0
    row = atc.extract(x, one, sample_rate=8000).values[0, :, 0]
    np.testing.assert_allclose(row[free], model.transform([whole])[0][free], rtol=1e-6)
    del table["hop"]
    with pytest.raises(RecipeError, match="lacks the key 'hop'"):
        atc.Recipe.from_dict({"name": "m", "version": 1, "stage": [{"kind": "samples"}, table]})


def test_statistics():
    x = np.random.default_rng(0).standard_normal((2, 3, 10)).astype(np.float32)
    names = ("a", "b", "c")
    halves = Statistics(names, statistics=("mean",), segments=2).run(x, 0, 1, 1)
    np.testing.assert_allclose(halves[1, :3, 0], x[1, :, :5].mean(axis=1, dtype=float), rtol=1e-6)
    np.testing.assert_allclose(halves[1, 3:, 0], x[1, :, 5:].mean(axis=1, dtype=float), rtol=1e-6)
    few = Statistics(names, statistics=("max", "delta_std"), segments=4).run(x[:, :, :2], 0, 1, 1)
    assert np.isfinite(few).all()
    weights = np.array([[0.0, 0.0, 0.0], [5.0, 0.0, 0.0]])
    stage = Statistics(names, statistics=(), attention=weights)
    heads = stage.run(x, 0, 1, 1)[0, :, 0]
    np.testing.assert_allclose(heads[:3], x[0].mean(axis=1, dtype=float), rtol=1e-6)
    shares = np.exp(5 * x[0, 0].astype(float))
    np.testing.assert_allclose(heads[3:], (x[0] * shares).sum(axis=1) / shares.sum(), rtol=1e-5)
    assert stage.features == tuple(f"attention {head} {name}" for head in (1, 2) for name in names)
    for options, message in (
        ({"statistics": ()}, "nothing would be left"),
        ({"attention": [[np.inf, 0, 0]]}, "attention holds NaN or infinity"),
        ({"attention": ["x"]}, "attention is"),
    ):
        with pytest.raises(ParameterError, match=message):
            Statistics(names, **options)


def of_different_lengths(estimator):
    """scikit-learn's checks that do not apply to collections of series, whose lengths may differ."""
    why = "series may be of any length"
    names = (
        "n_features_in",
        "n_features_in_after_fitting",
        "dataframe_column_names_consistency",
        "transformer_general",
    )
    return {} if isinstance(estimator, learn.SparseScaler) else {f"check_{name}": why for name in names}


@parametrize_with_checks(
    [
        learn.MiniRocket(84, random_state=0),
        learn.MultiRocket(84, random_state=0),
        learn.Rocket(10, random_state=0),
        learn.Hydra(2, 2, random_state=0),
        learn.SparseScaler(),
    ],
    expected_failed_checks=of_different_lengths,
)
@pytest.mark.skipif(not JIT, reason="many fits")
@pytest.mark.filterwarnings("ignore")
def test_what_scikit_learn_expects(estimator, check):
    check(estimator)


def test_without_scikit_learn():
    program = "import sys; sys.modules['sklearn'] = None; import audiotconv.learn"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert (
        done.stderr.splitlines()[-1]
        == 'ImportError: audiotconv.learn needs scikit-learn: pip install "audiotconv[learn]"'
    )
