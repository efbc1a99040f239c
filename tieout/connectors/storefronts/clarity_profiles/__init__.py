"""Shipped profiles of Clarity eCommerce: how one generation of its API is spoken, as data."""
