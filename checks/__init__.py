"""The judges: contracts (is this frame well formed?), rules (do these tables agree?), expectations (is tonight plausible?).

Judges never share code with the judged: nothing here imports `transforms`.
"""
