"""The vector layer: SIMD registers as values inside Numba kernels.

A processor multiplies and adds 4, 8 or 16 numbers at once, in *vector registers*. Numba's compiler finds such
chances in simple loops only, and a convolution written as plain loops reaches 3 % of what the processor can do.
Here the registers are named instead. Inside an ``@njit`` function,

    v = load(a, i)              # LANES numbers, a[i] to a[i + lanes(a) - 1], in one register
    w = broadcast(s)            # the same number in every lane
    v = fma(v, w, c)            # v * w + c in every lane, rounded once
    store(out, j, v)

and ``+ - * /``, negation, comparisons, ``minimum``, ``maximum``, ``select`` and ``sqrt`` work on vectors as they do on
numbers.
How many lanes a vector has follows from the processor and from the array's dtype: float32 has 16 with AVX-512, 8 with
AVX2 and 4 elsewhere; float64 has half of that. A kernel asks ``lanes(a)`` and never writes the number down.

**Tiles.** One multiplication every half cycle needs some ten independent sums in flight, all in registers. A *tile*
is ROWS x COLS vectors that stay there:

    acc = zeros(out, ROWS, COLS)
    for k in range(n):
        acc = outer(acc, x, i + k, step, load_tile(w, k * COLS * L, COLS))
    store_rows(out, j, row_length, acc)

``outer`` is the one inner step that every convolution here is made of: for each row r it broadcasts x[i + k + r * step]
and multiplies it into that row's COLS vectors. Sizes are compile-time constants (literals or module globals), and
``TILE_ROWS x TILE_COLS`` is the largest shape that leaves registers for the operands.

**Exactness.** Each lane and each tile entry is a sum of its own, added up in the order of the loop that the kernel
writes. Nothing here adds across lanes, so results depend neither on the vector width nor on where a tile begins.

**No checks.** Indices are signed, never wrap around and are never checked: the kernel's caller guarantees the bounds.
Arrays must be C-contiguous; an index counts elements from the array's first one, whatever its number of dimensions.

**Two bodies.** Every operation is a plain Python function on NumPy arrays of LANES numbers, which is what runs under
``NUMBA_DISABLE_JIT=1``; next to it stands the rule by which Numba types it and writes its LLVM instructions.
Multiply-add is ``llvm.fmuladd``: fused where the processor can, a product and a sum where it cannot (``generic``).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.core.extending import lower_builtin, models, register_model
from numba.core.registry import cpu_target
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

__all__ = [
    "TILE_COLS",
    "TILE_ROWS",
    "VECTOR_BITS",
    "as_float",
    "as_int",
    "broadcast",
    "copy",
    "evens",
    "fma",
    "gather",
    "itemsize",
    "lanes",
    "load",
    "load_as",
    "load_tile",
    "maximum",
    "minimum",
    "odds",
    "outer",
    "relu",
    "select",
    "splat",
    "spread",
    "sqrt",
    "store",
    "store_rows",
    "to_float",
    "transpose",
    "zeros",
]


def _vector_bits() -> int:
    """Bits in the widest vector register that Numba will generate code for, as its own settings have it."""
    features = cpu_target.target_context.codegen()._get_host_cpu_features().split(",")
    if "+avx512f" in features:
        return 512
    return 256 if "+avx2" in features else 128


VECTOR_BITS = _vector_bits()
# AVX-512 has 32 registers, the others 16: 8x3 + 3 + 1 = 28 of them, 4x3 + 3 + 1 = all 16.
TILE_ROWS = 8 if VECTOR_BITS == 512 else 4
TILE_COLS = 3

# --- the types -------------------------------------------------------------------------------------------------------


class VectorType(types.Type):  # type: ignore[misc]
    """A register of `count` numbers (or, after a comparison, truth values)."""

    def __init__(self, dtype: types.Type, count: int) -> None:
        self.dtype = dtype
        self.count = count
        super().__init__(name=f"Vector({dtype}, {count})")


class TileType(types.Type):  # type: ignore[misc]
    """`rows` x `cols` vectors."""

    def __init__(self, vector: VectorType, rows: int, cols: int) -> None:
        self.vector = vector
        self.rows = rows
        self.cols = cols
        super().__init__(name=f"Tile({vector}, {rows}, {cols})")


def _llvm_number(dtype: types.Type) -> ir.Type:
    if dtype == types.boolean:
        return ir.IntType(1)
    if isinstance(dtype, types.Integer):
        return ir.IntType(dtype.bitwidth)
    return ir.FloatType() if dtype == types.float32 else ir.DoubleType()


def _llvm_vector(vector: VectorType) -> ir.VectorType:
    return ir.VectorType(_llvm_number(vector.dtype), vector.count)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: VectorType) -> None:
        super().__init__(dmm, fe_type, _llvm_vector(fe_type))


@register_model(TileType)
class _TileModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: TileType) -> None:
        super().__init__(dmm, fe_type, ir.ArrayType(_llvm_vector(fe_type.vector), fe_type.rows * fe_type.cols))


def _vector_of(dtype: types.Type) -> VectorType:
    return VectorType(dtype, VECTOR_BITS // (dtype.bitwidth if dtype != types.intp else 64))


def _is_array(kind: types.Type) -> bool:
    return isinstance(kind, types.Array) and kind.layout == "C" and isinstance(kind.dtype, types.Float | types.Integer)


def _is_real(kind: types.Type) -> bool:
    return isinstance(kind, VectorType) and isinstance(kind.dtype, types.Float)


# --- telling Numba about an operation --------------------------------------------------------------------------------

Lowering = Callable[[Any, ir.IRBuilder, Any, Any], ir.Value]
Rule = Callable[..., tuple[types.Type, Lowering] | None]


def _operation(function: Callable[..., Any], *formal: Any) -> Callable[[Rule], Rule]:
    """Register `rule` as the compiled form of `function`.

    The rule receives the argument types and gives the result type and a function that writes the instructions,
    or None where it does not apply. `formal` narrows the argument types where others define the function too.
    """

    def decorate(rule: Rule) -> Rule:
        class Template(AbstractTemplate):  # type: ignore[misc]
            key = function
            prefer_literal = True  # sizes are part of the type

            def generic(self, args: tuple[types.Type, ...], kws: dict[str, types.Type]) -> Any:
                found = None if kws else _apply(rule, args)
                return None if found is None else signature(found[0], *args)

        infer_global(function)(Template)

        def lower(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            found = _apply(rule, sig.args)
            assert found is not None
            return found[1](context, builder, sig.args, args)

        lower_builtin(function, *(formal or (types.VarArg(types.Any),)))(lower)
        return rule

    return decorate


def _apply(rule: Rule, args: tuple[types.Type, ...]) -> tuple[types.Type, Lowering] | None:
    try:
        return rule(*args)
    except (AttributeError, TypeError):  # another number of arguments, or arguments of other kinds
        return None


def _pointer(context: Any, builder: ir.IRBuilder, array: types.Array, value: ir.Value, index: ir.Value) -> ir.Value:
    data = context.make_array(array)(context, builder, value).data
    return builder.gep(data, [index])


def _load(builder: ir.IRBuilder, array: types.Array, pointer: ir.Value, vector: VectorType) -> ir.Value:
    at = builder.bitcast(pointer, _llvm_vector(vector).as_pointer())
    return builder.load(at, align=array.dtype.bitwidth // 8)


def _splat(builder: ir.IRBuilder, number: ir.Value, vector: VectorType) -> ir.Value:
    shape = _llvm_vector(vector)
    one = builder.insert_element(ir.Constant(shape, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    zeros_mask = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None)
    return builder.shuffle_vector(one, ir.Constant(shape, ir.Undefined), zeros_mask)


def _fma(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    name = f"llvm.fmuladd.v{a.type.count}{'f32' if a.type.element == ir.FloatType() else 'f64'}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(a.type, [a.type] * 3), name)
    return builder.call(function, [a, b, c])


def _index(context: Any, builder: ir.IRBuilder, kind: types.Type, value: ir.Value) -> ir.Value:
    return context.cast(builder, value, kind, types.intp)


# --- vectors ---------------------------------------------------------------------------------------------------------


def lanes(a: Any) -> int:
    """How many numbers of the array's dtype one vector holds: a constant when compiled."""
    return VECTOR_BITS // (8 * int(a.itemsize))


