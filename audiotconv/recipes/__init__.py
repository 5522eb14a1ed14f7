"""The named recipes (TOML files here) and their loader."""

from .recipe import Recipe, get_recipe, list_recipes

__all__ = ["Recipe", "get_recipe", "list_recipes"]
