"""The only memory: landings on disk, tables in one DuckDB file, the outbox, runs and watermarks, and the archive of exchanges.

Stages hand each other table names and run ids; whatever they need to remember is here. `store.Warehouse` opens the file for
one short transaction at a time under an advisory lock, `session.Session` is what can be done inside it, `landing` receives
records before DuckDB sees them, `outbox` holds the only legal moves of a document, `runs` the history of runs, `archive` the texts
that were exchanged. Analysts read the published snapshot and never the live file.
"""
