"""A local server that behaves as Credly's and Accredible's documents say the real ones do. Standard library only.

Start it with ``python -m demo.sandbox``; from Python with :func:`demo.sandbox.process.running_sandbox`.
"""
