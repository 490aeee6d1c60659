"""Every claim of speed or quality, side by side with its peer: `python -m benchmarks NAME [--json FILE]`."""
