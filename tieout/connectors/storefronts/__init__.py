"""One module per storefront: how its orders, payments, customers and stock are fetched, and how stock is
written back.
"""
