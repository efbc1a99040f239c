"""The life of a close: periods, events, the sealed pack and its proof, the sentinel, open items, cut-off, rehearsal and comparison."""
