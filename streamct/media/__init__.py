"""Files in and out: the only users of PyAV and libvips."""
