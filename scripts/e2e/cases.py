"""The list of tests. A test is a function; its name is the sentence that it proves."""

TESTS = []


class Test:
    def __init__(self, function, parallel, long):
        self.function, self.parallel, self.long = function, parallel, long
        self.name = function.__name__.replace("_", " ")


def test(function=None, *, parallel=False, long=False):
    """`parallel`: mostly waits, and disturbs none of its like. `long`: left out unless E2E_LONG=1."""
    def add(function):
        TESTS.append(Test(function, parallel, long))
        return function
    return add(function) if function else add
