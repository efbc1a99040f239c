"""Mappings that finance edits: applied, measured, and proposed."""
