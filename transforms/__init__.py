"""Arithmetic: frames and parameters in, frames out. No file, network, database, clock, chance or environment is touched here, so a
run over the same rows always gives the same rows."""
