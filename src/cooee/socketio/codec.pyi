from typing import Any

class Codec:
    def __init__(self, encoder: Any, decoder: Any) -> None: ...
