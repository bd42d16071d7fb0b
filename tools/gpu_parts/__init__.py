"""The parts of tools/gpu.

A part that draws imports no torch: OSMesa and torch each bring an LLVM, and two of these in one
process crash.
"""
