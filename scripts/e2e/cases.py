"""The list of tests. A test is a function; its name is the sentence that it proves."""

TESTS = []


class Test:
    def __init__(self, function, parallel, long, last):
        self.function, self.parallel, self.long, self.last = function, parallel, long, last
        self.name = function.__name__.replace("_", " ")


def test(function=None, *, parallel=False, long=False, last=False):
    """`parallel`: mostly waits, and disturbs none of its like. `long`: left out unless E2E_LONG=1. `last`: after what
    was to be checked later, which it would make void."""
    def add(function):
        TESTS.append(Test(function, parallel, long, last))
        return function
    return add(function) if function else add
