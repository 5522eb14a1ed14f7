"""MiniRocket, MultiRocket, Rocket and Hydra against float64 references and aeon; whole numbers make both exact."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import JIT
from hypothesis import given, settings
from hypothesis import strategies as st

from audiotconv.errors import ParameterError
from audiotconv.filters import NineTapBank
from audiotconv.filters.nine_taps import dilations_for

learn = pytest.importorskip("audiotconv.learn", exc_type=ImportError)

EDGES = [2, 3, 8, 9, 10, 15, 16, 17, 33, 64, 100]
LONG = [639, 640, 641, 1300, 17_000, 70_000] if JIT else [200]


def whole_numbers(seed, *shape):
    return np.random.default_rng(seed).integers(-50, 50, shape).astype(np.float32)


def bank_for(channels, length, features, seed=0):
    rng = np.random.default_rng(seed)
    dilations, per_dilation = dilations_for(length, features)
    counts = rng.integers(1, channels + 1, len(dilations) * 84)
    indices = np.concatenate([rng.choice(channels, count, replace=False) for count in counts])
    limits = rng.integers(-300, 300, 84 * per_dilation.sum()).astype(np.float32)
    return NineTapBank(channels, dilations, per_dilation, counts, indices, limits)


def fitted(kind, channels, **parameters):
    model = kind(**parameters)
    model.n_channels_ = channels
    return model


@settings(max_examples=25 if JIT else 3)
@given(data=st.data())
def test_minirocket_and_multirocket(data):
    n = data.draw(st.one_of(st.sampled_from(EDGES), st.integers(2, 300)), label="time steps")
    channels = data.draw(st.sampled_from([1, 1, 3]), label="channels")
    length = data.draw(st.sampled_from([5, 40, 300]), label="fitted to")
    features = data.draw(st.sampled_from([84, 84 * 5, 84 * 9] if JIT else [84]), label="limits")
    x = whole_numbers(data.draw(st.integers(0, 99)), channels, n)
    mini, multi = fitted(learn.MiniRocket, channels), fitted(learn.MultiRocket, channels)
    mini.bank_ = multi.bank_ = bank_for(channels, length, features)
    multi.difference_bank_ = bank_for(channels, length, features, seed=1)
    series = reference.rocket_poolings(multi.bank_, x)
    np.testing.assert_array_equal(mini.transform([x])[0], series[0].astype(np.float32))
    difference = reference.rocket_poolings(multi.difference_bank_, np.diff(x), skew=1)
    want = np.concatenate([series.ravel(), difference.ravel()])
    np.testing.assert_allclose(multi.transform([x])[0], want, rtol=1e-6)


@pytest.mark.parametrize("n", LONG)
def test_long_series_and_any_number_of_threads(n):
    x = whole_numbers(n, 1, n)
    models = [fitted(learn.MiniRocket, 1), fitted(learn.MultiRocket, 1)]
    for model in models:
        model.bank_ = model.difference_bank_ = bank_for(1, min(n, 1000), 84)
    series = reference.rocket_poolings(models[0].bank_, x)
    np.testing.assert_array_equal(models[0].transform([x])[0], series[0].astype(np.float32))
    np.testing.assert_allclose(models[1].transform([x])[0, : series.size], series.ravel(), rtol=1e-6)
    models += [
        learn.Rocket(50, random_state=0).fit([x[:, : min(n, 1000)]]),
        learn.Hydra(n_groups=4, random_state=0).fit([x[:, : min(n, 1000)]]),
    ]
    for model in models:
        alone = model.transform([x])
        np.testing.assert_array_equal(model._features(x, 2), alone[0])
        model.n_jobs = 2
        short = model.transform([x[:, :50]])
        np.testing.assert_array_equal(model.transform([x, x[:, :50], x]), np.concatenate([alone, short, alone]))


@settings(max_examples=20 if JIT else 2)
@given(data=st.data())
def test_hydra(data):
    n = data.draw(st.one_of(st.sampled_from(EDGES), st.integers(2, 900 if JIT else 100)), label="time steps")
    channels = data.draw(st.sampled_from([1, 2, 7]), label="channels")
    kernels, groups = data.draw(st.sampled_from([(8, 4), (3, 1), (5, 6), (1, 2)]), label="kernels, groups")
    length = data.draw(st.sampled_from([2, 40, 300]), label="fitted to")
    model = learn.Hydra(kernels, groups, random_state=0).fit([whole_numbers(1, channels, length)])
    model.weights_ = np.random.default_rng(2).integers(-3, 4, model.weights_.shape).astype(np.float32)
    x = whole_numbers(data.draw(st.integers(0, 99)), channels, n)
    indices = model.channel_indices_ if channels > 1 else np.zeros((*model.weights_.shape[:3], 1), int)
    want = reference.hydra_scores(model.weights_, model.dilations_, indices, x)
    np.testing.assert_allclose(model.transform([x])[0], want, rtol=1e-6)


@settings(max_examples=20 if JIT else 2)
@given(data=st.data())
def test_rocket(data):
    n = data.draw(st.one_of(st.sampled_from([1, *EDGES]), st.integers(1, 400)), label="time steps")
    channels = data.draw(st.sampled_from([1, 4]), label="channels")
    model = learn.Rocket(40 if JIT else 6, normalise=False, random_state=3).fit([whole_numbers(1, channels, 120)])
    x = whole_numbers(data.draw(st.integers(0, 99)), channels, n)
    got, want = model.transform([x])[0], reference.rocket_features(model, x)
    np.testing.assert_allclose(got[1::2], want[1::2], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(got[::2], want[::2], atol=1e-6)
    normalised = learn.Rocket(1, random_state=3)
    normalised.__dict__.update({name: value for name, value in vars(model).items() if name != "normalise"})
    spread = np.where(x.std(axis=1) > 0, x.std(axis=1), 1)[:, None]
    scaled = reference.rocket_features(model, (x - x.mean(axis=1, keepdims=True)) / spread)
    np.testing.assert_allclose(normalised.transform([x])[0, 1::2], scaled[1::2], rtol=1e-3, atol=1e-3)


MODELS = {
    "MiniRocket": lambda **options: learn.MiniRocket(84 * 2, **options),
    "MultiRocket": lambda **options: learn.MultiRocket(84, **options),
    "Rocket": lambda **options: learn.Rocket(20, **options),
    "Hydra": lambda **options: learn.Hydra(4, 4, **options),
}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


def clips(count=3, channels=1):
    rng = np.random.default_rng(0)
    return [rng.standard_normal((channels, n)).astype(np.float32) for n in rng.integers(60, 120, count)]


def test_models_are_saved_and_loaded(model, tmp_path, monkeypatch):
    x = clips(channels=3)
    fitted = model(random_state=0).fit(x)
    fitted.save(tmp_path / "model.npz")
    again = type(fitted).load(tmp_path / "model.npz")
    assert again.get_params() == fitted.get_params()
    np.testing.assert_array_equal(again.transform(x), fitted.transform(x))
    assert again.get_feature_names_out().tolist() == fitted.get_feature_names_out().tolist()
    assert len(set(again.get_feature_names_out())) == fitted.transform(x).shape[1]
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]
    before = (tmp_path / "model.npz").read_bytes()
    with pytest.raises(OSError, match="No such file"):
        fitted.save(tmp_path / "none" / "model.npz")

    def full(*args, **arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        fitted.save(tmp_path / "model.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]
    assert (tmp_path / "model.npz").read_bytes() == before


def test_files_that_hold_something_else(model, tmp_path):
    kind = type(model())
    path = tmp_path / "model.npz"
    with pytest.raises(ParameterError, match="cannot be read: No such file"):
        kind.load(path)
    path.write_bytes(b"PK nothing")
    with pytest.raises(ParameterError, match=r"is not an \.npz file"):
        kind.load(path)
    np.savez(path, a=np.ones(3))
    with pytest.raises(ParameterError, match="was not saved by a transformer"):
        kind.load(path)
    model(random_state=0).fit(clips()).save(path)
    other = learn.Hydra if kind is not learn.Hydra else learn.Rocket
    with pytest.raises(ParameterError, match=f"holds a {kind.__name__}; it must be read by {kind.__name__}.load"):
        other.load(path)
    arrays = dict(np.load(path))
    for name in arrays:
        if name == "head":
            continue
        np.savez(path, **{key: value for key, value in arrays.items() if key != name})
        with pytest.raises(ParameterError, match="lacks"):
            kind.load(path)
        if arrays[name].ndim and not name.endswith("channels"):
            np.savez(path, **arrays | {name: arrays[name][:-1]})
            with pytest.raises(ParameterError):
                kind.load(path)


def test_the_same_random_state_gives_the_same(model):
    x = clips(channels=2)
    state = np.random.get_state()[1].copy()
    first = model(random_state=4).fit(x).transform(x)
    np.testing.assert_array_equal(model(random_state=np.random.RandomState(4)).fit(x).transform(x), first)
    assert not np.array_equal(model(random_state=5).fit(x).transform(x), first)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # nobody else's random numbers are touched


def test_layouts_and_types(model):
    x = np.random.default_rng(0).integers(-99, 99, (4, 2, 40))
    fitted = model(random_state=0).fit(x)
    want = fitted.transform(x)
    assert want.dtype == np.float32
    assert np.isfinite(want).all()
    readonly = x.astype(np.float32)
    readonly.flags.writeable = False
    for other in (readonly, x.astype(">f8"), list(x.astype(np.int16)), np.asfortranarray(x), x[::-1][::-1]):
        np.testing.assert_array_equal(fitted.transform(other), want)
    table = model(random_state=0).fit(x[:, 0])
    np.testing.assert_array_equal(table.transform(x[:, 0]), table.transform(x[:, :1]))
    np.testing.assert_array_equal(table.transform(x[:, 0].tolist()), table.transform(list(x[:, 0])))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: [*x, np.zeros((2, 50))], "series 3 has 2 channels, and series 0 has 1"),
        (lambda x: [*x, np.zeros((1, 0))], "series 3 has 1 channels of 0 time steps; .* needs at least [12]"),
        (lambda x: [*x, [0.0, np.nan, 1.0]], "series 3 holds NaN or infinity, first in channel 0 at step 1"),
        (lambda x: [*x, [1e300, 0.0]], "series 3 holds NaN or infinity"),
        (lambda x: [*x, ["a", "b"]], "series 3 is of type <U1; it must be real numbers"),
        (lambda x: [*x, np.zeros((1, 2, 3))], r"series 3 has the shape \(1, 2, 3\)"),
        (lambda x: [], "holds no series"),
        (lambda x: "name", "X is 'name'; it must hold series"),
        (lambda x: 3, "X is 3; it must hold series"),
        (lambda x: [np.zeros((2, 50))], "the series have 2 channels; .* was fitted to 1"),
    ],
)
def test_bad_series(model, change, message):
    x = clips()
    with pytest.raises(ParameterError, match=message):
        model(random_state=0).fit(x).transform(change(x))


def test_series_that_say_nothing(model):
    """Silent, constant and short ones have features; where nothing is above a limit that is what they say."""
    x = clips()
    fitted = model(random_state=0).fit(x)
    odd = [np.zeros((1, 100)), np.full((1, 100), 7.0), x[0][:, :5], x[0][:, :2]]
    assert np.isfinite(fitted.transform(odd)).all()
    assert np.isfinite(model(random_state=0).fit(odd).transform([*odd, *x])).all()


def test_impossible_parameters():
    x = clips()
    for wrong in (
        learn.MiniRocket(0),
        learn.MiniRocket(max_dilations_per_kernel="many"),
        learn.MultiRocket(-1),
        learn.Rocket(1.5),
        learn.Hydra(n_groups=0),
        learn.Hydra(max_num_channels=0),
    ):
        with pytest.raises(ParameterError, match="must be an integer of at least 1"):
            wrong.fit(x)
    assert learn.Hydra(2, 1, random_state=0).fit(x).transform(x).shape[1] == 4 * len(
        learn.Hydra(2, 1, random_state=0).fit(x).dilations_
    )


def test_limits_of_long_series_come_from_a_part_of_them():
    x = np.random.default_rng(0).standard_normal((1, 70_000 if JIT else 66_000)).astype(np.float32)
    bank = learn.MiniRocket(84, random_state=0).fit([x]).bank_
    assert np.abs(bank.limits).max() < 30


def test_multirocket_can_normalise():
    x = clips(channels=2)
    louder = [5 * each + 3 for each in x]
    options = {"n_kernels": 84, "normalise": True, "random_state": 0}
    np.testing.assert_allclose(
        learn.MultiRocket(**options).fit(x).transform(x), learn.MultiRocket(**options).fit(louder).transform(louder),
        rtol=1e-2, atol=0.5,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dilations": [0]}, "must be at least 1"),
        ({"dilations": [1.5]}, "dilations are float64"),
        ({"limits": np.array([np.nan] * 84, np.float32)}, "limits are"),
        ({"limits": np.zeros(3, np.float32)}, "there are 3 limits; there must be 84"),
        ({"channel_indices": np.full(84, 2)}, "channel_indices must be from 0 to 0"),
    ],
)
def test_banks_that_do_not_fit(fields, message):
    good = {
        "channels": 1, "dilations": [1], "features_per_dilation": [1], "channel_counts": np.ones(84, int),
        "channel_indices": np.zeros(84, int), "limits": np.zeros(84, np.float32),
    }  # fmt: skip
    assert NineTapBank(**good).digest == NineTapBank(**good).digest
    with pytest.raises(ParameterError, match=message):
        NineTapBank(**good | fields)


def test_sparse_scaler_leaves_zeros():
    x = np.random.default_rng(0).poisson(0.5, (20, 6)).astype(np.float32)
    x[:, 0] = 0
    scaled = learn.SparseScaler().fit_transform(x)
    assert (scaled[x == 0] == 0).all()
    assert np.isfinite(scaled).all()
    assert np.isfinite(learn.SparseScaler(mask=False).fit(x[:1]).transform(x)).all()
    roots = np.sqrt(x[:, 1])
    scale = roots.std(ddof=1) + (roots == 0).mean() ** 4 + 1e-8
    np.testing.assert_allclose(scaled[:, 1], np.where(x[:, 1] > 0, (roots - roots.mean()) / scale, 0), rtol=1e-5)


# --- aeon ---


@pytest.mark.skipif(not JIT, reason="aeon compiles")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("channels", "n"), [(1, 300), (1, 20), (5, 301), (12, 97)])
def test_aeon_has_the_same_features(channels, n):
    peers = pytest.importorskip("aeon.transformations.collection.convolution_based")
    x = whole_numbers(0, 6, channels, n)
    theirs = peers.MiniRocket(n_kernels=2000, random_state=1).fit(x)
    mini = fitted(learn.MiniRocket, channels)
    mini.bank_ = of_aeon(channels, theirs.parameters)
    np.testing.assert_array_equal(mini.transform(x), theirs.transform(x))
    theirs = peers.MultiRocket(n_kernels=1000, random_state=1).fit(x)
    first, second = theirs.parameter, theirs.parameter1
    if channels == 1:
        first, second = ((None, None, *parameters) for parameters in (first, second))
    multi = fitted(learn.MultiRocket, channels)
    multi.bank_ = of_aeon(channels, first)
    multi.difference_bank_ = of_aeon(channels, (*first[:2], *second[2:]))  # aeon's see the channels of the series
    np.testing.assert_allclose(multi.transform(x), theirs.transform(x), rtol=1e-4, atol=1e-3)
    theirs = peers.Rocket(n_kernels=300, random_state=1).fit(x)
    weights, lengths, biases, dilations, paddings, counts, indices = theirs.kernels
    rocket = fitted(learn.Rocket, channels)
    rocket.lengths_, rocket.dilations_, rocket.paddings_, rocket.channel_counts_, rocket.channel_indices_ = (
        array.astype(np.int64) for array in (lengths, dilations, paddings, counts, indices)
    )
    rocket.weights_, rocket.biases_ = weights, biases
    got, want = rocket.transform(x), theirs.transform(x)
    np.testing.assert_allclose(got[:, 1::2], want[:, 1::2], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(got[:, ::2], want[:, ::2], atol=1.01 / 20)  # an output that is hardly above 0 or not
    assert (got[:, ::2] != want[:, ::2]).mean() < 0.01


def of_aeon(channels, parameters):
    counts, indices, dilations, features, biases = parameters
    if channels == 1:
        counts, indices = np.ones(len(dilations) * 84, int), np.zeros(len(dilations) * 84, int)
    return NineTapBank(channels, dilations, features, counts, indices, biases)


@pytest.mark.skipif(not JIT, reason="aeon compiles")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("n", [9, 100, 1000])
def test_aeon_chooses_the_same_limits_for_a_single_series(n):
    peers = pytest.importorskip("aeon.transformations.collection.convolution_based")
    x = whole_numbers(0, 1, 1, n)
    _, _, dilations, features, biases = peers.MiniRocket(n_kernels=2000, random_state=1).fit(x).parameters
    bank = learn.MiniRocket(2000, random_state=0).fit(x).bank_
    np.testing.assert_array_equal(bank.dilations, dilations)
    np.testing.assert_array_equal(bank.features_per_dilation, features)
    np.testing.assert_allclose(bank.limits, biases, rtol=1e-5, atol=1e-2)


@pytest.mark.skipif(not JIT, reason="aeon compiles")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("channels", "n"), [(1, 300), (5, 301), (12, 97)])
def test_aeon_has_the_same_hydra(channels, n):
    pytest.importorskip("torch")
    peers = pytest.importorskip("aeon.transformations.collection.convolution_based")
    x = whole_numbers(0, 6, channels, n)
    theirs = peers.HydraTransformer(random_state=1, output_type="numpy").fit(x)
    hydra, inside = fitted(learn.Hydra, channels), theirs._hydra
    hydra.dilations_ = inside.dilations.numpy()
    hydra.weights_ = inside.W.numpy().reshape(len(hydra.dilations_), 2, inside.h, 8, 9)
    hydra.channel_indices_ = np.stack([each.numpy() for each in inside.idx])
    got, want = hydra.transform(x), theirs.transform(x)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-2)
    import torch
    from aeon.classification.convolution_based import _hydra

    scaler = _hydra._SparseScaler()
    scaled = scaler.fit_transform(torch.from_numpy(want)).numpy()
    np.testing.assert_allclose(learn.SparseScaler().fit_transform(want), scaled, rtol=1e-3, atol=1e-4)
