"""Couriers: HTTP, authentication, paging and files.

Plain arguments in, plain records out; they carry and never compute.
"""
