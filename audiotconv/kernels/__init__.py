"""The only compiled code: simd.py is the vector layer, compile.py compiles; every other file is one operation."""
