"""The rehearsal room: stand-in storefronts and a stand-in Intacct gateway on loopback, all telling one seeded world.

Nothing here is imported by the rest of the project and nothing of the project is imported here: both sides meet over HTTP
only, so that what works against the stand-ins was exercised as a client of the real systems would be. Start it with
``python -m tieout.sandbox``; the control door (its own port) switches faults on and holds the answer key.
"""
