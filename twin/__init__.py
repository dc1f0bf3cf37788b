"""The digital twin: state, step, simulation, verification of plans."""
