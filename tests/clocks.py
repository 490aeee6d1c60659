"""A clock that only what is thought to be slow moves."""


class Clock:
    def __init__(self):
        self.now = 100.0

    def perf_counter(self):
        return self.now

    def takes(self, seconds, value=None):
        self.now += seconds
        return value
