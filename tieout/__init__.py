"""The engine of tieout: how bytes move, rest and are printed.

Policy lives in the rooms beside this one: `flows` (when), `transforms` (arithmetic), `checks` (judgement). Nothing in here imports them.
"""

__version__ = "0.1.0"
