"""Plain files compared without a server or a configuration, and landed as a storefront of their own."""