@_operation(lanes)
def _(a: types.Type) -> Any:
    if _is_array(a):
        count = _vector_of(a.dtype).count
        return types.intp, lambda context, builder, kinds, args: context.get_constant(types.intp, count)
    return None


def load(a: Any, i: int) -> Any:
    """The vector a[i : i + lanes(a)]; no alignment is needed."""
    return a.reshape(-1)[i : i + lanes(a)].copy()


@_operation(load)
def _(a: types.Type, i: types.Type) -> Any:
    if not (_is_array(a) and isinstance(i, types.Integer)):
        return None
    vector = _vector_of(a.dtype)

    def lower(context: Any, builder: ir.IRBuilder, kinds: Any, args: Any) -> ir.Value:
        at = _pointer(context, builder, a, args[0], _index(context, builder, i, args[1]))
        return _load(builder, a, at, vector)

    return vector, lower


def store(a: Any, i: int, v: Any) -> None:
    """Write the vector to a[i], a[i + 1], ..."""
    a.reshape(-1)[i : i + len(v)] = v


@_operation(store)
def _(a: types.Type, i: types.Type, v: types.Type) -> Any:
    if not (_is_array(a) and a.mutable and isinstance(i, types.Integer) and isinstance(v, VectorType)):
        return None
    if v.dtype != a.dtype:
        return None

    def lower(context: Any, builder: ir.IRBuilder, kinds: Any, args: Any) -> ir.Value:
        at = _pointer(context, builder, a, args[0], _index(context, builder, i, args[1]))
        builder.store(args[2], builder.bitcast(at, args[2].type.as_pointer()), align=a.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none, lower


def gather(a: Any, i: int, step: int) -> Any:
    """The vector a[i], a[i + step], a[i + 2 * step], ..."""
    return a.reshape(-1)[i + step * np.arange(lanes(a))]


@_operation(gather)
def _(a: types.Type, i: types.Type, step: types.Type) -> Any:
    if not (_is_array(a) and isinstance(i, types.Integer) and isinstance(step, types.Integer)):
        return None
    vector = _vector_of(a.dtype)

    def lower(context: Any, builder: ir.IRBuilder, kinds: Any, args: Any) -> ir.Value:
        index = _index(context, builder, i, args[1])
        stride = _index(context, builder, step, args[2])
        out = ir.Constant(_llvm_vector(vector), ir.Undefined)
        for lane in range(vector.count):
            number = builder.load(_pointer(context, builder, a, args[0], index))
            out = builder.insert_element(out, number, ir.Constant(ir.IntType(32), lane))
            index = builder.add(index, stride)
        return out

    return vector, lower


def broadcast(s: Any) -> Any:
    """The number in every lane (a vector of the number's dtype)."""
    number = np.asarray(s)
    return np.full(lanes(number), number)


@_operation(broadcast)
def _(s: types.Type) -> Any:
    if s not in (types.float32, types.float64, types.int32):
        return None
    vector = _vector_of(s)
    return vector, lambda context, builder, kinds, args: _splat(builder, args[0], vector)


def spread(a: Any, i: int) -> Any:
    """The number a[i] in every lane."""
    return np.full(lanes(a), a.reshape(-1)[i])


@_operation(spread)
def _(a: types.Type, i: types.Type) -> Any:
    if not (_is_array(a) and isinstance(i, types.Integer)):
        return None
    vector = _vector_of(a.dtype)

    def lower(context: Any, builder: ir.IRBuilder, kinds: Any, args: Any) -> ir.Value:
        at = _pointer(context, builder, a, args[0], _index(context, builder, i, args[1]))
        return _splat(builder, builder.load(at), vector)

    return vector, lower


def load_as(out: Any, a: Any, i: int) -> Any:
    """As many numbers of a, from a[i] on, as a vector of out's dtype holds, each as that floating-point number."""
    return a.reshape(-1)[i : i + lanes(out)].astype(out.dtype)


@_operation(load_as)
def _(out: types.Type, a: types.Type, i: types.Type) -> Any:
    if not (_is_array(out) and _is_array(a) and isinstance(i, types.Integer)):
        return None
    vector = _vector_of(out.dtype)
    source = VectorType(a.dtype, vector.count)
    if a.dtype != out.dtype and not isinstance(a.dtype, types.Integer):
        return None

    def lower(context: Any, builder: ir.IRBuilder, kinds: Any, args: Any) -> ir.Value:
        at = _pointer(context, builder, a, args[1], _index(context, builder, i, args[2]))
        found = _load(builder, a, at, source)
        return found if a.dtype == out.dtype else builder.sitofp(found, _llvm_vector(vector))

    return vector, lower


def splat(v: Any, s: Any) -> Any:
    """The number in every lane of a vector of v's kind, rounded to its dtype."""
    return np.full(v.shape, s, v.dtype)


@_operation(splat)
def _(v: types.Type, s: types.Type) -> Any:
    if not (isinstance(v, VectorType) and isinstance(s, types.Float | types.Integer)):
        return None

    def lower(context: Any, builder: ir.IRBuilder, kinds: Any, args: Any) -> ir.Value:
        return _splat(builder, context.cast(builder, args[1], s, v.dtype), v)

    return v, lower


def itemsize(v: Any) -> int:
    """Bytes of one lane: a constant when compiled, so that a branch on it costs nothing."""
    return int(v.itemsize)


@_operation(itemsize)
def _(v: types.Type) -> Any:
    if not isinstance(v, VectorType):
        return None
    return types.intp, lambda context, builder, kinds, args: context.get_constant(types.intp, v.dtype.bitwidth // 8)


def fma(a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once where the processor has fused multiply-add."""
    return (np.multiply(a, b, dtype=np.float64) + c).astype(a.dtype)


@_operation(fma)
def _(a: types.Type, b: types.Type, c: types.Type) -> Any:
    if not (_is_real(a) and a == b == c):
        return None
    return a, lambda context, builder, kinds, args: _fma(builder, *args)


def sqrt(v: Any) -> Any:
    """The square root of every lane."""
    return np.sqrt(v)


@_operation(sqrt)
def _(v: types.Type) -> Any:
    if not _is_real(v):
        return None

    def lower(context: Any, builder: ir.IRBuilder, kinds: Any, args: Any) -> ir.Value:
        shape = args[0].type
        name = f"llvm.sqrt.v{shape.count}{'f32' if v.dtype == types.float32 else 'f64'}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(shape, [shape]), name)
        return builder.call(function, args)

    return v, lower


def select(mask: Any, a: Any, b: Any) -> Any:
    """a where the mask is true, b elsewhere."""
    return np.where(mask, a, b)


@_operation(select)
def _(mask: types.Type, a: types.Type, b: types.Type) -> Any:
    if not (isinstance(a, VectorType) and a == b and mask == VectorType(types.boolean, a.count)):
        return None
    return a, lambda context, builder, kinds, args: builder.select(*args)


def minimum(a: Any, b: Any) -> Any:
    """The smaller one in every lane; b where either is NaN."""
    return np.where(a < b, a, b)


def maximum(a: Any, b: Any) -> Any:
    """The larger one in every lane; b where either is NaN."""
    return np.where(a > b, a, b)


def _extreme(comparison: str) -> Rule:
    def rule(a: types.Type, b: types.Type) -> Any:
        if not (_is_real(a) and a == b):
            return None
        return a, lambda context, builder, kinds, args: builder.select(builder.fcmp_ordered(comparison, *args), *args)

    return rule


_operation(minimum)(_extreme("<"))
_operation(maximum)(_extreme(">"))


def _arithmetic(real: str, integer: str | None) -> Rule:
    def rule(a: types.Type, b: types.Type) -> Any:
        if isinstance(a, TileType) and a == b:
            entry = rule(a.vector, a.vector)
            return None if entry is None else (a, _each(entry[1], a.rows * a.cols))
        if not (isinstance(a, VectorType) and a == b):
            return None
        name = real if isinstance(a.dtype, types.Float) else integer
        if name is None:
            return None
        return a, lambda context, builder, kinds, args: getattr(builder, name)(*args)

    return rule


def _each(entry: Lowering, count: int) -> Lowering:
    """The instructions of a tile operation: those of the vector operation for each of its vectors."""

    def lower(context: Any, builder: ir.IRBuilder, kinds: Any, args: Any) -> ir.Value:
        out = ir.Constant(args[0].type, ir.Undefined)
        for n in range(count):
            value = entry(context, builder, kinds, [builder.extract_value(arg, n) for arg in args])
            out = builder.insert_value(out, value, n)
        return out

    return lower


for _function, _real, _integer in (
    (operator.add, "fadd", "add"),
    (operator.sub, "fsub", "sub"),
    (operator.mul, "fmul", "mul"),
    (operator.truediv, "fdiv", None),
):
    _operation(_function, VectorType, VectorType)(_arithmetic(_real, _integer))
    _operation(_function, TileType, TileType)(_arithmetic(_real, _integer))


@_operation(operator.neg, VectorType)
def _(a: types.Type) -> Any:
    return (a, lambda context, builder, kinds, args: builder.fneg(args[0])) if _is_real(a) else None


def _bitwise(name: str) -> Rule:
    def rule(a: types.Type, b: types.Type) -> Any:
        if not (isinstance(a, VectorType) and a == b and isinstance(a.dtype, types.Integer | types.Boolean)):
            return None
        return a, lambda context, builder, kinds, args: getattr(builder, name)(*args)

    return rule


for _function, _name in (
    (operator.and_, "and_"),
    (operator.or_, "or_"),
    (operator.lshift, "shl"),
    (operator.rshift, "ashr"),
):
    _operation(_function, VectorType, VectorType)(_bitwise(_name))


def _comparison(sign: str) -> Rule:
    def rule(a: types.Type, b: types.Type) -> Any:
        if not (isinstance(a, VectorType) and a == b):
            return None
        mask = VectorType(types.boolean, a.count)
        if isinstance(a.dtype, types.Float):
            return mask, lambda context, builder, kinds, args: builder.fcmp_ordered(sign, *args)
        return mask, lambda context, builder, kinds, args: builder.icmp_signed(sign, *args)

    return rule


for _function, _name in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
):
    _operation(_function, VectorType, VectorType)(_comparison(_name))


# --- neighbours in a vector -------------------------------------------------------------------------------------------


def evens(a: Any, b: Any) -> Any:
    """Lanes 0, 2, 4, ... of a, then of b."""
    return np.concatenate([a[::2], b[::2]])


def odds(a: Any, b: Any) -> Any:
    """Lanes 1, 3, 5, ... of a, then of b: ``evens(a, b) + odds(a, b)`` adds neighbours."""
    return np.concatenate([a[1::2], b[1::2]])


def _every_second(first: int) -> Rule:
    def rule(a: types.Type, b: types.Type) -> Any:
        if not (_is_real(a) and a == b):
            return None
        mask = ir.Constant(ir.VectorType(ir.IntType(32), a.count), list(range(first, 2 * a.count, 2)))
        return a, lambda context, builder, kinds, args: builder.shuffle_vector(*args, mask)

    return rule


_operation(evens)(_every_second(0))
_operation(odds)(_every_second(1))

# --- bits and numbers ------------------------------------------------------------------------------------------------

_INT_OF = {types.float32: types.int32, types.float64: types.int64}
_FLOAT_OF = {integer: real for real, integer in _INT_OF.items()}


def as_int(v: Any) -> Any:
    """The same bits, read as signed integers."""
    return v.view(np.int32 if v.itemsize == 4 else np.int64)


def as_float(v: Any) -> Any:
    """The same bits, read as floating-point numbers."""
    return v.view(np.float32 if v.itemsize == 4 else np.float64)


def to_float(v: Any) -> Any:
    """Each integer as the nearest floating-point number of the same size."""
    return v.astype(np.float32 if v.itemsize == 4 else np.float64)


def _conversion(name: str, kinds_of: dict[Any, Any]) -> Rule:
    def rule(v: types.Type) -> Any:
        if not (isinstance(v, VectorType) and v.dtype in kinds_of):
            return None
        result = VectorType(kinds_of[v.dtype], v.count)
        shape = _llvm_vector(result)
        return result, lambda context, builder, kinds, args: getattr(builder, name)(args[0], shape)

    return rule


_operation(as_int)(_conversion("bitcast", _INT_OF))
_operation(as_float)(_conversion("bitcast", _FLOAT_OF))
_operation(to_float)(_conversion("sitofp", _FLOAT_OF))

# --- tiles -----------------------------------------------------------------------------------------------------------


def zeros(a: Any, rows: int, cols: int) -> Any:
    """A tile of rows x cols vectors of the array's dtype, all zero."""
    return np.zeros((rows, cols, lanes(a)), a.dtype)


@_operation(zeros)
def _(a: types.Type, rows: types.Type, cols: types.Type) -> Any:
    if not (_is_array(a) and isinstance(rows, types.IntegerLiteral) and isinstance(cols, types.IntegerLiteral)):
        return None
    tile = TileType(_vector_of(a.dtype), rows.literal_value, cols.literal_value)
    return tile, lambda context, builder, kinds, args: ir.Constant(context.get_value_type(tile), None)


def load_tile(a: Any, i: int, cols: int) -> Any:
    """A tile of one row: `cols` vectors that lie side by side from a[i] on."""
    return a.reshape(-1)[i : i + cols * lanes(a)].reshape(1, cols, -1).copy()


@_operation(load_tile)
def _(a: types.Type, i: types.Type, cols: types.Type) -> Any:
    if not (_is_array(a) and isinstance(i, types.Integer) and isinstance(cols, types.IntegerLiteral)):
        return None
    vector = _vector_of(a.dtype)
    tile = TileType(vector, 1, cols.literal_value)

    def lower(context: Any, builder: ir.IRBuilder, kinds: Any, args: Any) -> ir.Value:
        at = _pointer(context, builder, a, args[0], _index(context, builder, i, args[1]))
        out = ir.Constant(context.get_value_type(tile), ir.Undefined)
        for col in range(tile.cols):
            step = builder.gep(at, [context.get_constant(types.intp, col * vector.count)])
            out = builder.insert_value(out, _load(builder, a, step, vector), col)
        return out

    return tile, lower


def outer(acc: Any, a: Any, i: int, step: int, row: Any) -> Any:
    """acc[r, c] + a[i + r * step] * row[c] for every row r and column c of the tile, each rounded once."""
    numbers = a.reshape(-1)[i + step * np.arange(acc.shape[0])]
    return fma(numbers[:, None, None], row, acc)


@_operation(outer)
def _(acc: types.Type, a: types.Type, i: types.Type, step: types.Type, row: types.Type) -> Any:
    if not (
        isinstance(acc, TileType)
        and _is_array(a)
        and a.dtype == acc.vector.dtype
        and isinstance(i, types.Integer)
        and isinstance(step, types.Integer)
        and row == TileType(acc.vector, 1, acc.cols)
    ):
        return None

    def lower(context: Any, builder: ir.IRBuilder, kinds: Any, args: Any) -> ir.Value:
        out = args[0]
        index = _index(context, builder, i, args[2])
        stride = _index(context, builder, step, args[3])
        cells = [builder.extract_value(args[4], col) for col in range(acc.cols)]
        for r in range(acc.rows):
            at = builder.add(index, builder.mul(stride, context.get_constant(types.intp, r)))
            number = builder.load(_pointer(context, builder, a, args[1], at))
            spread = _splat(builder, number, acc.vector)
            for col in range(acc.cols):
                n = r * acc.cols + col
                out = builder.insert_value(out, _fma(builder, spread, cells[col], builder.extract_value(out, n)), n)
        return out

    return acc, lower


def relu(tile: Any) -> Any:
    """Zero in place of what is negative; NaN stays."""
    return np.where(tile < 0, tile.dtype.type(0), tile)


@_operation(relu)
def _(tile: types.Type) -> Any:
    if not isinstance(tile, TileType):
        return None

    def lower(context: Any, builder: ir.IRBuilder, kinds: Any, args: Any) -> ir.Value:
        zero = ir.Constant(args[0].type, None)
        return builder.select(builder.fcmp_ordered("<", args[0], zero), zero, args[0])

    return tile, _each(lower, tile.rows * tile.cols)


def store_rows(a: Any, i: int, step: int, tile: Any) -> None:
    """Write row r of the tile, its vectors side by side, from a[i + r * step] on."""
    flat = a.reshape(-1)
    for r, row in enumerate(tile):
        flat[i + r * step : i + r * step + row.size] = row.reshape(-1)


@_operation(store_rows)
def _(a: types.Type, i: types.Type, step: types.Type, tile: types.Type) -> Any:
    if not (
        _is_array(a)
        and a.mutable
        and isinstance(i, types.Integer)
        and isinstance(step, types.Integer)
        and isinstance(tile, TileType)
        and tile.vector.dtype == a.dtype
    ):
        return None

    def lower(context: Any, builder: ir.IRBuilder, kinds: Any, args: Any) -> ir.Value:
        index = _index(context, builder, i, args[1])
        stride = _index(context, builder, step, args[2])
        for r in range(tile.rows):
            row = builder.add(index, builder.mul(stride, context.get_constant(types.intp, r)))
            for col in range(tile.cols):
                at = builder.add(row, context.get_constant(types.intp, col * tile.vector.count))
                value = builder.extract_value(args[3], r * tile.cols + col)
                pointer = _pointer(context, builder, a, args[0], at)
                builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=a.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none, lower


def transpose(a: Any, i: int, step: int, out: Any, j: int, out_step: int) -> None:
    """Write the lanes x lanes square whose rows start at a[i + r * step] to `out`, transposed.

    Row c of the result, from out[j + c * out_step] on, holds a[i + c], a[i + c + step], a[i + c + 2 * step], ...
    """
    count = lanes(a)
    grid = np.arange(count)
    square = a.reshape(-1)[i + step * grid[:, None] + grid]
    out.reshape(-1)[j + out_step * grid[:, None] + grid] = square.T


@_operation(transpose)
def _(a: types.Type, i: types.Type, step: types.Type, out: types.Type, j: types.Type, out_step: types.Type) -> Any:
    if not (_is_array(a) and _is_array(out) and out.mutable and a.dtype == out.dtype):
        return None
    if not all(isinstance(kind, types.Integer) for kind in (i, step, j, out_step)):
        return None
    vector = _vector_of(a.dtype)
    count = vector.count

    def lower(context: Any, builder: ir.IRBuilder, kinds: Any, args: Any) -> ir.Value:
        index, stride = _index(context, builder, i, args[1]), _index(context, builder, step, args[2])
        rows = []
        for _row in range(count):
            rows.append(_load(builder, a, _pointer(context, builder, a, args[0], index), vector))
            index = builder.add(index, stride)
        # log2(lanes) rounds of a perfect shuffle: interleaving row r with row r + half moves one bit of the row
        # number into the lane number and one bit of the lane number into the row number.
        word = ir.IntType(32)
        low = [lane // 2 + count * (lane % 2) for lane in range(count)]
        high = [n + count // 2 for n in low]
        masks = [ir.Constant(ir.VectorType(word, count), [ir.Constant(word, n) for n in m]) for m in (low, high)]
        for _round in range(count.bit_length() - 1):
            half = count // 2
            pairs = [(rows[r], rows[r + half], mask) for r in range(half) for mask in masks]
            rows = [builder.shuffle_vector(*pair) for pair in pairs]
        index, stride = _index(context, builder, j, args[4]), _index(context, builder, out_step, args[5])
        for row in rows:
            at = builder.bitcast(_pointer(context, builder, out, args[3], index), row.type.as_pointer())
            builder.store(row, at, align=a.dtype.bitwidth // 8)
            index = builder.add(index, stride)
        return context.get_dummy_value()

    return types.none, lower


@njit(nogil=True)
def copy(a, i, out, j, count):  # type: ignore[no-untyped-def]
    """out[j : j + count] = a[i : i + count], in vectors: Numba does not make plain loops over slices into them."""
    width = lanes(a)
    whole = max(0, count // width * width)
    for t in range(0, whole, width):
        store(out, j + t, load(a, i + t))
    source, target = a.reshape(-1), out.reshape(-1)
    for t in range(whole, count):
        target[j + t] = source[i + t]
