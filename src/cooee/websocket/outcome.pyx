"""
What an operation returns that may be awaited, and may as well be ignored.

An asyncio future needs a loop and complains when nobody looks at its exception. An
:class:`Outcome` needs neither: a plain function can start a closing handshake and go on.
"""

import asyncio


cdef class Done:
    """The outcome of what is done already: awaiting it takes no turn of the loop."""

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration


cdef Done DONE = Done()


cdef class Outcome:
    """
    The outcome of an operation that goes on.

    Await it, any number of times and from several tasks; cancelling one of them cancels only its
    waiting.
    """

    @property
    def done(self):
        """Whether the operation is over."""
        return self.finished

    def result(self):
        """
        What awaiting it would return or raise.

        Raises:
            asyncio.InvalidStateError: The operation goes on.
        """
        if not self.finished:
            raise asyncio.InvalidStateError("the operation is not over")
        if self.error is not None:
            raise self.error
        return self.value

    def set_result(self, value):
        """The operation is over. Later calls do nothing."""
        self.finish(value, None)

    def __await__(self):
        if not self.finished:
            future = asyncio.get_running_loop().create_future()
            if self.waiters is None:
                self.waiters = []
            self.waiters.append(future)
            try:
                yield from future
            except BaseException:
                # Whoever waits with a time limit may come back often.
                if self.waiters is not None:
                    self.waiters.remove(future)
                raise
        return self.result()

    cdef int finish(self, object value, object error) except -1:
        """The operation is over. Later calls do nothing."""
        if self.finished:
            return 0
        self.finished = True
        self.value = value
        self.error = error
        if self.waiters is not None:
            for future in self.waiters:
                if not future.done():
                    future.set_result(None)
            self.waiters = None
        return 0
