"""What a kind of stage is to a recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...stages import Stage
from ..quantities import Parameter

__all__ = ["StageKind"]

Build = Callable[[dict[str, Any], int, Sequence[Stage]], Stage]
Check = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class StageKind:
    """A kind of stage.

    Attributes
    ----------
    parameters : dict
        By name.
    build : function of (values, sample rate, the stages before)
    takes_samples : bool
    check : function of values
        Raises RecipeError where values that are right by themselves do not fit each other at any sample rate.
    """

    parameters: dict[str, Parameter]
    build: Build
    takes_samples: bool
    check: Check = lambda values: None
