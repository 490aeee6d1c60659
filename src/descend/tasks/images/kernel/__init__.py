"""Pictures told apart by their gradients and colours, and a kernel: solved at once, and checked on each of them."""
