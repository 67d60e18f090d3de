"""The tests: the tree mirrors the source; what several of them share lies at the top."""
