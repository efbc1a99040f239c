"""What the web may sell, what of it is kept back, and how buffers would have done."""
